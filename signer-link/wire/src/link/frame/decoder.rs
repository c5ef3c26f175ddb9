//! Finds frames in whatever a line gives.

use super::{Frame, MAX_ENCODED};

/// What stood between two zero octets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decoded {
    /// A frame with a right CRC and of a known form.
    Frame(Frame),
    /// Anything else.
    Noise,
}

/// Gathers octets until the next zero octet. It never holds more than one frame.
#[derive(Debug, Default)]
pub struct Decoder {
    gathered: Vec<u8>,
    /// More came than any frame has: all of it is noise until the next zero octet.
    too_long: bool,
}

impl Decoder {
    /// Takes octets from the line and gives what they end, in order.
    pub fn push(&mut self, octets: &[u8], mut found: impl FnMut(Decoded)) {
        let mut rest = octets;
        while let Some(zero) = rest.iter().position(|octet| *octet == 0) {
            self.gather(&rest[..zero]);
            rest = &rest[zero + 1..];
            if let Some(decoded) = self.finish() {
                found(decoded);
            }
        }
        self.gather(rest);
    }

    fn gather(&mut self, octets: &[u8]) {
        if self.too_long || self.gathered.len() + octets.len() > MAX_ENCODED - 2 {
            self.too_long = true;
            self.gathered.clear();
        } else {
            self.gathered.extend_from_slice(octets);
        }
    }

    /// At a zero octet. Nothing between two of them is no noise: a frame ends with one and the next begins with one.
    fn finish(&mut self) -> Option<Decoded> {
        if std::mem::take(&mut self.too_long) {
            return Some(Decoded::Noise);
        }
        if self.gathered.is_empty() {
            return None;
        }
        let frame = cobs::decode_in_place(&mut self.gathered)
            .ok()
            .and_then(|length| Frame::decode(&self.gathered[..length]));
        self.gathered.clear();
        Some(frame.map_or(Decoded::Noise, Decoded::Frame))
    }
}
