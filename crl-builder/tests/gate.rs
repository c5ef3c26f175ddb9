//! Every rule of the gate, each refusing a CRL that is really wrong: made, signed, and kept from the publication.

mod common;

use common::{World, until};
use ledger::IssuerUpdate;

/// V1, CRL-15: what a CRL has said about a certificate that is not expired is neither forgotten nor rewritten.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_published_is_forgotten_or_rewritten() {
    for (statement, rule) in [
        ("DELETE FROM revocation WHERE serial = x'0440000002'", "V1"),
        (
            "UPDATE revocation SET time = time - 86400 WHERE serial = x'0440000002'",
            "CRL-15",
        ),
        (
            "UPDATE revocation SET reason = 5 WHERE serial = x'0440000002'",
            "CRL-15",
        ),
    ] {
        let world = World::new().await;
        world.add_signing("member").await;
        world.certify("member", 1..=3).await;
        world.revoke("member", 1).await;
        world.revoke("member", 2).await;
        let running = world.start();
        let kept = until("a CRL", || world.crl("member").filter(|crl| crl.len() == 2)).await;
        world.tamper(statement);
        // The daily CRL is made of what the ledger says then.
        world.clock.advance(86_400);
        world.revoke("member", 3).await;
        let trouble = until("a refusal", || {
            running
                .trouble("member")
                .filter(|trouble| trouble.contains(rule))
        })
        .await;
        assert!(
            trouble.contains("40000002") && trouble.contains("avouch crl allow"),
            "{trouble}"
        );
        assert_eq!(world.crl("member").unwrap().der(), kept.der());
        running.stop().await;
    }
}

/// CRL-31: a count that jumps waits for two operators, each of whom signs.
#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_jumps_needs_two_operators() {
    let world = World::new().await;
    world.add_signing("member").await;
    let mut policy = world.ledger.issuer("member").await.unwrap().unwrap().policy;
    policy.crl.most_new_entries = 3;
    let update = IssuerUpdate {
        policy: Some(policy),
        ..IssuerUpdate::default()
    };
    world
        .ledger
        .update_issuer("member", update, "test")
        .await
        .unwrap();
    world.certify("member", 1..=10).await;
    let running = world.start();
    let kept = until("a CRL", || world.crl("member")).await;
    running.stop().await;
    for number in 1..=10 {
        world.revoke("member", number).await;
    }
    let running = world.start();
    let trouble = until("a refusal", || {
        running
            .trouble("member")
            .filter(|trouble| trouble.contains("10 entries more"))
    })
    .await;
    assert_eq!(world.crl("member").unwrap().der(), kept.der());
    let refusal = trouble.split("ISSUER ").nth(1).unwrap()[..16].to_owned();

    let alice = world.add_operator("alice").await;
    let bob = world.add_operator("bob").await;
    let forged = world.allow(&refusal, "bob", &alice).await;
    assert!(
        forged
            .unwrap_err()
            .to_string()
            .contains("not signed by the key of bob")
    );
    assert_eq!(world.allow(&refusal, "alice", &alice).await.unwrap(), 1);
    assert_eq!(world.allow(&refusal, "alice", &alice).await.unwrap(), 1);
    assert_eq!(
        world.allow("0123456789abcdef", "bob", &bob).await.unwrap(),
        1
    );
    assert_eq!(world.crl("member").unwrap().der(), kept.der());
    assert_eq!(world.allow(&refusal, "bob", &bob).await.unwrap(), 2);
    until("the CRL", || {
        world.crl("member").filter(|crl| crl.len() == 10)
    })
    .await;
    world.ledger.verify_audit().await.unwrap();
    running.stop().await;
}

/// V7: while a CRL is being signed the ledger comes to say something else.
#[tokio::test(flavor = "multi_thread")]
async fn no_crl_says_otherwise_than_the_ledger() {
    const AT: &str = "WHERE serial = x'0440000002'";
    for (statement, says) in [
        (format!("DELETE FROM certificate {AT}"), "does not know it"),
        (
            format!("DELETE FROM revocation {AT}"),
            "says that it is not revoked",
        ),
        (
            format!("UPDATE revocation SET time = time - 86400 {AT}"),
            "(keyCompromise)",
        ),
        (
            format!("UPDATE revocation SET reason = 5 {AT}"),
            "(cessationOfOperation)",
        ),
        (
            format!("UPDATE revocation SET invalidity_date = 1 {AT}"),
            "(keyCompromise)",
        ),
    ] {
        let world = World::new().await;
        world.add_signing("member").await;
        world.certify("member", 1..=3).await;
        world.revoke("member", 1).await;
        let running = world.start();
        let kept = until("a CRL", || world.crl("member").filter(|crl| crl.len() == 1)).await;
        let tampers = world.tampers(&statement);
        world.signer.state().meanwhile = Some(Box::new(tampers));
        world.revoke("member", 2).await;
        let trouble = until("a refusal", || {
            running
                .trouble("member")
                .filter(|trouble| trouble.contains("V7"))
        })
        .await;
        for part in ["40000002", "and the ledger", says, "nobody can allow"] {
            assert!(trouble.contains(part), "{statement}: {trouble}");
        }
        assert_eq!(world.crl("member").unwrap().der(), kept.der());
        assert_eq!(
            running.metric("avouch_crl_failures_total", "member"),
            Some(1.0)
        );
        running.stop().await;
    }
}

/// V1 in a part: a certificate that names it is no longer in it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_part() {
    const URI: &str = "http://status.example/crl/member/part/1.crl";
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 1..=3).await;
    world.put_into_part("member", 1..=3, URI);
    world.revoke("member", 1).await;
    world.revoke("member", 2).await;
    let running = world.start();
    let kept = until("the part", || {
        world.part("member", URI).filter(|part| part.len() == 2)
    })
    .await;
    world.tamper("UPDATE certificate SET crl_partition = NULL WHERE serial = x'0440000002'");
    // The daily CRLs are made of what the ledger says then.
    world.clock.advance(86_400);
    world.revoke("member", 3).await;
    let trouble = until("a refusal", || {
        running
            .trouble("member")
            .filter(|trouble| trouble.contains("V1"))
    })
    .await;
    assert!(
        trouble.contains(URI) && trouble.contains("40000002"),
        "{trouble}"
    );
    assert_eq!(world.part("member", URI).unwrap().der(), kept.der());
    assert_eq!(world.crl("member").unwrap().len(), 2);
    running.stop().await;
}
