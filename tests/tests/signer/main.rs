//! The signer in a running system, as an operator meets it.
#![forbid(unsafe_code)]

mod dead_man;
mod log;
mod wind_down;
