use ledger::{ChangeKind, LedgerError, Origin};

use crate::Place;
use crate::fixtures::{
    LATER, NOW, certificate, issue, key_of, open, pending, reservation, serial, with_issuers,
};

pub(crate) async fn reserve_then_record<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let (reserved, der) = reservation("member", 0x1234);
    ledger.reserve_serial(&reserved).await.unwrap();
    assert_eq!(
        ledger.status("member", &reserved.serial).await.unwrap(),
        None,
        "reserved is not issued (V6)"
    );
    assert_eq!(
        ledger
            .certificate("member", &reserved.serial)
            .await
            .unwrap(),
        None
    );
    assert_eq!(ledger.statuses("member", None, 10).await.unwrap(), []);

    let seq = ledger
        .record_certificate("member", &reserved.serial, &der)
        .await
        .unwrap();
    assert_eq!(seq, 3);
    assert_eq!(
        ledger
            .record_certificate("member", &reserved.serial, &der)
            .await
            .unwrap(),
        3,
        "again: the same event"
    );
    assert_eq!(ledger.head().await.unwrap(), 3);

    let record = ledger
        .certificate("member", &reserved.serial)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.certificate.as_deref(), Some(&der[..]));
    assert_eq!(record.subject.as_deref(), Some("CN=host-4660.example"));
    assert_eq!(
        (record.not_before, record.not_after),
        (Some(NOW), Some(LATER))
    );
    assert_eq!(
        (record.profile.as_deref(), record.requested_by.as_str()),
        (Some("server"), "bob")
    );
    assert_eq!(
        (record.issued_at, record.origin, record.revocation.is_none()),
        (NOW, Origin::Own, true)
    );
    assert_eq!(
        ledger.find_serial(&reserved.serial).await.unwrap(),
        [record]
    );
    assert_eq!(
        ledger
            .certificate("assured", &reserved.serial)
            .await
            .unwrap(),
        None
    );

    let change = ledger.changes_after(2, 10).await.unwrap().remove(0);
    assert_eq!(
        (change.seq, change.kind, change.serial),
        (3, ChangeKind::Issued, Some(reserved.serial))
    );
    assert_eq!((change.issuer.as_str(), change.time), ("member", NOW));
    let counts = ledger.counts("member").await.unwrap();
    assert_eq!(
        (
            counts.issued,
            counts.revoked,
            counts.expired,
            counts.unexpired
        ),
        (1, 0, 0, 1)
    );
}

pub(crate) async fn only_what_was_reserved_is_recorded<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let (reserved, der) = reservation("member", 1);
    let early = ledger
        .record_certificate("member", &reserved.serial, &der)
        .await;
    assert!(matches!(early, Err(LedgerError::NotReserved { .. })));
    ledger.reserve_serial(&reserved).await.unwrap();
    let (other, _) = certificate(&serial(1), "mallory.example", &key_of(1), false);
    let swapped = ledger
        .record_certificate("member", &reserved.serial, &other)
        .await;
    assert!(matches!(
        swapped,
        Err(LedgerError::Refused { rule: "V6", .. })
    ));
    let noise = ledger
        .record_certificate("member", &reserved.serial, b"no certificate")
        .await;
    assert!(matches!(
        noise,
        Err(LedgerError::Refused {
            rule: "certificate",
            ..
        })
    ));
    ledger
        .record_certificate("member", &reserved.serial, &der)
        .await
        .unwrap();
}

pub(crate) async fn a_serial_is_used_once<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let (reserved, _) = reservation("member", 1);
    ledger.reserve_serial(&reserved).await.unwrap();
    let mut again = reserved.clone();
    again.request_id = [9; 16];
    assert!(matches!(
        ledger.reserve_serial(&again).await,
        Err(LedgerError::SerialTaken { .. })
    ));
    let (mut other, _) = reservation("member", 2);
    other.request_id = reserved.request_id;
    assert!(matches!(
        ledger.reserve_serial(&other).await,
        Err(LedgerError::RequestIdTaken(_))
    ));
    assert_eq!(
        pending(&ledger).await.len(),
        1,
        "a refused reservation leaves nothing"
    );

    issue(&ledger, "assured", 1).await;
    let (mut unknown, _) = reservation("nobody", 3);
    unknown.request_id = [8; 16];
    assert!(matches!(
        ledger.reserve_serial(&unknown).await,
        Err(LedgerError::UnknownIssuer(_))
    ));
}

pub(crate) async fn pending_survives_reopening<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let (first, _) = reservation("member", 200);
    let (second, der) = reservation("assured", 100);
    ledger.reserve_serial(&first).await.unwrap();
    ledger.reserve_serial(&second).await.unwrap();
    drop(ledger);

    let ledger = open(&place).await;
    assert_eq!(pending(&ledger).await, [first.clone(), second.clone()]);
    assert_eq!(ledger.pending_count().await.unwrap(), 2);
    let page = ledger.pending_reservations(0, 1).await.unwrap();
    let (place, open) = &page[0];
    assert_eq!((page.len(), open), (1, &first));
    let page = ledger.pending_reservations(*place, 1).await.unwrap();
    let (place, open) = &page[0];
    assert_eq!((page.len(), open), (1, &second));
    assert_eq!(ledger.pending_reservations(*place, 1).await.unwrap(), []);
    let one = async |issuer, serial| ledger.pending_reservation(issuer, serial).await.unwrap();
    assert_eq!(one("assured", &second.serial).await.as_ref(), Some(&second));
    assert_eq!(one("assured", &first.serial).await, None);
    ledger
        .record_certificate("assured", &second.serial, &der)
        .await
        .unwrap();
    assert_eq!(pending(&ledger).await, [first]);
    assert_eq!(ledger.pending_count().await.unwrap(), 1);
    let recorded = ledger.pending_reservation("assured", &second.serial);
    assert_eq!(recorded.await.unwrap(), None);
}

pub(crate) async fn given_up_stays_used<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let (reserved, der) = reservation("member", 1);
    ledger.reserve_serial(&reserved).await.unwrap();
    ledger
        .abandon_reservation("member", &reserved.serial, "the signer refused the name")
        .await
        .unwrap();
    assert_eq!(pending(&ledger).await, []);
    let mut again = reserved.clone();
    again.request_id = [9; 16];
    assert!(matches!(
        ledger.reserve_serial(&again).await,
        Err(LedgerError::SerialTaken { .. })
    ));
    let late = ledger
        .record_certificate("member", &reserved.serial, &der)
        .await;
    assert!(matches!(late, Err(LedgerError::NotReserved { .. })));
    let twice = ledger
        .abandon_reservation("member", &reserved.serial, "again")
        .await;
    assert!(matches!(twice, Err(LedgerError::NotReserved { .. })));
    assert_eq!(
        ledger.status("member", &reserved.serial).await.unwrap(),
        None
    );
}

/// Relying parties ask for a part of the CRL as soon as a certificate names it.
pub(crate) async fn a_new_part_is_told_of<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let before = ledger.head().await.unwrap();
    for number in 1..=2 {
        let (mut reserved, der) = reservation("member", number);
        reserved.crl_partition = Some("http://status.example/crl/member/part/7.crl".to_owned());
        ledger.reserve_serial(&reserved).await.unwrap();
        assert_eq!(
            ledger.crl_row("member", &serial(number)).await.unwrap(),
            None
        );
        ledger
            .record_certificate("member", &serial(number), &der)
            .await
            .unwrap();
        let row = ledger.crl_row("member", &serial(number)).await.unwrap();
        let row = row.unwrap();
        assert_eq!(row.partition, reserved.crl_partition);
        assert_eq!(row.status.revoked, None);
    }
    let changes = ledger.changes_after(before, 10).await.unwrap();
    let kinds: Vec<_> = changes.iter().map(|change| change.kind).collect();
    let expected = [
        ChangeKind::IssuerChanged,
        ChangeKind::Issued,
        ChangeKind::Issued,
    ];
    assert_eq!(kinds, expected, "once for each part");
    ledger.verify_audit().await.unwrap();
}
