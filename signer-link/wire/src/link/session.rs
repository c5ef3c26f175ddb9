//! `Noise_KKpsk0_25519_ChaChaPoly_SHA256` over the ordered frames of one epoch.
//!
//! Both ends know each other's static key and one secret. The host's first frame is the first handshake message, the
//! signer's first frame the second one; the host's second frame is an empty record, which shows the signer that the
//! handshake was not a recording. Every later frame is one record: a piece of the stream of messages, under a counter
//! that nobody sends since the order says it.

use std::cell::Cell;

use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash};
use snow::{Builder, HandshakeState, TransportState};
use zeroize::Zeroizing;

use super::frame::MAX_PAYLOAD;
use super::{Breach, LINK_VERSION, Random, Role, SessionKeys};

const PROTOCOL: &str = "Noise_KKpsk0_25519_ChaChaPoly_SHA256";

/// What the AEAD adds to a record.
pub(crate) const TAG: usize = 16;

/// The session of one epoch.
#[derive(Debug)]
pub(crate) enum Session {
    /// Waits for the other end's handshake message.
    Handshake {
        role: Role,
        noise: Box<HandshakeState>,
    },
    /// The signer has answered; whoever began may have played a recording.
    Unproven(Box<TransportState>),
    /// Both ends have proven themselves.
    Up(Box<TransportState>),
    /// Something was wrong; nothing more comes of it.
    Over,
}

/// What a frame brought.
#[derive(Debug)]
pub(crate) enum Received {
    /// The handshake goes on with this payload.
    Answer(Vec<u8>),
    /// The session stands; the host sends this payload first.
    Up(Option<Vec<u8>>),
    /// A piece of the stream of messages.
    Piece(Vec<u8>),
}

impl Session {
    /// Begins the handshake of the epoch with these halves; gives the host's first payload.
    pub(crate) fn begin(
        role: Role,
        keys: &SessionKeys,
        (own, peer): (u32, u32),
        random: &mut dyn Random,
    ) -> (Self, Option<Vec<u8>>) {
        let (host, signer) = match role {
            Role::Host => (own, peer),
            Role::Signer => (peer, own),
        };
        let mut prologue = b"avouch cable".to_vec();
        prologue.push(LINK_VERSION);
        prologue.extend_from_slice(&host.to_be_bytes());
        prologue.extend_from_slice(&signer.to_be_bytes());

        match handshake(role, keys, &prologue, random) {
            Ok((noise, first)) => (
                Self::Handshake {
                    role,
                    noise: Box::new(noise),
                },
                first,
            ),
            // Only keys with which no agreement is possible.
            Err(_) => (Self::Over, None),
        }
    }

    /// The next payload of the ordered sequence.
    pub(crate) fn receive(&mut self, payload: &[u8]) -> Result<Received, Breach> {
        match std::mem::replace(self, Self::Over) {
            Self::Handshake {
                role: Role::Host,
                mut noise,
            } => {
                read_handshake(&mut noise, payload)?;
                let mut transport = noise.into_transport_mode().map_err(|_| Breach::Handshake)?;
                let proof = seal(&mut transport, &[]).ok_or(Breach::Handshake)?;
                *self = Self::Up(Box::new(transport));
                Ok(Received::Up(Some(proof)))
            }
            Self::Handshake {
                role: Role::Signer,
                mut noise,
            } => {
                read_handshake(&mut noise, payload)?;
                let mut answer = vec![0; MAX_PAYLOAD];
                let length = noise
                    .write_message(&[], &mut answer)
                    .map_err(|_| Breach::Handshake)?;
                answer.truncate(length);
                let transport = noise.into_transport_mode().map_err(|_| Breach::Handshake)?;
                *self = Self::Unproven(Box::new(transport));
                Ok(Received::Answer(answer))
            }
            Self::Unproven(mut transport) => match open(&mut transport, payload) {
                Some(proof) if proof.is_empty() => {
                    *self = Self::Up(transport);
                    Ok(Received::Up(None))
                }
                _ => Err(Breach::Handshake),
            },
            Self::Up(mut transport) => {
                let piece = open(&mut transport, payload).ok_or(Breach::Record)?;
                if piece.is_empty() {
                    return Err(Breach::Stream);
                }
                *self = Self::Up(transport);
                Ok(Received::Piece(piece))
            }
            Self::Over => Err(Breach::Handshake),
        }
    }

    /// A record with this piece of the stream; `None` while no session stands.
    pub(crate) fn seal(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Up(transport) => seal(transport, piece),
            _ => None,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self, Self::Up(_))
    }
}

/// The public key of an X25519 private key.
pub(crate) fn public_key(private: &[u8; 32]) -> [u8; 32] {
    let mut public = [0; 32];
    if let Some(mut dh) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
        dh.set(private);
        public.copy_from_slice(dh.pubkey());
    }
    public
}

fn handshake(
    role: Role,
    keys: &SessionKeys,
    prologue: &[u8],
    random: &mut dyn Random,
) -> Result<(HandshakeState, Option<Vec<u8>>), snow::Error> {
    let mut ephemeral = Zeroizing::new([0; 32]);
    random.fill(&mut ephemeral[..]);
    let params: NoiseParams = PROTOCOL.parse()?;
    let builder = Builder::with_resolver(params, Box::new(Resolver(Cell::new(Some(ephemeral)))))
        .local_private_key(&keys.private)?
        .remote_public_key(&keys.peer)?
        .psk(0, &keys.psk)?
        .prologue(prologue)?;
    match role {
        Role::Host => {
            let mut noise = builder.build_initiator()?;
            let mut first = vec![0; MAX_PAYLOAD];
            let length = noise.write_message(&[], &mut first)?;
            first.truncate(length);
            Ok((noise, Some(first)))
        }
        Role::Signer => Ok((builder.build_responder()?, None)),
    }
}

/// The handshake messages of this version carry nothing.
fn read_handshake(noise: &mut HandshakeState, payload: &[u8]) -> Result<(), Breach> {
    let mut nothing = [0; MAX_PAYLOAD];
    match noise.read_message(payload, &mut nothing) {
        Ok(0) => Ok(()),
        _ => Err(Breach::Handshake),
    }
}

fn seal(transport: &mut TransportState, piece: &[u8]) -> Option<Vec<u8>> {
    let mut record = vec![0; piece.len() + TAG];
    let length = transport.write_message(piece, &mut record).ok()?;
    (length == record.len()).then_some(record)
}

fn open(transport: &mut TransportState, record: &[u8]) -> Option<Vec<u8>> {
    let mut piece = vec![0; record.len()];
    let length = transport.read_message(record, &mut piece).ok()?;
    piece.truncate(length);
    Some(piece)
}

/// snow's own primitives, and the one random number that a handshake needs: the ephemeral private key.
struct Resolver(Cell<Option<Zeroizing<[u8; 32]>>>);

struct Ephemeral(Option<Zeroizing<[u8; 32]>>);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn snow::types::Random>> {
        Some(Box::new(Ephemeral(self.0.take())))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

impl snow::types::Random for Ephemeral {
    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), snow::Error> {
        match self.0.take() {
            Some(drawn) if octets.len() == drawn.len() => {
                octets.copy_from_slice(&drawn[..]);
                Ok(())
            }
            _ => Err(snow::Error::Rng),
        }
    }
}
