//! The running edge's side.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::Context as _;
use telemetry::AdminSocket;

use super::{HELLO, Offer, PATIENCE, PROMPT, SERVING, YOURS, message, socket_path};
use crate::state_lock::StateLock;

/// Waits for a process that wants to take this one's place.
#[derive(Debug)]
pub(crate) struct Giver {
    admin: AdminSocket,
    asked: tokio::net::UnixListener,
    /// The sockets that the serving threads accept from.
    status: Vec<TcpListener>,
}

/// A process that wants to take this one's place.
#[derive(Debug)]
pub(crate) struct Successor(UnixStream);

impl Giver {
    /// Listens in the state directory, which is ours by its lock.
    pub(crate) fn new(
        state: &Path,
        status: Vec<TcpListener>,
        admin: AdminSocket,
    ) -> anyhow::Result<Self> {
        let path = socket_path(state);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let asked = tokio::net::UnixListener::bind(&path)
            .with_context(|| format!("{} cannot be bound", path.display()))?;
        // Who may connect gets the sockets.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            admin,
            asked,
            status,
        })
    }

    /// Waits until somebody asks.
    pub(crate) async fn asked(&self) -> Successor {
        loop {
            match self.greet().await {
                Ok(successor) => return successor,
                Err(error) => tracing::warn!("somebody asked to take over in vain: {error}"),
            }
        }
    }

    async fn greet(&self) -> io::Result<Successor> {
        let (stream, _) = self.asked.accept().await?;
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(PROMPT))?;
        stream.set_read_timeout(Some(PROMPT))?;
        tokio::task::spawn_blocking(move || {
            message::expect(&stream, HELLO)?;
            Ok(Successor(stream))
        })
        .await?
    }

    /// Hands everything over; returns when the successor serves. The publication must not be followed meanwhile.
    pub(crate) async fn give(
        &self,
        Successor(stream): Successor,
        lock: &StateLock,
        generations: BTreeMap<String, u64>,
    ) -> anyhow::Result<()> {
        let offer = serde_json::to_vec(&Offer { generations })?;
        let mut descriptors = vec![lock.as_fd(), self.admin.as_fd()];
        descriptors.extend(self.status.iter().map(AsFd::as_fd));
        message::send(&stream, &offer, &descriptors)?;
        tokio::task::spawn_blocking(move || {
            stream.set_read_timeout(Some(PATIENCE))?;
            message::expect(&stream, SERVING)?;
            message::send(&stream, YOURS, &[])
        })
        .await??;
        self.admin.leave();
        Ok(())
    }
}
