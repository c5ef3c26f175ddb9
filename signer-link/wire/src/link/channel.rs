//! All that lives and dies with an epoch.

use super::frame::{Acknowledgement, MAX_ENCODED};
use super::incoming::Incoming;
use super::messages::{Inbox, Outbox};
use super::outgoing::Outgoing;
use super::round_trip::RoundTrip;
use super::session::{self, Session};
use super::{DownReason, LinkSettings, Millis};

/// Sessions, windows and messages of one epoch.
pub(crate) struct Channel {
    pub(crate) session: Session,
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
    pub(crate) round_trip: RoundTrip,
    /// A payload that goes before the stream of messages: of the handshake.
    pub(crate) first: Option<Vec<u8>>,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    /// Octets of the stream that are not acknowledged.
    pub(crate) backlog: usize,
    /// An acknowledgement is due.
    pub(crate) owes_ack: bool,
    /// The other end takes no new DATA.
    pub(crate) held: bool,
    pub(crate) opened: Millis,
    pub(crate) heard: Millis,
    pub(crate) said: Millis,
}

impl Channel {
    pub(crate) fn new(
        session: Session,
        first: Option<Vec<u8>>,
        settings: LinkSettings,
        now: Millis,
    ) -> Self {
        // An acknowledgement waits for the other end's process and for the frame that is on the line there.
        let floor = 100 + settings.micros(2 * MAX_ENCODED).div_ceil(1000);
        Self {
            session,
            outgoing: Outgoing::new(),
            incoming: Incoming::default(),
            round_trip: RoundTrip::new(floor),
            first,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            backlog: 0,
            // Shows the other end that this one has opened the epoch.
            owes_ack: true,
            held: false,
            opened: now,
            heard: now,
            said: now,
        }
    }

    pub(crate) fn acknowledged(&mut self, acknowledgement: Acknowledgement, now: Millis) {
        let Acknowledgement {
            ack, sack, hold, ..
        } = acknowledgement;
        self.heard = now;
        self.held = hold;
        self.backlog -= self
            .outgoing
            .acknowledge(ack, sack, now, &mut self.round_trip);
    }

    /// Lets time pass; why it is over, if it is.
    pub(crate) fn tick(&mut self, settings: &LinkSettings, now: Millis) -> Option<DownReason> {
        let unfinished = !self.session.is_up() && now >= self.opened + settings.handshake;
        if unfinished || now >= self.heard + settings.silence {
            return Some(DownReason::Silent);
        }
        self.outgoing.tick(now, &self.round_trip);
        self.outgoing
            .is_stuck()
            .then_some(DownReason::Undeliverable)
    }

    /// A new DATA frame, if there is one to send.
    pub(crate) fn next_data(&mut self) -> Option<(u16, Vec<u8>)> {
        if !self.has_new() {
            return None;
        }
        if let Some(payload) = self.first.take() {
            return Some((self.outgoing.push(payload.clone(), 0), payload));
        }
        let piece = self
            .outbox
            .cut(self.outgoing.payload_limit() - session::TAG);
        let record = self.session.seal(&piece)?;
        Some((self.outgoing.push(record.clone(), piece.len()), record))
    }

    pub(crate) fn has_new(&self) -> bool {
        let something = self.first.is_some() || (!self.outbox.is_empty() && !self.held);
        something && self.outgoing.has_room()
    }

    /// When [`super::Endpoint::transmit`] has something to do, on a line that is ready then.
    pub(crate) fn deadline(&self, settings: &LinkSettings, ready: Millis) -> Millis {
        let now = self.outgoing.has_lost() || self.has_new() || self.owes_ack;
        let to_send = if now {
            0
        } else {
            self.said + settings.keep_alive
        };
        let lost = self
            .outgoing
            .deadline(&self.round_trip)
            .unwrap_or(Millis::MAX);
        let silent = self.heard + settings.silence;
        let unfinished = if self.session.is_up() {
            Millis::MAX
        } else {
            self.opened + settings.handshake
        };
        to_send.max(ready).min(lost).min(silent).min(unfinished)
    }
}
