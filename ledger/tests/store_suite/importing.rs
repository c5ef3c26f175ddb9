use ledger::{
    ChangeKind, Ground, ImportSummary, ImportedCertificate, ImportedStatus, LedgerError, Origin,
};
use pki::{Certificate, RevocationReason, Time};

use crate::Place;
use crate::fixtures::{
    LATER, NOW, certificate, imported, issue, key_of, reservation, revocation, serial, with_issuers,
};

const LONG_AGO: Time = Time::from_unix(1_300_000_000);

fn revoked(reason: RevocationReason) -> ImportedStatus {
    ImportedStatus::Revoked {
        time: LONG_AGO,
        reason,
        invalidity_date: Some(LONG_AGO),
    }
}

fn summary(added: u64, changed: u64, unchanged: u64) -> ImportSummary {
    ImportSummary {
        added,
        changed,
        unchanged,
        conflicts: vec![],
    }
}

pub(crate) async fn statuses_as_they_were<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let batch = [
        imported(3, ImportedStatus::Good),
        imported(2, revoked(RevocationReason::KeyCompromise)),
        imported(1, revoked(RevocationReason::CertificateHold)),
    ];
    assert_eq!(
        ledger
            .import_certificates("member", &batch, "erin")
            .await
            .unwrap(),
        summary(3, 0, 0)
    );
    let statuses = ledger.statuses("member", None, 10).await.unwrap();
    let found: Vec<_> = statuses
        .iter()
        .map(|row| (row.serial, row.not_after, row.revoked))
        .collect();
    assert_eq!(
        found,
        [
            (
                serial(1),
                Some(LATER),
                Some((LONG_AGO, RevocationReason::CertificateHold))
            ),
            (
                serial(2),
                Some(LATER),
                Some((LONG_AGO, RevocationReason::KeyCompromise))
            ),
            (serial(3), Some(LATER), None),
        ]
    );
    let record = ledger
        .certificate("member", &serial(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (record.origin, record.requested_by.as_str()),
        (Origin::Imported, "erin")
    );
    assert_eq!(record.subject.as_deref(), Some("CN=old-1.example"));
    let revocation = record.revocation.unwrap();
    assert_eq!(
        (
            revocation.ground,
            revocation.time,
            revocation.invalidity_date
        ),
        (Ground::Imported, LONG_AGO, Some(LONG_AGO))
    );
    let changes = ledger.changes_after(2, 10).await.unwrap();
    assert!(
        changes
            .iter()
            .all(|change| change.kind == ChangeKind::Imported && change.time == NOW)
    );
    assert_eq!(
        changes.iter().map(|change| change.seq).collect::<Vec<_>>(),
        [3, 4, 5]
    );
    ledger.verify_audit().await.unwrap();
}

pub(crate) async fn the_same_again_changes_nothing<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let batch: Vec<_> = (1..=1500)
        .map(|number| {
            let status = if number % 3 == 0 {
                revoked(RevocationReason::Superseded)
            } else {
                ImportedStatus::Good
            };
            imported(number, status)
        })
        .collect();
    assert_eq!(
        ledger
            .import_certificates("member", &batch, "erin")
            .await
            .unwrap(),
        summary(1500, 0, 0)
    );
    let (head, audit) = (
        ledger.head().await.unwrap(),
        ledger.verify_audit().await.unwrap(),
    );
    assert_eq!(
        ledger
            .import_certificates("member", &batch, "erin")
            .await
            .unwrap(),
        summary(0, 0, 1500)
    );
    assert_eq!(ledger.head().await.unwrap(), head);
    assert_eq!(ledger.verify_audit().await.unwrap(), audit);
    assert_eq!(ledger.counts("member").await.unwrap().revoked, 500);
    assert_eq!(
        ledger.statuses("member", None, 2000).await.unwrap().len(),
        1500
    );
}

/// First a CRL, which has serial numbers only, then an index, then the certificate itself.
pub(crate) async fn later_sources_complete_earlier_ones<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let status = revoked(RevocationReason::KeyCompromise);
    let from_crl = ImportedCertificate {
        not_after: None,
        subject: None,
        ..imported(9, status)
    };
    let (der, _) = certificate(&serial(9), "nine.example", &key_of(9), false);
    let whole = ImportedCertificate {
        certificate: Some(der.clone()),
        ..from_crl.clone()
    };
    assert_eq!(
        ledger
            .import_certificates("member", &[from_crl], "erin")
            .await
            .unwrap(),
        summary(1, 0, 0)
    );
    assert_eq!(
        ledger
            .import_certificates("member", &[imported(9, status)], "erin")
            .await
            .unwrap(),
        summary(0, 1, 0)
    );
    assert_eq!(
        ledger
            .import_certificates("member", &[whole], "erin")
            .await
            .unwrap(),
        summary(0, 1, 0)
    );
    let record = ledger
        .certificate("member", &serial(9))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (record.not_before, record.not_after),
        (Some(NOW), Some(LATER))
    );
    assert_eq!(
        (record.certificate.as_ref(), record.subject.as_deref()),
        (Some(&der), Some("CN=old-9.example"))
    );

    let key = Certificate::from_der(record.certificate.as_deref().unwrap())
        .unwrap()
        .public_key()
        .fingerprint();
    assert!(
        ledger.is_key_blocked(&key).await.unwrap(),
        "the key of a compromise known before its certificate"
    );

    let good = imported(10, ImportedStatus::Good);
    ledger
        .import_certificates("member", &[good], "erin")
        .await
        .unwrap();
    let then_revoked = [imported(10, status)];
    assert_eq!(
        ledger
            .import_certificates("member", &then_revoked, "erin")
            .await
            .unwrap(),
        summary(0, 1, 0)
    );
    let last = ledger
        .changes_after(ledger.head().await.unwrap() - 1, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(last.kind, ChangeKind::Revoked);
    ledger.verify_audit().await.unwrap();
}

pub(crate) async fn the_ledger_stands_in_a_conflict<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    issue(&ledger, "member", 1).await;
    let ours = ledger
        .revoke(&revocation("member", 1, RevocationReason::Superseded))
        .await
        .unwrap();
    let stale = [imported(1, ImportedStatus::Good)];
    assert_eq!(
        ledger
            .import_certificates("member", &stale, "erin")
            .await
            .unwrap(),
        summary(0, 0, 1)
    );
    assert!(
        ledger
            .status("member", &serial(1))
            .await
            .unwrap()
            .unwrap()
            .revoked
            .is_some(),
        "never un-revoked"
    );

    let other_time = [imported(1, revoked(RevocationReason::KeyCompromise))];
    let found = ledger
        .import_certificates("member", &other_time, "erin")
        .await
        .unwrap();
    assert_eq!((found.unchanged, found.conflicts), (1, vec![serial(1)]));
    let kept = ledger
        .status("member", &serial(1))
        .await
        .unwrap()
        .unwrap()
        .revoked;
    assert_eq!(kept, Some((ours.time, ours.reason)));

    let (reserved, _) = reservation("member", 2);
    ledger.reserve_serial(&reserved).await.unwrap();
    let found = ledger
        .import_certificates("member", &[imported(2, ImportedStatus::Good)], "erin")
        .await
        .unwrap();
    assert_eq!((found.added, found.conflicts), (0, vec![serial(2)]));

    let twice = [
        imported(3, ImportedStatus::Good),
        imported(3, revoked(RevocationReason::Superseded)),
    ];
    let found = ledger
        .import_certificates("member", &twice, "erin")
        .await
        .unwrap();
    assert_eq!(
        found,
        summary(1, 0, 0),
        "two rows about one certificate are put together"
    );
    assert!(
        ledger
            .status("member", &serial(3))
            .await
            .unwrap()
            .unwrap()
            .revoked
            .is_some()
    );
}

pub(crate) async fn a_bad_row_refuses_the_batch<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let head = ledger.head().await.unwrap();
    let (of_another, _) = certificate(&serial(99), "x.example", &key_of(99), false);
    let bad = [
        imported(2, revoked(RevocationReason::RemoveFromCrl)),
        ImportedCertificate {
            certificate: Some(b"noise".to_vec()),
            ..imported(2, ImportedStatus::Good)
        },
        ImportedCertificate {
            certificate: Some(of_another),
            ..imported(2, ImportedStatus::Good)
        },
    ];
    for row in bad {
        let batch = [imported(1, ImportedStatus::Good), row];
        let refused = ledger.import_certificates("member", &batch, "erin").await;
        assert!(
            matches!(refused, Err(LedgerError::Refused { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(ledger.head().await.unwrap(), head);
    assert_eq!(ledger.statuses("member", None, 10).await.unwrap(), []);
    let unknown = ledger
        .import_certificates("nobody", &[imported(1, ImportedStatus::Good)], "erin")
        .await;
    assert!(matches!(unknown, Err(LedgerError::UnknownIssuer(_))));
}
