use ledger::{
    ChangeKind, FollowSummary, Followed, Ground, ImportedStatus, IssuerPolicy, IssuerUpdate,
    Ledger, LedgerError, SourceCrl, SourcePolicy, SourceRecord,
};
use pki::{CrlNumber, RevocationReason, Time};

use crate::Place;
use crate::fixtures::{LATER, NOW, imported, revocation, serial, with_issuers};

const THEN: Time = Time::from_unix(1_300_000_000);

/// `member` follows CRLs; it has the good certificates 1 to 3.
async fn following<P: Place>(place: &P) -> Ledger {
    let ledger = with_issuers(place).await;
    let update = IssuerUpdate {
        signs: Some(false),
        policy: Some(IssuerPolicy {
            source: SourcePolicy {
                crl: Some("file".to_owned()),
                ..SourcePolicy::default()
            },
            ..IssuerPolicy::default()
        }),
        ..IssuerUpdate::default()
    };
    ledger
        .update_issuer("member", update, "alice")
        .await
        .unwrap();
    let batch: Vec<_> = (1..=3)
        .map(|number| imported(number, ImportedStatus::Good))
        .collect();
    ledger
        .import_certificates("member", &batch, "erin")
        .await
        .unwrap();
    ledger
}

fn revoked(number: u64, reason: RevocationReason) -> Followed {
    Followed::Revoked {
        serial: serial(number),
        time: THEN,
        reason,
        invalidity_date: None,
    }
}

fn released(number: u64) -> Followed {
    Followed::Released {
        serial: serial(number),
    }
}

async fn follow(ledger: &Ledger, batch: &[Followed]) -> FollowSummary {
    ledger
        .follow_crl("member", batch, "crl-builder")
        .await
        .unwrap()
}

async fn reason_of(ledger: &Ledger, number: u64) -> Option<RevocationReason> {
    let status = ledger.status("member", &serial(number)).await.unwrap();
    status
        .expect("it is known")
        .revoked
        .map(|(_, reason)| reason)
}

pub(crate) async fn what_crls_say_is_taken_in<P: Place>() {
    let place = P::new();
    let ledger = following(&place).await;
    let before = ledger.head().await.unwrap();
    let batch = [
        revoked(2, RevocationReason::KeyCompromise),
        revoked(70, RevocationReason::Superseded),
    ];
    let summary = follow(&ledger, &batch).await;
    assert_eq!((summary.revoked, summary.unchanged), (2, 0));
    // One that nobody knew is known as revoked now.
    assert_eq!(
        reason_of(&ledger, 70).await,
        Some(RevocationReason::Superseded)
    );
    let record = ledger
        .certificate("member", &serial(2))
        .await
        .unwrap()
        .unwrap();
    let revocation = record.revocation.unwrap();
    assert_eq!(
        (
            revocation.ground,
            revocation.time,
            revocation.actor.as_str()
        ),
        (Ground::Imported, THEN, "crl-builder")
    );
    let changes = ledger.changes_after(before, 10).await.unwrap();
    let kinds: Vec<_> = changes
        .iter()
        .map(|change| (change.kind, change.serial))
        .collect();
    assert_eq!(
        kinds,
        [
            (ChangeKind::Revoked, Some(serial(2))),
            (ChangeKind::Revoked, Some(serial(70)))
        ]
    );

    let head = ledger.head().await.unwrap();
    assert_eq!(follow(&ledger, &batch).await.unchanged, 2);
    assert_eq!(ledger.head().await.unwrap(), head, "nothing was written");
    ledger.verify_audit().await.unwrap();
}

pub(crate) async fn holds_end_and_reasons_change<P: Place>() {
    let place = P::new();
    let ledger = following(&place).await;
    let hold = RevocationReason::CertificateHold;
    follow(&ledger, &[revoked(1, hold), revoked(2, hold)]).await;
    let before = ledger.head().await.unwrap();
    let summary = follow(
        &ledger,
        &[released(1), revoked(2, RevocationReason::KeyCompromise)],
    )
    .await;
    assert_eq!((summary.released, summary.changed), (1, 1));
    assert_eq!(reason_of(&ledger, 1).await, None);
    assert_eq!(
        reason_of(&ledger, 2).await,
        Some(RevocationReason::KeyCompromise)
    );
    let changes = ledger.changes_after(before, 10).await.unwrap();
    assert_eq!(changes[0].kind, ChangeKind::Released);

    // The chain tells what was.
    let records = ledger.audit_records(0, 100).await.unwrap();
    let last = records.last().unwrap();
    assert_eq!(last.act, "source.follow");
    assert!(last.detail.contains("certificateHold"), "{}", last.detail);
    assert!(last.detail.contains("released"), "{}", last.detail);
    ledger.verify_audit().await.unwrap();

    // What is not on hold is not released.
    let summary = follow(&ledger, &[released(2), released(3)]).await;
    assert_eq!((summary.conflicts, summary.unchanged), (vec![serial(2)], 1));
    assert_eq!(
        reason_of(&ledger, 2).await,
        Some(RevocationReason::KeyCompromise)
    );
}

pub(crate) async fn what_was_revoked_here_stays<P: Place>() {
    let place = P::new();
    let ledger = following(&place).await;
    ledger
        .revoke(&revocation("member", 1, RevocationReason::Superseded))
        .await
        .unwrap();
    let summary = follow(
        &ledger,
        &[
            revoked(1, RevocationReason::CertificateHold),
            revoked(2, RevocationReason::KeyCompromise),
        ],
    )
    .await;
    assert_eq!((summary.conflicts, summary.revoked), (vec![serial(1)], 1));
    assert_eq!(follow(&ledger, &[released(1)]).await.conflicts, [serial(1)]);
    assert_eq!(
        reason_of(&ledger, 1).await,
        Some(RevocationReason::Superseded)
    );
    ledger.verify_audit().await.unwrap();
}

pub(crate) async fn only_where_the_policy_says_so<P: Place>() {
    let place = P::new();
    let ledger = following(&place).await;
    let batch = [revoked(1, RevocationReason::Superseded)];
    let refused = ledger.follow_crl("assured", &batch, "crl-builder").await;
    assert!(
        matches!(&refused, Err(LedgerError::Refused { rule, .. }) if *rule == "source.crl"),
        "{refused:?}"
    );
    // Two sources would contradict each other.
    let signs = IssuerUpdate {
        signs: Some(true),
        ..IssuerUpdate::default()
    };
    let refused = ledger.update_issuer("member", signs, "alice").await;
    assert!(refused.unwrap_err().to_string().contains("source.crl"));
}

pub(crate) async fn sources_are_recorded_and_end<P: Place>() {
    let place = P::new();
    let ledger = following(&place).await;
    assert_eq!(ledger.source("member").await.unwrap(), None);
    let crl = |number: Option<u64>, this_update: Time, next_update: Time| SourceCrl {
        number: number.map(CrlNumber::from),
        this_update,
        next_update,
        sha256: [7; 32],
        size: 1000,
        entries: 3,
    };
    let hour = 3600;
    let complete = crl(Some(5), NOW, LATER);
    let mut source = SourceRecord {
        complete: complete.clone(),
        delta: Some(crl(
            Some(6),
            NOW.plus_seconds(hour),
            NOW.plus_seconds(2 * hour),
        )),
    };
    let seq = ledger
        .record_source("member", &source, "crl-builder")
        .await
        .unwrap();
    let change = &ledger.changes_after(seq - 1, 10).await.unwrap()[0];
    assert_eq!(change.kind, ChangeKind::SourceFollowed);
    assert_eq!(
        ledger.source("member").await.unwrap().as_ref(),
        Some(&source)
    );

    // The newest decides, and how old it may become.
    let mut policy = SourcePolicy::default();
    assert_eq!(source.ends(&policy), NOW.plus_seconds(2 * hour));
    source.delta = None;
    assert_eq!(source.ends(&policy), LATER);
    policy.max_age_hours = Some(24);
    assert_eq!(source.ends(&policy), NOW.plus_seconds(24 * hour));

    source.complete = crl(None, NOW, LATER);
    ledger
        .record_source("member", &source, "crl-builder")
        .await
        .unwrap();
    assert_eq!(ledger.source("member").await.unwrap(), Some(source));
    assert_eq!(ledger.source("assured").await.unwrap(), None);
    ledger.verify_audit().await.unwrap();
}
