//! Making one CRL: from the ledger's rows to a signed, verified and recorded list.

use ledger::{CrlPolicy, CrlRecord, Issuer, Ledger, Origin, StatusRow, Subjects};
use pki::crl::Crl;
use pki::crl::build::{CrlContents, CrlEntry, assemble};
use pki::crl::verify::{Expected, OwnRules, Previous, Profile, Scope, verify_crl};
use pki::{
    Certificate, Clock, CrlNumber, RevocationReason, Serial, SignatureAlgorithm, Time, Violation,
};
use signer_client::{SignCrl, SignerError};
use tokio::task::block_in_place;

use crate::failure::Failure;
use crate::live::sha256;
use crate::signer::Signer;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A CRL that may be published.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) crl: Crl,
    /// The event of the ledger it holds everything up to.
    pub(crate) as_of: u64,
}

/// Builds the CRL of `issuer` with a number above `floor`.
pub(crate) async fn build(
    ledger: &Ledger,
    signer: &impl Signer,
    clock: &dyn Clock,
    issuer: &Issuer,
    ca: &Certificate,
    floor: &CrlNumber,
) -> Result<Built, Failure> {
    let policy = &issuer.policy.crl;
    let last = ledger.last_crl(&issuer.name).await?;
    // The head first: what is committed between the two is on this CRL and will be on the next one again.
    let as_of = ledger.head().await?;
    let rows = ledger.revoked_entries(&issuer.name).await?;
    // The time after the rows, so that none is revoked later.
    let now = clock.now();
    let last_update = last.as_ref().map(|last| last.this_update);
    let (this_update, next_update) = window(ca, policy, last_update, now)?;
    let number = ledger.reserve_crl_number(&issuer.name, floor).await?;

    let algorithm = algorithm(ca)?;
    let entries = entries(&rows, policy, last_update, now);
    let contents = CrlContents {
        issuer: ca.subject(),
        authority_key_id: &ca.key_id(),
        number: &number,
        this_update,
        next_update,
        signature_algorithm: algorithm,
    };
    let tbs = block_in_place(|| contents.tbs(entries.iter().copied()));
    let request = SignCrl {
        issuer: issuer.name.clone(),
        number: number.clone(),
        this_update,
        next_update,
        signature_algorithm: algorithm,
        tbs,
    };
    let signature = signer.sign_crl(fresh_id()?, request.clone()).await?;

    let der = assemble(&request.tbs, algorithm, &signature);
    let crl = block_in_place(|| {
        verified(&der, issuer, ca, floor, clock.now())
            .and_then(|crl| same_entries(&crl, &entries).map(|()| crl))
    })
    .map_err(|violation| Failure::Unfit {
        what: format!("CRL {number}"),
        violation,
    })?;
    ledger
        .record_crl(
            &issuer.name,
            &CrlRecord {
                number,
                this_update,
                next_update,
                sha256: sha256(&der),
                size: der.len() as u64,
                entries: entries.len() as u64,
                as_of,
            },
        )
        .await?;
    Ok(Built { crl, as_of })
}

/// Verifies a CRL of our own by every rule.
pub(crate) fn verified(
    der: &[u8],
    issuer: &Issuer,
    ca: &Certificate,
    above: &CrlNumber,
    now: Time,
) -> Result<Crl, Violation> {
    let expected = Expected {
        ca,
        now,
        scope: Scope::Complete,
        // The operator may have made the validity shorter, so nextUpdate is free to be earlier than the last one's.
        previous: Some(Previous {
            number: above,
            next_update: None,
        }),
        profile: own_rules(issuer),
    };
    Ok(verify_crl(der, &expected)?.crl)
}

/// The rules for our own CRLs of this issuer.
pub(crate) fn own_rules(issuer: &Issuer) -> Profile {
    Profile::Own(OwnRules {
        ca_certificates_only: issuer.policy.subjects == Subjects::CaCertificates,
        keeps_holds: issuer.origin == Origin::Imported,
        browser_forum: false,
    })
}

/// thisUpdate and nextUpdate: backdated for slow clocks, rising, within the CA's validity.
fn window(
    ca: &Certificate,
    policy: &CrlPolicy,
    last: Option<Time>,
    now: Time,
) -> Result<(Time, Time), Failure> {
    let backdated = now
        .plus_seconds(-i64::from(policy.backdate_seconds))
        .max(ca.not_before());
    let this_update = last.map_or(backdated, |last| backdated.max(last)).min(now);
    let next_update = this_update
        .plus_seconds(i64::from(policy.validity_hours) * HOUR)
        .min(ca.not_after());
    if next_update <= now {
        return Err(Failure::Ended(format!(
            "the CA certificate ended at {}; renew it, or remove the issuer",
            ca.not_after()
        )));
    }
    Ok((this_update, next_update))
}

/// What stands on the CRL: everything revoked, without what has expired long enough (CRL-18).
fn entries(rows: &[StatusRow], policy: &CrlPolicy, last: Option<Time>, now: Time) -> Vec<CrlEntry> {
    rows.iter()
        .filter_map(|row| {
            let (revocation_date, reason) = row.revoked?;
            let entry = CrlEntry {
                serial: row.serial,
                revocation_date,
                reason: Some(reason).filter(|&reason| reason != RevocationReason::Unspecified),
                invalidity_date: row.invalidity_date,
            };
            let gone = row
                .not_after
                .is_some_and(|end| may_leave(end.max(revocation_date), policy, last, now));
            (!gone).then_some(entry)
        })
        .collect()
}

/// An entry leaves after it was on a CRL past the certificate's end (or past its revocation, if that came later),
/// and a whole round of scheduled CRLs went by, and what the operator adds.
fn may_leave(since: Time, policy: &CrlPolicy, last: Option<Time>, now: Time) -> bool {
    let kept = i64::from(policy.refresh_hours) * HOUR + i64::from(policy.keep_expired_days) * DAY;
    last.is_some_and(|last| last > since) && now > since.plus_seconds(kept)
}

/// The CRL says of every certificate what the ledger says (V7).
fn same_entries(crl: &Crl, entries: &[CrlEntry]) -> Result<(), Violation> {
    let mut ours = entries.iter();
    for theirs in crl.entries() {
        if ours.next() != Some(&theirs?) {
            return Err(differs());
        }
    }
    match ours.next() {
        Some(_) => Err(differs()),
        None => Ok(()),
    }
}

fn differs() -> Violation {
    Violation::new("V7", "its entries are not the revocations in the ledger")
}

fn algorithm(ca: &Certificate) -> Result<SignatureAlgorithm, Failure> {
    let found = ca
        .public_key()
        .kind()
        .and_then(|kind| SignatureAlgorithm::for_key(kind, kind.default_hash()));
    found.map_err(|error| Failure::Ended(format!("the CA's key cannot sign CRLs: {error}")))
}

fn fresh_id() -> Result<[u8; 16], Failure> {
    let unavailable = |error: pki::SerialError| SignerError::Unavailable(error.to_string());
    let random = Serial::random().map_err(unavailable)?;
    let mut id = [0; 16];
    id.copy_from_slice(random.as_bytes());
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: i64) -> Time {
        Time::from_unix(1_800_000_000 + days * DAY)
    }

    fn row(not_after: Option<Time>, revoked: Time) -> StatusRow {
        StatusRow {
            serial: Serial::from_be_bytes(&[7]).unwrap(),
            not_after,
            revoked: Some((revoked, RevocationReason::KeyCompromise)),
            invalidity_date: None,
        }
    }

    fn on_crl(row: StatusRow, last: Option<Time>, now: Time) -> bool {
        !entries(&[row], &CrlPolicy::default(), last, now).is_empty()
    }

    /// CRL-18: on one CRL beyond notAfter, then gone.
    #[test]
    fn expired_certificates_leave() {
        let ends_on_day_10 = row(Some(at(10)), at(0));
        assert!(on_crl(ends_on_day_10, Some(at(8)), at(9)));
        assert!(on_crl(ends_on_day_10, Some(at(9)), at(10)));
        // No CRL past its end yet, however late it is.
        assert!(on_crl(ends_on_day_10, Some(at(9)), at(30)));
        assert!(on_crl(ends_on_day_10, None, at(30)));
        // One past its end, but within the same day.
        assert!(on_crl(
            ends_on_day_10,
            Some(at(10).plus_seconds(60)),
            at(10).plus_seconds(90)
        ));
        assert!(!on_crl(ends_on_day_10, Some(at(11)), at(12)));
    }

    #[test]
    fn the_operator_may_keep_them_longer() {
        let policy = CrlPolicy {
            keep_expired_days: 30,
            ..CrlPolicy::default()
        };
        let ends_on_day_10 = row(Some(at(10)), at(0));
        let kept = |now| !entries(&[ends_on_day_10], &policy, Some(at(39)), now).is_empty();
        assert!(kept(at(41)));
        assert!(!kept(at(42)));
    }

    /// Revoked after its end, it is still shown once.
    #[test]
    fn late_revocations_are_shown() {
        assert!(on_crl(row(Some(at(10)), at(20)), Some(at(19)), at(20)));
        assert!(!on_crl(row(Some(at(10)), at(20)), Some(at(21)), at(22)));
    }

    #[test]
    fn without_an_end_they_stay() {
        assert!(on_crl(row(None, at(0)), Some(at(9000)), at(10_000)));
    }
}
