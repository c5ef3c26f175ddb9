//! The way of an OCSP request from the edge to the presigner, and of a freshly signed answer back.
//!
//! Most answers are signed ahead. Only for a request with a nonce, or about several certificates, the edge asks the
//! presigner, over one connection for each of its threads: a Unix socket, behind which a forwarder may carry everything
//! over TLS to another machine.
//!
//! ```text
//! greeting   "avouch live 1\n"                                       edge → presigner, once
//! question   length u32 | id u64 | patience u16 | OCSPRequest        edge → presigner
//! answer     length u32 | id u64 | OCSPResponse                      presigner → edge; empty: not now
//! ```
//!
//! Numbers are big-endian; `length` counts the octets after itself. Questions and answers belong together by `id` and
//! come in any order. `patience` says for how many milliseconds the edge waits: later, the answer is worth nothing, so
//! nobody signs it any more.
//!
//! - [`Client`] is the edge's half. It never makes anybody wait for longer than its deadline, and while the other side is
//!   away it does not even try: the edge then gives what was signed ahead.
//! - [`Listener`] and [`serve`] are the presigner's half.
//!
//! Neither half believes the other one: lengths are bounded before anything is read, and whoever breaks the format loses
//! the connection.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod breaker;
mod client;
mod connection;
mod frame;
mod listener;
mod pipe;
mod server;
mod waiting;

pub use client::{Client, Outcome};
pub use frame::{FrameError, MAX_ANSWER, MAX_QUESTION};
pub use listener::{ListenError, Listener};
pub use server::{Question, Reply, ServeError, serve};
