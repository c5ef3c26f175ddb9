//! One end of the cable: from messages to octets on a serial line and back.
//!
//! From the line upwards:
//! - [`frame`]: `00 | COBS(header, payload, CRC-32C) | 00`. Every zero octet is a new chance to find a frame, so noise
//!   costs the frames it touches and no more.
//! - the epoch: 32 random bits of either end, agreed on by RESET frames. What belongs to another epoch is dropped.
//! - the windows: at most 16 frames under way, acknowledged cumulatively and selectively, sent again when lost.
//! - the pace: the line is never given more than it can carry soon, so that an urgent message finds it free.
//! - the session: Noise `KKpsk0`, made anew in each epoch; each DATA frame carries one of its records.
//! - messages: each after its length, cut into records wherever they end.
//!
//! Nothing here does I/O, keeps a clock or makes random numbers: an [`Endpoint`] is fed with octets, time and a
//! [`Random`]. `docs/signer-link.md` has all of it octet by octet.

pub mod frame;

mod channel;
mod endpoint;
mod epoch;
mod event;
mod incoming;
mod keys;
mod messages;
mod outgoing;
mod pace;
mod quality;
mod random;
mod round_trip;
mod session;
mod settings;

pub use endpoint::Endpoint;
pub use event::{Breach, DownReason, Event, SendError};
pub use keys::{KeyPair, SessionKeys};
pub use quality::Quality;
pub use random::Random;
pub use settings::LinkSettings;

/// Milliseconds of a clock that never goes back, from any start.
pub type Millis = u64;

/// Version of frames, transport and session.
pub const LINK_VERSION: u8 = 1;

/// Which end of the cable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The online machine; it begins the handshake.
    Host,
    /// The machine with the keys.
    Signer,
}

impl Role {
    /// The other end.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Self::Host => Self::Signer,
            Self::Signer => Self::Host,
        }
    }
}
