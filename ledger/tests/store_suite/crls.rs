use ledger::{CrlRecord, CrlScope, LedgerError};
use pki::CrlNumber;

use crate::Place;
use crate::fixtures::{LATER, NOW, open, with_issuers};

fn number(value: u64) -> CrlNumber {
    CrlNumber::from(value)
}

pub(crate) async fn numbers_only_rise<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    assert_eq!(
        ledger
            .reserve_crl_number("member", &number(0))
            .await
            .unwrap(),
        number(1)
    );
    assert_eq!(
        ledger
            .reserve_crl_number("member", &number(0))
            .await
            .unwrap(),
        number(2)
    );
    assert_eq!(
        ledger
            .reserve_crl_number("member", &number(1000))
            .await
            .unwrap(),
        number(1001)
    );
    assert_eq!(
        ledger
            .reserve_crl_number("assured", &number(0))
            .await
            .unwrap(),
        number(1)
    );
    drop(ledger);

    let ledger = open(&place).await;
    assert_eq!(
        ledger
            .reserve_crl_number("member", &number(5))
            .await
            .unwrap(),
        number(1002)
    );
    let beyond_64_bits = CrlNumber::from_be_bytes(&[1; 12]).unwrap();
    let next = ledger
        .reserve_crl_number("member", &beyond_64_bits)
        .await
        .unwrap();
    assert_eq!(next, beyond_64_bits.next().unwrap());
    let last = CrlNumber::from_be_bytes(&[&[0x7f][..], &[0xff; 19]].concat()).unwrap();
    let refused = ledger.reserve_crl_number("member", &last).await;
    assert!(matches!(
        refused,
        Err(LedgerError::Refused { rule: "CRL-09", .. })
    ));
    let unknown = ledger.reserve_crl_number("nobody", &number(0)).await;
    assert!(matches!(unknown, Err(LedgerError::UnknownIssuer(_))));
    ledger.verify_audit().await.unwrap();
}

pub(crate) async fn numbers_are_never_shared<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let mut builders = Vec::new();
    for _ in 0..3 {
        let ledger = open(&place).await;
        builders.push(tokio::spawn(async move {
            let mut numbers = Vec::new();
            for _ in 0..10 {
                numbers.push(
                    ledger
                        .reserve_crl_number("member", &number(0))
                        .await
                        .unwrap(),
                );
            }
            assert!(numbers.is_sorted());
            numbers
        }));
    }
    let mut all = Vec::new();
    for builder in builders {
        all.extend(builder.await.unwrap());
    }
    all.sort_unstable();
    assert!(all.into_iter().eq((1..=30).map(number)));
    drop(ledger);
}

pub(crate) async fn recorded_under_a_reserved_number<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    assert_eq!(ledger.last_crl("member").await.unwrap(), None);
    let crl = |value| CrlRecord {
        scope: CrlScope::Complete,
        number: number(value),
        this_update: NOW,
        next_update: LATER,
        sha256: [value as u8; 32],
        size: 1234,
        entries: 5,
        as_of: 2,
    };
    let early = ledger.record_crl("member", &crl(1)).await;
    assert!(matches!(
        early,
        Err(LedgerError::Refused { rule: "V5", .. })
    ));
    for _ in 0..300 {
        ledger
            .reserve_crl_number("member", &number(0))
            .await
            .unwrap();
    }
    for value in [1, 256, 255] {
        ledger.record_crl("member", &crl(value)).await.unwrap();
    }
    assert_eq!(ledger.last_crl("member").await.unwrap(), Some(crl(256)));
    assert_eq!(ledger.last_crl("assured").await.unwrap(), None);
    for (value, recorded) in [(255, Some(crl(255))), (254, None)] {
        let found = ledger.numbered_crl("member", &number(value)).await;
        assert_eq!(found.unwrap(), recorded);
    }
    ledger.record_crl("member", &crl(256)).await.unwrap();
    let other = CrlRecord {
        sha256: [9; 32],
        ..crl(256)
    };
    assert!(matches!(
        ledger.record_crl("member", &other).await,
        Err(LedgerError::Refused { rule: "V5", .. })
    ));
    ledger.verify_audit().await.unwrap();
}
