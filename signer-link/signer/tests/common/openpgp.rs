//! A member of the community and his OpenPGP key.

use keystore::SigningKey;
use openpgp::{PublicKey, own_user_id};
use pki::{KeyKind, Time};
use wire::{Level, SignPgpUid};

const DAY: i64 = 86_400;
pub(crate) const NAME: &str = "Anna Žluťoučká";
pub(crate) const ADDRESS: &str = "anna@example.org";

pub(crate) fn self_signature(
    key: &SigningKey,
    public: &PublicKey,
    user_id: &str,
    created: Time,
    key_ends: Time,
) -> Vec<u8> {
    let unsigned = own_user_id(public, user_id, created, key_ends).unwrap();
    let signature = key.sign(unsigned.algorithm(), unsigned.octets()).unwrap();
    unsigned.body(&signature).unwrap()
}

/// A member with a key.
pub(crate) struct Member {
    pub(crate) key: SigningKey,
    pub(crate) public: PublicKey,
    now: Time,
}

impl Member {
    /// With a key that was made ten days ago.
    pub(crate) fn new(now: Time) -> Self {
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let made = now.plus_seconds(-10 * DAY);
        let public = PublicKey::new(key.public_key(), made).unwrap();
        Self { key, public, now }
    }

    pub(crate) fn signs(&self, user_id: &str) -> Vec<u8> {
        let created = self.now.plus_seconds(-5 * DAY);
        let end = self.now.plus_seconds(3_000 * DAY);
        self_signature(&self.key, &self.public, user_id, created, end)
    }

    /// What is certified, if the user id is.
    pub(crate) fn asks(&self, user_id: &str) -> SignPgpUid {
        SignPgpUid {
            issuer: "openpgp".to_owned(),
            key: self.public.body().to_vec(),
            user_id: user_id.to_owned(),
            self_signature: self.signs(user_id),
            level: Level::Assured,
            name: Some(NAME.to_owned()),
            addresses: vec![ADDRESS.to_owned(), "a.z@example.com".to_owned()],
            created: self.now,
            expires: self.now.plus_seconds(730 * DAY),
            evidence: Some([7; 32]),
        }
    }
}
