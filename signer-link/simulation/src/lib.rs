//! Whole runs of a host, two signers and the cables between them, in virtual time and from one number: the same seed is
//! the same run, octet by octet.
//!
//! Everything that decides is the real thing: both cores, the journals, the link with its sessions and the cable with its
//! faults. Simulated is what lies around it: `disk` (what is not synced may be lost or torn at any sync), the clocks of
//! the machines, which drift apart, the people who switch on, plug in and unlock, and those who ask (`caller`). The CA's
//! key is an Ed25519 one, whose signatures are the same each time.
//!
//! `checker` looks at all disks and at all that leaves a signer; [`Invariant`] is what it looks for.
//!
//! `simulation faults` shows that it would find something: it breaks the production code in ten ways, one at a time, and
//! looks for a seed that shows it.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod authority;
mod caller;
mod checker;
mod clock;
mod disk;
mod host;
mod line;
mod log_reader;
mod run;
mod signer;
mod trace;
mod violation;
mod world;

pub mod faults;
pub mod many;

pub use authority::Authority;
pub use caller::Counts;
pub use run::{Report, run};
pub use trace::Detail;
pub use violation::{Invariant, Violation};
pub use world::Totals;
