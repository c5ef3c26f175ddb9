use pki::Serial;

use super::*;

fn at(days: i64) -> Time {
    Time::from_unix(1_800_000_000 + days * DAY)
}

fn serial() -> Serial {
    Serial::from_be_bytes(&[7]).unwrap()
}

fn row(revoked: Option<(Time, RevocationReason)>) -> StatusRow {
    StatusRow {
        serial: serial(),
        not_after: Some(at(10)),
        revoked,
        invalidity_date: None,
    }
}

const COMPROMISED: RevocationReason = RevocationReason::KeyCompromise;

fn revoked(time: Time, reason: Option<RevocationReason>) -> Said {
    Said::Signed(CertStatus::Revoked { time, reason })
}

fn kind(difference: Option<Difference>) -> Option<Kind> {
    difference.map(|difference| difference.kind)
}

#[test]
fn ocsp_answers() {
    let good = row(None);
    let gone = row(Some((at(1), COMPROMISED)));
    let unspecified = row(Some((at(1), RevocationReason::Unspecified)));
    let signed_good = Said::Signed(CertStatus::Good);
    let unfit = Said::Unfit(Violation::new("OCSP-50", "no"));
    for (row, said, day, expected) in [
        (Some(&good), signed_good.clone(), 2, None),
        (Some(&good), revoked(at(1), None), 2, Some(Kind::Extra)),
        (Some(&good), Said::Unauthorized, 2, Some(Kind::Missing)),
        (Some(&good), Said::Unauthorized, 11, None),
        (Some(&good), signed_good.clone(), 11, None),
        (Some(&good), unfit.clone(), 2, Some(Kind::Invalid)),
        (Some(&gone), signed_good.clone(), 2, Some(Kind::Status)),
        (Some(&gone), signed_good.clone(), 11, Some(Kind::Status)),
        (Some(&gone), revoked(at(1), Some(COMPROMISED)), 2, None),
        (
            Some(&gone),
            revoked(at(2), Some(COMPROMISED)),
            2,
            Some(Kind::Date),
        ),
        (Some(&gone), revoked(at(1), None), 2, Some(Kind::Reason)),
        (Some(&unspecified), revoked(at(1), None), 2, None),
        (None, Said::Unauthorized, 2, None),
        (None, signed_good, 2, Some(Kind::NeverIssued)),
        (None, revoked(at(1), None), 2, Some(Kind::NeverIssued)),
        (None, unfit, 2, Some(Kind::Invalid)),
    ] {
        assert_eq!(
            kind(answer(row, &said, at(day))),
            expected,
            "{row:?} {said:?} day {day}"
        );
    }
}

fn listed(time: Time) -> CrlEntry {
    CrlEntry {
        serial: serial(),
        revocation_date: time,
        reason: Some(COMPROMISED),
        invalidity_date: None,
    }
}

fn rules(policy: &CrlPolicy, this_update: Time, earlier: Option<Time>) -> ListRules<'_> {
    ListRules {
        this_update,
        earlier,
        policy,
        ours: true,
    }
}

#[test]
fn entries_of_unexpired_certificates() {
    let policy = CrlPolicy::default();
    let list = rules(&policy, at(2), Some(at(1)));
    let gone = row(Some((at(1), COMPROMISED)));
    let good = row(None);
    let other_reason = CrlEntry {
        reason: None,
        ..listed(at(1))
    };
    let other_since = CrlEntry {
        invalidity_date: Some(at(0)),
        ..listed(at(1))
    };
    for (row, place, expected) in [
        (Some(&good), None, None),
        (Some(&good), Some(listed(at(1))), Some(Kind::Extra)),
        (Some(&gone), Some(listed(at(1))), None),
        (Some(&gone), None, Some(Kind::Missing)),
        (Some(&gone), Some(listed(at(0))), Some(Kind::Date)),
        (Some(&gone), Some(other_reason), Some(Kind::Reason)),
        (Some(&gone), Some(other_since), Some(Kind::Reason)),
        (None, Some(listed(at(1))), Some(Kind::Extra)),
        (None, None, None),
    ] {
        let found = kind(entry(row, place.as_ref(), &list, at(2)));
        assert_eq!(found, expected, "{row:?} {place:?}");
    }
}

/// CRL-18: it ends on day 10, is shown once more, and leaves a day later.
#[test]
fn entries_of_expired_certificates() {
    let policy = CrlPolicy::default();
    let gone = row(Some((at(1), COMPROMISED)));
    let place = listed(at(1));
    for (day, earlier, missing, present) in [
        (9, 8, Some(Kind::Missing), None),
        (10, 9, Some(Kind::Missing), None),
        (12, 9, None, None),
        (12, 11, None, Some(Kind::Lingers)),
    ] {
        let list = rules(&policy, at(day), Some(at(earlier)));
        let now = at(day).plus_seconds(60);
        assert_eq!(kind(entry(Some(&gone), None, &list, now)), missing, "{day}");
        assert_eq!(
            kind(entry(Some(&gone), Some(&place), &list, now)),
            present,
            "{day} after {earlier}"
        );
    }
    // Nobody has seen an earlier one: it may be the first in a long time.
    let first = rules(&policy, at(300), None);
    assert_eq!(entry(Some(&gone), Some(&place), &first, at(300)), None);
    let kept = CrlPolicy {
        keep_expired_days: 30,
        ..policy
    };
    let list = rules(&kept, at(12), Some(at(11)));
    assert_eq!(entry(Some(&gone), Some(&place), &list, at(12)), None);
    let missing = kind(entry(Some(&gone), None, &list, at(12)));
    assert_eq!(missing, Some(Kind::Missing));
}

#[test]
fn lists_signed_elsewhere() {
    let policy = CrlPolicy::default();
    let list = ListRules {
        ours: false,
        ..rules(&policy, at(2), None)
    };
    let gone = row(Some((at(1), COMPROMISED)));
    let good = row(None);
    assert_eq!(entry(Some(&gone), None, &list, at(2)), None);
    assert_eq!(entry(Some(&gone), Some(&listed(at(0))), &list, at(2)), None);
    let extra = kind(entry(Some(&good), Some(&listed(at(0))), &list, at(2)));
    assert_eq!(extra, Some(Kind::Extra));
    let hold = CrlEntry {
        reason: Some(RevocationReason::CertificateHold),
        ..listed(at(0))
    };
    assert_eq!(entry(Some(&good), Some(&hold), &list, at(2)), None);
    let ours = ListRules { ours: true, ..list };
    let extra = kind(entry(Some(&good), Some(&hold), &ours, at(2)));
    assert_eq!(extra, Some(Kind::Extra));
}
