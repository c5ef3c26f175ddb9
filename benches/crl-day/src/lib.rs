//! A running Avouch with CAs that were taken over, for benches.
#![forbid(unsafe_code)]

pub mod site;
