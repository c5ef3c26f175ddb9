//! Requests, written into a buffer from prepared pieces.
//!
//! For one issuer and one length of serial number all requests are alike but for the serial number (and the nonce),
//! which stands near the end. So only the end is encoded anew for each.

use pki::ocsp::{IssuerHashes, request};
use pki::{Certificate, HashAlgorithm, Serial};
use synthetic::mix;

/// Octets of a nonce (RFC 9654 section 2.1 asks for 32).
pub(crate) const NONCE: usize = 32;

/// Writes requests about certificates of one CA.
#[derive(Debug)]
pub(crate) struct Ask {
    hashes: IssuerHashes,
    get_head: Vec<u8>,
    get_tail: Vec<u8>,
    post_head: Vec<u8>,
    post_tail: Vec<u8>,
    /// By the octets of the serial number as an INTEGER and whether there is a nonce.
    shapes: [[Option<Shape>; 2]; Serial::MAX_OCTETS + 2],
}

/// Everything that requests of one length share.
#[derive(Debug)]
struct Shape {
    der: Vec<u8>,
    /// Its octets, in digits.
    length: String,
    /// Where the octets of the serial number begin.
    serial_at: usize,
    nonce_at: usize,
    /// The part that never changes, as it stands in a path; it ends where three octets of the DER end.
    encoded: Vec<u8>,
    /// Octets of the DER in that part.
    encoded_octets: usize,
}

impl Ask {
    pub(crate) fn new(
        host: &str,
        path: &str,
        ca: &Certificate,
        hash: HashAlgorithm,
        keep_alive: bool,
    ) -> Self {
        let close = if keep_alive {
            ""
        } else {
            "Connection: close\r\n"
        };
        Self {
            hashes: IssuerHashes::of(hash, ca),
            get_head: format!("GET {path}").into_bytes(),
            get_tail: format!(" HTTP/1.1\r\nHost: {host}\r\n{close}\r\n").into_bytes(),
            post_head: format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\n{close}Content-Type: application/ocsp-request\r\nContent-Length: "
            )
            .into_bytes(),
            post_tail: b"\r\n\r\n".to_vec(),
            shapes: Default::default(),
        }
    }

    pub(crate) fn get(&mut self, out: &mut Vec<u8>, serial: &Serial, nonce: Option<&[u8; NONCE]>) {
        // A shape is small enough to be looked up twice, and the borrow ends in between.
        self.shape(serial, nonce);
        let shape = self.known(serial, nonce);
        out.extend_from_slice(&self.get_head);
        out.extend_from_slice(&shape.encoded);
        encode(out, &shape.der[shape.encoded_octets..]);
        out.extend_from_slice(&self.get_tail);
    }

    pub(crate) fn post(&mut self, out: &mut Vec<u8>, serial: &Serial, nonce: Option<&[u8; NONCE]>) {
        self.shape(serial, nonce);
        let shape = self.known(serial, nonce);
        out.extend_from_slice(&self.post_head);
        out.extend_from_slice(shape.length.as_bytes());
        out.extend_from_slice(&self.post_tail);
        out.extend_from_slice(&shape.der);
    }

    /// Puts serial number and nonce into the shape that they have.
    fn shape(&mut self, serial: &Serial, nonce: Option<&[u8; NONCE]>) {
        let magnitude = serial.as_bytes();
        let padding = padding(magnitude);
        let slot = &mut self.shapes[padding + magnitude.len()][usize::from(nonce.is_some())];
        let shape = slot.get_or_insert_with(|| Shape::new(&self.hashes, serial, nonce.is_some()));
        let at = shape.serial_at + padding;
        shape.der[shape.serial_at..at].fill(0);
        shape.der[at..at + magnitude.len()].copy_from_slice(magnitude);
        if let Some(nonce) = nonce {
            shape.der[shape.nonce_at..shape.nonce_at + NONCE].copy_from_slice(nonce);
        }
    }

    fn known(&self, serial: &Serial, nonce: Option<&[u8; NONCE]>) -> &Shape {
        let magnitude = serial.as_bytes();
        let shape =
            &self.shapes[padding(magnitude) + magnitude.len()][usize::from(nonce.is_some())];
        // Unwrap safety: made by `shape` just before.
        shape.as_ref().unwrap()
    }
}

impl Shape {
    fn new(hashes: &IssuerHashes, serial: &Serial, nonce: bool) -> Self {
        const MARK: [u8; NONCE] = *b"the nonce of this request is put";
        let der = request::build(
            hashes,
            std::slice::from_ref(serial),
            nonce.then_some(MARK.as_slice()),
        );
        let cert_id = hashes.cert_id(serial);
        let content = serial.as_bytes().len() + padding(serial.as_bytes());
        // Unwrap safety: a request holds its CertID, which ends with the serial number.
        let cert_id_at = memchr::memmem::find(&der, &cert_id).unwrap();
        let serial_at = cert_id_at + cert_id.len() - content;
        let encoded_octets = serial_at / 3 * 3;
        let mut encoded = Vec::new();
        encode(&mut encoded, &der[..encoded_octets]);
        Self {
            nonce_at: memchr::memmem::find(&der, &MARK).unwrap_or(0),
            length: der.len().to_string(),
            serial_at,
            encoded,
            encoded_octets,
            der,
        }
    }
}

/// The nonce of request number `number`: told again when the answer comes, so that it need not be kept.
pub(crate) fn nonce(seed: u64, number: u64) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    let mut draw = mix(seed ^ mix(number));
    for part in nonce.chunks_exact_mut(8) {
        part.copy_from_slice(&draw.to_be_bytes());
        draw = mix(draw);
    }
    nonce
}

/// One zero octet keeps a high first bit from being a sign.
fn padding(magnitude: &[u8]) -> usize {
    usize::from(magnitude.first().is_some_and(|first| first & 0x80 != 0))
}

/// Standard base64, with what is special in a path escaped (RFC 6960 appendix A.1).
fn encode(out: &mut Vec<u8>, octets: &[u8]) {
    for group in octets.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, &octet| bits << 8 | u32::from(octet))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            if place > group.len() {
                out.extend_from_slice(b"%3D");
                continue;
            }
            const ALPHABET: &[u8; 64] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            match ALPHABET[(bits >> (18 - 6 * place)) as usize & 63] {
                b'+' => out.extend_from_slice(b"%2B"),
                b'/' => out.extend_from_slice(b"%2F"),
                letter => out.push(letter),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes out is what the whole encoder would have made, for every length and with and without a nonce.
    #[test]
    fn pieces_make_the_whole() {
        let authority = fill::Authority::new(pki::KeyKind::P256, pki::Time::from_unix(0)).unwrap();
        let ca = authority.ca;
        let mut ask = Ask::new("h", "/x/", &ca, HashAlgorithm::Sha1, true);
        let hashes = IssuerHashes::of(HashAlgorithm::Sha1, &ca);
        for round in 0..3_u8 {
            for length in 1..=Serial::MAX_OCTETS {
                for first in [0x01, 0x7f, 0x80, 0xff] {
                    let mut octets = vec![round.wrapping_mul(37); length];
                    octets[0] = first;
                    let serial = Serial::from_be_bytes(&octets).unwrap();
                    let random = nonce(1, u64::from(round));
                    for nonce in [None, Some(&random)] {
                        let der = request::build(
                            &hashes,
                            std::slice::from_ref(&serial),
                            nonce.map(|nonce| nonce.as_slice()),
                        );
                        let mut out = Vec::new();
                        ask.post(&mut out, &serial, nonce);
                        let head = format!(
                            "POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
                            der.len()
                        );
                        assert_eq!(out, [head.as_bytes(), &der].concat());
                        let mut path = Vec::new();
                        encode(&mut path, &der);
                        let mut out = Vec::new();
                        ask.get(&mut out, &serial, nonce);
                        let whole = [b"GET /x/", path.as_slice(), b" HTTP/1.1\r\nHost: h\r\n\r\n"];
                        assert_eq!(out, whole.concat());
                    }
                }
            }
        }
    }

    #[test]
    fn base64_in_a_path() {
        for (octets, text) in [
            (&b"\xfb\xef\xff"[..], "%2B%2B%2F%2F"),
            (b"a", "YQ%3D%3D"),
            (b"ab", "YWI%3D"),
            (b"abc", "YWJj"),
        ] {
            let mut out = Vec::new();
            encode(&mut out, octets);
            assert_eq!(out, text.as_bytes());
        }
    }
}
