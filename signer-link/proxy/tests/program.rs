//! The program, over real pseudo-terminals.

mod common;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Proxy, patience};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_process};
use tty::{Line as _, Pty, Tty};

const PROGRAM: &str = env!("CARGO_BIN_EXE_serial-proxy");

fn start(arguments: &[&str]) -> Proxy {
    Proxy::start(Path::new(PROGRAM), arguments)
}

fn open(path: &Path) -> Tty {
    Tty::open(path, 115_200).unwrap()
}

/// Writes all of it and reads as much.
fn carry(from: &Tty, to: &Tty, octets: &[u8]) {
    let mut sent = 0;
    let mut received = Vec::new();
    while received.len() < octets.len() {
        sent += from.write(&octets[sent..]).unwrap();
        received.extend(read(to));
    }
    assert!(received == octets);
}

/// Waits for octets.
fn read(line: &Tty) -> Vec<u8> {
    let timeout = Timespec {
        tv_sec: 60,
        tv_nsec: 0,
    };
    assert_eq!(
        poll(&mut [PollFd::new(line, PollFlags::IN)], Some(&timeout)),
        Ok(1),
        "no octets"
    );
    let mut buffer = [0; 4096];
    let length = line.read(&mut buffer).unwrap().unwrap_or(0);
    buffer[..length].to_vec()
}

#[test]
fn octets_pass_both_ways_at_the_speed_of_the_line() {
    let proxy = start(&["--baud", "115200", "pty", "pty"]);
    let (a, b) = (open(&proxy.a), open(&proxy.b));
    let octets: Vec<u8> = (0..=255).cycle().take(5760).collect();
    for (from, to) in [(&a, &b), (&b, &a)] {
        let started = Instant::now();
        carry(from, to, &octets);
        assert!(
            started.elapsed() > Duration::from_millis(490),
            "faster than the line"
        );
    }
}

#[test]
fn it_is_told_to_cut_and_to_restore_and_counts() {
    let mut proxy = start(&["--baud", "3000000", "pty", "pty"]);
    let (a, b) = (open(&proxy.a), open(&proxy.b));
    carry(&a, &b, b"before");
    assert_eq!(proxy.tell("cut"), "done");
    a.write(b"lost").unwrap();
    let deadline = patience();
    // Lost when the line has carried them.
    while !proxy.tell("counters").contains("4 lost in cuts") {
        assert_eq!(proxy.line(), "B to A: 0 octets taken, 0 given");
        assert_eq!(proxy.line(), "cuts: 1");
        assert!(Instant::now() < deadline);
    }
    proxy.line();
    proxy.line();
    assert_eq!(proxy.tell("restore"), "done");
    carry(&a, &b, b"after");

    assert_eq!(proxy.tell("drop 1"), "done");
    a.write(b"never").unwrap();
    assert_eq!(proxy.tell("good"), "done");
    assert!(
        proxy
            .tell("flip often")
            .starts_with("not understood: \"often\" is not a chance")
    );
    assert!(
        proxy
            .tell("hack")
            .starts_with("not understood: \"hack\" is not known")
    );

    kill_process(proxy.pid(), Signal::USR1).unwrap();
    assert_eq!(proxy.line(), "done");
    kill_process(proxy.pid(), Signal::USR2).unwrap();
    assert_eq!(proxy.line(), "done");
    carry(&b, &a, b"and back");

    kill_process(proxy.pid(), Signal::TERM).unwrap();
    let (status, rest) = proxy.end();
    assert!(status.success());
    assert!(
        rest.contains("B to A: 8 octets taken, 8 given\ncuts: 2\n"),
        "{rest}"
    );
}

#[test]
fn links_to_the_devices() {
    let folder = tempfile::tempdir().unwrap();
    let (link_a, link_b) = (folder.path().join("a"), folder.path().join("b"));
    let arguments = [
        "--link-a",
        link_a.to_str().unwrap(),
        "--link-b",
        link_b.to_str().unwrap(),
        "pty",
        "pty",
    ];
    // What a killed program left behind is replaced.
    std::os::unix::fs::symlink("/dev/null", &link_a).unwrap();
    let mut proxy = start(&arguments);
    assert_eq!((&proxy.a, &proxy.b), (&link_a, &link_b));
    carry(&open(&link_a), &open(&link_b), b"through the links");
    assert!(
        proxy
            .tell("quit")
            .starts_with("A to B: 17 octets taken, 17 given")
    );
    assert!(proxy.end().0.success());
    assert!(!link_a.is_symlink() && !link_b.is_symlink());

    // A file is not replaced.
    std::fs::write(&link_a, "something").unwrap();
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(std::fs::read(&link_a).unwrap(), b"something");
}

/// A device is opened as a device, for this program alone; when it goes away it is waited for.
#[test]
fn a_device_that_goes_and_comes() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("ttyUSB0");
    let plug = Pty::open().unwrap();
    std::os::unix::fs::symlink(plug.path(), &device).unwrap();
    let proxy = start(&["--baud", "921600", device.to_str().unwrap(), "pty"]);
    let b = open(&proxy.b);
    assert!(
        Tty::open(&device, 9600).is_err(),
        "the device is not claimed"
    );
    plug.write(b"first").unwrap();
    assert_eq!(read(&b), b"first");

    drop(plug);
    let plug = Pty::open().unwrap();
    std::fs::remove_file(&device).unwrap();
    std::os::unix::fs::symlink(plug.path(), &device).unwrap();
    let deadline = patience();
    let mut buffer = [0; 16];
    // What is sent before the device is claimed again is thrown away.
    while b.read(&mut buffer).unwrap().is_none() {
        plug.write(b"x").unwrap();
        poll(
            &mut [PollFd::new(&b, PollFlags::IN)],
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 50_000_000,
            }),
        )
        .unwrap();
        assert!(Instant::now() < deadline, "the device is not opened again");
    }
}

#[test]
fn what_is_no_device_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(PROGRAM)
        .arg(file.path())
        .arg("pty")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("is not a terminal device; name a serial port"),
        "{error}"
    );
    for wrong in [
        ["--flip", "2"],
        ["--latency", "16"],
        ["--stall", "0.1"],
        ["--baud", "0"],
    ] {
        let output = Command::new(PROGRAM)
            .args(wrong)
            .args(["pty", "pty"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn help_teaches() {
    let output = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for part in [
        "A rehearsal on one machine",
        "pty pty",
        "cut, cut TIME, restore",
        "SIGUSR1",
        "--flip",
    ] {
        assert!(help.contains(part), "{part:?} is missing:\n{help}");
    }
}
