use ledger::{ImportedStatus, LedgerError};
use pki::RevocationReason;
use sqlx::{AssertSqlSafe, query};
use tempfile::TempDir;

use super::{open, path, raw};
use crate::fixtures::{imported, issue, issuer, revocation};
use crate::pgp::{certification, certified};

/// Each way of changing the record behind our back is found.
#[tokio::test]
async fn tampering_is_found() {
    let acts = [
        "UPDATE audit SET detail = '{}' WHERE id = 2",
        "UPDATE audit SET actor = 'nobody' WHERE id = 3",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
        "UPDATE revocation SET reason = 4 WHERE ground <> 'imported'",
        "UPDATE revocation SET time = time + 1 WHERE ground <> 'imported'",
        "UPDATE revocation SET actor = 'nobody' WHERE ground <> 'imported'",
        "DELETE FROM revocation WHERE ground <> 'imported'",
        "INSERT INTO revocation (issuer, serial, seq, time, reason, ground, actor, case_reference, invalidity_date) SELECT issuer, serial, seq, 5, 1, 'support', 'x', NULL, NULL FROM certificate WHERE serial NOT IN (SELECT serial FROM revocation) LIMIT 1",
        "INSERT INTO change SELECT max(seq) + 1, 5, 1, 3, NULL FROM change",
        "DELETE FROM change WHERE seq = 2",
        "UPDATE document SET der = zeroblob(10)",
        "DELETE FROM document",
        "UPDATE certificate SET state = 0 WHERE origin = 0",
        "UPDATE pgp_certification SET user_id = 'Zofie'",
        "UPDATE pgp_certification SET certification = zeroblob(10)",
        "UPDATE pgp_certification SET tbs_sha256 = zeroblob(32)",
        "UPDATE pgp_certification SET requested_by = 'nobody'",
        "DELETE FROM pgp_certification",
        "UPDATE certificate SET origin = 0 WHERE serial = (SELECT min(serial) FROM certificate)",
    ];
    for act in acts {
        let directory = TempDir::new().unwrap();
        let path = path(&directory);
        let ledger = open(&path).await.unwrap();
        ledger
            .add_issuer(issuer("member", 0), "alice")
            .await
            .unwrap();
        let batch: Vec<_> = (1..20)
            .map(|number| imported(number, ImportedStatus::Good))
            .collect();
        ledger
            .import_certificates("member", &batch, "alice")
            .await
            .unwrap();
        issue(&ledger, "member", 100).await;
        ledger
            .revoke(&revocation("member", 100, RevocationReason::KeyCompromise))
            .await
            .unwrap();
        let request = certification(1);
        ledger.reserve_pgp(&request).await.unwrap();
        ledger
            .finish_pgp(&request.request_id, &certified())
            .await
            .unwrap();
        ledger.verify_audit().await.unwrap();
        let touched = query(AssertSqlSafe(act))
            .execute(&raw(&path).await)
            .await
            .unwrap();
        assert_eq!(touched.rows_affected(), 1, "{act}");
        assert!(
            matches!(ledger.verify_audit().await, Err(LedgerError::Audit(_))),
            "{act}"
        );
    }
}
