use ledger::{ChangeKind, Ground, LedgerError, RevocationRequest};
use pki::crl::build::CrlEntry;
use pki::{RevocationReason, Time};

use crate::Place;
use crate::fixtures::{NOW, issue, open, reservation, revocation, serial, with_issuers};

pub(crate) async fn recorded_with_everything<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    issue(&ledger, "member", 5).await;
    let request = RevocationRequest {
        ground: Ground::Arbitrator,
        case: Some("a20261121.1".to_owned()),
        invalidity_date: Some(Time::from_unix(1_700_000_000)),
        ..revocation("member", 5, RevocationReason::PrivilegeWithdrawn)
    };
    let recorded = ledger.revoke(&request).await.unwrap();
    assert!(!recorded.already);
    assert_eq!(
        (recorded.seq, recorded.time, recorded.reason),
        (4, NOW, RevocationReason::PrivilegeWithdrawn)
    );
    drop(ledger);

    let ledger = open(&place).await;
    let mut kept = ledger
        .certificate("member", &serial(5))
        .await
        .unwrap()
        .unwrap()
        .revocation
        .unwrap();
    kept.already = false;
    assert_eq!(kept, recorded);
    assert_eq!(
        (kept.ground, kept.actor.as_str(), kept.case),
        (Ground::Arbitrator, "carol", request.case)
    );
    let status = ledger.status("member", &serial(5)).await.unwrap().unwrap();
    assert_eq!(
        status.revoked,
        Some((NOW, RevocationReason::PrivilegeWithdrawn))
    );
    assert_eq!(status.invalidity_date, request.invalidity_date);
    assert_eq!(ledger.statuses("member", None, 10).await.unwrap(), [status]);
    assert_eq!(ledger.revoked_entries("member").await.unwrap(), [status]);
    let change = ledger.changes_after(3, 10).await.unwrap().remove(0);
    assert_eq!(
        (change.kind, change.serial),
        (ChangeKind::Revoked, Some(serial(5)))
    );
    assert_eq!(ledger.counts("member").await.unwrap().revoked, 1);
}

/// Not in the order of serial numbers.
pub(crate) async fn counted_in_the_order_of_events<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let order = [7, 5, 6];
    let mut events = Vec::new();
    for number in order {
        issue(&ledger, "member", number).await;
        let request = revocation("member", number, RevocationReason::Superseded);
        events.push(ledger.revoke(&request).await.unwrap().seq);
    }
    for (number, event) in (0..).zip(events) {
        let known = ledger.revocation_event("member", number).await.unwrap();
        assert_eq!(known, Some(event));
        let before = ledger.count_revocations("member", event - 1).await;
        assert_eq!(before.unwrap(), number);
    }
    assert_eq!(ledger.revocation_event("member", 3).await.unwrap(), None);
    assert_eq!(ledger.revocation_event("assured", 0).await.unwrap(), None);
}

/// As after a restore: what was recorded anew gets its first date back, and the audit chain tells of both.
pub(crate) async fn an_earlier_record_is_reinstated<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    issue(&ledger, "member", 5).await;
    let anew = ledger
        .revoke(&revocation("member", 5, RevocationReason::Superseded))
        .await
        .unwrap();
    let first = CrlEntry {
        serial: serial(5),
        revocation_date: NOW.plus_seconds(-60),
        reason: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    };
    let later = CrlEntry {
        revocation_date: NOW.plus_seconds(1),
        ..first
    };
    let unknown = CrlEntry {
        serial: serial(6),
        ..first
    };
    for (wrong, what) in [(later, "a later date"), (unknown, "not revoked")] {
        let refused = ledger.reinstate_revocation("member", &wrong, "test").await;
        assert!(refused.is_err(), "{what}");
    }
    ledger
        .reinstate_revocation("member", &first, "test")
        .await
        .unwrap();
    drop(ledger);

    let ledger = open(&place).await;
    let status = ledger.status("member", &serial(5)).await.unwrap().unwrap();
    assert_eq!(
        status.revoked,
        Some((first.revocation_date, RevocationReason::KeyCompromise))
    );
    let change = ledger.changes_after(anew.seq, 10).await.unwrap().remove(0);
    assert_eq!(
        (change.kind, change.serial),
        (ChangeKind::Revoked, Some(serial(5)))
    );
    let summary = ledger.verify_audit().await.unwrap();
    assert_eq!(summary.revocations, 1);
    assert_eq!(summary.head, ledger.head().await.unwrap());
}

pub(crate) async fn only_what_was_issued<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let (reserved, _) = reservation("member", 1);
    ledger.reserve_serial(&reserved).await.unwrap();
    for number in [1, 2] {
        let refused = ledger
            .revoke(&revocation("member", number, RevocationReason::Superseded))
            .await;
        assert!(
            matches!(refused, Err(LedgerError::UnknownSerial { .. })),
            "{number}"
        );
    }
    let refused = ledger
        .revoke(&revocation("nobody", 1, RevocationReason::Superseded))
        .await;
    assert!(matches!(refused, Err(LedgerError::UnknownIssuer(_))));
}

pub(crate) async fn the_first_record_stands<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    issue(&ledger, "member", 5).await;
    let first = ledger
        .revoke(&revocation("member", 5, RevocationReason::Superseded))
        .await
        .unwrap();
    let head = ledger.head().await.unwrap();
    let second = ledger
        .revoke(&revocation("member", 5, RevocationReason::KeyCompromise))
        .await
        .unwrap();
    assert!(second.already);
    assert_eq!(
        (second.seq, second.reason),
        (first.seq, RevocationReason::Superseded)
    );
    assert_eq!(ledger.head().await.unwrap(), head, "no second event");
    let (reserved, _) = reservation("member", 5);
    assert!(
        ledger.is_key_blocked(&reserved.spki_sha256).await.unwrap(),
        "the key is compromised all the same"
    );
    ledger.verify_audit().await.unwrap();
}

pub(crate) async fn grounds_and_reasons<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    issue(&ledger, "member", 5).await;
    for reason in [
        RevocationReason::CertificateHold,
        RevocationReason::RemoveFromCrl,
    ] {
        let refused = ledger.revoke(&revocation("member", 5, reason)).await;
        assert!(
            matches!(refused, Err(LedgerError::Refused { rule: "S6", .. })),
            "{reason}"
        );
    }
    let imported = RevocationRequest {
        ground: Ground::Imported,
        ..revocation("member", 5, RevocationReason::Superseded)
    };
    assert!(matches!(
        ledger.revoke(&imported).await,
        Err(LedgerError::Refused { rule: "S7", .. })
    ));
    assert_eq!(
        ledger
            .status("member", &serial(5))
            .await
            .unwrap()
            .unwrap()
            .revoked,
        None
    );
}

pub(crate) async fn a_compromised_key_is_blocked<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    for (number, reason) in [
        (1, RevocationReason::KeyCompromise),
        (2, RevocationReason::Superseded),
    ] {
        issue(&ledger, "member", number).await;
        ledger
            .revoke(&revocation("member", number, reason))
            .await
            .unwrap();
    }
    let key = |number| reservation("member", number).0.spki_sha256;
    assert!(ledger.is_key_blocked(&key(1)).await.unwrap());
    assert!(!ledger.is_key_blocked(&key(2)).await.unwrap());
    ledger
        .block_key(&key(2), "found on a public server", "dave")
        .await
        .unwrap();
    ledger.block_key(&key(2), "again", "dave").await.unwrap();
    assert!(ledger.is_key_blocked(&key(2)).await.unwrap());
    ledger.verify_audit().await.unwrap();
}
