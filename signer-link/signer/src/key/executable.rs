//! The program that runs.

use std::fs;
use std::io;

use pki::HashAlgorithm;

/// SHA-256 of this program, as the kernel has it: it goes into the journal, where it can be compared with what was
/// installed. A program that was exchanged on the disk shows from its next start.
pub(super) fn executable() -> io::Result<[u8; 32]> {
    let program = fs::read("/proc/self/exe")?;
    HashAlgorithm::Sha256
        .digest(&program)
        .try_into()
        .map_err(|_| io::ErrorKind::Other.into())
}
