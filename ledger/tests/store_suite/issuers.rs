use ledger::{ChangeKind, IssuerUpdate, LedgerError};

use crate::Place;
use crate::fixtures::{certificate, issuer, open, serial, with_issuers};

pub(crate) async fn kept_as_given_across_reopening<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let policy = ledger::IssuerPolicy::ca_certificates();
    let update = IssuerUpdate {
        policy: Some(policy.clone()),
        crl_paths: Some(vec![]),
        ..IssuerUpdate::default()
    };
    let seq = ledger
        .update_issuer("member", update, "alice")
        .await
        .unwrap();
    assert_eq!(seq, 3);
    drop(ledger);

    let ledger = open(&place).await;
    let mut member = issuer("member", 0);
    member.policy = policy;
    member.crl_paths.clear();
    assert_eq!(
        ledger.issuers().await.unwrap(),
        [member.clone(), issuer("assured", 1)]
    );
    assert_eq!(ledger.issuer("member").await.unwrap(), Some(member));
    assert_eq!(ledger.issuer("nobody").await.unwrap(), None);
    let kinds: Vec<_> = ledger
        .changes_after(0, 10)
        .await
        .unwrap()
        .iter()
        .map(|change| change.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            ChangeKind::IssuerAdded,
            ChangeKind::IssuerAdded,
            ChangeKind::IssuerChanged
        ]
    );
}

pub(crate) async fn one_name_and_key_is_one_issuer<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let same_name = issuer("member", 9);
    assert!(
        matches!(ledger.add_issuer(same_name, "alice").await, Err(LedgerError::IssuerExists(name)) if name == "member")
    );
    let mut same_key = issuer("member", 0);
    same_key.name = "class3".to_owned();
    assert!(
        matches!(ledger.add_issuer(same_key, "alice").await, Err(LedgerError::IssuerExists(name)) if name == "member")
    );
    assert_eq!(ledger.head().await.unwrap(), 2);
}

pub(crate) async fn renewal_keeps_the_key<P: Place>() {
    let place = P::new();
    let ledger = with_issuers(&place).await;
    let (renewed, _) = certificate(&serial(77), "member", &[0; 32], true);
    let update = IssuerUpdate {
        certificate: Some(renewed.clone()),
        ..IssuerUpdate::default()
    };
    ledger
        .update_issuer("member", update, "alice")
        .await
        .unwrap();
    assert_eq!(
        ledger.issuer("member").await.unwrap().unwrap().certificate,
        renewed
    );

    let (rekeyed, _) = certificate(&serial(78), "member", &[3; 32], true);
    let update = IssuerUpdate {
        certificate: Some(rekeyed),
        ..IssuerUpdate::default()
    };
    let refused = ledger.update_issuer("member", update, "alice").await;
    assert!(matches!(
        refused,
        Err(LedgerError::Refused { rule: "S10", .. })
    ));
    let refused = ledger
        .update_issuer("nobody", IssuerUpdate::default(), "alice")
        .await;
    assert!(matches!(refused, Err(LedgerError::UnknownIssuer(_))));
}

pub(crate) async fn refused_where_they_enter<P: Place>() {
    let place = P::new();
    let ledger = open(&place).await;
    let good = issuer("member", 0);
    let mut bad = Vec::new();
    for name in ["", "Member", "a/b", "-x", "ä", &"x".repeat(65)] {
        bad.push((
            "name",
            ledger::Issuer {
                name: name.to_owned(),
                ..good.clone()
            },
        ));
    }
    for path in ["rsa.crl", "/a b", "/a?b", "/../x", "/ä"] {
        bad.push((
            "path",
            ledger::Issuer {
                crl_paths: vec![path.to_owned()],
                ..good.clone()
            },
        ));
    }
    let mut policy = good.policy.clone();
    policy.ocsp.validity_hours = 1;
    bad.push((
        "OCSP-35",
        ledger::Issuer {
            policy,
            ..good.clone()
        },
    ));
    bad.push((
        "certificate",
        ledger::Issuer {
            certificate: vec![0x30, 0],
            ..good.clone()
        },
    ));
    let (leaf, _) = certificate(&serial(5), "leaf", &[5; 32], false);
    bad.push((
        "certificate",
        ledger::Issuer {
            certificate: leaf,
            ..good
        },
    ));
    for (expected, issuer) in bad {
        match ledger.add_issuer(issuer, "alice").await {
            Err(LedgerError::Refused { rule, .. }) => assert_eq!(rule, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert_eq!(ledger.head().await.unwrap(), 0);
}
