//! Content codings (RFC 9110 section 8.4.1): gzip (RFC 1952) and zstd (RFC 8878).
//!
//! Only reading, and in safe Rust: it happens where the internet is. Whoever publishes compresses.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

/// A content coding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 8878, with a window of at most 8 MiB (RFC 9659).
    Zstd,
}

impl Coding {
    /// All that are spoken.
    pub const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        // RFC 9110 section 8.4.1.3: a recipient takes "x-gzip" for "gzip".
        let name = if name.eq_ignore_ascii_case("x-gzip") {
            "gzip"
        } else {
            name
        };
        Self::ALL
            .into_iter()
            .find(|coding| coding.name().eq_ignore_ascii_case(name))
    }

    /// What `encoded` stands for; an error if it is damaged, if anything follows it, or if it has more than `limit` octets.
    pub fn decode(self, encoded: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let mut decoded = Vec::new();
        self.read(encoded, |piece| {
            if piece.len() > limit - decoded.len() {
                return Err(io::Error::other(format!(
                    "decoded it has more than {limit} octets"
                )));
            }
            decoded.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(decoded)
    }

    /// Whether `encoded` stands for exactly `octets`. Needs no room for them.
    pub fn stands_for(self, encoded: &[u8], octets: &[u8]) -> bool {
        let mut left = octets;
        let same = self.read(encoded, |piece| {
            left = left
                .strip_prefix(piece)
                .ok_or_else(|| io::Error::other("it is something else"))?;
            Ok(())
        });
        same.is_ok() && left.is_empty()
    }

    fn read(self, encoded: &[u8], mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Gzip => drain(MultiGzDecoder::new(encoded), &mut take),
            Self::Zstd => {
                let mut rest = encoded;
                let decoder = StreamingDecoder::new(&mut rest).map_err(io::Error::other)?;
                drain(decoder, &mut take)?;
                if rest.is_empty() {
                    Ok(())
                } else {
                    Err(io::Error::other("something follows the frame"))
                }
            }
        }
    }
}

fn drain(mut decoder: impl Read, take: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut piece = vec![0; 1 << 16];
    loop {
        let count = decoder.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        take(&piece[..count])?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn sample() -> Vec<u8> {
        (0..300_000_u32)
            .flat_map(|n| (n / 7).to_be_bytes())
            .collect()
    }

    fn encoded(coding: Coding, octets: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
                encoder.write_all(octets).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Zstd => zstd::bulk::compress(octets, 3).unwrap(),
        }
    }

    #[test]
    fn there_and_back() {
        for coding in Coding::ALL {
            for octets in [sample(), Vec::new()] {
                let encoded = encoded(coding, &octets);
                assert!(coding.stands_for(&encoded, &octets));
                assert_eq!(coding.decode(&encoded, octets.len()).unwrap(), octets);
            }
        }
    }

    #[test]
    fn other_octets_are_not_taken_for_it() {
        let octets = sample();
        for coding in Coding::ALL {
            let whole = encoded(coding, &octets);
            let mut other = octets.clone();
            other[600_000] ^= 1;
            for other in [&octets[1..], &octets[..octets.len() - 1], &other, &[]] {
                assert!(!coding.stands_for(&whole, other), "{coding:?}");
            }
            assert!(!coding.stands_for(&whole[..whole.len() - 1], &octets));
            assert!(!coding.stands_for(&[&whole[..], b"x"].concat(), &octets));
            assert!(!coding.stands_for(&octets, &octets));
            assert!(coding.decode(&whole, octets.len() - 1).is_err(), "a bomb");
        }
    }

    #[test]
    fn names() {
        assert_eq!(Coding::from_name("X-GZip"), Some(Coding::Gzip));
        assert_eq!(Coding::from_name("ZSTD"), Some(Coding::Zstd));
        assert_eq!(Coding::from_name("br"), None);
    }
}
