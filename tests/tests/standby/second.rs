//! A second signer on a machine of its own (here: a directory), and who sits at its console.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use e2e::program::binary;
use e2e::system::path;
use e2e::{System, program};
use tty::Pty;

/// What its serial numbers begin with.
pub(crate) const NUMBER: u8 = 2;

/// The second signer.
pub(crate) struct Second {
    folder: PathBuf,
    running: Option<(Child, Pty)>,
}

impl Second {
    /// Sets it up as docs/signer.md says: the key store copied, a journal made, the other cable's keys.
    pub(crate) fn set_up(system: &System) -> Self {
        let folder = system.folder().join("second");
        let keys = folder.join("keys");
        fs::create_dir_all(&keys).expect("a directory");
        for entry in fs::read_dir(system.data().join("signer/keys")).expect("a key store") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), keys.join(entry.file_name())).expect("copied");
        }
        let link = format!("link-signer-{NUMBER}.key");
        fs::rename(system.data().join("signer").join(&link), folder.join(&link)).expect("carried");
        let finished = program(
            &folder,
            binary("signer"),
            ["standby", "--keys", path(&keys)],
        );
        let said = finished.ok().output();
        assert!(said.contains("standby"), "{said}");

        let first = fs::read_to_string(system.data().join("config/signer.toml")).expect("read");
        let first: Vec<_> = first
            .lines()
            .filter(|line| {
                let name = line.split(['=', ' ']).next().unwrap_or_default();
                !["device", "link_keys", "keys", "journal"].contains(&name)
            })
            .collect();
        let own = format!(
            "device = {:?}\nlink_keys = {:?}\nkeys = {keys:?}\njournal = {:?}\n",
            cable(system),
            folder.join(&link),
            folder.join("journal"),
        );
        fs::write(folder.join("signer.toml"), own + &first.join("\n")).expect("written");
        Self {
            folder,
            running: None,
        }
    }

    pub(crate) fn start(&mut self) {
        let console = Pty::open().expect("a pseudo-terminal");
        let terminal = OpenOptions::new()
            .read(true)
            .write(true)
            .open(console.path())
            .expect("a terminal");
        let log = File::create(self.folder.join("log")).expect("a log");
        let child = Command::new(binary("signer"))
            .args(["run", "--config"])
            .arg(self.folder.join("signer.toml"))
            .stdin(Stdio::from(terminal.try_clone().expect("a terminal")))
            .stdout(Stdio::from(terminal))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("it starts");
        self.running = Some((child, console));
    }

    /// What people type.
    pub(crate) fn says(&self, lines: &str) {
        let (_, console) = self.running.as_ref().expect("it runs");
        let console = console.as_fd().try_clone_to_owned().expect("a terminal");
        File::from(console)
            .write_all(lines.as_bytes())
            .expect("typed");
    }

    pub(crate) fn kill(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }

    /// What it logged since it was started.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).expect("a log")
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Tells the host of the second cable.
pub(crate) fn lay_cable(system: &System) {
    let config = system.data().join("config/signer-host.toml");
    let keys = system.data().join(format!("signer/link-host-{NUMBER}.key"));
    let mut file = OpenOptions::new()
        .append(true)
        .open(config)
        .expect("the host's configuration");
    write!(
        file,
        "\n[[cables]]\npty = {:?}\nbaud = 3000000\nkeys = {keys:?}\n",
        cable(system)
    )
    .expect("written");
}

fn cable(system: &System) -> PathBuf {
    Path::new(&system.data()).join("run/second.tty")
}
