//! Certificates: how one is reserved, recorded, taken over and looked up.

use pki::crl::build::CrlEntry;
use pki::{RevocationReason, Serial, Time};

use super::{Origin, Revocation};

/// A serial number claimed for a certificate that is about to be signed.
///
/// It is durable before the signer is asked, so that a serial is never used twice (V6) and a certificate that was
/// signed just before a crash can be finished: the signer answers the same request id with the same signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Name of the issuer.
    pub issuer: String,
    /// The serial number in `tbs`.
    pub serial: Serial,
    /// Identifies the signing request; never used for anything else.
    pub request_id: [u8; 16],
    /// Name of the certificate profile.
    pub profile: String,
    /// The TBSCertificate to be signed, DER.
    pub tbs: Vec<u8>,
    /// Name of the signature algorithm asked for.
    pub signature_algorithm: String,
    /// The certification request it came from, DER.
    pub csr: Option<Vec<u8>>,
    /// notAfter in `tbs`.
    pub not_after: Time,
    /// SHA-256 of the SubjectPublicKeyInfo, DER.
    pub spki_sha256: [u8; 32],
    /// The URI of the CRL partition that `tbs` names; `None` if it names the complete CRL or none.
    pub crl_partition: Option<String>,
    /// SHA-256 of what there is as evidence for the names, kept outside of the ledger.
    pub evidence_sha256: Option<[u8; 32]>,
    /// Who asked.
    pub actor: String,
}

/// A certificate as a CA taken over knew it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedCertificate {
    /// Its serial number.
    pub serial: Serial,
    /// Its expiry; a CRL alone does not tell.
    pub not_after: Option<Time>,
    /// Its subject as text.
    pub subject: Option<String>,
    /// The certificate itself, DER.
    pub certificate: Option<Vec<u8>>,
    /// Its status.
    pub status: ImportedStatus,
}

impl From<&CrlEntry> for ImportedCertificate {
    /// All that an entry of a CRL says.
    fn from(entry: &CrlEntry) -> Self {
        Self {
            serial: entry.serial,
            not_after: None,
            subject: None,
            certificate: None,
            status: ImportedStatus::Revoked {
                time: entry.revocation_date,
                reason: entry.reason.unwrap_or(RevocationReason::Unspecified),
                invalidity_date: entry.invalidity_date,
            },
        }
    }
}

/// Status of a certificate taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportedStatus {
    /// Not revoked.
    Good,
    /// Revoked, or on hold: kept exactly as it was.
    Revoked {
        /// When.
        time: Time,
        /// Why; `Unspecified` when the source gave no reason.
        reason: RevocationReason,
        /// Since when the key or the certificate may have been abused, when the source says so (RFC 5280 section 5.3.2).
        invalidity_date: Option<Time>,
    },
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Certificates that were new.
    pub added: u64,
    /// Certificates that were known and of which more is known now (a revocation, an expiry, the certificate itself).
    pub changed: u64,
    /// Certificates of which nothing new was learnt.
    pub unchanged: u64,
    /// Certificates about which the import contradicts the ledger; what the ledger said first stands.
    pub conflicts: Vec<Serial>,
}

/// Everything known about one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Name of the issuer.
    pub issuer: String,
    /// Serial number.
    pub serial: Serial,
    /// notBefore, when the certificate is known.
    pub not_before: Option<Time>,
    /// notAfter, when known.
    pub not_after: Option<Time>,
    /// Name of the profile, for our own.
    pub profile: Option<String>,
    /// Subject as text.
    pub subject: Option<String>,
    /// The certificate, DER, when known.
    pub certificate: Option<Vec<u8>>,
    /// Who asked for it, or who imported it.
    pub requested_by: String,
    /// When it was recorded here.
    pub issued_at: Time,
    /// Issued here or taken over.
    pub origin: Origin,
    /// Its revocation.
    pub revocation: Option<Revocation>,
}

/// Status of one certificate: what OCSP and CRLs are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRow {
    /// Serial number.
    pub serial: Serial,
    /// notAfter, when known.
    pub not_after: Option<Time>,
    /// When and why it was revoked.
    pub revoked: Option<(Time, RevocationReason)>,
    /// Since when the key is known or suspected to be compromised (RFC 5280 section 5.3.2).
    pub invalidity_date: Option<Time>,
}

impl StatusRow {
    /// Whether an entry of a CRL says exactly this: date, reason and invalidity date.
    pub fn agrees_with(&self, entry: &CrlEntry) -> bool {
        let reason = entry.reason.unwrap_or(RevocationReason::Unspecified);
        self.revoked == Some((entry.revocation_date, reason))
            && self.invalidity_date == entry.invalidity_date
    }
}

/// How many certificates an issuer has, now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub issued: u64,
    /// Those that were revoked.
    pub revoked: u64,
    /// Those past their notAfter.
    pub expired: u64,
    /// Those not past it, or of unknown expiry.
    pub unexpired: u64,
}
