//! What is public about a CA that the signer signs for.

use pki::{Certificate, KeyKind};

use crate::journal_record::{Hash, hash};

/// A CA whose key is open.
#[derive(Clone, Debug)]
pub struct Ca {
    /// The name that requests ask with.
    pub name: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// The kind of its key.
    pub key_kind: KeyKind,
}

impl Ca {
    /// Whose serial and CRL numbers it uses: two CA certificates of one Name are one issuer.
    pub fn authority(&self) -> Hash {
        hash(self.certificate.subject().as_der())
    }
}
