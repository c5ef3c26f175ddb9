//! An edge whose clock is moved.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::clients::curl;
use crate::program::{binary, wait_for};
use crate::system::{System, path, signal};

/// The edge of a running system, started once more with the clock moved.
#[derive(Debug)]
pub struct FakedEdge {
    child: Child,
    pid: u32,
    /// Where it serves, with a slash at its end.
    pub url: String,
    /// Where its admin listener is, with a slash at its end.
    pub admin: String,
}

impl FakedEdge {
    /// Starts it with an offset in faketime's words, such as `+2d`.
    #[track_caller]
    pub fn start(system: &System, offset: &str) -> Self {
        let folder = tempfile::tempdir_in(system.folder())
            .expect("a folder")
            .keep();
        let configuration =
            std::fs::read_to_string(system.data().join("config/ocsp-responder.toml"))
                .expect("its configuration");
        // Its own state and state file, so that it does not disturb the running one.
        let data = system.data();
        let configuration = configuration
            .replace(
                path(&data.join("run/ocsp-responder.json")),
                path(&folder.join("state.json")),
            )
            .replace(path(&data.join("ocsp-responder")), path(&folder));
        let file = folder.join("edge.toml");
        std::fs::write(&file, configuration).expect("written");
        let child = Command::new("faketime")
            .args(["-f", offset, path(&binary("ocsp-responder"))])
            .args([
                "--config",
                path(&file),
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
            ])
            .env("DONT_FAKE_MONOTONIC", "1")
            .stdin(Stdio::null())
            .spawn()
            .expect("faketime is installed by tests/run");
        let state = folder.join("state.json");
        wait_for(|| read_json(&state).is_some());
        let state = read_json(&state).expect("it was there");
        let url = |key: &str| {
            format!(
                "{}/",
                state[key].as_str().expect("a URL").trim_end_matches('/')
            )
        };
        let pid = state["pid"]
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok());
        let edge = Self {
            child,
            pid: pid.expect("a pid"),
            url: url("listen"),
            admin: url("admin"),
        };
        // Its first scan of the publication is done when the CA's certificate is there.
        let probe = format!("{}ca/member.cer", edge.url);
        wait_for(|| curl(system, &probe, &[]).status == 200);
        edge
    }
}

impl Drop for FakedEdge {
    fn drop(&mut self) {
        // faketime waits for the edge that it started, and ends with it.
        signal("-TERM", self.pid);
        let status = self.child.wait();
        if !std::thread::panicking() {
            assert!(status.is_ok_and(|status| status.success()));
        }
    }
}

fn read_json(file: &Path) -> Option<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}
