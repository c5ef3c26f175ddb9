//! Certificate serial numbers (RFC 5280 section 4.1.2.2).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use aws_lc_rs::rand;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A positive serial number of at most 20 octets; ordered as a number, written as upper-case hex.
#[derive(Clone, Copy)]
pub struct Serial {
    octets: [u8; Self::MAX_OCTETS],
    length: u8,
}

impl Serial {
    /// The longest serial number, in octets (RFC 5280 section 4.1.2.2).
    pub const MAX_OCTETS: usize = 20;

    /// The number with this big-endian magnitude; leading zero octets are dropped.
    pub fn from_be_bytes(bytes: &[u8]) -> Result<Self, SerialError> {
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let magnitude = &bytes[zeros..];
        match magnitude.len() {
            0 => Err(SerialError::NotPositive),
            length if length > Self::MAX_OCTETS => Err(SerialError::TooLong),
            length => {
                let mut octets = [0; Self::MAX_OCTETS];
                octets[..length].copy_from_slice(magnitude);
                // Lossless: at most 20.
                Ok(Self {
                    octets,
                    length: length as u8,
                })
            }
        }
    }

    /// The number in the content octets of a DER INTEGER, which is signed.
    pub fn from_integer_content(content: &[u8]) -> Result<Self, SerialError> {
        match content.first() {
            Some(first) if first & 0x80 == 0 => Self::from_be_bytes(content),
            _ => Err(SerialError::NotPositive),
        }
    }

    /// 127 random bits from the system's generator, in 16 octets (CERT-01 asks for at least 64 bits).
    pub fn random() -> Result<Self, SerialError> {
        let mut octets = [0; 16];
        rand::fill(&mut octets).map_err(|_| SerialError::NoRandomness)?;
        // The top bit clear and the next one set: always positive and 16 octets long.
        octets[0] = octets[0] & 0x3f | 0x40;
        Self::from_be_bytes(&octets)
    }

    /// 120 random bits in 16 octets, after the octet that says which of several signers signs it (I18): 1 to 127.
    pub fn random_of_signer(id: u8) -> Result<Self, SerialError> {
        let mut octets = [0; 16];
        rand::fill(&mut octets).map_err(|_| SerialError::NoRandomness)?;
        octets[0] = id & 0x7f;
        Self::from_be_bytes(&octets)
    }

    /// The big-endian magnitude without leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.as_bytes()))
    }
}

impl FromStr for Serial {
    type Err = SerialError;

    /// Reads hex of either case, with or without `0x`, and with colons between octets.
    fn from_str(text: &str) -> Result<Self, SerialError> {
        let digits = text.strip_prefix("0x").unwrap_or(text).replace(':', "");
        let even = if digits.len().is_multiple_of(2) {
            digits
        } else {
            format!("0{digits}")
        };
        let bytes = hex::decode(&even).map_err(|_| SerialError::NotHex(text.to_owned()))?;
        Self::from_be_bytes(&bytes)
    }
}

impl PartialEq for Serial {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Serial {}

impl Hash for Serial {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Ord for Serial {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.length, self.as_bytes()).cmp(&(other.length, other.as_bytes()))
    }
}

impl PartialOrd for Serial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Serial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Why something is not a serial number.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SerialError {
    /// The system's random generator failed.
    #[error("the system gave no random numbers")]
    NoRandomness,
    /// Characters other than hex digits.
    #[error("{0:?} is not a serial number in hex")]
    NotHex(String),
    /// Zero or negative, or nothing at all.
    #[error("a serial number is greater than zero (RFC 5280 section 4.1.2.2)")]
    NotPositive,
    /// More than 20 octets.
    #[error("a serial number has at most 20 octets (RFC 5280 section 4.1.2.2)")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_numeric() {
        let serial = |text: &str| text.parse::<Serial>().unwrap();
        assert!(serial("FF") < serial("0100"));
        assert!(serial("00FF") == serial("ff"));
        assert_eq!(serial("0x0a:bc").to_string(), "0ABC");
    }

    #[test]
    fn refused() {
        assert_eq!("00".parse::<Serial>(), Err(SerialError::NotPositive));
        assert_eq!("".parse::<Serial>(), Err(SerialError::NotPositive));
        assert_eq!(Serial::from_be_bytes(&[1; 21]), Err(SerialError::TooLong));
        assert_eq!(
            Serial::from_integer_content(&[0x80]),
            Err(SerialError::NotPositive)
        );
    }

    #[test]
    fn random_ones_are_long_and_differ() {
        let serials: std::collections::HashSet<_> =
            (0..1000).map(|_| Serial::random().unwrap()).collect();
        assert_eq!(serials.len(), 1000);
        assert!(serials.iter().all(|serial| serial.as_bytes().len() == 16));
    }
}
