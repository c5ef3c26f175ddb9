//! A small disk of the test's own.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::program;
use crate::system::path;

/// A mounted tmpfs, and a file that takes its room away.
#[derive(Debug)]
pub struct SmallDisk {
    mounted: TempDir,
}

impl SmallDisk {
    /// One of so many MiB.
    pub fn mount(megabytes: u32) -> Self {
        let mounted = tempfile::tempdir().expect("a temporary directory");
        let options = format!("size={megabytes}m,mode=0700");
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

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.mounted.path()
    }

    /// Takes all room but so many octets.
    pub fn fill_but(&self, room: u64) {
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
    pub fn clear(&self) {
        let ballast = OpenOptions::new().write(true).open(self.ballast());
        ballast.and_then(|it| it.set_len(0)).expect("made empty");
    }

    fn ballast(&self) -> PathBuf {
        self.mounted.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a daemon of a test that failed may still be ending.
        program(Path::new("/"), "umount", ["--lazy", path(self.path())]);
    }
}
