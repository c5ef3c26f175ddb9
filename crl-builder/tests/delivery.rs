//! What is published beside a CRL: variants, differences, the CRLs before it.

mod common;

use codings::Coding;
use common::{World, serial, until};
use pki::crl::Crl;
use pki::crl::difference::{Log, apply};
use pki::{Clock, CrlNumber};
use publication::{Directory, Manifest, Object};

impl World {
    fn object(&self, manifest: &Manifest, object: &Object) -> Vec<u8> {
        Directory::new(self.path("publication"))
            .object(&manifest.channel, object)
            .unwrap()
    }

    /// The CRL with so many entries, once it is published.
    async fn published(&self, entries: usize) -> (Manifest, Crl) {
        until("the CRL", || {
            let manifest = self.manifest("member")?;
            let crl = self.crl("member").filter(|crl| crl.len() == entries)?;
            let number = crl.number()?.to_string();
            let same = manifest.object("crl")?.details.get("number") == Some(&number);
            same.then_some((manifest, crl))
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kept_number_leads_to_the_current_crl() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 1..=60).await;
    let mut history = Vec::new();
    for round in 0..4 {
        // A restart loses nothing.
        let running = world.start();
        for step in 0..3 {
            let revoked = 3 * round + step;
            history.push(world.published(revoked as usize).await.1);
            world.revoke("member", 1 + revoked).await;
        }
        running.stop().await;
    }
    let running = world.start();
    let (manifest, current) = world.published(12).await;
    let log = manifest.object("crl-difference").unwrap();
    assert_eq!(log.paths, ["/crl/member.diff", "/old/member.diff"]);
    assert_eq!(log.content_type, "application/vnd.avouch.crl-difference");
    let octets = world.object(&manifest, log);
    let log = Log::read(&octets).unwrap();
    log.agrees_with(current.der()).unwrap();
    for crl in &history {
        let number = crl.number().unwrap();
        let (_, end) = log.prefixes().find(|(from, _)| *from == number).unwrap();
        let difference = Log::read(&octets[..end]).unwrap();
        assert_eq!(
            apply(crl.der(), number, &difference).unwrap(),
            current.der()
        );
    }

    // Each of them is still there under its number, and nowhere else.
    let earlier: Vec<_> = manifest.objects_of("crl-earlier").collect();
    assert_eq!(earlier.len(), history.len());
    for (object, crl) in earlier.iter().zip(history.iter().rev()) {
        let number = crl.number().unwrap();
        assert_eq!(object.paths, [format!("/crl/member/{number}.crl")]);
        assert_eq!(world.object(&manifest, object), crl.der());
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_stand_for_the_crl() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 1..=60).await;
    for number in 1..=60 {
        world.revoke("member", number).await;
    }
    let running = world.start();
    let (manifest, crl) = world.published(60).await;
    let sha256 = &manifest.object("crl").unwrap().sha256;
    let variants: Vec<_> = manifest.objects_of("variant").collect();
    let codings: Vec<_> = variants
        .iter()
        .map(|variant| variant.details["coding"].as_str())
        .collect();
    assert_eq!(codings, ["gzip", "zstd"]);
    for (variant, coding) in variants.iter().zip(Coding::ALL) {
        assert_eq!(&variant.details["of"], sha256);
        assert!(variant.paths.is_empty());
        let encoded = world.object(&manifest, variant);
        assert!(encoded.len() < crl.der().len() * 3 / 4);
        assert!(coding.stands_for(&encoded, crl.der()));
    }
    running.stop().await;
}

/// V3: an earlier CRL goes when it ends, and a bounded number stays.
#[tokio::test(flavor = "multi_thread")]
async fn earlier_crls_go() {
    let world = World::new().await;
    world.add_signing("member").await;
    let mut numbers: Vec<CrlNumber> = Vec::new();
    for day in 0..20 {
        let now = world.clock.now();
        let running = world.start();
        let crl = until("the daily CRL", || {
            world
                .crl("member")
                .filter(|crl| crl.this_update().plus_seconds(120) == now)
        })
        .await;
        let manifest = world.manifest("member").unwrap();
        let kept: Vec<_> = manifest.objects_of("crl-earlier").collect();
        // They last for seven days.
        assert_eq!(kept.len(), numbers.len().min(6), "on day {day}");
        for (object, number) in kept.iter().zip(numbers.iter().rev()) {
            assert_eq!(object.details["number"], number.to_string());
            assert!(object.next_update.unwrap() > crl.this_update());
        }
        numbers.push(crl.number().unwrap().clone());
        running.stop().await;
        world.clock.advance(86_400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_earlier_crls_at_most() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 1..=20).await;
    let running = world.start();
    for number in 1..=20 {
        world.published(number as usize - 1).await;
        world.revoke("member", number).await;
    }
    let (manifest, _) = world.published(20).await;
    assert_eq!(manifest.objects_of("crl-earlier").count(), 16);
    running.stop().await;
}

/// What is lost of the extras never keeps a CRL back.
#[tokio::test(flavor = "multi_thread")]
async fn lost_objects_cost_only_themselves() {
    let world = World::new().await;
    world.add_signing("member").await;
    world.certify("member", 1..=60).await;
    let running = world.start();
    for number in 1..=3 {
        world.published(number as usize - 1).await;
        world.revoke("member", number).await;
    }
    let (manifest, crl) = world.published(3).await;
    running.stop().await;
    for role in ["crl-earlier", "crl-difference"] {
        let lost = &manifest.object(role).unwrap().sha256;
        std::fs::remove_file(world.path(&format!("publication/crl/member/objects/{lost}")))
            .unwrap();
    }
    world.revoke("member", 4).await;
    let running = world.start();
    let (_, next) = world.published(4).await;
    assert!(next.number() > crl.number());
    assert!(next.find(&serial(4)).is_some());
    // And the one after it has everything again.
    world.revoke("member", 5).await;
    let (manifest, _) = world.published(5).await;
    let log = world.object(&manifest, manifest.object("crl-difference").unwrap());
    let log = Log::read(&log).unwrap();
    let froms: Vec<_> = log.prefixes().map(|(number, _)| number).collect();
    assert_eq!(froms[1], next.number().unwrap());
    assert_eq!(manifest.objects_of("crl-earlier").count(), 1);
    running.stop().await;
}

/// A delta and a part are compressed and have differences as the complete CRL has, once that pays; a part that stays
/// keeps what is beside it.
#[tokio::test(flavor = "multi_thread")]
async fn deltas_and_parts_are_cheap_too() {
    const URI: &str = "http://status.example/crl/member/part/1.crl";
    const SMALL: &str = "http://status.example/crl/member/part/2.crl";
    let world = World::new().await;
    world.add_signing("member").await;
    world.with_deltas("member").await;
    world.certify("member", 1..=200).await;
    world.put_into_part("member", 1..=100, URI);
    world.put_into_part("member", 101..=110, SMALL);
    let running = world.start();
    world.published(0).await;
    // In the delta, in the part, and in both; the first step of each is the one in which it has become large enough.
    for number in 1..=80 {
        world.revoke("member", number).await;
    }
    let (first, _) = world.published(80).await;
    world.revoke("member", 81).await;
    let (second, _) = world.published(81).await;
    world.revoke("member", 101).await;
    let (third, _) = world.published(82).await;
    running.stop().await;

    let list = |manifest: &Manifest, role: &str, uri: &str| {
        let mut lists = manifest.objects_of(role);
        lists
            .find(|list| list.details.get("uri").is_none_or(|of| of == uri))
            .unwrap()
            .clone()
    };
    let beside = |manifest: &Manifest, list: &Object| -> Vec<Object> {
        let about = |object: &&Object| object.details.get("of") == Some(&list.sha256);
        manifest.objects.iter().filter(about).cloned().collect()
    };
    for (role, uri, path) in [
        ("crl-delta", "", "/crl/member.delta.diff"),
        ("crl-partition", URI, "/crl/member/part/1.diff"),
    ] {
        let (old, new) = (list(&first, role, uri), list(&second, role, uri));
        let roles: Vec<_> = beside(&second, &new)
            .into_iter()
            .map(|object| object.role)
            .collect();
        assert_eq!(roles, ["variant", "variant", "crl-difference"], "{role}");
        for (object, coding) in beside(&second, &new).iter().zip(Coding::ALL) {
            let encoded = world.object(&second, object);
            let whole = world.object(&second, &new);
            assert!(encoded.len() < whole.len() && coding.stands_for(&encoded, &whole));
        }
        let difference = beside(&second, &new).remove(2);
        assert_eq!(difference.paths, [path]);
        let octets = world.object(&second, &difference);
        let number: CrlNumber = old.details["number"].parse().unwrap();
        let log = Log::read(&octets).unwrap();
        let end = log.prefixes().find(|(from, _)| **from == number).unwrap().1;
        let difference = Log::read(&octets[..end]).unwrap();
        let (old, new) = (world.object(&first, &old), world.object(&second, &new));
        assert_eq!(apply(&old, &number, &difference).unwrap(), new, "{role}");
    }
    // The part stays, and what is beside it; nothing is beside the small one.
    let (before, after) = (
        list(&second, "crl-partition", URI),
        list(&third, "crl-partition", URI),
    );
    assert_eq!(before.sha256, after.sha256);
    assert_eq!(beside(&second, &before), beside(&third, &after));
    let small = list(&third, "crl-partition", SMALL);
    assert_eq!(small.details["entries"], "1");
    assert_eq!(beside(&third, &small), []);
}

/// Certificates may name a new part at any time: it is there at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_part_is_published_at_once() {
    let world = World::new().await;
    world.add_signing("member").await;
    let running = world.start();
    world.published(0).await;
    let uri = "http://status.example/crl/member/part/2026-11.crl";
    world.reserve_in_part("member", uri).await;
    let part = until("the part", || world.part("member", uri)).await;
    assert!(part.is_empty());
    running.stop().await;
}
