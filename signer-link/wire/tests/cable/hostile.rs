//! A host with the right keys that says what it likes: the other half of docs/signer-link.md, written apart from
//! `wire::link` and on snow alone.

use snow::{Builder, HandshakeState, TransportState};
use wire::link::frame::{Acknowledgement, Body, Decoded, Decoder, Frame};
use wire::link::{Endpoint, Role, SessionKeys};

pub(crate) struct Hostile {
    pub(crate) half: u32,
    pub(crate) tag: u32,
    pub(crate) next_seq: u16,
    decoder: Decoder,
    received: u16,
}

impl Hostile {
    /// Opens an epoch with this half; the signer takes part.
    pub(crate) fn open(half: u32, signer: &mut Endpoint) -> (Self, u32) {
        let mut hostile = Self {
            half,
            tag: 0,
            next_seq: 0,
            decoder: Decoder::default(),
            received: 0,
        };
        hostile.say(
            signer,
            Body::Reset {
                ask: true,
                own: half,
                heard: 0,
            },
        );
        let theirs = hostile
            .hear(signer)
            .into_iter()
            .find_map(|body| match body {
                Body::Reset { own, heard, .. } if heard == half => Some(own),
                _ => None,
            })
            .expect("the signer answers");
        hostile.tag = half ^ theirs;
        (hostile, theirs)
    }

    /// Opens an epoch and a session; also the signer's half.
    pub(crate) fn up(
        half: u32,
        keys: &SessionKeys,
        signer: &mut Endpoint,
    ) -> (Self, u32, TransportState) {
        let (mut hostile, theirs, mut session) = Self::shaken(half, keys, signer);
        let proof = record(&mut session, &[]);
        hostile.data(signer, proof);
        (hostile, theirs, session)
    }

    /// Opens an epoch and a session, but for the proof that this is no recording.
    pub(crate) fn shaken(
        half: u32,
        keys: &SessionKeys,
        signer: &mut Endpoint,
    ) -> (Self, u32, TransportState) {
        let (mut hostile, theirs) = Self::open(half, signer);
        let mut noise = initiator(keys, half, theirs);
        let mut buffer = [0; 2048];
        let length = noise.write_message(&[], &mut buffer).unwrap();
        hostile.data(signer, buffer[..length].to_vec());
        let answer = hostile.payloads(signer).remove(0);
        assert_eq!(noise.read_message(&answer, &mut buffer), Ok(0));
        (hostile, theirs, noise.into_transport_mode().unwrap())
    }

    /// One DATA frame in its place.
    pub(crate) fn data(&mut self, signer: &mut Endpoint, payload: Vec<u8>) {
        let acknowledgement = Acknowledgement {
            tag: self.tag,
            ack: self.received,
            sack: 0,
            hold: false,
        };
        let seq = self.next_seq;
        self.next_seq += 1;
        self.say(
            signer,
            Body::Data {
                acknowledgement,
                seq,
                payload,
            },
        );
    }

    pub(crate) fn say(&self, signer: &mut Endpoint, body: Body) {
        signer.receive(
            &Frame {
                from: Role::Host,
                body,
            }
            .encode(),
            1,
        );
    }

    /// The payloads of the signer's DATA frames.
    fn payloads(&mut self, signer: &mut Endpoint) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        for body in self.hear(signer) {
            if let Body::Data { payload, .. } = body {
                self.received += 1;
                payloads.push(payload);
            }
        }
        payloads
    }

    fn hear(&mut self, signer: &mut Endpoint) -> Vec<Body> {
        let mut heard = Vec::new();
        // A little later, when the line is free again.
        for now in 1..100 {
            while let Some(octets) = signer.transmit(now) {
                self.decoder.push(&octets, |decoded| match decoded {
                    Decoded::Frame(frame) => heard.push(frame.body),
                    Decoded::Noise => panic!("an endpoint sends frames"),
                });
            }
        }
        heard
    }
}

pub(crate) fn initiator(keys: &SessionKeys, host: u32, signer: u32) -> HandshakeState {
    let mut prologue = b"avouch cable\x01".to_vec();
    prologue.extend(host.to_be_bytes());
    prologue.extend(signer.to_be_bytes());
    Builder::with_resolver(
        "Noise_KKpsk0_25519_ChaChaPoly_SHA256".parse().unwrap(),
        Box::new(Fixed),
    )
    .local_private_key(&keys.private)
    .unwrap()
    .remote_public_key(&keys.peer)
    .unwrap()
    .psk(0, &keys.psk)
    .unwrap()
    .prologue(&prologue)
    .unwrap()
    .build_initiator()
    .unwrap()
}

pub(crate) fn record(session: &mut TransportState, piece: &[u8]) -> Vec<u8> {
    let mut record = vec![0; piece.len() + 16];
    let length = session.write_message(piece, &mut record).unwrap();
    assert_eq!(length, record.len());
    record
}

/// snow's primitives, and a random number that is none.
struct Fixed;

impl snow::resolvers::CryptoResolver for Fixed {
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

impl snow::types::Random for Fixed {
    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), snow::Error> {
        octets.fill(0x5a);
        Ok(())
    }
}
