//! What a local process asks of the host's end of the cable about itself. It comes over the same Unix socket as a
//! [`Request`](crate::Request) and never crosses a cable: no signer knows these messages.

use minicbor::{Decode, Encode};
use pki::Time;

use crate::codec::{self, Bounded, bound};
use crate::{Refused, RequestId, Status, WireError, limits};

/// Refused acts in one [`HostState`].
pub const REFUSED: usize = 100;

/// A question to the host itself.
#[derive(Clone, Copy, Debug, Decode, Encode, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostQuestion {
    /// How is everything?
    #[n(0)]
    State,
}

/// What the host answers.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
#[non_exhaustive]
pub enum HostAnswer {
    /// To [`HostQuestion::State`].
    #[n(0)]
    State(#[n(0)] HostState),
    /// This caller may not ask that.
    #[n(1)]
    Refused(#[n(0)] Refused),
}

/// How the host and its cables are.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
pub struct HostState {
    /// The host's time.
    #[cbor(n(0), with = "codec::time")]
    pub time: Time,
    /// The cables, in the order of the configuration.
    #[n(1)]
    pub cables: Vec<CableState>,
    /// The id of the signer that gets the acts; absent while none does.
    #[n(2)]
    pub active: Option<u8>,
    /// The highest promotion epoch that was ever met.
    #[n(3)]
    pub epoch: u32,
    /// Acts without an answer, by class.
    #[n(4)]
    pub queues: Vec<QueueState>,
    /// Octets of their requests.
    #[n(5)]
    pub open_octets: u64,
    /// Octets of the outbox; 0 while it cannot be written.
    #[n(6)]
    pub outbox_octets: u64,
    /// What somebody must look at.
    #[n(7)]
    pub alarms: Vec<AlarmState>,
    /// Refused acts that are remembered.
    #[n(8)]
    pub refused_count: u64,
    /// The last of them, the newest first; at most [`REFUSED`].
    #[n(9)]
    pub refused: Vec<RefusedAct>,
}

/// Acts of one class that have no answer yet.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct QueueState {
    /// The class.
    #[n(0)]
    pub class: String,
    /// How many.
    #[n(1)]
    pub count: u64,
    /// How long the oldest has waited, in seconds.
    #[n(2)]
    pub oldest_seconds: i64,
}

/// Something that somebody must look at.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct AlarmState {
    /// Its name, as in metrics.
    #[n(0)]
    pub kind: String,
    /// The signer, where it is about one.
    #[n(1)]
    pub signer_id: Option<u8>,
    /// What it is, and what to do.
    #[n(2)]
    pub text: String,
}

/// An act that the signer refused; it is not sent again.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct RefusedAct {
    /// The request's id.
    #[n(0)]
    pub id: RequestId,
    /// The user who asked.
    #[n(1)]
    pub owner: u32,
    /// When it was refused.
    #[cbor(n(2), with = "codec::time")]
    pub time: Time,
    /// Why.
    #[n(3)]
    pub refused: Refused,
}

/// One cable and the signer at its end.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
pub struct CableState {
    /// The signer that must be there.
    #[n(0)]
    pub signer_id: u8,
    /// Whether its device is open.
    #[n(1)]
    pub device_open: bool,
    /// Whether there is a session, and both sides have said hello.
    #[n(2)]
    pub up: bool,
    /// Why it gets no acts; empty for the active one.
    #[n(3)]
    pub reason: String,
    /// The program of the signer, as it says.
    #[n(4)]
    pub build: Option<String>,
    /// Its last answer to Ping.
    #[n(5)]
    pub status: Option<Status>,
    /// How old that is, in milliseconds.
    #[n(6)]
    pub status_age: u64,
    /// How long that Ping took, in milliseconds.
    #[n(7)]
    pub ping: u64,
    /// Its clock less this host's, in seconds.
    #[n(8)]
    pub clock_offset: i64,
    /// The last record of its log that is known of.
    #[n(9)]
    pub log_head: u64,
    /// The last record that is archived here.
    #[n(10)]
    pub log_archived: u64,
    /// Of a standby: the last record of the active signer's log that it has.
    #[n(11)]
    pub log_replicated: Option<u64>,
    /// Requests under way.
    #[n(12)]
    pub unanswered: u64,
    /// Octets under way.
    #[n(13)]
    pub backlog: u64,
    /// How good the line is.
    #[n(14)]
    pub line: LineState,
}

/// Counters of a cable since the host was started.
#[derive(Clone, Copy, Debug, Default, Decode, Encode, PartialEq, Eq)]
pub struct LineState {
    /// Bits a second.
    #[n(0)]
    pub baud: u32,
    /// Octets given to the line.
    #[n(1)]
    pub octets_sent: u64,
    /// Octets that the line gave.
    #[n(2)]
    pub octets_received: u64,
    /// Frames given to the line.
    #[n(3)]
    pub frames_sent: u64,
    /// Frames that came whole.
    #[n(4)]
    pub frames_received: u64,
    /// Runs of octets that were no frame.
    #[n(5)]
    pub noise: u64,
    /// Frames that were sent again.
    #[n(6)]
    pub retransmissions: u64,
    /// Sessions that stood.
    #[n(7)]
    pub sessions: u64,
    /// From the end of a frame to its acknowledgement, in milliseconds.
    #[n(8)]
    pub round_trip: Option<u64>,
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

message!(HostQuestion);
message!(HostAnswer);

impl Bounded for HostQuestion {
    fn check(&self) -> Result<(), WireError> {
        Ok(())
    }
}

impl Bounded for HostAnswer {
    fn check(&self) -> Result<(), WireError> {
        match self {
            Self::State(state) => {
                bound("cables", state.cables.len(), limits::LIST)?;
                bound("alarms", state.alarms.len(), limits::LIST)?;
                bound("refused", state.refused.len(), REFUSED)
            }
            Self::Refused(refused) => bound("message text", refused.message.len(), limits::TEXT),
        }
    }
}
