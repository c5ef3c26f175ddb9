//! What is ordered, and what comes of it.

use pki::certificate_builder::GeneralName;
use pki::name_rules::SubjectAttribute;
use pki::{Certificate, HashAlgorithm, PublicKey, Time};

/// A certificate that somebody is entitled to. Names and key have been checked; nothing in it comes
/// from a request unread.
#[derive(Clone, Debug)]
pub struct Order {
    /// The issuer's name in the ledger.
    pub issuer: String,
    /// The subject; may be empty.
    pub subject: Vec<SubjectAttribute>,
    /// The subjectAltName; may be empty.
    pub alt_names: Vec<GeneralName>,
    /// The key.
    pub public_key: PublicKey,
    /// The hash of the signature: exactly this one or a refusal (I6). Without it the one that goes with
    /// the CA's key.
    pub hash: Option<HashAlgorithm>,
    /// When it begins, where the profile lets that lie ahead; without it at once.
    pub begins: Option<Time>,
    /// Days of validity: exactly this many or a refusal. Without it the profile's, or as many as the
    /// CA's own certificate leaves.
    pub days: Option<u32>,
    /// The request it came from, DER: for the record, and for the signer to judge.
    pub csr: Option<Vec<u8>>,
    /// SHA-256 of what there is as evidence that the names were verified; the ledger and the signer's log keep it.
    pub evidence_sha256: Option<[u8; 32]>,
    /// Who asked.
    pub actor: String,
}

/// A certificate that was issued and recorded.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The issuer's name in the ledger.
    pub issuer: String,
    /// The profile's name.
    pub profile: String,
    /// The certificate.
    pub certificate: Certificate,
    /// The certificates above it, DER: its issuer first.
    pub chain: Vec<Vec<u8>>,
    /// The number of its event in the ledger's change feed.
    pub seq: u64,
}
