//! What can be set.

/// Milliseconds of a clock that never goes back, from any start.
pub type Millis = u64;

/// The time now, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers.
    pub millis: Millis,
    /// For people, and for the signer to compare its clock with.
    pub time: pki::Time,
}

/// How the core works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program's version, for the signer's log.
    pub build: String,
    /// How often each signer is asked how it is.
    pub ping: Millis,
    /// A session whose signer answers nothing for so long, though the cable has nothing more to carry, is begun anew.
    pub silence: Millis,
    /// How often the signer's log is asked for at most, unless more of it is known to wait.
    pub log_interval: Millis,
    /// Acts that may be open; a further one is told to come again.
    pub open_acts: usize,
    /// Octets of requests that may be open.
    pub open_octets: usize,
    /// Answers that are remembered here. The signer remembers all of them.
    pub answers: usize,
    /// How long they are, in seconds.
    pub answers_seconds: i64,
    /// An outbox of fewer octets is never rewritten.
    pub compact_octets: u64,
    /// Profiles whose certificates go before others.
    pub responder_profiles: Vec<String>,
    /// Requests of one session that may be unanswered.
    pub window: usize,
    /// A clock of a signer that is so many seconds from this host's is an alarm.
    pub clock_offset_seconds: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            build: env!("CARGO_PKG_VERSION").to_owned(),
            ping: 5_000,
            silence: 30_000,
            log_interval: 500,
            open_acts: 20_000,
            open_octets: 64 << 20,
            answers: 100_000,
            answers_seconds: 24 * 3600,
            compact_octets: 4 << 20,
            responder_profiles: vec!["ocsp-responder".to_owned()],
            window: 16,
            clock_offset_seconds: 5,
        }
    }
}

/// One cable, and the signer that must be at its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CableSettings {
    /// What its serial numbers begin with.
    pub signer_id: u8,
    /// Octets that may be under way in the cable before the next request waits for room. Half a second of it: little
    /// enough for urgent requests to overtake, enough for the cable never to idle.
    pub window_octets: usize,
}

impl CableSettings {
    /// For a cable of this speed.
    pub fn new(signer_id: u8, baud: u32) -> Self {
        // Ten bits an octet; half a second. Lossless: usize has at least 32 bits here.
        let half_second = (baud / 20) as usize;
        Self {
            signer_id,
            window_octets: half_second.max(2_048),
        }
    }
}
