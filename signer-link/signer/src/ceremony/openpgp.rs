//! The key that certifies OpenPGP keys (I13): made as those of the CAs are, with one user id instead of a certificate.

use anyhow::{Context as _, ensure};
use hierarchy::OpenPgp;
use keystore::SigningKey;
use openpgp::{PublicKey, TransferableKey, armour, own_user_id};

use super::Table;
use super::keys::KeyWanted;
use crate::journal_record::{Act, hash};
use crate::pgp::key::{self, PgpKey};

const DAY: i64 = 86_400;

impl Table<'_> {
    /// Its key, its user id, and the file to import for those who rely on it.
    pub(super) fn openpgp(&mut self) -> anyhow::Result<()> {
        let Some(wanted) = self.hierarchy.openpgp.clone() else {
            return Ok(());
        };
        let name = &wanted.name;
        let (key, _) = self.key(&KeyWanted {
            name,
            kind: wanted.key,
            in_token: wanted.in_token,
        })?;
        let (transferable, is_new) = match key::load(self.store.directory(), name)? {
            Some(kept) => (kept, false),
            None => (self.make_openpgp(&wanted, &key)?, true),
        };
        let made = PgpKey::read(name, key.public_key(), transferable.clone())
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("[openpgp] {name}"))?;
        let user_id = TransferableKey::from_octets(&transferable)?.identities()[0]
            .octets()
            .to_vec();
        ensure!(
            user_id == wanted.user_id.as_bytes(),
            "[openpgp] the key that is there has the user id {:?}, the file wants {:?}; use another name",
            String::from_utf8_lossy(&user_id),
            wanted.user_id
        );
        self.transcript
            .openpgp(name, &wanted.user_id, &made, is_new);
        self.give_out(
            &format!("{name}.asc"),
            armour::encode(&transferable).as_bytes(),
        )
    }

    fn make_openpgp(&self, wanted: &OpenPgp, key: &SigningKey) -> anyhow::Result<Vec<u8>> {
        let now = self.clock.now();
        let expires = now.plus_seconds(i64::from(wanted.validity_days) * DAY);
        let public = PublicKey::new(key.public_key(), now)?;
        let unsigned = own_user_id(&public, &wanted.user_id, now, expires)?;
        let act = Act::PgpUserId {
            issuer: wanted.name.clone(),
            by: public.fingerprint(),
            key: public.fingerprint(),
            tbs: hash(unsigned.octets()),
            expires: expires.unix(),
            evidence: None,
        };
        let id = self.book.intends(act, unsigned.octets(), self.clock)?;
        let body = unsigned.body(&key.sign(unsigned.algorithm(), unsigned.octets())?)?;
        self.book.signed(id, &body)?;
        let identity = (wanted.user_id.clone(), vec![body]);
        let transferable = TransferableKey::new(public, vec![identity]).to_octets();
        key::save(self.store.directory(), &wanted.name, &transferable)?;
        eprintln!("{}: OpenPGP key of {}", wanted.name, wanted.user_id);
        Ok(transferable)
    }
}
