//! What the signer can be asked. Wire format: a change needs a new protocol version.

use std::fmt;

use minicbor::{Decode, Encode};
use pki::{CrlNumber, SignatureAlgorithm, Time};

use crate::codec::{self, Bounded, bound};
use crate::{WireError, limits};

/// Chosen by the sender, written to its own record before it sends, and never used for anything else.
#[derive(Clone, Copy, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct RequestId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// One question to the signer.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Request {
    /// Repeated in the reply.
    #[n(0)]
    pub id: RequestId,
    /// What is asked.
    #[n(1)]
    pub operation: Operation,
}

/// All that can be asked.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Is the signer there, and what time does it have?
    #[n(0)]
    Ping,
    /// Which issuers does it sign for?
    #[n(1)]
    Info,
    /// Sign one certificate.
    #[n(2)]
    IssueCertificate(#[n(0)] IssueCertificate),
    /// Sign one CRL.
    #[n(3)]
    SignCrl(#[n(0)] SignCrl),
    /// What became of these requests?
    #[n(4)]
    GetResult {
        /// At most [`limits::LIST`].
        #[n(0)]
        ids: Vec<RequestId>,
    },
}

/// A certificate to sign. The signer judges all of it.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct IssueCertificate {
    /// The name of the issuer's key in the signer.
    #[n(0)]
    pub issuer: String,
    /// The name of the profile that the certificate follows.
    #[n(1)]
    pub profile: String,
    /// The algorithm to sign with, the one that `tbs` names.
    #[cbor(n(2), with = "codec::signature_algorithm")]
    pub signature_algorithm: SignatureAlgorithm,
    /// The complete DER of the TBSCertificate.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub tbs: Vec<u8>,
    /// The certification request (DER) whose key is certified; absent where the host made the key itself, as for
    /// its responders.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub csr: Option<Vec<u8>>,
}

/// A CRL to sign. The signer judges all of it.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct SignCrl {
    /// The name of the issuer's key in the signer.
    #[n(0)]
    pub issuer: String,
    /// The CRL number, above every earlier one of this issuer.
    #[cbor(n(1), with = "codec::crl_number")]
    pub number: CrlNumber,
    /// thisUpdate in `tbs`.
    #[cbor(n(2), with = "codec::time")]
    pub this_update: Time,
    /// nextUpdate in `tbs`.
    #[cbor(n(3), with = "codec::time")]
    pub next_update: Time,
    /// The algorithm to sign with, the one that `tbs` names.
    #[cbor(n(4), with = "codec::signature_algorithm")]
    pub signature_algorithm: SignatureAlgorithm,
    /// The complete DER of the TBSCertList.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub tbs: Vec<u8>,
}

impl Request {
    /// The canonical octets.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        codec::encode(self)
    }

    /// The request in these octets, which must be canonical and within the limits.
    pub fn decode(octets: &[u8]) -> Result<Self, WireError> {
        codec::decode(octets)
    }
}

impl Bounded for Request {
    fn check(&self) -> Result<(), WireError> {
        match &self.operation {
            Operation::Info | Operation::Ping => Ok(()),
            Operation::IssueCertificate(issue) => {
                bound("issuer", issue.issuer.len(), limits::NAME)?;
                bound("profile", issue.profile.len(), limits::NAME)?;
                bound("tbs", issue.tbs.len(), limits::CERTIFICATE)?;
                bound("csr", issue.csr.as_ref().map_or(0, Vec::len), limits::CSR)
            }
            Operation::SignCrl(crl) => {
                bound("issuer", crl.issuer.len(), limits::NAME)?;
                bound("tbs", crl.tbs.len(), limits::CRL)
            }
            Operation::GetResult { ids } => bound("ids", ids.len(), limits::LIST),
        }
    }
}
