//! `00 | COBS(type, flags, tag, seq, ack, sack, payload, CRC-32C) | 00`: how frames look, and how they are found.

use crc::{CRC_32_ISCSI, Crc, Table};

use super::Role;

mod decoder;

pub use decoder::{Decoded, Decoder};

/// Most octets that one frame carries.
pub const MAX_PAYLOAD: usize = 2048;
/// Octets before the payload.
pub const HEADER: usize = 12;
/// Octets of the CRC after the payload.
const CHECK: usize = 4;
/// Most octets of a frame before COBS.
const MAX_PLAIN: usize = HEADER + MAX_PAYLOAD + CHECK;
/// Most octets of a frame on the line, with a zero octet on either side.
pub const MAX_ENCODED: usize = cobs::max_encoding_length(MAX_PLAIN) + 2;
/// Octets that the smallest frame has on the line.
pub const MIN_ENCODED: usize = cobs::max_encoding_length(HEADER + CHECK) + 2;

/// CRC-32C (Castagnoli), as in RFC 3720.
static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Set in the type octet of what the signer sends.
const FROM_SIGNER: u8 = 0x80;
/// Flag: the sender knows no epoch yet and wants an answer; in RESET only.
const ASK: u8 = 0x01;
/// Flag: no new DATA, please: what was received has not been taken yet.
const HOLD: u8 = 0x02;

/// One frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// Who sent it.
    pub from: Role,
    /// What it is.
    pub body: Body,
}

/// What a frame says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// Agreement on an epoch.
    Reset {
        /// The sender wants an answer.
        ask: bool,
        /// The sender's half of the epoch.
        own: u32,
        /// The half that the sender last heard from the other end; zero for none.
        heard: u32,
    },
    /// One piece of the ordered sequence, and an acknowledgement.
    Data {
        /// What has arrived the other way.
        acknowledgement: Acknowledgement,
        /// Its place in the sequence, modulo 2^16.
        seq: u16,
        /// 1 to [`MAX_PAYLOAD`] octets.
        payload: Vec<u8>,
    },
    /// An acknowledgement alone.
    Ack(Acknowledgement),
}

/// What one end has received in this epoch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Acknowledgement {
    /// Both halves of the epoch, XORed.
    pub tag: u32,
    /// The first DATA frame that is missing.
    pub ack: u16,
    /// Bit n: frame `ack + 1 + n` is there already.
    pub sack: u16,
    /// No new DATA for now.
    pub hold: bool,
}

const RESET: u8 = 1;
const DATA: u8 = 2;
const ACK: u8 = 3;

impl Frame {
    /// The octets for the line, with the zero octets around them.
    ///
    /// # Panics
    /// If a payload is longer than [`MAX_PAYLOAD`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut plain = self.header_and_payload();
        assert!(
            plain.len() <= HEADER + MAX_PAYLOAD,
            "a payload too long for a frame"
        );
        plain.extend_from_slice(&CRC.checksum(&plain).to_be_bytes());
        let mut encoded = vec![0; cobs::max_encoding_length(plain.len()) + 2];
        let length = cobs::encode_including_sentinels(&plain, &mut encoded);
        encoded.truncate(length);
        encoded
    }

    fn header_and_payload(&self) -> Vec<u8> {
        let direction = match self.from {
            Role::Host => 0,
            Role::Signer => FROM_SIGNER,
        };
        let mut plain = Vec::with_capacity(MAX_PLAIN);
        match &self.body {
            Body::Reset { ask, own, heard } => {
                plain.extend_from_slice(&[RESET | direction, if *ask { ASK } else { 0 }]);
                // No epoch, hence nothing to number.
                plain.extend_from_slice(&[0; HEADER - 2]);
                plain.push(super::LINK_VERSION);
                plain.extend_from_slice(&own.to_be_bytes());
                plain.extend_from_slice(&heard.to_be_bytes());
            }
            Body::Data {
                acknowledgement,
                seq,
                payload,
            } => {
                acknowledgement.write(&mut plain, DATA | direction, *seq);
                plain.extend_from_slice(payload);
            }
            Body::Ack(acknowledgement) => acknowledgement.write(&mut plain, ACK | direction, 0),
        }
        plain
    }

    /// The frame that these octets are, between the zero octets and after COBS; `None` if they are none.
    fn decode(plain: &[u8]) -> Option<Self> {
        let (checked, crc) = plain.split_last_chunk::<CHECK>()?;
        if CRC.checksum(checked) != u32::from_be_bytes(*crc) {
            return None;
        }
        let (header, payload) = checked.split_first_chunk::<HEADER>()?;
        if payload.len() > MAX_PAYLOAD {
            return None;
        }
        let [kind, flags, t0, t1, t2, t3, s0, s1, a0, a1, k0, k1] = *header;
        let from = if kind & FROM_SIGNER == 0 {
            Role::Host
        } else {
            Role::Signer
        };
        let seq = u16::from_be_bytes([s0, s1]);
        let acknowledgement = Acknowledgement {
            tag: u32::from_be_bytes([t0, t1, t2, t3]),
            ack: u16::from_be_bytes([a0, a1]),
            sack: u16::from_be_bytes([k0, k1]),
            hold: flags & HOLD != 0,
        };
        let body = match kind & !FROM_SIGNER {
            RESET if flags & !ASK == 0 && header[2..] == [0; HEADER - 2] => {
                let [version, o0, o1, o2, o3, h0, h1, h2, h3] = *payload else {
                    return None;
                };
                if version != super::LINK_VERSION {
                    return None;
                }
                Body::Reset {
                    ask: flags & ASK != 0,
                    own: u32::from_be_bytes([o0, o1, o2, o3]),
                    heard: u32::from_be_bytes([h0, h1, h2, h3]),
                }
            }
            DATA if flags & !HOLD == 0 && !payload.is_empty() => Body::Data {
                acknowledgement,
                seq,
                payload: payload.to_vec(),
            },
            ACK if flags & !HOLD == 0 && payload.is_empty() && seq == 0 => {
                Body::Ack(acknowledgement)
            }
            _ => return None,
        };
        Some(Self { from, body })
    }
}

impl Acknowledgement {
    fn write(&self, plain: &mut Vec<u8>, kind: u8, seq: u16) {
        plain.extend_from_slice(&[kind, if self.hold { HOLD } else { 0 }]);
        plain.extend_from_slice(&self.tag.to_be_bytes());
        plain.extend_from_slice(&seq.to_be_bytes());
        plain.extend_from_slice(&self.ack.to_be_bytes());
        plain.extend_from_slice(&self.sack.to_be_bytes());
    }
}
