//! Both ends agree which epoch it is.
//!
//! Either end has a half of the epoch: random, said in RESET frames together with the half last heard from the other
//! end. Who reads its own half in the other's RESET knows that the other lives now and has heard it: the epoch is open.
//! A half serves for one epoch: an end that is asked while an epoch is open answers with its half for the next one, and
//! keeps the open one until the other end shows that it has heard that. So no old frame out of some buffer can end a
//! session, let alone pass for a frame of the current one.

use super::frame::Body;
use super::{Millis, Random};

/// First and longest pause between two RESET frames of an end that hears nothing.
const FIRST_PAUSE: Millis = 250;
const LONGEST_PAUSE: Millis = 2000;

#[derive(Debug)]
pub(crate) struct Epoch {
    own: u32,
    /// The half last heard; of the open epoch once there is one.
    peer: Option<u32>,
    open: bool,
    /// This end's half of the epoch after the open one.
    next: u32,
    /// While open: the half with which the other end asked for a new epoch.
    candidate: Option<u32>,
    /// The RESET that is due now.
    answer: Option<Body>,
    /// When to ask again, while not open.
    ask_at: Millis,
    pause: Millis,
}

/// What a frame means for the epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Of this epoch.
    Current,
    /// It opens a new epoch, to which it belongs.
    Opens,
    /// Of another one.
    Other,
}

impl Epoch {
    /// Begins anew.
    pub(crate) fn begin(random: &mut dyn Random, now: Millis) -> Self {
        Self {
            own: half(random),
            peer: None,
            open: false,
            next: half(random),
            candidate: None,
            answer: None,
            ask_at: now,
            pause: FIRST_PAUSE,
        }
    }

    /// The other end said RESET; whether that opens an epoch.
    pub(crate) fn reset(
        &mut self,
        theirs: u32,
        heard: u32,
        ask: bool,
        random: &mut dyn Random,
    ) -> bool {
        if theirs == 0 {
            return false;
        }
        if !self.open {
            self.peer = Some(theirs);
            if heard == self.own {
                self.open(self.own, theirs, random);
                return true;
            }
            self.answer = Some(Body::Reset {
                ask: true,
                own: self.own,
                heard: theirs,
            });
            return false;
        }
        if self.peer == Some(theirs) {
            if ask {
                self.answer = Some(Body::Reset {
                    ask: false,
                    own: self.own,
                    heard: theirs,
                });
            }
            return false;
        }
        if heard == self.next {
            self.open(self.next, theirs, random);
            return true;
        }
        if ask {
            self.candidate = Some(theirs);
            self.answer = Some(Body::Reset {
                ask: false,
                own: self.next,
                heard: theirs,
            });
        }
        false
    }

    /// A frame with this tag came. A tag with this end's half in it proves as much as a RESET that repeats the half.
    pub(crate) fn judge(&mut self, tag: u32, random: &mut dyn Random) -> Verdict {
        if self.tag() == Some(tag) {
            return Verdict::Current;
        }
        let (own, theirs) = if self.open {
            (self.next, self.candidate)
        } else {
            (self.own, self.peer)
        };
        match theirs {
            Some(theirs) if tag == own ^ theirs => {
                self.open(own, theirs, random);
                Verdict::Opens
            }
            _ => Verdict::Other,
        }
    }

    /// The RESET that is due now, if one is.
    pub(crate) fn take(&mut self, now: Millis) -> Option<Body> {
        if !self.open && (now >= self.ask_at || self.answer.is_some()) {
            self.ask_at = now + self.pause;
            self.pause = (2 * self.pause).min(LONGEST_PAUSE);
            self.answer = None;
            let heard = self.peer.unwrap_or(0);
            return Some(Body::Reset {
                ask: true,
                own: self.own,
                heard,
            });
        }
        self.answer.take()
    }

    /// When the next RESET is due; zero for now.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        if self.answer.is_some() {
            return Some(0);
        }
        (!self.open).then_some(self.ask_at)
    }

    /// What stands in every frame of the open epoch.
    pub(crate) fn tag(&self) -> Option<u32> {
        self.halves().map(|(own, theirs)| own ^ theirs)
    }

    /// This end's half and the other's, of the open epoch.
    pub(crate) fn halves(&self) -> Option<(u32, u32)> {
        self.peer
            .filter(|_| self.open)
            .map(|theirs| (self.own, theirs))
    }

    fn open(&mut self, own: u32, theirs: u32, random: &mut dyn Random) {
        self.own = own;
        self.peer = Some(theirs);
        self.open = true;
        self.next = half(random);
        self.candidate = None;
        self.answer = None;
    }
}

/// Not zero, which stands for no half.
fn half(random: &mut dyn Random) -> u32 {
    let mut octets = [0; 4];
    random.fill(&mut octets);
    u32::from_be_bytes(octets).max(1)
}
