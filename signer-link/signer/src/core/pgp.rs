//! Certifications of user ids of OpenPGP keys (I13).

use journal::Storage;
use wire::{Refused, SignPgpUid};

use super::Core;
use super::certificates::unknown_issuer;
use super::pending::Pending;
use crate::journal_record::{Act, hash};
use crate::keys::Keys;
use crate::pgp::judge::{judge_pgp_uid, unsigned};
use crate::pgp::key::PgpKey;

/// What they are counted as, among the certificates of a day.
const PROFILE: &str = "openpgp";

impl<S: Storage, K: Keys> Core<S, K> {
    pub(super) fn judge_pgp_uid(
        &mut self,
        request: &SignPgpUid,
        now: u64,
    ) -> Result<(Act, Pending), Refused> {
        let time = self.clock.time(now);
        let by = self.find_pgp_key(&request.issuer, now)?;
        let unsigned = judge_pgp_uid(request, &by, &self.policy, time)?;
        self.judge_wind_down(false)?;
        let most = self.limits.certificates_a_day;
        self.count(&request.issuer, PROFILE, most, time)?;
        let act = Act::PgpUserId {
            issuer: request.issuer.clone(),
            by: by.key.fingerprint(),
            key: openpgp::PublicKey::from_body(&request.key)
                .map_or([0; 20], |key| key.fingerprint()),
            tbs: hash(unsigned.octets()),
            expires: request.expires.unix(),
            evidence: request.evidence,
        };
        Ok((act, Pending::pgp(&request.issuer, unsigned)))
    }

    /// One whose intent is on record: put together again.
    pub(super) fn reopened_pgp_uid(&self, request: &SignPgpUid) -> Result<Pending, Refused> {
        let by = self.keys.pgp_key(&request.issuer);
        let by = by.ok_or_else(|| unknown_issuer(&request.issuer))?;
        let unsigned = unsigned(request, by, &self.policy)?;
        Ok(Pending::pgp(&request.issuer, unsigned))
    }

    /// The key of this name; perhaps it has come just now.
    fn find_pgp_key(&mut self, name: &str, now: u64) -> Result<PgpKey, Refused> {
        if self.keys.pgp_key(name).is_none()
            && let Err(error) = self.take_keys(now)
        {
            tracing::error!("the key store cannot be looked at: {error}");
        }
        let key = self.keys.pgp_key(name);
        key.cloned().ok_or_else(|| unknown_issuer(name))
    }
}
