//! What the end-to-end tests share: a whole running system in a temporary directory, and the outside
//! programs that judge it.
#![forbid(unsafe_code)]

pub mod clients;
pub mod ocsp_load;
pub mod program;
pub mod system;

pub use program::{Finished, program, repository, wait_for};
pub use system::System;
