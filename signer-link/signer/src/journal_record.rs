//! What stands in the journal. Stored state: a change needs a new journal version.

use minicbor::{Decode, Encode};
use wire::{Refused, RequestId};

/// SHA-256 of something.
pub type Hash = [u8; 32];

/// One act of the signer.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub enum Record {
    /// The journal was made.
    #[n(0)]
    Created {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
    },
    /// The daemon was started.
    #[n(1)]
    Started {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// The program's version.
        #[n(1)]
        version: String,
    },
    /// A ceremony signed the certificate of a CA.
    #[n(2)]
    CaCertificate {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// The CA's name.
        #[n(1)]
        name: String,
        /// Whose serial number it is: hash of the issuer's Name.
        #[cbor(n(2), with = "minicbor::bytes")]
        authority: Hash,
        /// The serial number, its magnitude.
        #[cbor(n(3), with = "minicbor::bytes")]
        serial: Vec<u8>,
        /// Hash of the certificate.
        #[cbor(n(4), with = "minicbor::bytes")]
        certificate: Hash,
    },
    /// A key that was found in the store came into use.
    #[n(3)]
    KeyInUse {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// The CA's name.
        #[n(1)]
        name: String,
        /// Hash of its certificate.
        #[cbor(n(2), with = "minicbor::bytes")]
        certificate: Hash,
    },
    /// A request was judged good and is going to be signed.
    #[n(4)]
    Intent {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// The request's id.
        #[n(1)]
        id: RequestId,
        /// Hash of the whole operation.
        #[cbor(n(2), with = "minicbor::bytes")]
        digest: Hash,
        /// What is signed.
        #[n(3)]
        act: Act,
    },
    /// The signature was made and verified.
    #[n(5)]
    Signed {
        /// The request's id.
        #[n(0)]
        id: RequestId,
        /// The signature.
        #[cbor(n(1), with = "minicbor::bytes")]
        signature: Vec<u8>,
    },
    /// A request was refused.
    #[n(6)]
    Refused {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// The request's id.
        #[n(1)]
        id: RequestId,
        /// Hash of the whole operation.
        #[cbor(n(2), with = "minicbor::bytes")]
        digest: Hash,
        /// Why.
        #[n(3)]
        refused: Refused,
    },
}

/// What is signed.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub enum Act {
    /// A certificate.
    #[n(0)]
    Certificate {
        /// The name of the issuer's key.
        #[n(0)]
        issuer: String,
        /// Hash of the issuer's Name: two CA certificates of one Name share serial numbers.
        #[cbor(n(1), with = "minicbor::bytes")]
        authority: Hash,
        /// The profile.
        #[n(2)]
        profile: String,
        /// The serial number, its magnitude.
        #[cbor(n(3), with = "minicbor::bytes")]
        serial: Vec<u8>,
        /// Hash of the TBSCertificate.
        #[cbor(n(4), with = "minicbor::bytes")]
        tbs: Hash,
    },
    /// A CRL.
    #[n(1)]
    Crl {
        /// The name of the issuer's key.
        #[n(0)]
        issuer: String,
        /// Hash of the issuer's Name.
        #[cbor(n(1), with = "minicbor::bytes")]
        authority: Hash,
        /// The CRL number, its magnitude.
        #[cbor(n(2), with = "minicbor::bytes")]
        number: Vec<u8>,
        /// thisUpdate, seconds since 1970.
        #[n(3)]
        this_update: i64,
        /// Hash of the TBSCertList.
        #[cbor(n(4), with = "minicbor::bytes")]
        tbs: Hash,
        /// What it covers.
        #[n(5)]
        scope: CrlScope,
    },
}

/// What a CRL covers; each has its own last number.
#[derive(Clone, Debug, Decode, Encode, Eq, Hash, PartialEq)]
pub enum CrlScope {
    /// Every certificate of the issuer.
    #[n(0)]
    Complete,
    /// What changed since a complete CRL.
    #[n(1)]
    Delta,
    /// The certificates whose distribution point has this URI.
    #[n(2)]
    Partition(#[n(0)] String),
}

impl Record {
    /// When it was written, where it says so.
    pub fn time(&self) -> Option<i64> {
        match self {
            Self::Created { time }
            | Self::Started { time, .. }
            | Self::CaCertificate { time, .. }
            | Self::KeyInUse { time, .. }
            | Self::Intent { time, .. }
            | Self::Refused { time, .. } => Some(*time),
            Self::Signed { .. } => None,
        }
    }
}

/// SHA-256.
pub fn hash(octets: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&pki::HashAlgorithm::Sha256.digest(octets));
    hash
}
