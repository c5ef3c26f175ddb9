//! Sixty days of a builder that is stopped and started, with a signer that is away or mad, a publication that cannot be
//! written, a ledger that is restored from older copies, and revocations all the while. `AVOUCH_LONG=1` repeats them with
//! other choices.

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::{Running, World, serial, until};
use pki::crl::Crl;
use pki::{Clock, Time};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// A CRL that ends sooner than this is never left without an alarm.
const MARGIN: i64 = 2 * DAY;

const FIRST_SEED: u64 = 2026;
const LONG_SEEDS: u64 = 50;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What is wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    SignerAway,
    SignerMad,
    PublicationBroken,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    published: BTreeSet<u32>,
    last: Option<Crl>,
    alarms: usize,
    allowed: usize,
    ended: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_crl_ends_unannounced_and_nothing_is_lost() {
    let long = std::env::var_os("AVOUCH_LONG").is_some_and(|long| !long.is_empty());
    for seed in 0..if long { LONG_SEEDS } else { 1 } {
        sixty_days(FIRST_SEED + seed).await;
    }
}

async fn sixty_days(seed: u64) {
    let mut world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 0..400).await;
    let mut operators = Vec::new();
    for name in ["alice", "bob"] {
        operators.push((name, world.add_operator(name).await));
    }
    let mut dice = Dice(seed);
    let mut seen = Seen::default();
    let mut revoked = BTreeSet::new();
    let mut fault: Option<(Fault, Time)> = None;
    let mut copy: Option<PathBuf> = None;
    let start = world.clock.now();
    let mut restores = 0;
    while world.clock.now() < start.plus_seconds(60 * DAY) {
        world
            .clock
            .advance(HOUR + dice.roll(9 * HOUR.unsigned_abs()).cast_signed());
        let now = world.clock.now();
        if fault.is_some_and(|(_, until)| now >= until) {
            clear(&world);
            fault = None;
        }
        if fault.is_none() && dice.roll(8) == 0 {
            let kind = [
                Fault::SignerAway,
                Fault::SignerMad,
                Fault::PublicationBroken,
            ];
            let kind = kind[dice.roll(3) as usize];
            let days = i64::try_from(1 + dice.roll(9)).unwrap();
            fault = Some((kind, now.plus_seconds(days * DAY)));
            bring(&world, kind);
        }
        match dice.roll(12) {
            0 => copy = Some(world.back_up(&format!("copy-{}", now.unix()))),
            // Until the builder can read what is published it cannot tell the ledger what it has forgotten.
            1 if fault.is_none_or(|(fault, _)| fault != Fault::PublicationBroken) => {
                if let Some(copy) = copy.take() {
                    world.restore(copy).await;
                    restores += 1;
                }
            }
            2..8 => {
                let number = u32::try_from(dice.roll(400)).unwrap();
                world.revoke("member", number).await;
                revoked.insert(number);
            }
            _ => {}
        }
        let running = world.start();
        let kind = fault.map(|(fault, _)| fault);
        while let Some(refusal) = settled(&world, &running, kind, &mut seen).await {
            // Revoked once more in a ledger that was restored and had forgotten it: two operators decide.
            for (name, key) in &operators {
                world.allow(&refusal, name, key).await.unwrap();
            }
            let taken = || {
                running
                    .trouble("member")
                    .is_none_or(|it| !it.contains(&refusal))
            };
            until("what the operators allow", || taken().then_some(())).await;
            seen.allowed += 1;
        }
        running.stop().await;
    }
    clear(&world);
    // Whatever a restore took from the ledger before it was published is revoked again, as its owner would.
    for number in &revoked {
        world.revoke("member", *number).await;
    }
    let running = world.start();
    while let Some(refusal) = settled(&world, &running, None, &mut seen).await {
        allow(&world, &running, &refusal, &operators).await;
        seen.allowed += 1;
    }
    let all = |crl: &Crl| {
        revoked
            .iter()
            .all(|number| crl.find(&serial(*number)).is_some())
    };
    until("everything revoked", || world.crl("member").filter(all)).await;
    world.ledger.verify_audit().await.unwrap();
    running.stop().await;
    println!(
        "seed {seed}: {} revocations, {} alarms, {} times past the end of a CRL, {restores} restores, {} refusals allowed",
        revoked.len(),
        seen.alarms,
        seen.ended,
        seen.allowed
    );
    // The days were as bad as they should be.
    assert!(seen.alarms > 5 && restores > 0, "these days were too good");
    assert!(
        seed != FIRST_SEED || seen.ended > 0,
        "no fault lasted until a CRL ended"
    );
}

/// Waits until the builder has published what is due or says why not, and looks at what is published. What the gate
/// refuses is given back.
async fn settled(
    world: &World,
    running: &Running,
    fault: Option<Fault>,
    seen: &mut Seen,
) -> Option<String> {
    let now = world.clock.now();
    let fresh = |crl: &Crl| {
        let this_update = crl.this_update().plus_seconds(120);
        this_update.plus_seconds(DAY) > now && crl.next_update().is_some_and(|end| end > now)
    };
    let (crl, alarm) = until("a CRL or an alarm", || {
        let crl = world.crl("member");
        let alarm = running
            .trouble("member")
            .filter(|alarm| !alarm.contains("starting"));
        let due = !crl.as_ref().is_some_and(fresh);
        let refused = alarm.as_deref().is_some_and(|it| it.contains(REFUSED));
        let told = refused || fault.is_some() && alarm.is_some();
        (told || !due && alarm.is_none()).then_some((crl, alarm))
    })
    .await;
    let Some(crl) = crl else {
        assert!(alarm.is_some());
        return None;
    };
    let end = crl.next_update().unwrap();
    assert!(
        end > now.plus_seconds(MARGIN) || alarm.is_some(),
        "it ends at {end} and nobody says so"
    );
    seen.alarms += usize::from(alarm.is_some());
    seen.ended += usize::from(end <= now);
    if let Some(last) = &seen.last {
        assert!(crl.number() >= last.number());
        assert!(crl.number() != last.number() || crl.der() == last.der());
        assert!(crl.this_update() >= last.this_update());
    }
    for number in &seen.published {
        assert!(
            crl.find(&serial(*number)).is_some(),
            "{number} was forgotten"
        );
    }
    seen.published
        .extend((0..400).filter(|number| crl.find(&serial(*number)).is_some()));
    seen.last = Some(crl);
    let (_, refusal) = alarm.as_deref()?.split_once(REFUSED)?;
    Some(refusal[..16].to_owned())
}

/// Before the id of what the gate refuses.
const REFUSED: &str = "avouch crl allow ISSUER ";

/// What was revoked once more in a ledger that had been restored and had forgotten it has two dates: people decide.
async fn allow(
    world: &World,
    running: &Running,
    refusal: &str,
    operators: &[(&str, keystore::SigningKey)],
) {
    for (name, key) in operators {
        world.allow(refusal, name, key).await.unwrap();
    }
    let taken = || {
        let trouble = running.trouble("member");
        trouble.is_none_or(|trouble| !trouble.contains(refusal))
    };
    until("what the operators allow", || taken().then_some(())).await;
}

fn bring(world: &World, fault: Fault) {
    let mut signer = world.signer.state();
    match fault {
        Fault::SignerAway => signer.away.push("member".to_owned()),
        Fault::SignerMad => signer.mad.push("member".to_owned()),
        Fault::PublicationBroken => {
            let objects = world.path("publication/crl/member/objects");
            if objects.exists() {
                std::fs::rename(&objects, world.path("moved-away")).unwrap();
                std::fs::write(&objects, "not a directory").unwrap();
            }
        }
    }
}

fn clear(world: &World) {
    let mut signer = world.signer.state();
    signer.away.clear();
    signer.mad.clear();
    let objects = world.path("publication/crl/member/objects");
    if world.path("moved-away").exists() {
        std::fs::remove_file(&objects).unwrap();
        std::fs::rename(world.path("moved-away"), &objects).unwrap();
    }
}
