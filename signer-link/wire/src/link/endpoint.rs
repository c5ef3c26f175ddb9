//! One end of the cable, put together.

use std::collections::VecDeque;

use super::channel::Channel;
use super::epoch::{Epoch, Verdict};
use super::event::rest;
use super::frame::{Acknowledgement, Body, Decoded, Decoder, Frame};
use super::pace::Pace;
use super::session::{Received, Session};
use super::{
    Breach, DownReason, Event, LinkSettings, Millis, Quality, Random, Role, SendError, SessionKeys,
};
use crate::limits::MESSAGE_ON_LINK;

/// What [`Endpoint::send`] takes before something is acknowledged.
const BACKLOG: usize = 2 * MESSAGE_ON_LINK;
/// With so many octets of messages not taken by [`Endpoint::event`], the other end is asked to hold.
const UNTAKEN: usize = 512 * 1024;
/// The message that was under way by then still fits; a peer that does not hold gets no further.
const UNTAKEN_AT_MOST: usize = 2 * (UNTAKEN + MESSAGE_ON_LINK);
/// What a message costs besides its octets.
const MESSAGE_COST: usize = 64;

/// One end of the cable. It is fed with octets and time, and says what goes to the line and what happened.
///
/// Its owner reads what the line has and calls [`receive`](Self::receive); takes [`event`](Self::event)s until there
/// are none; and while the line takes octets, writes what [`transmit`](Self::transmit) gives until that is `None`, and
/// calls it again at the [`deadline`](Self::deadline) or when any other method was called.
pub struct Endpoint {
    role: Role,
    keys: SessionKeys,
    settings: LinkSettings,
    random: Box<dyn Random>,
    decoder: Decoder,
    pace: Pace,
    state: State,
    /// A session stands: there was an `Up`, and no `Down` since.
    up: bool,
    /// Attempts that have failed since a session last stood.
    failures: u32,
    events: VecDeque<Event>,
    /// What the messages in `events` cost.
    untaken: usize,
    quality: Quality,
}

enum State {
    /// After a failure: nothing is said or heard until then.
    Resting { until: Millis },
    /// Agreeing on an epoch, or with one open.
    Talking {
        epoch: Epoch,
        channel: Option<Box<Channel>>,
    },
}

impl Endpoint {
    /// An end that begins to agree on an epoch at once. The host is the one that begins the handshake.
    #[must_use]
    pub fn new(
        role: Role,
        keys: SessionKeys,
        settings: LinkSettings,
        mut random: Box<dyn Random>,
        now: Millis,
    ) -> Self {
        let epoch = Epoch::begin(&mut *random, now);
        Self {
            role,
            keys,
            settings,
            random,
            decoder: Decoder::default(),
            pace: Pace::new(settings),
            state: State::Talking {
                epoch,
                channel: None,
            },
            up: false,
            failures: 0,
            events: VecDeque::new(),
            untaken: 0,
            quality: Quality {
                resets: 1,
                ..Quality::default()
            },
        }
    }

    /// Takes whatever the line gave. To be called with what is there before [`transmit`](Self::transmit): silence is
    /// judged by that one.
    pub fn receive(&mut self, octets: &[u8], now: Millis) {
        self.quality.octets_received += octets.len() as u64;
        let mut decoder = std::mem::take(&mut self.decoder);
        decoder.push(octets, |decoded| match decoded {
            Decoded::Noise => self.quality.noise += 1,
            Decoded::Frame(frame) if frame.from == self.role => self.quality.echoes += 1,
            Decoded::Frame(frame) => self.take_frame(frame.body, now),
        });
        self.decoder = decoder;
    }

    /// The next octets for the line: one frame; `None` if there is nothing to send now. They count as sent.
    pub fn transmit(&mut self, now: Millis) -> Option<Vec<u8>> {
        self.tick(now);
        if now < self.pace.ready_at() {
            return None;
        }
        let body = self.next_body(now)?;
        let data = match &body {
            Body::Data { seq, .. } => Some(*seq),
            _ => None,
        };
        let octets = Frame {
            from: self.role,
            body,
        }
        .encode();
        let left = self.pace.send(octets.len(), now);
        self.quality.octets_sent += octets.len() as u64;
        self.quality.frames_sent += 1;
        if let Some(channel) = self.channel_mut() {
            channel.said = left;
            if let Some(seq) = data {
                channel.outgoing.left(seq, left);
            }
        }
        Some(octets)
    }

    /// When to call [`transmit`](Self::transmit) if nothing else happens; a time in the past means now.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let ready = self.pace.ready_at();
        match &self.state {
            State::Resting { until } => Some(*until),
            State::Talking { epoch, channel } => {
                let reset = epoch.deadline().map(|at| at.max(ready));
                let channel = channel
                    .as_ref()
                    .map(|channel| channel.deadline(&self.settings, ready));
                [reset, channel].into_iter().flatten().min()
            }
        }
    }

    /// Sends one message of 1 to [`MESSAGE_ON_LINK`] octets, after all sent before.
    pub fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        let Some(channel) = self.channel_mut().filter(|channel| channel.session.is_up()) else {
            return Err(SendError::NotUp);
        };
        if !(1..=MESSAGE_ON_LINK).contains(&message.len()) {
            return Err(SendError::Size(message.len()));
        }
        if channel.backlog + message.len() > BACKLOG {
            return Err(SendError::Full(channel.backlog));
        }
        channel.backlog += channel.outbox.push(message);
        Ok(())
    }

    /// Octets taken by [`send`](Self::send) in this session that the peer has not acknowledged. Zero: it has all.
    #[must_use]
    pub fn backlog(&self) -> usize {
        match &self.state {
            State::Talking {
                channel: Some(channel),
                ..
            } => channel.backlog,
            _ => 0,
        }
    }

    /// What has happened, in order. While messages are left here, the peer is soon asked to hold.
    pub fn event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::Message(message) = &event {
            let held = self.untaken >= UNTAKEN;
            self.untaken -= message.len() + MESSAGE_COST;
            let released = held && self.untaken < UNTAKEN;
            if let Some(channel) = self.channel_mut() {
                channel.owes_ack |= released;
            }
        }
        Some(event)
    }

    /// Ends the session, if one stands, and begins a new epoch.
    pub fn reset(&mut self, now: Millis) {
        self.begin_anew(DownReason::Asked, now);
    }

    /// How good the line is.
    #[must_use]
    pub fn quality(&self) -> Quality {
        let round_trip = match &self.state {
            State::Talking {
                channel: Some(channel),
                ..
            } => channel.round_trip.smoothed(),
            _ => None,
        };
        Quality {
            round_trip,
            ..self.quality
        }
    }

    fn take_frame(&mut self, body: Body, now: Millis) {
        let State::Talking { epoch, .. } = &mut self.state else {
            return;
        };
        let random = &mut *self.random;
        let (acknowledgement, data) = match body {
            Body::Reset { ask, own, heard } => {
                if epoch.reset(own, heard, ask, random) {
                    self.open(now);
                }
                return;
            }
            Body::Data {
                acknowledgement,
                seq,
                payload,
            } => (acknowledgement, Some((seq, payload))),
            Body::Ack(acknowledgement) => (acknowledgement, None),
        };
        match epoch.judge(acknowledgement.tag, random) {
            Verdict::Other => {
                self.quality.old_epoch += 1;
                return;
            }
            Verdict::Opens => self.open(now),
            Verdict::Current => {}
        }
        self.quality.frames_received += 1;
        if let Some(channel) = self.channel_mut() {
            channel.acknowledged(acknowledgement, now);
        }
        if let Some((seq, payload)) = data {
            self.take_data(seq, payload, now);
        }
    }

    fn take_data(&mut self, seq: u16, payload: Vec<u8>, now: Millis) {
        if self.untaken >= UNTAKEN_AT_MOST {
            return; // not acknowledged: it will come again
        }
        let Some(channel) = self.channel_mut() else {
            return;
        };
        channel.owes_ack = true;
        let Some(ordered) = channel.incoming.take(seq, payload) else {
            self.quality.duplicates += 1;
            return;
        };
        for payload in ordered {
            if let Err(breach) = self.take_payload(&payload) {
                self.fail(breach, now);
                return;
            }
        }
    }

    /// The next payload in order.
    fn take_payload(&mut self, payload: &[u8]) -> Result<(), Breach> {
        let State::Talking {
            channel: Some(channel),
            ..
        } = &mut self.state
        else {
            return Ok(());
        };
        match channel.session.receive(payload)? {
            Received::Answer(answer) => channel.first = Some(answer),
            Received::Up(first) => {
                channel.first = first;
                self.up = true;
                self.failures = 0;
                self.quality.sessions += 1;
                self.events.push_back(Event::Up);
            }
            Received::Piece(piece) => channel.inbox.push(&piece, |message| {
                self.untaken += message.len() + MESSAGE_COST;
                self.events.push_back(Event::Message(message));
            })?,
        }
        Ok(())
    }

    /// An epoch is open: the handshake begins.
    fn open(&mut self, now: Millis) {
        self.end_session(DownReason::PeerReset);
        let State::Talking { epoch, channel } = &mut self.state else {
            return;
        };
        let Some(halves) = epoch.halves() else {
            return;
        };
        let (session, first) = Session::begin(self.role, &self.keys, halves, &mut *self.random);
        *channel = Some(Box::new(Channel::new(session, first, self.settings, now)));
    }

    fn begin_anew(&mut self, reason: DownReason, now: Millis) {
        self.end_session(reason);
        self.quality.resets += 1;
        self.state = State::Talking {
            epoch: Epoch::begin(&mut *self.random, now),
            channel: None,
        };
    }

    /// The next attempt waits, longer each time.
    fn fail(&mut self, breach: Breach, now: Millis) {
        // Attempts that nobody has looked at are one: so they cannot pile up.
        if self.events.back() != Some(&Event::Breach(breach)) {
            self.events.push_back(Event::Breach(breach));
        }
        self.end_session(DownReason::Breach);
        self.state = State::Resting {
            until: now + rest(self.failures),
        };
        self.failures += 1;
    }

    fn end_session(&mut self, reason: DownReason) {
        if !std::mem::take(&mut self.up) {
            return;
        }
        // A session that nobody has looked at is not worth two events: so they cannot pile up.
        if self.events.back() == Some(&Event::Up) {
            self.events.pop_back();
        } else {
            self.events.push_back(Event::Down(reason));
        }
    }

    /// Lets time pass.
    fn tick(&mut self, now: Millis) {
        let over = match &mut self.state {
            State::Resting { until } => (now >= *until).then_some(DownReason::Breach),
            State::Talking {
                channel: Some(channel),
                ..
            } => channel.tick(&self.settings, now),
            State::Talking { channel: None, .. } => None,
        };
        if let Some(reason) = over {
            self.begin_anew(reason, now);
        }
    }

    /// What goes to the line now.
    fn next_body(&mut self, now: Millis) -> Option<Body> {
        let hold = self.untaken >= UNTAKEN;
        let State::Talking { epoch, channel } = &mut self.state else {
            return None;
        };
        if let Some(reset) = epoch.take(now) {
            return Some(reset);
        }
        let tag = epoch.tag()?;
        let channel = channel.as_mut()?;
        let (ack, sack) = channel.incoming.acknowledgement();
        let acknowledgement = Acknowledgement {
            tag,
            ack,
            sack,
            hold,
        };
        if let Some((seq, payload)) = channel.outgoing.again() {
            self.quality.retransmissions += 1;
            channel.owes_ack = false;
            return Some(Body::Data {
                acknowledgement,
                seq,
                payload,
            });
        }
        if let Some((seq, payload)) = channel.next_data() {
            channel.owes_ack = false;
            return Some(Body::Data {
                acknowledgement,
                seq,
                payload,
            });
        }
        let alone = channel.owes_ack || now >= channel.said + self.settings.keep_alive;
        channel.owes_ack = false;
        alone.then_some(Body::Ack(acknowledgement))
    }

    fn channel_mut(&mut self) -> Option<&mut Channel> {
        match &mut self.state {
            State::Talking { channel, .. } => channel.as_deref_mut(),
            State::Resting { .. } => None,
        }
    }
}
