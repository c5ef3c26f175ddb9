//! Running programs: ours from the build, others from the machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The root of the checkout.
pub fn repository() -> PathBuf {
    // Unwrap safety: this package is a folder of the repository.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// One of our own binaries: in `AVOUCH_BIN_DIR`, or where this test or program was built.
pub fn binary(name: &str) -> PathBuf {
    let folder = std::env::var_os("AVOUCH_BIN_DIR").map_or_else(
        || {
            let own = std::env::current_exe().expect("a program knows its own path");
            let folder = own.parent().expect("a program lies in a folder");
            // Tests are built in a folder of their own inside it.
            match folder.ends_with("deps") {
                true => folder.parent().expect("deps lies in it").to_path_buf(),
                false => folder.to_path_buf(),
            }
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is not there; build it with `cargo build --release --workspace`",
        path.display()
    );
    path
}

/// A program that has ended, with what it said.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; -1 after a signal.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Itself, if it ended with exit code 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Both outputs, one after the other.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a program of the machine in `folder` and waits for its end.
#[track_caller]
pub fn program<S: AsRef<OsStr>>(
    folder: &Path,
    name: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = S>,
) -> Finished {
    let name = name.as_ref();
    Command::new(name)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; tests/run installs it", name.display()))
        .into()
}

/// Waits until the condition holds; gives up after a minute. What it asks is itself slow (a program or a
/// request), so nothing else slows the loop.
#[track_caller]
pub fn wait_for(condition: impl FnMut() -> bool) {
    wait_within(Duration::from_secs(60), condition);
}

/// The same with another patience.
#[track_caller]
pub fn wait_within(patience: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < patience, "it never came true");
        std::thread::yield_now();
    }
}
