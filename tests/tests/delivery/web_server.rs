//! Python's static web server: knows Last-Modified and nothing else.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub(crate) struct WebServer {
    child: Child,
    pub(crate) url: String,
}

impl WebServer {
    /// Serves a folder.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut child = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 is installed by tests/run");
        let mut said = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut said)
            .expect("it says where it serves");
        let url = said
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .expect("its URL in brackets")
            .0
            .to_owned();
        Self { child, url }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
