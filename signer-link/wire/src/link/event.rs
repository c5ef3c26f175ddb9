//! What an endpoint tells its owner.

use super::Millis;

/// What happened on the link, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A session stands: both ends have proven their keys, now.
    Up,
    /// One whole message of this session.
    Message(Vec<u8>),
    /// The session is over. What was sent and not acknowledged may or may not have arrived.
    Down(DownReason),
    /// Only somebody else on the cable explains it. If a session stood, `Down` follows.
    Breach(Breach),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DownReason {
    /// [`super::Endpoint::reset`] was called.
    Asked,
    /// See the [`Breach`] before it.
    Breach,
    /// The other end began anew.
    PeerReset,
    /// Nothing was heard for [`super::LinkSettings::silence`].
    Silent,
    /// One frame was sent over and over and never arrived, though others did: the next session encrypts it
    /// differently, so that a pattern that the line cannot carry does not stop it for good.
    Undeliverable,
}

/// What cannot come from the true peer over a merely bad line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Breach {
    /// The other end does not have the keys. Nobody has proven anything yet: wrong keys in a configuration look the
    /// same as an attacker's attempt.
    Handshake,
    /// A frame of the running session with a right CRC that the peer did not encrypt, or not for this place.
    Record,
    /// The authenticated peer broke the rules for messages: one that is empty or too long.
    Stream,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// So much is waiting already; see [`super::Endpoint::backlog`].
    #[error("{0} octets are waiting for the cable; send again when the backlog is smaller")]
    Full(usize),
    /// There is no session.
    #[error("the cable is not up; send again after the event Up")]
    NotUp,
    /// Empty, or longer than [`crate::limits::MESSAGE_ON_LINK`].
    #[error("a message for the cable has 1 to {limit} octets, not {0}", limit = crate::limits::MESSAGE_ON_LINK)]
    Size(usize),
}

/// When to try again after attempts that failed: one second, doubled each time up to half a minute.
pub(crate) fn rest(failures: u32) -> Millis {
    (1000 << failures.min(5)).min(30_000)
}
