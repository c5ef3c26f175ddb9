//! The certification of a user id on an OpenPGP key (I13). Wire format: a change needs a new protocol version.

use std::fmt;

use minicbor::{Decode, Encode};
use pki::Time;

use crate::codec::{self, Bounded, bound};
use crate::{WireError, limits};

/// A user id to certify on an OpenPGP key. The signer judges all of it, and puts together by itself what it signs. One
/// user id: as everywhere, there is at most one signature under one request id.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct SignPgpUid {
    /// The name of the certifying OpenPGP key in the signer.
    #[n(0)]
    pub issuer: String,
    /// The body of the packet of the primary key, of version 4.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: Vec<u8>,
    /// The user id, to the octet.
    #[n(2)]
    pub user_id: String,
    /// The body of the signature packet by which the key says that the user id is its own: the proof that whoever asks
    /// has the key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub self_signature: Vec<u8>,
    /// How well the member is known.
    #[n(4)]
    pub level: Level,
    /// The name that was verified, if one was.
    #[n(5)]
    pub name: Option<String>,
    /// The mail addresses that were verified; at most [`limits::ADDRESSES`].
    #[n(6)]
    pub addresses: Vec<String>,
    /// When the certification begins.
    #[cbor(n(7), with = "codec::time")]
    pub created: Time,
    /// When it ends.
    #[cbor(n(8), with = "codec::time")]
    pub expires: Time,
    /// SHA-256 of what the host has as evidence, for the signer's log.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub evidence: Option<[u8; 32]>,
}

/// How well a member is known (I7).
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Level {
    /// By mail only: less than 50 points.
    #[n(0)]
    Member,
    /// In person: 50 points or more.
    #[n(1)]
    Assured,
}

impl Level {
    /// Its name, as on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Assured => "assured",
        }
    }

    /// How long a certification may last, in days: as long as a client certificate (I7, 6 and 24 months).
    pub const fn days(self) -> u32 {
        match self {
            Self::Member => 183,
            Self::Assured => 730,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key of the signer that certifies OpenPGP keys.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct PgpIssuerInfo {
    /// The name to ask with.
    #[n(0)]
    pub name: String,
    /// The public key with its user id (RFC 9580 section 10.1), without armour.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: Vec<u8>,
}

impl SignPgpUid {
    /// The canonical octets, for whoever keeps them to ask the same again.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        codec::encode(self)
    }

    /// The question in these octets.
    pub fn decode(octets: &[u8]) -> Result<Self, WireError> {
        codec::decode(octets)
    }
}

impl Bounded for SignPgpUid {
    fn check(&self) -> Result<(), WireError> {
        check(self)
    }
}

pub(crate) fn check(sign: &SignPgpUid) -> Result<(), WireError> {
    bound("issuer", sign.issuer.len(), limits::NAME)?;
    bound("key", sign.key.len(), limits::PGP_KEY)?;
    bound("user_id", sign.user_id.len(), limits::USER_ID)?;
    bound(
        "self_signature",
        sign.self_signature.len(),
        limits::PGP_SIGNATURE,
    )?;
    bound(
        "name",
        sign.name.as_ref().map_or(0, String::len),
        limits::USER_ID,
    )?;
    bound("addresses", sign.addresses.len(), limits::ADDRESSES)?;
    let mut addresses = sign.addresses.iter();
    addresses.try_for_each(|address| bound("address", address.len(), limits::USER_ID))
}

pub(crate) fn check_info(info: &PgpIssuerInfo) -> Result<(), WireError> {
    bound("issuer name", info.name.len(), limits::NAME)?;
    bound("key", info.key.len(), limits::CERTIFICATE)
}
