//! Revocations, and CRLs by reconstruction: the signer puts every CRL together from what it was told, and signs it when
//! it is, to the octet, what the host has.

use journal::Storage;
use pki::crl::Entries;
use pki::{RevocationReason, Time};
use wire::{CrlScope, Outcome, RefusalCode, Refused, RequestId, Revoke, SignCrl};

use super::acts::Begun;
use super::pending::Pending;
use super::{Core, CoreError, refused};
use crate::journal_record::{Act, Hash, Record, hash};
use crate::judge::judge_crl;
use crate::keys::Keys;
use crate::lists::Lists;
use crate::memory::Authority;
use crate::revoked::{Known, Revoked};

/// How far a revocation may lie in the future: clocks differ.
const FUTURE_SECONDS: i64 = 60;
/// The grounds there are (S7).
const GROUNDS: [&str; 4] = ["subscriber", "support", "arbitrator", IMPORTED];
const IMPORTED: &str = "imported";

impl<S: Storage, K: Keys> Core<S, K> {
    /// Whether revocations may be remembered; whose they are.
    pub(super) fn judge_revocations(&mut self, revoke: &Revoke, now: u64) -> Result<Hash, Refused> {
        let time = self.clock.time(now);
        let authority = self.find_ca(&revoke.issuer, now)?.authority();
        let policy =
            |field: &str, message: String| Err(refused(RefusalCode::Policy, field, message));
        if !GROUNDS.contains(&revoke.ground.as_str()) {
            return policy(
                "ground",
                format!("{:?} is none of {}", revoke.ground, GROUNDS.join(", ")),
            );
        }
        let none = Revoked::default();
        let revoked = self
            .memory
            .authority(&authority)
            .map_or(&none, |authority| &authority.revoked);
        for revocation in &revoke.revocations {
            let known = Known::read(revocation)
                .map_err(|(field, message)| refused(RefusalCode::Policy, field, message))?;
            let entry = &known.entry;
            let serial = entry.serial;
            match entry.reason {
                Some(RevocationReason::RemoveFromCrl) => {
                    return policy(
                        "revocations.reason",
                        format!("{serial}: nothing is ever taken back (S6)"),
                    );
                }
                Some(RevocationReason::CertificateHold) if revoke.ground != IMPORTED => {
                    return policy(
                        "revocations.reason",
                        format!(
                            "{serial}: certificateHold comes from the import of a CA only (S6)"
                        ),
                    );
                }
                _ => {}
            }
            if entry.revocation_date > time.plus_seconds(FUTURE_SECONDS) {
                return policy(
                    "revocations.date",
                    format!(
                        "{serial}: {} lies in the future, it is {time}",
                        entry.revocation_date
                    ),
                );
            }
            if let Some(before) = revoked.get(&serial)
                && *before != known
            {
                return policy(
                    "revocations",
                    format!(
                        "{serial} was revoked at {} for the reason {}, and that does not change",
                        before.entry.revocation_date,
                        before.entry.reason.unwrap_or(RevocationReason::Unspecified),
                    ),
                );
            }
            // What it signed itself it knows; a wrong end would let the entry leave too early.
            if let Some(Some(end)) = self.memory.serial(&authority, &serial)
                && known.not_after != Some(end)
            {
                return policy(
                    "revocations.not_after",
                    format!("{serial}: the certificate that was signed ends at {end}"),
                );
            }
        }
        Ok(authority)
    }

    pub(super) fn remember(
        &mut self,
        id: RequestId,
        digest: Hash,
        authority: Hash,
        revoke: &Revoke,
        now: u64,
    ) -> Result<Begun, CoreError> {
        let receipt = self.conclude(Record::Revoked {
            time: self.clock.time(now).unix(),
            id,
            digest,
            authority,
            revoke: revoke.clone(),
        })?;
        Ok(Begun::Answered(self.remembered(&authority), Some(receipt)))
    }

    pub(super) fn remembered(&self, authority: &Hash) -> Outcome {
        let revoked = self.memory.authority(authority);
        let (count, summary) = revoked.map_or((0, [0; 32]), |authority| {
            (
                authority.revoked.count(),
                authority.revoked.digest().summary(),
            )
        });
        Outcome::Remembered { count, summary }
    }

    /// Puts the CRL together, compares and judges it.
    pub(super) fn judge_crl(
        &mut self,
        request: &SignCrl,
        now: u64,
    ) -> Result<(Act, Pending), Refused> {
        if !self.clock.is_good_for_crls() {
            return Err(refused(
                RefusalCode::NotAllowed,
                "this_update",
                format!(
                    "the clocks of host and signer differ by {} s",
                    self.clock.host_ahead() / 1_000
                ),
            ));
        }
        let time = self.clock.time(now);
        let ca = self.find_ca(&request.issuer, now)?;
        let authority = ca.authority();
        self.check_rises(request, &authority)?;
        let nothing = Authority::default();
        let known = self.memory.authority(&authority).unwrap_or(&nothing);
        let entries = known
            .changed(&request.scope, &request.entries, request.this_update)
            .map_err(|error| refused(RefusalCode::Diverged, "entries", error.to_string()))?;
        let tbs = put_together(request, &entries);
        let tbs_hash = hash(&tbs);
        if tbs_hash != request.tbs_hash {
            return Err(refused(
                RefusalCode::Diverged,
                "tbs_hash",
                format!(
                    "with the {} revocations that the signer knows another CRL results: compare them (GetRevoked)",
                    known.revoked.count()
                ),
            ));
        }
        let last = known.lists(&request.scope).and_then(Lists::last);
        let last = last.map(|list| list.number.clone());
        let base = judge_crl(
            request,
            &tbs,
            &ca.certificate,
            &self.policy,
            last.as_ref(),
            time,
        )?;
        if let Some(base) = base {
            known
                .check_delta(&base, &request.number, &entries)
                .map_err(|error| refused(RefusalCode::Diverged, "entries", error.to_string()))?;
        }
        let act = Act::Crl {
            issuer: request.issuer.clone(),
            authority,
            scope: request.scope.clone(),
            number: request.number.to_be_bytes(),
            this_update: request.this_update.unix(),
            tbs: tbs_hash,
            entries: request.entries.clone(),
        };
        let pending = Pending {
            ca: request.issuer.clone(),
            algorithm: request.signature_algorithm,
            tbs,
            packet: None,
        };
        Ok((act, pending))
    }

    /// V5: number and thisUpdate only rise.
    fn check_rises(&self, request: &SignCrl, authority: &Hash) -> Result<(), Refused> {
        if let Some(left_behind) = self.memory.left_behind(authority)
            && request.number <= left_behind
        {
            let message = format!(
                "CRL number {} is not above {left_behind}: numbers up to that are left to the signer before the promotion (G8)",
                request.number
            );
            return Err(Refused {
                above: Some(left_behind),
                ..not_newer("number", message)
            });
        }
        if let Some(last) = self.memory.last_list(authority, &request.scope) {
            if request.number <= last.number {
                let mut refusal = not_newer(
                    "number",
                    format!(
                        "CRL number {} is not above the last one, {} (V5)",
                        request.number, last.number
                    ),
                );
                refusal.above = Some(last.number.clone());
                return Err(refusal);
            }
            if request.this_update < last.this_update {
                return Err(not_newer(
                    "this_update",
                    format!(
                        "thisUpdate {} is before that of the last CRL, {}",
                        request.this_update, last.this_update
                    ),
                ));
            }
        }
        // A delta comes with the complete CRL of its number, or after the newest one (RFC 5280 section 5.2.3).
        if request.scope == CrlScope::Delta
            && let Some(complete) = self.memory.last_list(authority, &CrlScope::Complete)
        {
            let (number, this_update): (_, Time) = (&complete.number, complete.this_update);
            let goes_with = request.number > *number
                || request.number == *number && request.this_update == this_update;
            if !goes_with {
                return Err(not_newer(
                    "number",
                    format!(
                        "a delta CRL has number and thisUpdate of the complete CRL {number} of {this_update}, or a higher \
                         number (CRL-10)"
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// The TBSCertList of a request with these entries.
pub(super) fn put_together(request: &SignCrl, entries: &Entries) -> Vec<u8> {
    let size = request.before.len() + entries.octets() + request.after.len();
    let mut tbs = Vec::with_capacity(size);
    tbs.extend_from_slice(&request.before);
    for piece in entries.pieces() {
        tbs.extend_from_slice(piece);
    }
    tbs.extend_from_slice(&request.after);
    tbs
}

fn not_newer(field: &str, message: String) -> Refused {
    refused(RefusalCode::CrlNotNewer, field, message)
}
