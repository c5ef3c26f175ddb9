//! What many answers of a set share.

use pki::{Certificate, SignatureAlgorithm, Time};

/// The times and the responder of answers that were signed together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// When they were signed: thisUpdate and producedAt (OCSP-34).
    pub this_update: Time,
    /// Until when they may be used.
    pub next_update: Time,
    /// When newer ones will have taken their place (OCSP-36); no cache may keep them longer (HTTP-10).
    pub refresh_at: Time,
    /// The delegated responder's certificate; `None` when the CA signs with its own key.
    pub responder: Option<Certificate>,
    /// With what they are signed.
    pub signature_algorithm: SignatureAlgorithm,
}

/// The times of a batch in a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// When its answers were signed: thisUpdate and producedAt (OCSP-34).
    pub this_update: Time,
    /// Until when they may be used.
    pub next_update: Time,
    /// When newer ones are planned to have taken their place.
    pub refresh_at: Time,
}
