//! What our CAs have signed or were asked to, as a comparison with the signer's log sees it.

use pki::Serial;

use super::Origin;

/// One certificate, issued or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRow {
    /// Its serial number.
    pub serial: Serial,
    /// What became of it.
    pub state: CertificateState,
    /// Issued here or taken over.
    pub origin: Origin,
    /// SHA-256 of the TBSCertificate, where the ledger has it.
    pub tbs_sha256: Option<[u8; 32]>,
    /// SHA-256 of the certificate, where there is one.
    pub certificate_sha256: Option<[u8; 32]>,
    /// SHA-256 of the evidence that it was reserved with.
    pub evidence_sha256: Option<[u8; 32]>,
}

/// What became of a serial number that was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateState {
    /// The signer has been asked, or is going to be.
    Reserved,
    /// There is a certificate.
    Issued,
    /// The signer refused.
    GivenUp,
}
