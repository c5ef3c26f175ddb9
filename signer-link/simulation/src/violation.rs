//! What must hold in every run, and how it was broken.

use std::fmt;

/// Something that must hold whatever happens (docs/signer.md has them as a table).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Invariant {
    /// CRL numbers and times rise in each scope over both signers; one number never stands for two contents.
    CrlsRise,
    /// When nothing fails any more, everything that was asked gets done: no refusal, crash or cut blocks what follows.
    EverythingGetsDone,
    /// A request that keeps the rules is not refused, and no signer locks itself without a cause.
    HonestIsServed,
    /// What was acknowledged is on a disk and stays there.
    NothingLost,
    /// A request is signed once by each signer, its answer never changes, and both signers sign the same octets.
    OneSignature,
    /// Every signature has an earlier intent on the disk.
    IntentFirst,
    /// Each log is one chain, and its archive is a part of it.
    LogIsWhole,
    /// A machine starts with whatever a crash left on its disk.
    Starts,
    /// The signer's revocations are the ledger's.
    RevokedEqual,
    /// No serial number stands in two certificates.
    SerialOnce,
    /// What is against the policy is refused; a signer with an old journal, or one that was superseded, signs nothing.
    WrongIsRefused,
}

impl Invariant {
    /// In few words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::CrlsRise => "CRL numbers and times rise",
            Self::EverythingGetsDone => "everything gets done",
            Self::HonestIsServed => "who keeps the rules is served",
            Self::NothingLost => "nothing acknowledged is lost",
            Self::OneSignature => "one signature for each request",
            Self::IntentFirst => "an intent before each signature",
            Self::LogIsWhole => "the log is one chain",
            Self::Starts => "a machine starts after a crash",
            Self::RevokedEqual => "both sides know the same revocations",
            Self::SerialOnce => "no serial number twice",
            Self::WrongIsRefused => "what is wrong is refused",
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.text(), self.what)
    }
}

/// Holds if `holds`.
pub(crate) fn check(
    holds: bool,
    invariant: Invariant,
    what: impl FnOnce() -> String,
) -> Result<(), Violation> {
    match holds {
        true => Ok(()),
        false => Err(violated(invariant, what())),
    }
}

pub(crate) fn violated(invariant: Invariant, what: impl Into<String>) -> Violation {
    Violation {
        invariant,
        what: what.into(),
    }
}
