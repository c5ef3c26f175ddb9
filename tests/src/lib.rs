//! What the end-to-end tests share: a whole running system in a temporary directory, and the outside
//! programs that judge it.
#![forbid(unsafe_code)]

pub mod agreement;
mod cable;
pub mod clients;
pub mod crl_server;
mod crl_watcher;
pub mod faked_edge;
pub mod http;
pub mod ocsp_load;
pub mod old_ca;
pub mod program;
mod random;
mod small_disk;
pub mod system;

pub use cable::Cable;
pub use crl_server::CrlServer;
pub use crl_watcher::CrlWatcher;
pub use faked_edge::FakedEdge;
pub use old_ca::OldCa;
pub use program::{Finished, program, repository, wait_for, wait_within};
pub use random::Random;
pub use small_disk::SmallDisk;
pub use system::System;
