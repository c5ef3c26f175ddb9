//! Load on an OCSP responder, cheap enough that the responder is the limit.
//!
//! One thread, one epoll, HTTP/1.1 written from prepared pieces. From the outside in:
//! - [`Plan`] says what to ask, how, and how fast; [`run`] does it and gives a [`Report`];
//! - `engine` is the event loop, `connection` one connection in it, `pace` decides when the next request is due;
//! - `ask` writes requests, `reply` finds responses in what arrives, `subject` chooses the certificates;
//! - `tally` counts, `sample` keeps some responses and judges them afterwards by all rules of [`pki::ocsp::verify`].
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod ask;
mod connection;
mod engine;
mod pace;
mod plan;
mod reply;
mod report;
mod sample;
mod subject;
mod tally;

pub use engine::{Phase, Tell, run};
pub use plan::{Length, Methods, Nonces, Pace, Plan};
pub use report::{Latency, Report, Samples};
pub use subject::Subjects;
