//! The keyless edge: it answers OCSP requests from answers signed ahead, and serves CRLs and CA certificates.
//!
//! It follows a publication directory, verifies every generation again (V9), swaps it in whole, and never goes back
//! (V4). It holds no private key and has no way to a database (V2). One single-threaded runtime per core, each with its
//! own listening socket, reads the live set through an `ArcSwap`; nothing is locked or counted together on the way of a
//! request.
//!
//! From the outside in:
//! - [`Edge`] starts it all; `core` is one thread with its connections, `connection` its guard against slow clients;
//! - `fast` answers the common shape of OCSP request in place; all else goes over a `line` to hyper and to
//! - `handle`, which routes a request to `ocsp` (the answers), `object` (CRLs and certificates, as they are
//!   or as `negotiation` finds) or `differences` between CRLs;
//! - `fresh` is the way to the presigner, for the few requests that no answer signed ahead can satisfy;
//! - `live` is the set that is served, `load` verifies a generation of it at a `pace` that no request notices, `follow`
//!   swaps it in;
//! - `keeper` keeps it followed, and `hand_over` gives the edge's place to a new process;
//! - `readiness` and `metrics` tell how it is.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod cells;
mod conditional;
mod config;
mod connection;
mod core;
mod differences;
mod edge;
mod fast;
mod follow;
mod fresh;
mod freshness;
mod gentle;
mod get_path;
mod hand_over;
mod handle;
mod http_time;
mod keeper;
mod line;
mod live;
mod load;
mod metrics;
mod negotiation;
mod object;
mod ocsp;
mod pace;
mod range;
mod readiness;
mod response;
mod sockets;
mod state_lock;

pub use config::{CacheConfig, Config, FreshConfig, LimitsConfig, TrustConfig};
pub use edge::{Edge, Running, Succession};
pub use hand_over::{Inherited, take_over};
