//! Looks at what the edges serve, from outside and as any client would, and compares it with the ledger serial by
//! serial: ledger = OCSP as served = CRL as served (V7).
//!
//! Each edge is watched by itself, so that one that is down stops no other (V12). Four loops watch it:
//!
//! - `changes` follows the ledger's change feed and looks at each changed certificate at once;
//! - `lists` fetches every CRL whenever it changes, verifies all of it and walks it side by side with the ledger: the
//!   complete one, its parts (`parts`), and the delta against what the ledger has learnt since its base (`deltas`);
//! - `sweep` asks OCSP about every serial number of the ledger, at a steady pace, and about some never issued;
//! - `suspects` looks again at what differed. A publication follows the ledger with a delay, so what differs is only
//!   suspected until the ledger has said the same thing for longer than the promised delay; then it is an alarm, until
//!   a look finds that the serial agrees again.
//!
//! The log names the serial number of what differs, with the values side by side: that is the alarm's content, and it
//! concerns nobody who asked (V13). Metrics and health name issuers and kinds only.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod changes;
mod config;
mod deltas;
mod difference;
mod edge;
mod findings;
mod http;
mod judge;
mod list;
mod lists;
mod memory;
mod metrics;
mod once;
mod pace;
mod parts;
mod shared;
mod subject;
mod suspects;
mod sweep;
mod troubles;
mod watch;
mod which;

pub use config::{Config, Promise};
pub use once::once;
pub use watch::watch;
