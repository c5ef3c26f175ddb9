//! Serial numbers of certificates that nobody issued.
//!
//! An answer set for a bench and the load that asks about it must agree on millions of serial numbers without a file
//! that lists them. So a population is three words, `random:SEED:COUNT` or `sequential:FIRST:COUNT`, and its
//! certificate number n has a serial number that either side computes by itself, in ascending order.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::fmt;
use std::str::FromStr;

use pki::Serial;

/// A population of certificates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Population {
    order: Order,
    count: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Order {
    /// 16 octets, spread evenly over their whole range, each at a random place of its stretch.
    Random { seed: u64 },
    /// One after the other.
    Sequential { first: u64 },
}

/// What is wrong with the three words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{0:?} is no population; write random:SEED:COUNT or sequential:FIRST:COUNT, with a COUNT of at least 1"
)]
pub struct PopulationError(String);

/// Random serial numbers begin with an octet of 0x01 to 0x7f, so that all have 16 octets and none is negative.
const LOWEST: u64 = 1 << 56;
const RANGE: u64 = (1 << 63) - LOWEST;

impl Population {
    /// `count` certificates with random serial numbers.
    pub fn random(seed: u64, count: u64) -> Self {
        Self {
            order: Order::Random { seed },
            count: count.max(1),
        }
    }

    /// `count` certificates that are numbered from `first` on.
    pub fn sequential(first: u64, count: u64) -> Self {
        Self {
            order: Order::Sequential { first },
            count: count.max(1),
        }
    }

    /// How many certificates there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The serial number of certificate `n`, counted from 0. It rises with `n`.
    pub fn serial(&self, n: u64) -> Serial {
        let serial = match self.order {
            Order::Sequential { first } => Serial::from_be_bytes(&(first + n).to_be_bytes()),
            Order::Random { seed } => {
                let stretch = RANGE / self.count;
                let draw = mix(seed ^ mix(n));
                let high = LOWEST + n * stretch + draw % stretch;
                let mut octets = [0; 16];
                octets[..8].copy_from_slice(&high.to_be_bytes());
                octets[8..].copy_from_slice(&mix(draw).to_be_bytes());
                Serial::from_be_bytes(&octets)
            }
        };
        // Unwrap safety: at most 16 octets, and never zero.
        serial.unwrap()
    }

    /// Octets of the widest serial number.
    pub fn serial_width(&self) -> usize {
        self.serial(self.count - 1).as_bytes().len()
    }
}

/// Whether something with this number belongs to a random `share` (0 to 1) of all.
pub fn in_share(seed: u64, n: u64, share: f64) -> bool {
    // Lossy on purpose: 53 bits are enough for a share.
    let place = (mix(seed.rotate_left(32) ^ mix(n)) >> 11) as f64 / (1_u64 << 53) as f64;
    place < share
}

/// Scrambles a number (the finaliser of SplitMix64): cheap, and the same everywhere. Not for secrets.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl FromStr for Population {
    type Err = PopulationError;

    fn from_str(text: &str) -> Result<Self, PopulationError> {
        let error = || PopulationError(text.to_owned());
        let words: Vec<_> = text.split(':').collect();
        let [order, start, count] = words[..] else {
            return Err(error());
        };
        let number = |word: &str| word.replace('_', "").parse::<u64>().map_err(|_| error());
        let (start, count) = (number(start)?, number(count)?);
        match order {
            "random" if (1..=RANGE >> 8).contains(&count) => Ok(Self::random(start, count)),
            "sequential" if start > 0 && count > 0 && start.checked_add(count).is_some() => {
                Ok(Self::sequential(start, count))
            }
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Population {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.order {
            Order::Random { seed } => write!(f, "random:{seed}:{}", self.count),
            Order::Sequential { first } => write!(f, "sequential:{first}:{}", self.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_ascend() {
        for text in ["random:7:100000", "random:0:3", "sequential:1:70000"] {
            let population: Population = text.parse().unwrap();
            assert_eq!(population.to_string(), text);
            let serials: Vec<_> = (0..population.count())
                .map(|n| population.serial(n))
                .collect();
            assert!(serials.windows(2).all(|pair| pair[0] < pair[1]), "{text}");
            assert!(
                serials
                    .iter()
                    .all(|serial| serial.as_bytes().len() <= population.serial_width())
            );
        }
    }

    #[test]
    fn random_ones_have_sixteen_octets() {
        let population = Population::random(42, 1000);
        assert!((0..1000).all(|n| population.serial(n).as_bytes().len() == 16));
        assert_ne!(population.serial(5), Population::random(43, 1000).serial(5));
    }

    #[test]
    fn shares() {
        let found = (0..100_000).filter(|&n| in_share(1, n, 0.03)).count();
        assert!((2_800..3_200).contains(&found), "{found}");
        assert!(!in_share(1, 5, 0.0) && in_share(1, 5, 1.0));
    }

    #[test]
    fn nonsense() {
        for text in [
            "",
            "random",
            "random:1:0",
            "random:x:5",
            "sequential:0:5",
            "other:1:5",
        ] {
            assert!(text.parse::<Population>().is_err(), "{text}");
        }
    }
}
