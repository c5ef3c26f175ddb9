//! The new process's side.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{HELLO, Offer, PATIENCE, PROMPT, SERVING, YOURS, message, socket_path};
use crate::live::Live;
use crate::state_lock::StateLock;

/// What the running edge gave, and the way to tell it that it may go.
#[derive(Debug)]
pub struct Inherited {
    pub(crate) lock: StateLock,
    pub(crate) status: Vec<TcpListener>,
    admin: TcpListener,
    generations: BTreeMap<String, u64>,
    stream: UnixStream,
}

/// Asks the edge that runs with this state directory for its place; `None` if there is none.
pub fn take_over(state: &Path) -> anyhow::Result<Option<Inherited>> {
    let stream = match UnixStream::connect(socket_path(state)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "the edge that runs with the state {} cannot be asked to give up its place; run as the same user",
                    state.display()
                )
            });
        }
    };
    ask(stream)
        .map(Some)
        .context("the running edge did not give up its place and goes on")
}

fn ask(stream: UnixStream) -> anyhow::Result<Inherited> {
    stream.set_write_timeout(Some(PROMPT))?;
    // It may be looking at its publication.
    stream.set_read_timeout(Some(PATIENCE))?;
    message::send(&stream, HELLO, &[])?;
    let (offer, descriptors) = message::receive(&stream)?;
    let offer: Offer = serde_json::from_slice(&offer)?;
    let mut descriptors = descriptors.into_iter();
    let mut next = || {
        descriptors
            .next()
            .context("it sent fewer sockets than it has")
    };
    let lock = StateLock::inherited(next()?)?;
    let admin = next()?.into();
    Ok(Inherited {
        lock,
        status: descriptors.map(TcpListener::from).collect(),
        admin,
        generations: offer.generations,
        stream,
    })
}

impl Inherited {
    /// The admin listener.
    pub fn admin(&self) -> io::Result<TcpListener> {
        self.admin.try_clone()
    }

    /// Whether this edge can serve no less than the running one; to be asked before it accepts the first connection.
    pub(crate) fn check(&self, live: &Live) -> anyhow::Result<()> {
        for (name, &running) in &self.generations {
            let here = live
                .channel(name)
                .map_or(0, |channel| channel.manifest.generation);
            if here < running {
                bail!(
                    "the running edge serves generation {running} of channel {name}, this one generation {here} (0: none); \
                     the running one goes on"
                );
            }
        }
        Ok(())
    }

    /// Tells the running edge that this one serves, and waits until it gives up its place.
    pub(crate) fn confirm(self) -> anyhow::Result<StateLock> {
        message::send(&self.stream, SERVING, &[])?;
        message::expect(&self.stream, YOURS)
            .context("the running edge did not give up its place and goes on")?;
        Ok(self.lock)
    }
}
