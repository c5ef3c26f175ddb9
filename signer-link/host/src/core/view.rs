//! What can be seen of the core: for metrics, readiness and alarms.

use std::collections::BTreeMap;
use std::fmt;

use wire::Status;

use super::queue::Class;
use super::settings::Millis;

/// How everything is.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The cables, in the order of the configuration.
    pub cables: Vec<CableView>,
    /// The cable whose signer gets the acts now.
    pub active: Option<usize>,
    /// The highest promotion epoch that was ever met.
    pub epoch: u32,
    /// The open acts by class.
    pub queues: BTreeMap<Class, QueueView>,
    /// Octets of the requests of open acts.
    pub open_octets: usize,
    /// Acts that were refused since the start, by the code of the refusal.
    pub refused: BTreeMap<String, u64>,
    /// Octets of the outbox.
    pub outbox_octets: u64,
    /// What somebody must look at.
    pub alarms: Vec<Alarm>,
}

/// One cable and its signer.
#[derive(Clone, Debug)]
pub struct CableView {
    /// The signer that must be there.
    pub signer_id: u8,
    /// Whether there is a session, and both sides have said Hello.
    pub up: bool,
    /// The program of the signer, as it says.
    pub build: Option<String>,
    /// Its last answer to Ping.
    pub status: Option<Status>,
    /// When that was.
    pub status_at: Millis,
    /// How long that Ping took.
    pub round_trip: Millis,
    /// Its clock less this host's, in seconds, then.
    pub clock_offset: i64,
    /// The last record of its log that is known.
    pub head: u64,
    /// The last record that is archived.
    pub archived: u64,
    /// Requests without an answer.
    pub unanswered: usize,
    /// Octets under way in the cable.
    pub backlog: usize,
    /// Where it is a standby: how much of the active one's log it has.
    pub replicated: Option<u64>,
    /// Why it gets no acts; empty for the active one.
    pub reason: String,
}

/// The open acts of one class.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct QueueView {
    /// How many.
    pub count: usize,
    /// How long the oldest has been open, in seconds.
    pub oldest_seconds: i64,
}

/// Something that somebody must look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alarm {
    /// What kind of thing.
    pub kind: AlarmKind,
    /// The signer, where it is about one.
    pub signer_id: Option<u8>,
    /// What it is, and what to do.
    pub text: String,
}

/// The kinds of alarms.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AlarmKind {
    /// The archive of the signer's log cannot be written.
    Archive,
    /// Somebody is on the cable who has not the keys, or the signer sent what no signer sends.
    Breach,
    /// The signer's log does not go on where the archive ends.
    Chain,
    /// The clocks differ.
    ClockOffset,
    /// The signer's journal is older than its archive.
    LogOlder,
    /// The outbox cannot be written.
    Outbox,
    /// The signer speaks another version of the protocol.
    Protocol,
    /// Another signer is on this cable.
    SignerId,
    /// Two signers say that they are the active one.
    SplitBrain,
    /// The signer was active before another was promoted.
    Superseded,
}

impl AlarmKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Archive,
        Self::Breach,
        Self::Chain,
        Self::ClockOffset,
        Self::LogOlder,
        Self::Outbox,
        Self::Protocol,
        Self::SignerId,
        Self::SplitBrain,
        Self::Superseded,
    ];

    /// Its name, as in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Breach => "breach",
            Self::Chain => "chain",
            Self::ClockOffset => "clock-offset",
            Self::LogOlder => "log-older",
            Self::Outbox => "outbox",
            Self::Protocol => "protocol",
            Self::SignerId => "signer-id",
            Self::SplitBrain => "split-brain",
            Self::Superseded => "superseded",
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signer_id {
            Some(id) => write!(f, "{} (signer {id}): {}", self.kind.name(), self.text),
            None => write!(f, "{}: {}", self.kind.name(), self.text),
        }
    }
}
