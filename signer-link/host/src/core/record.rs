//! What stands in the outbox. Stored state: a change needs a new first line.

use minicbor::{Decode, Encode};
use wire::{Outcome, Receipt, RequestId};

/// The first line of an outbox.
pub(crate) const FIRST_LINE: &str = "avouch-signer-outbox 1";

/// One record of an outbox. Times are seconds since 1970.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
pub(crate) enum Record {
    /// The host was started; also the first record of every outbox.
    #[n(0)]
    Started {
        #[n(0)]
        time: i64,
        /// How often it was started.
        #[n(1)]
        boot: u64,
    },
    /// A local process asks for an act.
    #[n(1)]
    Act {
        /// The user who asks.
        #[n(0)]
        owner: u32,
        #[n(1)]
        time: i64,
        /// The octets of the request.
        #[cbor(n(2), with = "minicbor::bytes")]
        request: Vec<u8>,
    },
    /// The signer's final answer to an act.
    #[n(2)]
    Answer {
        #[n(0)]
        id: RequestId,
        #[n(1)]
        time: i64,
        #[n(2)]
        outcome: Outcome,
        #[n(3)]
        receipt: Option<Receipt>,
    },
    /// An act with its answer, whose request is needed no more.
    #[n(3)]
    Done {
        #[n(0)]
        owner: u32,
        #[n(1)]
        id: RequestId,
        /// SHA-256 of the request's octets.
        #[cbor(n(2), with = "minicbor::bytes")]
        hash: [u8; 32],
        #[n(3)]
        time: i64,
        #[n(4)]
        outcome: Outcome,
        #[n(5)]
        receipt: Option<Receipt>,
    },
    /// A signer of this promotion epoch was met.
    #[n(4)]
    Epoch {
        #[n(0)]
        epoch: u32,
        /// The signer id of the one that was met active in it; 0 if none was.
        #[n(1)]
        leader: u8,
    },
    /// A standby has the active signer's log up to here.
    #[n(5)]
    Replicated {
        /// The signer id of the standby.
        #[n(0)]
        standby: u8,
        /// The signer id of the active one.
        #[n(1)]
        active: u8,
        /// The number of the last record.
        #[n(2)]
        sequence: u64,
    },
}

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Unwrap safety: a vector takes every octet, and no field has an encoding that fails.
        minicbor::to_vec(self).unwrap()
    }

    pub(crate) fn decode(octets: &[u8]) -> Result<Self, minicbor::decode::Error> {
        minicbor::decode(octets)
    }
}
