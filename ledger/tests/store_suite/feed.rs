use std::collections::BTreeMap;
use std::time::Duration;

use ledger::ImportedStatus;
use pki::{RevocationReason, Serial};

use crate::Place;
use crate::fixtures::{imported, issue, open, revocation, serial, with_issuers};

/// Several handles, as several processes have them, write at the same time; a reader sees no gap at any moment.
pub(crate) async fn gapless_under_concurrent_writers<P: Place>() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 10;
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let ledger = open(&place).await;
        writers.push(tokio::spawn(async move {
            let issuer = if writer % 2 == 0 { "member" } else { "assured" };
            for number in 1..=EACH {
                let number = writer * 1000 + number;
                issue(&ledger, issuer, number).await;
                ledger
                    .revoke(&revocation(issuer, number, RevocationReason::Superseded))
                    .await
                    .unwrap();
            }
        }));
    }
    let mut seen = 0;
    let mut watch = ledger.watch();
    while seen < 2 + 2 * WRITERS * EACH {
        for change in ledger.changes_after(seen, 7).await.unwrap() {
            assert_eq!(change.seq, seen + 1);
            seen = change.seq;
        }
        watch.changed(Duration::from_millis(50)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(ledger.head().await.unwrap(), seen);
    let summary = ledger.verify_audit().await.unwrap();
    assert_eq!(
        (summary.certificates, summary.revocations),
        (WRITERS * EACH, WRITERS * EACH)
    );
}

/// Serial numbers of every length come in numeric order, page by page, each once.
pub(crate) async fn pages_in_serial_order<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let mut expected = BTreeMap::new();
    for length in 1..=20_u8 {
        for first in [1, 0x7f, 0x80, 0xff] {
            let mut octets = vec![length; usize::from(length)];
            octets[0] = first;
            expected.insert(Serial::from_be_bytes(&octets).unwrap(), ());
        }
    }
    let batch: Vec<_> = expected
        .keys()
        .rev()
        .map(|serial| ledger::ImportedCertificate {
            serial: *serial,
            ..imported(1, ImportedStatus::Good)
        })
        .collect();
    ledger
        .import_certificates("member", &batch, "erin")
        .await
        .unwrap();
    issue(&ledger, "assured", 1).await;
    for page in [1, 7, 1000] {
        let mut found = Vec::new();
        loop {
            let rows = ledger
                .statuses("member", found.last().copied(), page)
                .await
                .unwrap();
            if rows.is_empty() {
                break;
            }
            found.extend(rows.iter().map(|row| row.serial));
        }
        assert!(found.iter().eq(expected.keys()), "pages of {page}");
    }
}

pub(crate) async fn a_commit_elsewhere_wakes<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let elsewhere = open(&place).await;
    let mut watch = ledger.watch();
    for number in 1..=5 {
        let seq = issue(&elsewhere, "member", number).await;
        // The hint may be one of the reservation's commit, so look until the event is there; the wait is so long that
        // the test fails (by its time) when no hint comes.
        while ledger.head().await.unwrap() < seq {
            assert!(
                watch.changed(Duration::from_secs(20)).await,
                "no hint in 20 s"
            );
        }
        assert!(
            ledger
                .status("member", &serial(number))
                .await
                .unwrap()
                .is_some()
        );
    }
}
