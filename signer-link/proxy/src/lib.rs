//! A serial cable with faults on demand.
//!
//! [`Cable`] is the cable itself: octets and time in, octets and time out, and the same faults for the same seed. The
//! program `serial-proxy` puts it between two serial devices or pseudo-terminals; a simulation drives it by its own
//! clock.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod program;

mod cable;
mod counters;
mod cuts;
mod direction;
mod faults;

pub use cable::{Cable, End};
pub use counters::Counters;
pub use faults::{Faults, Sometimes};
