//! CRL numbers (RFC 5280 section 5.2.3).

use std::fmt;
use std::str::FromStr;

use num_bigint::BigUint;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A CRL number: not negative and below 2^159, so that it fits 20 octets; written in decimal.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CrlNumber(BigUint);

impl CrlNumber {
    /// Number zero, below every number that is ever used.
    pub fn zero() -> Self {
        Self(BigUint::ZERO)
    }

    /// The number with this big-endian magnitude.
    pub fn from_be_bytes(bytes: &[u8]) -> Result<Self, CrlNumberError> {
        Self::checked(BigUint::from_bytes_be(bytes))
    }

    /// The next higher number.
    pub fn next(&self) -> Result<Self, CrlNumberError> {
        Self::checked(&self.0 + 1_u8)
    }

    /// How many bits number the CRLs of one run.
    pub const RUN_BITS: u32 = 40;

    /// The last number that has the same bits above the lowest 40. The signers of a standby pair take such runs in turn: one
    /// that is promoted goes on above the last number of the run before, which nobody ever uses up.
    pub fn last_of_run(&self) -> Self {
        const RUN: u64 = (1 << CrlNumber::RUN_BITS) - 1;
        Self(&self.0 | BigUint::from(RUN))
    }

    /// The big-endian magnitude without leading zeros; one zero octet for zero.
    pub fn to_be_bytes(&self) -> Vec<u8> {
        self.0.to_bytes_be()
    }

    fn checked(value: BigUint) -> Result<Self, CrlNumberError> {
        if value.bits() > 159 {
            Err(CrlNumberError::TooLarge)
        } else {
            Ok(Self(value))
        }
    }
}

impl From<u64> for CrlNumber {
    fn from(value: u64) -> Self {
        Self(BigUint::from(value))
    }
}

impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for CrlNumber {
    type Err = CrlNumberError;

    fn from_str(text: &str) -> Result<Self, CrlNumberError> {
        Self::checked(
            text.parse()
                .map_err(|_| CrlNumberError::NotDecimal(text.to_owned()))?,
        )
    }
}

impl Serialize for CrlNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CrlNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Why something is not a CRL number.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CrlNumberError {
    /// Characters other than decimal digits.
    #[error("{0:?} is not a CRL number in decimal")]
    NotDecimal(String),
    /// 2^159 or above.
    #[error("a CRL number is below 2^159 (RFC 5280 section 5.2.3: at most 20 octets)")]
    TooLarge,
}
