//! A child process with the library, killed at each of its points on each side.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use std::os::unix::process::ExitStatusExt;
use tempfile::TempDir;

const SIGKILL: i32 = 9;
const POINTS: [&str; 4] = ["fsync", "fdatasync", "rename", "fsync"];

fn library() -> PathBuf {
    let deps = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    [
        deps.join("libkillpoint.so"),
        deps.parent().unwrap().join("libkillpoint.so"),
    ]
    .into_iter()
    .find(|path| path.exists())
    .expect("libkillpoint.so lies beside this test")
}

/// What the child does; here it does nothing unless asked to.
#[test]
fn child() {
    let Some(directory) = std::env::var_os("CHILD_DIRECTORY").map(PathBuf::from) else {
        return;
    };
    let mut file = File::create(directory.join("new")).unwrap();
    file.write_all(b"content").unwrap();
    file.sync_all().unwrap();
    file.sync_data().unwrap();
    fs::rename(directory.join("new"), directory.join("old")).unwrap();
    File::open(&directory).unwrap().sync_all().unwrap();
    File::create(directory.join("done")).unwrap();
}

fn run(directory: &Path, environment: &[(&str, &str)]) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env("CHILD_DIRECTORY", directory)
        .env("LD_PRELOAD", library())
        .env("KILLPOINT_LOG", directory.join("log"))
        .envs(environment.iter().copied())
        .output()
        .unwrap()
        .status
}

/// Log lines without program and process id.
fn log(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("log")).unwrap_or_default();
    text.lines()
        .map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            [&words[..1], &words[3..]].concat().join(" ")
        })
        .collect()
}

fn program() -> String {
    std::env::current_exe()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn unarmed_it_counts() {
    let directory = TempDir::new().unwrap();
    assert!(run(directory.path(), &[]).success());
    let expected: Vec<_> = POINTS
        .iter()
        .zip(1..)
        .map(|(call, number)| format!("point {number} {call}"))
        .collect();
    assert_eq!(log(directory.path()), expected);
    assert_eq!(fs::read(directory.path().join("old")).unwrap(), b"content");
}

#[test]
fn kills_at_each_point_on_each_side() {
    for (call, number) in POINTS.iter().zip(1..) {
        for when in ["before", "after"] {
            let directory = TempDir::new().unwrap();
            let status = run(
                directory.path(),
                &[
                    ("KILLPOINT_AT", &number.to_string()),
                    ("KILLPOINT_WHEN", when),
                ],
            );
            assert_eq!(status.signal(), Some(SIGKILL), "{call} {when}");
            let log = log(directory.path());
            assert_eq!(log.last().unwrap(), &format!("kill {number} {call} {when}"));
            assert_eq!(log.len(), number + 1);
            let renamed = number > 3 || (number == 3 && when == "after");
            assert_eq!(
                directory.path().join("old").exists(),
                renamed,
                "{call} {when}"
            );
            assert!(!directory.path().join("done").exists());
        }
    }
}

#[test]
fn a_point_beyond_the_last_is_seen_not_to_be_reached() {
    let directory = TempDir::new().unwrap();
    assert!(run(directory.path(), &[("KILLPOINT_AT", "5")]).success());
    assert!(
        log(directory.path())
            .iter()
            .all(|line| line.starts_with("point"))
    );
}

#[test]
fn other_programs_are_left_alone() {
    let directory = TempDir::new().unwrap();
    assert!(
        run(
            directory.path(),
            &[("KILLPOINT_AT", "1"), ("KILLPOINT_PROGRAM", "another")]
        )
        .success()
    );
    assert_eq!(log(directory.path()), [""; 0]);
    let status = run(
        directory.path(),
        &[("KILLPOINT_AT", "1"), ("KILLPOINT_PROGRAM", &program())],
    );
    assert_eq!(status.signal(), Some(SIGKILL));
}

#[test]
fn a_control_file_kills_once() {
    let directory = TempDir::new().unwrap();
    let control = TempDir::new().unwrap();
    let order = control.path().join(program());
    let environment = [("KILLPOINT_CONTROL", control.path().to_str().unwrap())];
    assert!(run(directory.path(), &environment).success());
    // Half an order is none.
    fs::write(&order, "3 af").unwrap();
    assert!(run(directory.path(), &environment).success());
    fs::write(&order, "3 after\n").unwrap();
    assert_eq!(run(directory.path(), &environment).signal(), Some(SIGKILL));
    assert_eq!(fs::read(&order).unwrap(), b"");
    assert!(run(directory.path(), &environment).success());
    let kills: Vec<_> = log(directory.path())
        .into_iter()
        .filter(|line| line.starts_with("kill"))
        .collect();
    assert_eq!(kills, ["kill 3 rename after"]);
}

#[test]
fn nonsense_in_the_environment_stops_the_program() {
    for environment in [
        [("KILLPOINT_AT", "x"), ("KILLPOINT_WHEN", "before")],
        [("KILLPOINT_AT", "1"), ("KILLPOINT_WHEN", "during")],
    ] {
        let directory = TempDir::new().unwrap();
        assert_eq!(run(directory.path(), &environment).signal(), Some(6));
    }
}
