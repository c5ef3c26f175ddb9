//! A small disk of the test's own.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use e2e::program;
use e2e::system::path;
use tempfile::TempDir;

const SIZE: &str = "96m";

/// A mounted tmpfs, and a file that takes its room away.
pub(crate) struct Disk {
    mounted: TempDir,
}

impl Disk {
    pub(crate) fn mount() -> Self {
        let mounted = tempfile::tempdir().expect("a temporary directory");
        let options = format!("size={SIZE},mode=0700");
        let arguments = ["-t", "tmpfs", "-o", &options, "avouch-full-disk"];
        let place = [path(mounted.path())];
        let finished = program(Path::new("/"), "mount", [&arguments[..], &place].concat());
        assert_eq!(
            finished.code, 0,
            "this test fills a disk and mounts a tmpfs for that, which needs root and CAP_SYS_ADMIN (in a container: \
             --cap-add SYS_ADMIN): {finished:#?}"
        );
        Self { mounted }
    }

    pub(crate) fn path(&self) -> &Path {
        self.mounted.path()
    }

    /// Takes all room but so many octets.
    pub(crate) fn fill_but(&self, room: u64) {
        let mut ballast = File::create(self.ballast()).expect("a file");
        let piece = vec![0; 1 << 20];
        let mut piece = &piece[..];
        while !piece.is_empty() {
            match ballast.write(piece) {
                Ok(_) => {}
                // Down to the last page.
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    piece = &piece[..piece.len() / 2];
                }
                Err(error) => panic!("{error}"),
            }
        }
        let size = ballast.metadata().expect("its size").len();
        let left = size.checked_sub(room).expect("the disk has that much room");
        ballast.set_len(left).expect("made shorter");
    }

    /// Makes room again.
    pub(crate) fn clear(&self) {
        let ballast = OpenOptions::new().write(true).open(self.ballast());
        ballast.and_then(|it| it.set_len(0)).expect("made empty");
    }

    fn ballast(&self) -> PathBuf {
        self.mounted.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a daemon of a test that failed may still be ending.
        program(Path::new("/"), "umount", ["--lazy", path(self.path())]);
    }
}
