use ledger::{ImportedStatus, IssuerUpdate};
use pki::{CrlNumber, RevocationReason};

use crate::Place;
use crate::fixtures::{imported, issue, open, reservation, revocation, with_issuers};

pub(crate) async fn covers_every_mutation<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let (given_up, _) = reservation("member", 1);
    ledger.reserve_serial(&given_up).await.unwrap();
    ledger
        .abandon_reservation("member", &given_up.serial, "refused")
        .await
        .unwrap();
    issue(&ledger, "member", 2).await;
    ledger
        .revoke(&revocation("member", 2, RevocationReason::KeyCompromise))
        .await
        .unwrap();
    let batch: Vec<_> = (10..20)
        .map(|number| imported(number, ImportedStatus::Good))
        .collect();
    ledger
        .import_certificates("member", &batch, "erin")
        .await
        .unwrap();
    ledger
        .revoke(&revocation("member", 12, RevocationReason::Unspecified))
        .await
        .unwrap();
    ledger
        .reserve_crl_number("member", &CrlNumber::zero())
        .await
        .unwrap();
    ledger.block_key(&[7; 32], "test", "dave").await.unwrap();
    ledger
        .update_issuer("member", IssuerUpdate::default(), "alice")
        .await
        .unwrap();

    let acts: Vec<_> = ledger
        .audit_records(0, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|record| record.act)
        .collect();
    assert_eq!(
        acts,
        [
            "issuer.add",
            "issuer.add",
            "certificate.reserve",
            "certificate.abandon",
            "certificate.reserve",
            "certificate.record",
            "certificate.revoke",
            "certificate.import",
            "certificate.revoke",
            "crl.reserve",
            "key.block",
            "issuer.update",
        ]
    );
    let summary = ledger.verify_audit().await.unwrap();
    assert_eq!(
        (summary.records, summary.certificates, summary.revocations),
        (12, 1, 2)
    );
    assert_eq!(summary.head, ledger.head().await.unwrap());
    drop(ledger);
    assert_eq!(open(&place).await.verify_audit().await.unwrap(), summary);
}

pub(crate) async fn is_exported_in_order<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    issue(&ledger, "member", 2).await;
    let all = ledger.audit_records(0, 100).await.unwrap();
    let mut previous = [0; 32];
    for (record, id) in all.iter().zip(1..) {
        assert_eq!(record.id, id);
        assert_eq!(record.hash_after(&previous), record.hash);
        previous = record.hash;
    }
    assert_eq!(ledger.audit_records(1, 2).await.unwrap(), all[1..3]);
    assert_eq!(ledger.verify_audit().await.unwrap().hash, previous);
}
