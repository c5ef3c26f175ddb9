use ledger::{LedgerError, PgpRequest, PgpResult};
use pki::Time;

use crate::Place;
use crate::fixtures::open;

/// A request for the certification of a user id.
pub(crate) fn certification(number: u8) -> PgpRequest {
    PgpRequest {
        request_id: [number; 16],
        issuer: "openpgp".to_owned(),
        by: [1; 20],
        key: [number; 20],
        user_id: format!("Anna Žluťoučká <anna{number}@example.org>"),
        level: "assured".to_owned(),
        created: Time::from_unix(1_795_000_000),
        expires: Time::from_unix(1_850_000_000),
        evidence_sha256: Some([3; 32]),
        request: vec![number; 100],
        actor: "alice".to_owned(),
    }
}

pub(crate) fn certified() -> PgpResult {
    PgpResult::Certified {
        certification: vec![4, 0x13],
        tbs_sha256: [5; 32],
    }
}

pub(crate) async fn reserved_then_finished<P: Place>() {
    let place = P::new();
    let ledger = open(&place).await;
    let [first, second] = [certification(1), certification(2)];
    for request in [&first, &second] {
        ledger.reserve_pgp(request).await.unwrap();
    }
    let again = ledger.reserve_pgp(&first).await;
    assert!(
        matches!(again, Err(LedgerError::RequestIdTaken(_))),
        "{again:?}"
    );
    let refused = PgpResult::Refused("user_id (policy): no".to_owned());
    ledger
        .finish_pgp(&first.request_id, &certified())
        .await
        .unwrap();
    ledger
        .finish_pgp(&second.request_id, &refused)
        .await
        .unwrap();
    // The same again changes nothing; anything else is refused.
    let before = ledger.audit_records(0, 100).await.unwrap();
    ledger
        .finish_pgp(&first.request_id, &certified())
        .await
        .unwrap();
    assert_eq!(ledger.audit_records(0, 100).await.unwrap(), before);
    ledger
        .finish_pgp(&first.request_id, &refused)
        .await
        .unwrap_err();
    ledger.finish_pgp(&[9; 16], &refused).await.unwrap_err();

    let records = ledger.pgp_records(0, 100).await.unwrap();
    assert_eq!(ledger.pgp_records(1, 100).await.unwrap(), records[1..]);
    assert_eq!(ledger.pgp_of_key(&first.key).await.unwrap(), records[..1]);
    let results: Vec<_> = records.iter().map(|record| record.result.clone()).collect();
    assert_eq!(results, [Some(certified()), Some(refused)]);
    assert_eq!(
        (&records[0].request, &records[1].request),
        (&first, &second)
    );
    let acts: Vec<_> = before.iter().map(|record| &*record.act).collect();
    assert_eq!(
        acts,
        ["pgp.reserve", "pgp.reserve", "pgp.record", "pgp.abandon"]
    );
    assert_eq!(ledger.verify_audit().await.unwrap().certifications, 4);
}

pub(crate) async fn pending_survives_reopening<P: Place>() {
    let place = P::new();
    let ledger = open(&place).await;
    let request = certification(1);
    ledger.reserve_pgp(&request).await.unwrap();
    drop(ledger);
    let ledger = open(&place).await;
    let pending = ledger.pending_pgp().await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].request, request);
    ledger
        .finish_pgp(&request.request_id, &certified())
        .await
        .unwrap();
    assert_eq!(ledger.pending_pgp().await.unwrap(), []);
}
