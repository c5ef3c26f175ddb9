//! DATA frames under way, and which of them are lost.
//!
//! A cable does not reorder: when a frame arrives that was given to the line later than another one, then that one is
//! lost and is sent again at once. Only the last ones under way need a timer; it starts when a frame has left the line,
//! and doubles while nothing is acknowledged.

use std::collections::VecDeque;

use super::Millis;
use super::frame::MAX_PAYLOAD;
use super::round_trip::RoundTrip;

/// Most frames under way.
pub(crate) const WINDOW: usize = 16;
/// A frame that was sent so often and never arrived, while the other end was heard, never will.
const MAX_TIMES: u32 = 32;
/// The longest pause before the oldest frame is sent again, if the line's patience is not longer.
const LONGEST_PAUSE: Millis = 2000;
/// On a line that loses frames, they get shorter, down to this payload; and longer again while none is lost.
const SHORTEST_PAYLOAD: usize = 128;
const GROWTH: usize = 32;

#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Of the oldest frame under way, or else the next one.
    base: u16,
    frames: VecDeque<UnderWay>,
    /// Counts all transmissions.
    transmissions: u64,
    /// How often the timer ran out since something was last acknowledged.
    timeouts: u32,
    payload: usize,
    /// Losses among transmissions before this one have shortened the payload already.
    shortened: u64,
}

#[derive(Debug)]
struct UnderWay {
    payload: Vec<u8>,
    /// Octets of messages that it carries.
    carries: usize,
    /// Its last transmission, and when that had left the line.
    transmission: u64,
    left: Millis,
    times: u32,
    /// Acknowledged ahead of others.
    arrived: bool,
    /// To be sent again.
    lost: bool,
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        Self {
            base: 0,
            frames: VecDeque::with_capacity(WINDOW),
            transmissions: 0,
            timeouts: 0,
            payload: MAX_PAYLOAD,
            shortened: 0,
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.frames.len() < WINDOW
    }

    /// How long the payload of a new frame should be at most.
    pub(crate) fn payload_limit(&self) -> usize {
        self.payload
    }

    /// A new frame goes to the line. Gives its place; [`Outgoing::left`] must follow.
    pub(crate) fn push(&mut self, payload: Vec<u8>, carries: usize) -> u16 {
        let seq = self.base.wrapping_add(self.frames.len() as u16);
        self.frames.push_back(UnderWay {
            payload,
            carries,
            transmission: 0,
            left: 0,
            times: 0,
            arrived: false,
            lost: false,
        });
        seq
    }

    /// The first lost frame, which now goes to the line again; [`Outgoing::left`] must follow.
    pub(crate) fn again(&mut self) -> Option<(u16, Vec<u8>)> {
        let place = self.frames.iter().position(|frame| frame.lost)?;
        let frame = &mut self.frames[place];
        frame.lost = false;
        Some((self.base.wrapping_add(place as u16), frame.payload.clone()))
    }

    /// The frame at this place will have left the line at this time.
    pub(crate) fn left(&mut self, seq: u16, at: Millis) {
        self.transmissions += 1;
        let place = usize::from(seq.wrapping_sub(self.base));
        if let Some(frame) = self.frames.get_mut(place) {
            frame.times += 1;
            frame.transmission = self.transmissions;
            frame.left = at;
        }
    }

    /// The other end has everything before `ack`, and what `sack` says. Gives how many octets of messages are thereby
    /// acknowledged for good.
    pub(crate) fn acknowledge(
        &mut self,
        ack: u16,
        sack: u16,
        now: Millis,
        round_trip: &mut RoundTrip,
    ) -> usize {
        let count = usize::from(ack.wrapping_sub(self.base));
        if count > self.frames.len() {
            return 0; // older than what is known
        }
        let mut arrived = Arrivals {
            now,
            patience: round_trip.smoothed().unwrap_or(0) / 2,
            ..Arrivals::default()
        };
        let mut acknowledged = 0;
        for frame in self.frames.drain(..count) {
            acknowledged += frame.carries;
            self.payload = (self.payload + GROWTH).min(MAX_PAYLOAD);
            if !frame.arrived {
                arrived.note(&frame);
            }
        }
        self.base = ack;
        for (bit, frame) in self.frames.iter_mut().skip(1).take(WINDOW - 1).enumerate() {
            if sack >> bit & 1 == 1 && !frame.arrived {
                arrived.note(frame);
                frame.arrived = true;
                frame.lost = false;
            }
        }
        if arrived.any {
            self.timeouts = 0;
        }
        if let Some((_, measured)) = arrived.measured {
            round_trip.sample(measured);
        }
        for place in 0..self.frames.len() {
            if self.frames[place].transmission < arrived.newest {
                self.lose(place);
            }
        }
        acknowledged
    }

    /// When the oldest frame counts as lost.
    pub(crate) fn deadline(&self, round_trip: &RoundTrip) -> Option<Millis> {
        let oldest = self.frames.front().filter(|frame| !frame.lost)?;
        let patience = round_trip.patience();
        let pause = (patience << self.timeouts.min(8)).min(LONGEST_PAUSE.max(patience));
        Some(oldest.left + pause)
    }

    /// The oldest frame's time may be over.
    pub(crate) fn tick(&mut self, now: Millis, round_trip: &RoundTrip) {
        if self
            .deadline(round_trip)
            .is_some_and(|deadline| now >= deadline)
        {
            self.timeouts += 1;
            self.lose(0);
        }
    }

    /// Whether a frame cannot get through.
    pub(crate) fn is_stuck(&self) -> bool {
        self.frames
            .iter()
            .any(|frame| frame.lost && frame.times >= MAX_TIMES)
    }

    pub(crate) fn has_lost(&self) -> bool {
        self.frames.iter().any(|frame| frame.lost)
    }

    fn lose(&mut self, place: usize) {
        let frame = &mut self.frames[place];
        if frame.arrived || frame.lost {
            return;
        }
        frame.lost = true;
        if frame.transmission > self.shortened {
            self.shortened = self.transmissions;
            self.payload = (self.payload / 2).max(SHORTEST_PAYLOAD);
        }
    }
}

/// What one acknowledgement tells about frames that it is the first to name.
#[derive(Default)]
struct Arrivals {
    now: Millis,
    /// An acknowledgement sooner than this after a repetition is for an earlier transmission.
    patience: Millis,
    any: bool,
    /// The latest transmission that has arrived.
    newest: u64,
    /// The latest transmission whose round trip is known.
    measured: Option<(u64, Millis)>,
}

impl Arrivals {
    fn note(&mut self, frame: &UnderWay) {
        self.any = true;
        let took = self.now.saturating_sub(frame.left);
        if frame.times == 1
            && self
                .measured
                .is_none_or(|(latest, _)| latest < frame.transmission)
        {
            self.measured = Some((frame.transmission, took));
        }
        if frame.times == 1 || took >= self.patience {
            self.newest = self.newest.max(frame.transmission);
        }
    }
}
