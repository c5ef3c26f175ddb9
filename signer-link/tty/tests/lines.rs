//! Over real pseudo-terminals.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use tty::{Line, Pty, Tty, TtyError};

#[test]
fn every_octet_as_it_is_both_ways() {
    let (pty, tty) = Pty::pair(115_200).unwrap();
    // Among them those that a terminal would act on: ^C, ^D, ^Q, ^S, ^Z, CR, LF, FF.
    let all: Vec<u8> = (0..=255).cycle().take(1024).collect();
    carry(&pty, &tty, &all);
    carry(&tty, &pty, &all);
}

#[test]
fn nothing_to_read_is_nothing() {
    let (pty, tty) = Pty::pair(115_200).unwrap();
    assert_eq!(pty.read(&mut [0; 16]).unwrap(), None);
    assert_eq!(tty.read(&mut [0; 16]).unwrap(), None);
}

#[test]
fn one_process_alone() {
    let (pty, tty) = Pty::pair(115_200).unwrap();
    let again = Tty::open(pty.path(), 115_200).unwrap_err();
    assert!(matches!(again, TtyError::InUse(_)), "{again}");
    drop(tty);
    Tty::open(pty.path(), 9600).unwrap();
}

/// The device may be closed and opened again; what was sent meanwhile is not read by the next.
#[test]
fn the_device_comes_back() {
    let (pty, tty) = Pty::pair(115_200).unwrap();
    drop(tty);
    assert_eq!(pty.read(&mut [0; 16]).unwrap(), None);
    assert_eq!(pty.write(b"to nobody").unwrap(), 9);
    let tty = Tty::open(pty.path(), 115_200).unwrap();
    assert_eq!(tty.read(&mut [0; 16]).unwrap(), None);
    carry(&pty, &tty, b"to the next");
}

#[test]
fn a_cable_that_is_gone() {
    let (pty, tty) = Pty::pair(115_200).unwrap();
    drop(pty);
    wait(&tty, PollFlags::IN);
    assert!(tty.read(&mut [0; 16]).is_err());
}

#[test]
fn any_speed_that_the_driver_knows() {
    let pty = Pty::open().unwrap();
    for baud in [300, 9600, 115_200, 921_600, 3_000_000, 4_000_000] {
        let tty = Tty::open(pty.path(), baud).unwrap();
        let settings = rustix::termios::tcgetattr(&tty).unwrap();
        assert_eq!(settings.output_speed(), baud);
    }
}

#[test]
fn not_a_terminal() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = Tty::open(file.path(), 115_200).unwrap_err();
    assert!(matches!(refused, TtyError::NotATerminal(_)), "{refused}");
    let missing = Tty::open(&file.path().with_extension("none"), 115_200).unwrap_err();
    let TtyError::System { error, .. } = missing else {
        panic!("{missing}")
    };
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(File::open(file.path()).is_ok());
}

fn carry(from: &impl Line, to: &impl Line, octets: &[u8]) {
    let mut sent = 0;
    let mut received = Vec::new();
    while received.len() < octets.len() {
        sent += from.write(&octets[sent..]).unwrap();
        wait(to, PollFlags::IN);
        let mut buffer = [0; 300];
        let length = to.read(&mut buffer).unwrap().unwrap_or(0);
        received.extend_from_slice(&buffer[..length]);
    }
    assert!(received == octets);
}

fn wait(line: &impl AsFd, what: PollFlags) {
    poll(&mut [PollFd::new(line, what)], None).unwrap();
}

/// As when a cable is plugged in elsewhere, and the link that names it follows.
#[test]
fn a_path_that_leads_to_another_device() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cable");
    let (one, other) = (Pty::open().unwrap(), Pty::open().unwrap());
    std::os::unix::fs::symlink(one.path(), &path).unwrap();
    let tty = Tty::open(&path, 115_200).unwrap();
    assert!(tty.is_at_its_path().unwrap());
    std::fs::remove_file(&path).unwrap();
    assert!(tty.is_at_its_path().is_err());
    std::os::unix::fs::symlink(other.path(), &path).unwrap();
    assert!(!tty.is_at_its_path().unwrap());
}
