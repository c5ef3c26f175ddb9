//! What stands in the journal. Stored state: a change needs a new journal version.

use minicbor::{Decode, Encode};
use wire::{CrlScope, ListChange, Refused, RequestId, Revoke};

use crate::checkpoint::Checkpoint;

/// SHA-256 of something.
pub type Hash = [u8; 32];

/// How many signers may have handed on a record to each other; more is what a hostile host makes up.
const MOST_SIGNERS: usize = 64;

/// One act of the signer.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Revocations were remembered.
    #[n(7)]
    Revoked {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// The request's id.
        #[n(1)]
        id: RequestId,
        /// Hash of the whole operation.
        #[cbor(n(2), with = "minicbor::bytes")]
        digest: Hash,
        /// Hash of the issuer's Name.
        #[cbor(n(3), with = "minicbor::bytes")]
        authority: Hash,
        /// Whose, by whom, why, and which.
        #[n(4)]
        revoke: Revoke,
    },
    /// The keys were opened at the console.
    #[n(8)]
    Unlocked {
        /// Seconds since 1970, as it was confirmed.
        #[n(0)]
        time: i64,
        /// Whose shares opened them.
        #[n(1)]
        holders: Vec<String>,
        /// SHA-256 of the program that holds the keys.
        #[cbor(n(2), with = "minicbor::bytes")]
        executable: Hash,
        /// Hash over all that decides what is signed.
        #[cbor(n(3), with = "minicbor::bytes")]
        policy: Hash,
    },
    /// The keys were wiped.
    #[n(9)]
    Locked {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// Why.
        #[n(1)]
        reason: String,
    },
    /// From here on this signer is the active one.
    #[n(10)]
    Promoted {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// Its promotion epoch, above every earlier one.
        #[n(1)]
        epoch: u32,
    },
    /// A session with the host began.
    #[n(11)]
    Session {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// How often the host was started.
        #[n(1)]
        host_boot: u64,
        /// The host's program version.
        #[n(2)]
        build: String,
    },
    /// Of a standby: the next record of the active signer's journal.
    #[n(12)]
    Replicated {
        /// Its number there.
        #[n(0)]
        sequence: u64,
        /// Its octets.
        #[cbor(n(1), with = "minicbor::bytes")]
        record: Vec<u8>,
    },
    /// At the console it was said to wind down (revocations, CRLs and responders only), or to go on as before.
    #[n(14)]
    WindDown {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// Whether it winds down from here on.
        #[n(1)]
        begins: bool,
        /// Who said so: the holders of the shares where it goes on as before.
        #[n(2)]
        holders: Vec<String>,
    },
    /// This is the journal of a standby: it follows another signer until it is promoted.
    #[n(15)]
    Follows {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
    },
    /// A CA's key vouches for the log up to the record before this one.
    #[n(16)]
    Checkpoint(#[n(0)] Checkpoint),
    /// The host, or somebody at the cable, did what an honest one does not, and nothing came of it; or the signer
    /// suspended itself.
    #[n(13)]
    Noticed {
        /// Seconds since 1970.
        #[n(0)]
        time: i64,
        /// What it was, for people.
        #[n(1)]
        what: String,
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
        /// notAfter, seconds since 1970.
        #[n(5)]
        not_after: i64,
        /// SHA-256 of what the host has as evidence, where it said so.
        #[cbor(n(6), with = "minicbor::bytes")]
        evidence: Option<Hash>,
        /// The part of the CRL that the certificate names, its URI.
        #[n(7)]
        partition: Option<String>,
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
        /// What it covers.
        #[n(2)]
        scope: CrlScope,
        /// The CRL number, its magnitude.
        #[cbor(n(3), with = "minicbor::bytes")]
        number: Vec<u8>,
        /// thisUpdate, seconds since 1970.
        #[n(4)]
        this_update: i64,
        /// Hash of the TBSCertList.
        #[cbor(n(5), with = "minicbor::bytes")]
        tbs: Hash,
        /// Which entries it has.
        #[n(6)]
        entries: ListChange,
    },
    /// The certification of a user id of an OpenPGP key (I13).
    #[n(2)]
    PgpUserId {
        /// The name of the certifying key.
        #[n(0)]
        issuer: String,
        /// Its fingerprint.
        #[cbor(n(1), with = "minicbor::bytes")]
        by: [u8; 20],
        /// The fingerprint of the key whose user id it is; the user id itself is a person's, and stands in the ledger.
        #[cbor(n(2), with = "minicbor::bytes")]
        key: [u8; 20],
        /// Hash of all that is signed.
        #[cbor(n(3), with = "minicbor::bytes")]
        tbs: Hash,
        /// When it ends, seconds since 1970.
        #[n(4)]
        expires: i64,
        /// SHA-256 of what the host has as evidence, where it said so.
        #[cbor(n(5), with = "minicbor::bytes")]
        evidence: Option<Hash>,
    },
}

impl Record {
    /// The octets of the record.
    pub fn encode(&self) -> Vec<u8> {
        // Cannot fail: it is written to memory, and every field can be encoded.
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// The record in these octets.
    pub fn decode(octets: &[u8]) -> Result<Self, String> {
        minicbor::decode(octets).map_err(|error| error.to_string())
    }

    /// The record in these octets, without what it was relayed in: a standby has the records of the signer before it, which
    /// may have had them from the one before that.
    pub fn relayed(octets: &[u8]) -> Result<Self, String> {
        let mut record = Self::decode(octets)?;
        for _ in 0..MOST_SIGNERS {
            match record {
                Self::Replicated { record: inner, .. } => record = Self::decode(&inner)?,
                record => return Ok(record),
            }
        }
        Err(format!("it was relayed by {MOST_SIGNERS} signers"))
    }

    /// When it was written, where it says so.
    pub fn time(&self) -> Option<i64> {
        match self {
            Self::Created { time }
            | Self::Follows { time }
            | Self::Started { time, .. }
            | Self::CaCertificate { time, .. }
            | Self::KeyInUse { time, .. }
            | Self::Intent { time, .. }
            | Self::Refused { time, .. }
            | Self::Revoked { time, .. }
            | Self::Unlocked { time, .. }
            | Self::Locked { time, .. }
            | Self::Promoted { time, .. }
            | Self::Session { time, .. }
            | Self::WindDown { time, .. }
            | Self::Checkpoint(Checkpoint { time, .. })
            | Self::Noticed { time, .. } => Some(*time),
            Self::Signed { .. } | Self::Replicated { .. } => None,
        }
    }
}

/// SHA-256.
pub fn hash(octets: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&pki::HashAlgorithm::Sha256.digest(octets));
    hash
}
