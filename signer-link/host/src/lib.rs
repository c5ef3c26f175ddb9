//! The host's end of the cable to the signer.
//!
//! - [`core`] decides everything: what is sent when, and what a caller is told. It does no I/O of its own;
//! - a thread for each cable moves octets between its device and the link (`line`);
//! - local processes ask over a Unix socket (`server`), each for what it may ([`rights`]);
//! - [`daemon`] puts them together.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod config;
pub mod core;
pub mod daemon;
mod device;
pub mod rights;

mod line;
mod metrics;
mod server;
mod state;
