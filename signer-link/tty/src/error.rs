//! What is wrong with a line.

use std::io;
use std::path::PathBuf;

/// Why a line cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TtyError {
    /// Another process has it.
    #[error("{} is in use by another process; stop that one first", .0.display())]
    InUse(PathBuf),
    /// A file, a pipe, another kind of device.
    #[error("{} is not a terminal device; name a serial port such as /dev/ttyUSB0 or a pseudo-terminal", .0.display())]
    NotATerminal(PathBuf),
    /// The driver does not know this speed.
    #[error("{} cannot do {baud} baud; use a rate that the hardware has", path.display())]
    Baud {
        /// The device.
        path: PathBuf,
        /// What was asked.
        baud: u32,
    },
    /// The system refused.
    #[error("cannot {action} {}: {error}", path.display())]
    System {
        /// What was tried.
        action: &'static str,
        /// The device.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
}
