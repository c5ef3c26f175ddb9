//! The program `serial-proxy`.

mod command;
mod options;
mod port;
mod run;
mod signals;

pub use options::Options;
pub use run::run;
