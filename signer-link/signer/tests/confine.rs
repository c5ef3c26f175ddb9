//! What a confined process can do no more, tried out: each test runs in a child process of this binary, since a
//! confinement cannot be taken back.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use signer::confine::{Confinement, Extent, confine};
use tempfile::TempDir;

const IN_CHILD: &str = "AVOUCH_TEST_CONFINED";

/// Runs `body` confined, with the folders `read` and `write` and the file `read/file` below the given one.
fn confined(test: &str, confinement: impl FnOnce(&Path) -> Confinement, body: impl FnOnce(&Path)) {
    if let Some(folder) = std::env::var_os(IN_CHILD) {
        let folder = Path::new(&folder);
        let enforced = confine(&confinement(folder)).unwrap();
        assert_eq!(enforced.system_calls, Extent::Fully, "{enforced}");
        assert_ne!(
            enforced.files,
            Extent::Not,
            "this kernel has no Landlock: {enforced}"
        );
        return body(folder);
    }
    let folder = TempDir::new().unwrap();
    for name in ["read", "write", "other"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("file"), "content").unwrap();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(IN_CHILD, folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stderr) + String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{told}");
}

fn folders(folder: &Path) -> Confinement {
    Confinement {
        read: vec![folder.join("read")],
        write: vec![folder.join("write")],
        ..Confinement::default()
    }
}

#[test]
fn only_the_files_that_are_listed_can_be_reached() {
    confined(
        "only_the_files_that_are_listed_can_be_reached",
        folders,
        |folder| {
            let refused = |result: std::io::Result<()>, what: &str| {
                assert_eq!(
                    result.unwrap_err().kind(),
                    ErrorKind::PermissionDenied,
                    "{what}"
                );
            };
            assert_eq!(fs::read(folder.join("read/file")).unwrap(), b"content");
            assert_eq!(fs::read_dir(folder.join("read")).unwrap().count(), 1);
            refused(
                fs::write(folder.join("read/file"), "x"),
                "writing what may be read",
            );
            refused(
                fs::write(folder.join("read/new"), "x"),
                "making a file where one may read",
            );
            refused(
                fs::remove_file(folder.join("read/file")),
                "removing what may be read",
            );
            for path in ["/etc/passwd", "/proc/self/environ", "/dev/null"] {
                refused(File::open(path).map(drop), path);
            }
            refused(
                File::open(folder.join("other/file")).map(drop),
                "another folder",
            );
            refused(fs::read_dir("/").map(drop), "the root");

            // A journal: append, sync, replace.
            let path = folder.join("write/journal");
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)
                .unwrap();
            file.write_all(b"record").unwrap();
            file.sync_all().unwrap();
            file.set_len(3).unwrap();
            fs::rename(&path, folder.join("write/renamed")).unwrap();
            assert_eq!(fs::read(folder.join("write/renamed")).unwrap(), b"rec");
            fs::remove_file(folder.join("write/renamed")).unwrap();
            // EXDEV, so that programs copy instead: which is refused as well.
            fs::rename(folder.join("write/file"), folder.join("other/file")).unwrap_err();
        },
    );
}

#[test]
fn no_socket_no_program_no_process() {
    confined("no_socket_no_program_no_process", folders, |_| {
        let refused = |result: std::io::Result<()>, what: &str| {
            assert_eq!(
                result.unwrap_err().kind(),
                ErrorKind::PermissionDenied,
                "{what}"
            );
        };
        refused(TcpListener::bind("127.0.0.1:0").map(drop), "listening");
        refused(TcpStream::connect("127.0.0.1:9").map(drop), "connecting");
        refused(UdpSocket::bind("127.0.0.1:0").map(drop), "UDP");
        refused(UnixStream::connect("/run/any").map(drop), "a Unix socket");
        refused(UnixStream::pair().map(drop), "a pair of sockets");
        refused(
            Command::new("/bin/true").status().map(drop),
            "another program",
        );
        // What is needed still works.
        let sum = std::thread::spawn(|| (1..=10).sum::<u32>()).join().unwrap();
        assert_eq!(sum, 55);
        let mut random = [0; 32];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).unwrap();
        // And a second confinement only takes away.
        let wider = Confinement {
            sockets: true,
            ..Confinement::default()
        };
        confine(&wider).unwrap();
        refused(
            UnixStream::pair().map(drop),
            "a pair of sockets, afterwards",
        );
        refused(
            TcpListener::bind("127.0.0.1:0").map(drop),
            "listening, afterwards",
        );
    });
}

#[test]
fn sockets_are_allowed_where_a_token_needs_them() {
    let with_sockets = |_: &Path| Confinement {
        sockets: true,
        ..Confinement::default()
    };
    confined(
        "sockets_are_allowed_where_a_token_needs_them",
        with_sockets,
        |_| {
            let refused = UnixStream::connect("/run/there-is-none").unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::NotFound);
            assert!(
                TcpListener::bind("127.0.0.1:0").is_err(),
                "a server is none of a token's needs"
            );
        },
    );
}

#[test]
fn what_is_not_there_cannot_be_allowed() {
    let nothing = Confinement {
        devices: vec![PathBuf::from("/dev/there-is-none")],
        ..Confinement::default()
    };
    let error = confine(&nothing).unwrap_err();
    assert!(error.to_string().contains("/dev/there-is-none"), "{error}");
}
