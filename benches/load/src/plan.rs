//! What to ask, how, and how fast.

use std::net::SocketAddr;
use std::time::Duration;

use pki::{Certificate, HashAlgorithm};

use crate::Subjects;

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the responder listens.
    pub address: SocketAddr,
    /// The `Host` header field.
    pub host: String,
    /// The path of the OCSP service; begins and ends with a slash.
    pub path: String,
    /// The CA that issued the certificates.
    pub ca: Certificate,
    /// Which certificates are asked about.
    pub subjects: Subjects,
    /// By which method.
    pub methods: Methods,
    /// The hash of the CertIDs.
    pub hash: HashAlgorithm,
    /// Nonces, in some of the requests.
    pub nonces: Nonces,
    /// How many connections.
    pub connections: usize,
    /// Requests at a time on each connection.
    pub pipelining: usize,
    /// Whether a connection is used again.
    pub keep_alive: bool,
    /// When the next request goes out.
    pub pace: Pace,
    /// When it is over.
    pub length: Length,
    /// Runs for that long before anything is counted.
    pub warm_up: Duration,
    /// A request without a response for that long has failed.
    pub timeout: Duration,
    /// How many responses are kept and verified in full.
    pub samples: usize,
    /// Whether bodies are OCSP responses at all; a server with a constant text sends others.
    pub ocsp: bool,
    /// Two runs with the same seed ask the same questions.
    pub seed: u64,
}

/// GET, POST, or some of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Methods {
    /// `GET /{base64}` (RFC 6960 appendix A.1).
    Get,
    /// This share of GET, the rest POST.
    Mix(f64),
    /// `POST /`.
    Post,
}

/// Which requests carry a nonce of 32 octets (RFC 9654).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonces {
    /// None.
    Never,
    /// This share of all requests.
    Share(f64),
}

/// When the next request goes out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As soon as an answer has come: the responder sets the pace.
    Closed,
    /// So many a second, whatever comes back; latency counts from when a request was due (so that a stall of the
    /// responder counts for all who would have asked meanwhile: "coordinated omission").
    Open(f64),
}

/// When it is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// After so many answers.
    Requests(u64),
    /// After that time, not counting the warming up.
    Time(Duration),
}
