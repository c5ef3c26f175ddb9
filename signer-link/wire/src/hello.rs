//! The first message both ways in a session, and the envelope of all others.

use minicbor::{Decode, Encode};
use pki::Time;

use crate::codec::{self, Bounded, bound};
use crate::{Mode, Receipt, Reply, Request, WireError, limits};

/// What each side says of itself before anything else.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Hello {
    /// [`crate::PROTOCOL_VERSION`].
    #[n(0)]
    pub protocol: u16,
    /// The program's version.
    #[n(1)]
    pub build: String,
    /// What the signer's serial numbers begin with; 0 from the host.
    #[n(2)]
    pub signer_id: u8,
    /// How often this side was started.
    #[n(3)]
    pub boot: u64,
    /// The signer's log: its end (from the signer), or as far as the host has archived it. Each side goes on only when
    /// the two are on one chain: a restored backup on either side shows here.
    #[n(4)]
    pub log: Receipt,
    /// Hash over all that decides what the signer signs; zeros from the host.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub policy: [u8; 32],
    /// The sender's time.
    #[cbor(n(6), with = "codec::time")]
    pub time: Time,
    /// The signer's mode; absent from the host.
    #[n(7)]
    pub mode: Option<Mode>,
    /// The promotion epoch: the highest that the sender knows.
    #[n(8)]
    pub epoch: u32,
}

/// What the host sends.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub enum FromHost {
    /// First, once.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Then requests.
    #[n(1)]
    Request(#[n(0)] Request),
}

/// What the signer sends.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub enum FromSigner {
    /// First, once.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Then one reply for each request.
    #[n(1)]
    Reply(#[n(0)] Reply),
}

macro_rules! message {
    ($type:ty) => {
        impl $type {
            /// The canonical octets.
            pub fn encode(&self) -> Result<Vec<u8>, WireError> {
                codec::encode(self)
            }

            /// The message in these octets, which must be canonical and within the limits.
            pub fn decode(octets: &[u8]) -> Result<Self, WireError> {
                codec::decode(octets)
            }
        }
    };
}

message!(FromHost);
message!(FromSigner);

impl Bounded for Hello {
    fn check(&self) -> Result<(), WireError> {
        bound("build", self.build.len(), limits::NAME)
    }
}

impl Bounded for FromHost {
    fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Hello(hello) => hello.check(),
            Self::Request(request) => request.check(),
        }
    }
}

impl Bounded for FromSigner {
    fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Hello(hello) => hello.check(),
            Self::Reply(reply) => reply.check(),
        }
    }
}
