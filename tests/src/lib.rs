//! What the end-to-end tests share: a whole running system in a temporary directory, and the outside
//! programs that judge it.
#![forbid(unsafe_code)]

pub mod clients;
pub mod crl_server;
pub mod faked_edge;
pub mod http;
pub mod ocsp_load;
pub mod old_ca;
pub mod program;
pub mod system;

pub use crl_server::CrlServer;
pub use faked_edge::FakedEdge;
pub use old_ca::OldCa;
pub use program::{Finished, program, repository, wait_for, wait_within};
pub use system::System;
