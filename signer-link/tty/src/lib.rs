//! Serial lines and pseudo-terminals: raw, non-blocking, and for one process alone.
//!
//! A [`Tty`] is a serial device (`/dev/ttyUSB0`), or the device side of a pseudo-terminal. A [`Pty`] is the other side
//! of one: what a cable would be. Both are waited for with [`rustix::event::poll`] or an async runtime's like, through
//! their file descriptors.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod error;
mod line;
mod pty;
mod serial;

pub use error::TtyError;
pub use line::Line;
pub use pty::Pty;
pub use serial::Tty;
