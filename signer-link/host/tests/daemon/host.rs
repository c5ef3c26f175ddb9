//! `signer-host` as a process, with everything around it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use keystore::{LinkKeys, SignerId};
use tempfile::TempDir;
use wire::link::SessionKeys;
use wire::{Reply, Request, frame};

/// Nothing here takes nearly so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Host {
    pub(crate) directory: TempDir,
    /// The signer's end.
    pub(crate) keys: SessionKeys,
    process: Option<Child>,
}

impl Host {
    /// Files for a host; nothing is started.
    pub(crate) fn new(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        // Other users of this test get to the socket.
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let pair = LinkKeys::pair(SignerId::new(17).unwrap()).unwrap();
        pair.host.save(&path.join("link-host.key")).unwrap();
        let config = format!(
            r#"
                socket = "{0}/signer.sock"
                data = "{0}/data"
                {more}

                [[cables]]
                device = "{0}/cable"
                baud = 921600
                keys = "{0}/link-host.key"

                [daemon]
                state_file = "{0}/state.json"
            "#,
            path.display()
        );
        fs::write(path.join("host.toml"), config).unwrap();
        Self {
            keys: SessionKeys {
                private: *pair.signer.private(),
                peer: *pair.signer.peer(),
                psk: *pair.signer.psk(),
            },
            directory,
            process: None,
        }
    }

    pub(crate) fn start(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_signer-host"))
            .arg("--config")
            .arg(self.path("host.toml"))
            .arg("--die-with-parent")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let pid = process.id();
        self.process = Some(process);
        self.wait_until("it serves", || {
            self.state()["pid"].as_u64() == Some(u64::from(pid))
        });
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGTERM; it must stop well.
    pub(crate) fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(process.wait().unwrap().success(), "{}", self.log());
    }

    /// Plugs the cable into this device.
    pub(crate) fn plug(&self, device: &Path) {
        symlink(device, self.path("cable")).unwrap();
    }

    /// Pulls it out: before its device goes, since another test's may get the same name.
    pub(crate) fn unplug(&self) {
        fs::remove_file(self.path("cable")).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn connect(&self) -> Client {
        Client(UnixStream::connect(self.path("signer.sock")).unwrap())
    }

    /// Status and body of a page of the admin listener.
    pub(crate) fn page(&self, path: &str) -> (u16, String) {
        let admin = self.state()["admin"].as_str().unwrap().to_owned();
        let address = admin.strip_prefix("http://").unwrap().trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// The value of a metric, with its labels as it stands there.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let (_, page) = self.page("/metrics");
        let line = page.lines().find(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        })?;
        line.rsplit(' ').next()?.parse().ok()
    }

    pub(crate) fn wait_for_metric(&self, name: &str, value: f64) {
        self.wait_until(&format!("{name} is {value}"), || {
            self.metric(name) == Some(value)
        });
    }

    pub(crate) fn wait_until_ready(&self) {
        self.wait_until("it is ready", || self.page("/readyz").0 == 200);
    }

    pub(crate) fn wait_until(&self, what: &str, done: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "not in time: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn state(&self) -> serde_json::Value {
        let text = fs::read_to_string(self.path("state.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A local process.
pub(crate) struct Client(pub(crate) UnixStream);

impl Client {
    pub(crate) fn send(&mut self, request: &Request) {
        self.send_octets(&request.encode().unwrap());
    }

    pub(crate) fn send_octets(&mut self, octets: &[u8]) {
        self.0.write_all(&frame::encode(octets).unwrap()).unwrap();
    }

    pub(crate) fn receive(&mut self) -> Reply {
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut header = [0; frame::HEADER];
        self.0.read_exact(&mut header).unwrap();
        let mut message = vec![0; frame::length(header).unwrap()];
        self.0.read_exact(&mut message).unwrap();
        Reply::decode(&message).unwrap()
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Reply {
        self.send(request);
        self.receive()
    }

    /// Whether the host closes the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        match self.0.read(&mut [0]) {
            Ok(count) => count == 0,
            // It was closed with octets unread.
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}
