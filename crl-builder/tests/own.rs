//! CRLs that we sign, from the ledger to the publication.

mod common;

use std::time::{Duration, Instant};

use common::{World, open_ledger, serial, until};
use pki::crl::Crl;
use pki::crl::verify::{Expected, OwnRules, Profile, Scope, verify_crl};
use pki::{Clock, CrlNumber, RevocationReason};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_one_at_once_and_then_every_revocation() {
    let world = World::new().await;
    let ca = world.add_signing("member").await;
    let running = world.start();
    let first = until("a first CRL", || world.crl("member")).await;
    assert!(first.is_empty());

    world.certify("member", 1..=3).await;
    world.revoke("member", 2).await;
    let started = Instant::now();
    let crl = until("the revocation", || {
        world.crl("member").filter(|crl| crl.len() == 1)
    })
    .await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert!(crl.number() > first.number());
    let entry = crl.find(&serial(2)).unwrap();
    assert_eq!(entry.reason, Some(RevocationReason::KeyCompromise));
    assert_eq!(entry.revocation_date, world.clock.now());

    let expected = Expected {
        ca: &ca,
        now: world.clock.now(),
        scope: Scope::Complete,
        previous: None,
        profile: Profile::Own(OwnRules {
            browser_forum: true,
            ..OwnRules::default()
        }),
    };
    verify_crl(crl.der(), &expected).unwrap();
    std::fs::write(world.path("crl.der"), crl.der()).unwrap();
    let said = world.openssl(&[
        "crl",
        "-inform",
        "DER",
        "-in",
        "crl.der",
        "-CAfile",
        "member.pem",
        "-noout",
        "-text",
    ]);
    assert!(
        said.contains("verify OK") && said.contains("Key Compromise"),
        "{said}"
    );

    let manifest = world.manifest("member").unwrap();
    let numbered = format!("/crl/member/{}.crl", crl.number().unwrap());
    assert_eq!(
        manifest.objects[0].paths,
        ["/ca/member.cer", "/old/member.crt"]
    );
    assert_eq!(
        manifest.objects[1].paths,
        ["/crl/member.crl", "/old/member.crl", numbered.as_str()]
    );
    assert_eq!(manifest.objects[1].next_update, crl.next_update());
    assert_eq!(
        world
            .ledger
            .last_crl("member")
            .await
            .unwrap()
            .unwrap()
            .number,
        *crl.number().unwrap()
    );

    until("readiness", || {
        running.trouble("member").is_none().then_some(())
    })
    .await;
    assert_eq!(running.metric("avouch_crl_entries", "member"), Some(1.0));
    assert_eq!(
        running.metric("avouch_crl_age_seconds", "member"),
        Some(120.0)
    );
    assert_eq!(
        running.metric("avouch_crl_seconds_to_next_update", "member"),
        Some(168.0 * 3600.0 - 120.0)
    );
    running.stop().await;
}

/// S3: batched when they come fast.
#[tokio::test(flavor = "multi_thread")]
async fn many_revocations_share_crls() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 0..200).await;
    let running = world.start();
    until("a first CRL", || world.crl("member")).await;
    let started = Instant::now();
    for number in 0..200 {
        world.revoke("member", number).await;
    }
    until("all of them", || {
        world.crl("member").filter(|crl| crl.len() == 200)
    })
    .await;
    let intervals = started.elapsed().as_millis() / 300;
    let crls = world.signer.state().asked.len();
    assert!(
        crls as u128 <= intervals + 3,
        "{crls} CRLs in {intervals} intervals"
    );
    running.stop().await;
}

/// V12: one issuer without a signer does not hold up the other, and catches up by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_signer_is_away_for_one_issuer() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.add_signing("assured").await;
    world.certify("member", 1..=3).await;
    world.certify("assured", 1..=3).await;
    let running = world.start();
    let kept = until("a first CRL", || world.crl("member")).await;
    until("a first CRL", || world.crl("assured")).await;

    world.signer.state().away.push("member".to_owned());
    world.revoke("member", 1).await;
    let away = |trouble: &String| trouble.contains("it is away");
    let trouble = until("trouble", || running.trouble("member").filter(away)).await;
    assert!(trouble.contains("the published CRL ends at"), "{trouble}");
    assert!(
        running
            .metric("avouch_crl_failures_total", "member")
            .unwrap()
            >= 1.0
    );
    world.revoke("assured", 1).await;
    until("the other's revocation", || {
        world.crl("assured").filter(|crl| crl.len() == 1)
    })
    .await;
    until("readiness", || {
        running.trouble("assured").is_none().then_some(())
    })
    .await;
    assert_eq!(world.crl("member").unwrap().der(), kept.der());

    world.signer.state().away.clear();
    until("the revocation", || {
        world.crl("member").filter(|crl| crl.len() == 1)
    })
    .await;
    until("readiness", || {
        running.trouble("member").is_none().then_some(())
    })
    .await;
    running.stop().await;
}

/// Without a CRL the CA certificate is served all the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_signer_was_never_there() {
    let world = World::new().await;
    world.signer.state().away.push("member".to_owned());
    world.add_signing("member").await;
    let running = world.start();
    let manifest = until("the CA certificate", || world.manifest("member")).await;
    assert_eq!(manifest.objects.len(), 1);
    assert_eq!(manifest.objects[0].role, "ca-certificate");
    world.signer.state().away.clear();
    until("a first CRL", || world.crl("member")).await;
    running.stop().await;
}

/// V9: what does not verify is not published.
#[tokio::test(flavor = "multi_thread")]
async fn the_signer_signs_something_else() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 1..=3).await;
    let running = world.start();
    let kept = until("a first CRL", || world.crl("member")).await;
    world.signer.state().mad.push("member".to_owned());
    world.revoke("member", 1).await;
    until("CRL-31", || {
        running
            .trouble("member")
            .filter(|trouble| trouble.contains("CRL-31"))
    })
    .await;
    assert_eq!(world.crl("member").unwrap().der(), kept.der());
    running.stop().await;
}

/// V5: over restarts, numbers lost in a crash, a lost publication, a ledger restored from nothing.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_only_rise() {
    let mut world = World::new().await;
    world.add_signing("member").await;
    let running = world.start();
    let first = until("a first CRL", || world.number("member")).await;
    running.stop().await;

    // Nothing happened: the same CRL stays.
    let running = world.start();
    until("readiness", || {
        running.trouble("member").is_none().then_some(())
    })
    .await;
    assert_eq!(world.number("member"), Some(first));
    running.stop().await;

    // A number was reserved, then came the crash; a day later there is a new CRL.
    let reserved = world
        .ledger
        .reserve_crl_number("member", &CrlNumber::zero())
        .await
        .unwrap();
    world.clock.advance(86_400);
    let running = world.start();
    let second = until("the daily CRL", || {
        world.number("member").filter(|&number| number > first)
    })
    .await;
    assert!(CrlNumber::from(second) > reserved);
    running.stop().await;

    // The publication is lost.
    std::fs::remove_dir_all(world.path("publication")).unwrap();
    let running = world.start();
    let third = until("a CRL", || world.number("member")).await;
    assert!(third > second);
    running.stop().await;

    // The ledger is lost.
    let issuer = world.ledger.issuer("member").await.unwrap().unwrap();
    std::fs::create_dir(world.path("other")).unwrap();
    world.ledger = open_ledger(&world.path("other"), &world.clock).await;
    world.ledger.add_issuer(issuer, "test").await.unwrap();
    let asked = world.signer.state().asked.len();
    world.certify("member", 1..=3).await;
    world.revoke("member", 1).await;
    let running = world.start();
    let fourth = until("a CRL", || {
        world.number("member").filter(|&number| number > third)
    })
    .await;
    assert!(fourth > third);
    assert_eq!(world.signer.state().asked.len(), asked + 1);
    running.stop().await;

    // It is lost again, and has passed the published event by others that change no CRL.
    let issuer = world.ledger.issuer("member").await.unwrap().unwrap();
    std::fs::create_dir(world.path("third")).unwrap();
    world.ledger = open_ledger(&world.path("third"), &world.clock).await;
    world.ledger.add_issuer(issuer, "test").await.unwrap();
    world.certify("member", 1..=50).await;
    let running = world.start();
    let fifth = until("a CRL", || {
        world.number("member").filter(|&number| number > fourth)
    })
    .await;
    assert!(fifth > fourth);
    // The revocation that was published is not lost: the ledger knows it again (V1).
    assert!(world.crl("member").unwrap().find(&serial(1)).is_some());
    let status = world.ledger.status("member", &serial(1)).await.unwrap();
    assert!(status.unwrap().revoked.is_some());
    running.stop().await;
}

/// Both the ledger and the publication were lost, but the signer remembers.
#[tokio::test(flavor = "multi_thread")]
async fn the_signer_knows_a_higher_number() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.signer.state().last_number = 1_000_000;
    let running = world.start();
    let number = until("a CRL", || world.number("member")).await;
    assert!(number > 1_000_000);
    running.stop().await;
}

/// After a start the lists go on from what is published, each part from its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing_of_the_parts() {
    const URI: &str = "http://status.example/crl/member/part/1.crl";
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 1..=4).await;
    world.put_into_part("member", 1..=4, URI);
    let listed = |number| {
        let has = move |part: &Crl| (1..=number).all(|it| part.find(&serial(it)).is_some());
        let world = &world;
        until("the part", move || world.part("member", URI).filter(has))
    };
    for number in 1..=3 {
        world.revoke("member", number).await;
        if number == 3 {
            // What is lost is read from the ledger again.
            let manifest = world.manifest("member").unwrap();
            let lost = &manifest.object("crl-partition").unwrap().sha256;
            let objects = world.path("publication/crl/member/objects");
            std::fs::remove_file(objects.join(lost)).unwrap();
        }
        let running = world.start();
        listed(number).await;
        running.stop().await;
    }
}

/// What the signer was told before a start, or before it failed in the middle, is neither told nor compared again.
#[tokio::test(flavor = "multi_thread")]
async fn the_signer_is_told_everything_once() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 1..=6).await;
    let listed = |entries: usize| {
        let world = &world;
        until("the CRL", move || {
            world.crl("member").filter(|crl| crl.len() == entries)
        })
    };
    for number in 1..=6_u32 {
        world.revoke("member", number).await;
        if number == 5 {
            // Also those that came while it was stopped.
            continue;
        }
        let running = world.start();
        listed(number as usize).await;
        running.stop().await;
        let state = world.signer.state();
        assert_eq!((state.told, state.compared), (number as usize, 0));
    }
}

/// S4: expired certificates leave.
#[tokio::test(flavor = "multi_thread")]
async fn expired_certificates_leave() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 1..=2).await;
    world.revoke("member", 1).await;
    for (days, entries) in [(0, 1), (364, 1), (2, 1), (1, 0)] {
        world.clock.advance(days * 86_400 + 300);
        let now = world.clock.now();
        let running = world.start();
        let crl = until("a CRL", || {
            world
                .crl("member")
                .filter(|crl| crl.this_update().plus_seconds(120) == now)
        })
        .await;
        assert_eq!(crl.len(), entries, "after {days} more days");
        running.stop().await;
    }
}

/// The number of issuers may grow while it runs.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_comes_later() {
    let world = World::new().await;
    let running = world.start();
    world.add_signing("late").await;
    until("a CRL", || world.crl("late")).await;
    running.stop().await;
}

/// The signer was told of a revocation, the CRL with it never came to be, the ledger was restored to a state before it, and
/// its owner revoked again: the signer stands by what it was told, and the ledger takes that over.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_anew_after_a_restore_keeps_its_first_date() {
    let mut world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 0..4).await;
    let running = world.start();
    until("a first CRL", || world.crl("member")).await;
    running.stop().await;
    let copy = world.back_up("copy");

    world.signer.state().mad.push("member".to_owned());
    world.revoke("member", 2).await;
    let first = world.clock.now();
    let running = world.start();
    until("the refusal", || {
        let trouble = running.trouble("member")?;
        trouble.contains("is not published").then_some(())
    })
    .await;
    running.stop().await;
    world.signer.state().mad.clear();

    world.restore(copy).await;
    world.clock.advance(3_600);
    world.revoke("member", 2).await;
    let running = world.start();
    let crl = until("the revocation", || {
        world
            .crl("member")
            .filter(|crl| crl.find(&serial(2)).is_some())
    })
    .await;
    assert_eq!(crl.find(&serial(2)).unwrap().revocation_date, first);
    until("all is well", || {
        running.trouble("member").is_none().then_some(())
    })
    .await;
    running.stop().await;
    let status = world.ledger.status("member", &serial(2)).await.unwrap();
    let (date, _) = status.unwrap().revoked.unwrap();
    assert_eq!(date, first);
    world.ledger.verify_audit().await.unwrap();
}
