use std::time::Instant;

use ledger::{ImportedCertificate, ImportedStatus};
use pki::{RevocationReason, Serial, Time};
use tempfile::TempDir;

use super::{open, path};
use crate::fixtures::{imported, issuer};

/// 100,000 rows in batches of 5,000; prints how fast it was, and asserts nothing about it: machines are shared.
#[tokio::test]
async fn an_import_of_100_000_rows() {
    const BATCH: u64 = 5_000;
    let directory = TempDir::new().unwrap();
    let ledger = open(&path(&directory)).await.unwrap();
    ledger
        .add_issuer(issuer("member", 0), "alice")
        .await
        .unwrap();
    let began = Instant::now();
    let mut best = 0.0_f64;
    for batch in 0..20 {
        let rows: Vec<_> = (batch * BATCH + 1..=(batch + 1) * BATCH).map(row).collect();
        let began = Instant::now();
        let summary = ledger
            .import_certificates("member", &rows, "alice")
            .await
            .unwrap();
        assert_eq!(summary.added, BATCH);
        best = best.max(BATCH as f64 / began.elapsed().as_secs_f64());
    }
    println!(
        "import: {:.0} rows/s in all, {best:.0} in the best batch",
        100_000.0 / began.elapsed().as_secs_f64()
    );
    let began = Instant::now();
    assert_eq!(
        ledger
            .statuses("member", None, 200_000)
            .await
            .unwrap()
            .len(),
        100_000
    );
    println!(
        "scan: {:.0} rows/s",
        100_000.0 / began.elapsed().as_secs_f64()
    );
    let counts = ledger.counts("member").await.unwrap();
    assert_eq!((counts.issued, counts.revoked), (100_000, 10_000));
    ledger.verify_audit().await.unwrap();
}

/// Spread over the key space as random serial numbers are; every tenth is revoked.
fn row(number: u64) -> ImportedCertificate {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let octets = [
        &[0x4a_u8][..],
        &spread.to_be_bytes(),
        &number.to_be_bytes()[1..],
    ]
    .concat();
    let status = match number % 10 {
        0 => ImportedStatus::Revoked {
            time: Time::from_unix(1_700_000_000),
            reason: RevocationReason::Superseded,
            invalidity_date: None,
        },
        _ => ImportedStatus::Good,
    };
    ImportedCertificate {
        serial: Serial::from_be_bytes(&octets).unwrap(),
        ..imported(number, status)
    }
}
