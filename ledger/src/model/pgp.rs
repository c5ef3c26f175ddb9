//! Certifications of user ids of OpenPGP keys (I13).

use pki::Time;

/// What is asked of the signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgpRequest {
    /// Under which it is asked, and asked again.
    pub request_id: [u8; 16],
    /// The name of the certifying key.
    pub issuer: String,
    /// Its fingerprint.
    pub by: [u8; 20],
    /// The fingerprint of the key whose user id it is.
    pub key: [u8; 20],
    /// The user id.
    pub user_id: String,
    /// How well the member is known.
    pub level: String,
    /// When the certification begins.
    pub created: Time,
    /// When it ends.
    pub expires: Time,
    /// SHA-256 of what there is as evidence.
    pub evidence_sha256: Option<[u8; 32]>,
    /// The octets of the question.
    pub request: Vec<u8>,
    /// Who asked.
    pub actor: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PgpResult {
    /// It was certified.
    Certified {
        /// The body of the signature packet.
        certification: Vec<u8>,
        /// SHA-256 of what it signs, as the signer's log has it.
        tbs_sha256: [u8; 32],
    },
    /// It was refused, and why.
    Refused(String),
}

/// Both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgpRecord {
    /// Ascending in the order of the requests.
    pub id: u64,
    /// What was asked.
    pub request: PgpRequest,
    /// What came of it; nothing while it waits for the signer.
    pub result: Option<PgpResult>,
}
