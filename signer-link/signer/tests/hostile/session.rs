//! The host's end of a session, from docs/signer-link.md alone: it can say whatever it likes, right or wrong.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustix::rand::{GetRandomFlags, getrandom};
use snow::{Builder, HandshakeState, TransportState};
use wire::link::SessionKeys;
use wire::link::frame::{Acknowledgement, Body};

use crate::cable::{Cable, PATIENCE};

/// At most so many DATA frames are under way.
const WINDOW: u16 = 16;
/// What a record has at most of the stream.
const PIECE: usize = 2_032;
/// How long a signer that rests after a breach may let one ask for nothing.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// A session of one epoch, with the counters of both directions.
pub(crate) struct Session {
    pub(crate) tag: u32,
    pub(crate) noise: TransportState,
    /// The number of the next DATA frame.
    pub(crate) next: u16,
    /// How many of these are acknowledged.
    acknowledged: u16,
    /// How many of the signer's have come.
    received: u16,
    /// The last record of the signer, as it came.
    pub(crate) last_record: Vec<u8>,
    stream: Vec<u8>,
    messages: VecDeque<Vec<u8>>,
}

/// An epoch that both ends have agreed on.
#[derive(Clone, Copy)]
pub(crate) struct Epoch {
    pub(crate) host: u32,
    pub(crate) signer: u32,
}

impl Epoch {
    /// With a half of one's own; the signer may rest at first.
    pub(crate) fn open(cable: &mut Cable, host: u32) -> Self {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            cable.say(Body::Reset {
                ask: true,
                own: host,
                heard: 0,
            });
            let again = Instant::now() + ASK_AGAIN;
            while let Some(left) = again.checked_duration_since(Instant::now()) {
                if let Some(Body::Reset { own, heard, .. }) = cable.hear_within(left)
                    && heard == host
                {
                    return Self { host, signer: own };
                }
            }
        }
        panic!("the signer agrees on no epoch");
    }

    pub(crate) fn new(cable: &mut Cable) -> Self {
        Self::open(cable, u32::from_be_bytes(random()).max(1))
    }

    pub(crate) const fn tag(self) -> u32 {
        self.host ^ self.signer
    }

    /// The handshake's first half, with the prologue of this link version.
    pub(crate) fn initiator(self, keys: &SessionKeys, version: u8) -> HandshakeState {
        let prologue = [
            &b"avouch cable"[..],
            &[version],
            &self.host.to_be_bytes(),
            &self.signer.to_be_bytes(),
        ]
        .concat();
        let builder = Builder::with_resolver(
            "Noise_KKpsk0_25519_ChaChaPoly_SHA256".parse().unwrap(),
            Box::new(Ephemeral),
        );
        let builder = builder.local_private_key(&keys.private).unwrap();
        let builder = builder.remote_public_key(&keys.peer).unwrap();
        let builder = builder.psk(0, &keys.psk).unwrap();
        let builder = builder.prologue(&prologue).unwrap();
        builder.build_initiator().unwrap()
    }
}

/// The handshake's first message.
pub(crate) fn first_message(noise: &mut HandshakeState) -> Vec<u8> {
    let mut message = vec![0; 2_048];
    let length = noise.write_message(&[], &mut message).unwrap();
    message.truncate(length);
    message
}

/// A DATA frame of an epoch in which nothing of the signer was received.
pub(crate) const fn data(tag: u32, seq: u16, payload: Vec<u8>) -> Body {
    let acknowledgement = Acknowledgement {
        tag,
        ack: 0,
        sack: 0,
        hold: false,
    };
    Body::Data {
        acknowledgement,
        seq,
        payload,
    }
}

impl Session {
    /// Opens one with the right keys.
    pub(crate) fn open(cable: &mut Cable, keys: &SessionKeys) -> Self {
        let mut session = Self::shaken(cable, keys);
        let proof = session.record(&[]);
        session.send_payload(cable, proof);
        session
    }

    /// The same, but for the proof that the handshake is no recording.
    pub(crate) fn shaken(cable: &mut Cable, keys: &SessionKeys) -> Self {
        let epoch = Epoch::new(cable);
        let mut noise = epoch.initiator(keys, wire::link::LINK_VERSION);
        cable.say(data(epoch.tag(), 0, first_message(&mut noise)));
        let end = Instant::now() + PATIENCE;
        let answer = loop {
            let left = end
                .checked_duration_since(Instant::now())
                .unwrap_or_default();
            match cable.hear_within(left) {
                Some(Body::Data {
                    acknowledgement,
                    payload,
                    ..
                }) if acknowledgement.tag == epoch.tag() => break payload,
                Some(_) => {}
                None => panic!("the signer does not answer the handshake"),
            }
        };
        assert_eq!(noise.read_message(&answer, &mut [0; 2_048]), Ok(0));
        Self {
            tag: epoch.tag(),
            noise: noise.into_transport_mode().unwrap(),
            next: 1,
            acknowledged: 0,
            received: 1,
            last_record: Vec::new(),
            stream: Vec::new(),
            messages: VecDeque::new(),
        }
    }

    /// The next record in order, with this piece of the stream.
    pub(crate) fn record(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut record = vec![0; piece.len() + 16];
        let length = self.noise.write_message(piece, &mut record).unwrap();
        record.truncate(length);
        record
    }

    /// The next DATA frame, with any payload.
    pub(crate) fn send_payload(&mut self, cable: &mut Cable, payload: Vec<u8>) {
        while self.next.wrapping_sub(self.acknowledged) >= WINDOW {
            assert!(
                self.hear(cable, PATIENCE),
                "the signer acknowledges nothing"
            );
        }
        cable.say(self.frame(self.next, payload));
        self.next = self.next.wrapping_add(1);
    }

    /// A DATA frame of this session, in any place.
    pub(crate) fn frame(&self, seq: u16, payload: Vec<u8>) -> Body {
        Body::Data {
            acknowledgement: self.acknowledgement(),
            seq,
            payload,
        }
    }

    /// What was received of the signer.
    pub(crate) const fn acknowledgement(&self) -> Acknowledgement {
        Acknowledgement {
            tag: self.tag,
            ack: self.received,
            sack: 0,
            hold: false,
        }
    }

    /// Octets of the stream, enciphered and in order.
    pub(crate) fn send_stream(&mut self, cable: &mut Cable, octets: &[u8]) {
        for piece in octets.chunks(PIECE) {
            let record = self.record(piece);
            self.send_payload(cable, record);
        }
    }

    /// A message of any content.
    pub(crate) fn send(&mut self, cable: &mut Cable, message: &[u8]) {
        let length = u32::try_from(message.len()).unwrap();
        self.send_stream(cable, &[&length.to_be_bytes(), message].concat());
    }

    /// The next message of the signer; `None` when none comes within this time.
    pub(crate) fn receive(&mut self, cable: &mut Cable, patience: Duration) -> Option<Vec<u8>> {
        let end = Instant::now() + patience;
        while self.messages.is_empty() {
            let left = end.checked_duration_since(Instant::now())?;
            if !self.hear(cable, left) {
                return None;
            }
        }
        self.messages.pop_front()
    }

    /// Takes one frame; `false` when none comes within this time.
    fn hear(&mut self, cable: &mut Cable, patience: Duration) -> bool {
        let (acknowledgement, data) = match cable.hear_within(patience) {
            None => return false,
            Some(Body::Reset { .. }) => return true,
            Some(Body::Ack(acknowledgement)) => (acknowledgement, None),
            Some(Body::Data {
                acknowledgement,
                seq,
                payload,
            }) => (acknowledgement, Some((seq, payload))),
        };
        if acknowledgement.tag != self.tag {
            return true;
        }
        self.acknowledged = acknowledgement.ack;
        if let Some((seq, payload)) = data {
            // This cable loses nothing: what is not the next has come before.
            if seq == self.received {
                self.received = self.received.wrapping_add(1);
                self.take(payload);
            }
            cable.say(Body::Ack(self.acknowledgement()));
        }
        true
    }

    fn take(&mut self, record: Vec<u8>) {
        let mut piece = vec![0; record.len()];
        let length = self.noise.read_message(&record, &mut piece).unwrap();
        self.stream.extend_from_slice(&piece[..length]);
        self.last_record = record;
        while let Some((length, rest)) = self.stream.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let Some(message) = rest.get(..length) else {
                return;
            };
            self.messages.push_back(message.to_vec());
            self.stream.drain(..4 + length);
        }
    }
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    assert_eq!(getrandom(&mut octets, GetRandomFlags::empty()), Ok(N));
    octets
}

/// snow's primitives, and the system's random numbers.
struct Ephemeral;

impl snow::resolvers::CryptoResolver for Ephemeral {
    fn resolve_rng(&self) -> Option<Box<dyn snow::types::Random>> {
        Some(Box::new(Self))
    }

    fn resolve_dh(&self, choice: &snow::params::DHChoice) -> Option<Box<dyn snow::types::Dh>> {
        snow::resolvers::DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(
        &self,
        choice: &snow::params::HashChoice,
    ) -> Option<Box<dyn snow::types::Hash>> {
        snow::resolvers::DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(
        &self,
        choice: &snow::params::CipherChoice,
    ) -> Option<Box<dyn snow::types::Cipher>> {
        snow::resolvers::DefaultResolver.resolve_cipher(choice)
    }
}

impl snow::types::Random for Ephemeral {
    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), snow::Error> {
        octets.copy_from_slice(&random::<32>()[..octets.len()]);
        Ok(())
    }
}
