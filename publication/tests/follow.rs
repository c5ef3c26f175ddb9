//! What a follower takes, and everything it refuses.

#[allow(dead_code)] // Each test program uses its own part of it.
mod common;

use std::fs;

use aws_lc_rs::signature::Ed25519KeyPair;
use common::{CHANNEL, World, copy_tree, fresh, generation, offered, refused, take};
use publication::{Content, Directory, Follower, Generations, Refusal};

#[test]
fn a_generation_arrives_whole() {
    let world = World::new();
    let mut follower = world.follower();
    assert!(
        follower.scan().unwrap().is_empty(),
        "there is no directory yet"
    );

    let published = world
        .publisher()
        .publish(generation(&[b"one", b"two"]))
        .unwrap();
    let candidate = offered(&mut follower);
    assert_eq!(candidate.manifest, published);
    assert_eq!(candidate.manifest.channel, CHANNEL);
    assert_eq!(candidate.manifest.as_of, 7);
    assert_eq!(fresh(&candidate.objects[0]), b"one");
    assert_eq!(fresh(&candidate.objects[1]), b"two");

    assert_eq!(
        offered(&mut follower).manifest,
        published,
        "offered until it is taken"
    );
    follower.take(&candidate).unwrap();
    assert!(follower.scan().unwrap().is_empty(), "nothing new");
}

#[test]
fn an_object_that_stays_is_not_read_again() {
    let world = World::new();
    let mut publisher = world.publisher();
    let mut follower = world.follower();
    let first = publisher.publish(generation(&[b"base"])).unwrap();
    take(&mut follower);
    // Even if it is damaged meanwhile, the reader has its own verified copy.
    fs::write(world.object_file(&first, 0), b"????").unwrap();
    let mut next = generation(&[b"base", b"delta"]);
    next.objects[0].source = publication::Source::Existing(first.objects[0].sha256.clone());
    publisher.publish(next).unwrap();
    let candidate = offered(&mut follower);
    assert!(matches!(candidate.objects[0].content, Content::Known));
    assert_eq!(fresh(&candidate.objects[1]), b"delta");
}

#[test]
fn a_bad_signature_is_refused() {
    let world = World::new();
    world.publisher().publish(generation(&[b"one"])).unwrap();
    let manifest = world.channel().join("manifest");
    let good = fs::read(&manifest).unwrap();
    let end = good.iter().position(|&byte| byte == b'\n').unwrap();
    for position in [2, end / 2, end - 1] {
        let mut bad = good.clone();
        bad[position] ^= 1;
        fs::write(&manifest, bad).unwrap();
        assert_eq!(refused(&mut world.follower()), Refusal::BadSignature);
    }
    let other = World {
        key: std::sync::Arc::new(Ed25519KeyPair::generate().unwrap()),
        ..World::new()
    };
    fs::write(&manifest, &good).unwrap();
    let mut stranger = Follower::new(
        Directory::new(&world.root),
        other.trust("ocsp/"),
        Generations::in_memory(),
    );
    assert_eq!(refused(&mut stranger), Refusal::BadSignature);
}

#[test]
fn any_of_several_pinned_keys_will_do_but_only_for_its_channels() {
    let world = World::new();
    let other = World::new();
    world.publisher().publish(generation(&[b"one"])).unwrap();
    let both = [other.trust("ocsp/"), world.trust("ocsp/")].concat();
    let mut follower = Follower::new(Directory::new(&world.root), both, Generations::in_memory());
    take(&mut follower);
    let elsewhere = [other.trust("ocsp/"), world.trust("crl/")].concat();
    let mut follower = Follower::new(
        Directory::new(&world.root),
        elsewhere,
        Generations::in_memory(),
    );
    assert_eq!(refused(&mut follower), Refusal::BadSignature);
}

#[test]
fn a_channel_without_a_pinned_key_is_refused_once() {
    let world = World::new();
    world
        .publisher_of("crl/member")
        .publish(generation(&[]))
        .unwrap();
    let mut follower = world.follower();
    assert_eq!(refused(&mut follower), Refusal::Untrusted);
    assert!(follower.scan().unwrap().is_empty(), "reported once");
    assert_eq!(follower.behind().len(), 1);
}

#[test]
fn a_manifest_of_another_channel_is_refused() {
    let world = World::new();
    world
        .publisher_of("ocsp/root")
        .publish(generation(&[]))
        .unwrap();
    fs::create_dir_all(world.channel()).unwrap();
    fs::rename(
        world.root.join("ocsp/root/manifest"),
        world.channel().join("manifest"),
    )
    .unwrap();
    assert_eq!(
        refused(&mut world.follower()),
        Refusal::DifferentChannel {
            named: "ocsp/root".to_owned()
        }
    );
}

#[test]
fn an_older_generation_is_refused_also_after_a_restart() {
    let world = World::new();
    let mut publisher = world.publisher();
    let mut follower = world.follower();
    let old = publisher.publish(generation(&[b"old"])).unwrap();
    take(&mut follower);
    let backup = world.temporary.path().join("backup");
    copy_tree(&world.root, &backup);
    world.clock.advance(60);
    let new = publisher.publish(generation(&[b"new"])).unwrap();
    take(&mut follower);
    drop(publisher);

    fs::remove_dir_all(&world.root).unwrap();
    copy_tree(&backup, &world.root);
    let expected = Refusal::OlderGeneration {
        offered: old.generation,
        taken: new.generation,
    };
    assert_eq!(refused(&mut follower), expected);
    assert!(
        follower.scan().unwrap().is_empty(),
        "the same refusal is reported once"
    );
    assert_eq!(
        refused(&mut world.follower()),
        expected,
        "a new process remembers"
    );

    // The publisher goes on over the restored directory, and its next generation is newer than all before.
    world.clock.advance(60);
    let next = world.publisher().publish(generation(&[b"next"])).unwrap();
    assert!(next.generation > new.generation);
    assert_eq!(take(&mut follower), next);
    assert!(follower.behind().is_empty());
}

#[test]
fn a_restarted_follower_takes_the_same_generation_again_but_no_other_content_of_it() {
    let world = World::new();
    let manifest = world.publisher().publish(generation(&[b"one"])).unwrap();
    take(&mut world.follower());
    assert_eq!(take(&mut world.follower()), manifest);

    let mut other = manifest.clone();
    other.as_of += 1;
    world.forge(&serde_json::to_string(&other).unwrap());
    assert_eq!(
        refused(&mut world.follower()),
        Refusal::ChangedGeneration {
            generation: manifest.generation
        }
    );
}

#[test]
fn a_changed_object_is_refused() {
    let world = World::new();
    let manifest = world.publisher().publish(generation(&[b"one"])).unwrap();
    fs::write(world.object_file(&manifest, 0), b"eno").unwrap();
    let mut follower = world.follower();
    assert_eq!(
        refused(&mut follower),
        Refusal::HashMismatch {
            object: "answers-0".to_owned()
        }
    );
    // Repaired, it is taken: a refusal of content is not for ever.
    fs::write(world.object_file(&manifest, 0), b"one").unwrap();
    assert_eq!(take(&mut follower), manifest);
}

#[test]
fn truncated_longer_and_missing_objects_are_refused() {
    let world = World::new();
    let manifest = world.publisher().publish(generation(&[b"one"])).unwrap();
    let file = world.object_file(&manifest, 0);
    for content in [&b"on"[..], b"", b"one more"] {
        fs::write(&file, content).unwrap();
        assert_eq!(
            refused(&mut world.follower()),
            Refusal::WrongSize {
                object: "answers-0".to_owned(),
                found: content.len() as u64,
                expected: 3,
            }
        );
    }
    fs::remove_file(&file).unwrap();
    assert!(matches!(
        refused(&mut world.follower()),
        Refusal::MissingObject { .. }
    ));
    fs::create_dir(&file).unwrap();
    assert!(matches!(
        refused(&mut world.follower()),
        Refusal::MissingObject { .. }
    ));
}

#[test]
fn a_half_written_manifest_is_refused_and_disturbs_nothing() {
    let world = World::new();
    let mut publisher = world.publisher();
    let mut follower = world.follower();
    publisher.publish(generation(&[b"one"])).unwrap();
    take(&mut follower);
    publisher.publish(generation(&[b"two"])).unwrap();
    let manifest = world.channel().join("manifest");
    let whole = fs::read(&manifest).unwrap();
    for length in (0..whole.len()).step_by(7) {
        fs::write(&manifest, &whole[..length]).unwrap();
        let mut fresh = world.follower();
        let refusal = refused(&mut fresh);
        assert!(
            matches!(refusal, Refusal::Malformed(_) | Refusal::BadSignature),
            "{length}: {refusal}"
        );
        assert!(follower.scan().unwrap().iter().all(Result::is_err));
    }
    fs::write(&manifest, &whole).unwrap();
    take(&mut follower);
}

#[test]
fn names_that_lead_elsewhere_are_refused_though_signed() {
    let world = World::new();
    let manifest = world.publisher().publish(generation(&[b"one"])).unwrap();
    let secret = world.temporary.path().join("secret");
    fs::write(&secret, b"one").unwrap();
    let good = serde_json::to_value(&manifest).unwrap();
    let mut traversals = Vec::new();
    for hash in [
        "../../../../secret",
        "/etc/passwd",
        "",
        "..",
        &"A".repeat(64),
    ] {
        let mut bad = good.clone();
        bad["objects"][0]["sha256"] = hash.into();
        traversals.push((bad, hash.to_owned()));
    }
    for path in ["/../x", "relative", "/a b", "/ä", "/x?y"] {
        let mut bad = good.clone();
        bad["objects"][0]["paths"] = serde_json::json!([path]);
        traversals.push((bad, path.to_owned()));
        let mut bad = good.clone();
        bad["ocsp_paths"] = serde_json::json!([path]);
        traversals.push((bad, path.to_owned()));
    }
    for (bad, name) in traversals {
        world.forge(&bad.to_string());
        assert_eq!(refused(&mut world.follower()), Refusal::UnsafeName(name));
    }
}

#[test]
fn other_versions_unknown_fields_and_nonsense_are_refused_though_signed() {
    let world = World::new();
    let manifest = world.publisher().publish(generation(&[b"one"])).unwrap();
    let good = serde_json::to_value(&manifest).unwrap();
    let mut version = good.clone();
    version["version"] = 1.into();
    let mut unknown = good;
    unknown["colour"] = "red".into();
    for json in [
        version.to_string(),
        unknown.to_string(),
        "{}".to_owned(),
        "[".to_owned(),
    ] {
        world.forge(&json);
        assert!(
            matches!(refused(&mut world.follower()), Refusal::Malformed(_)),
            "{json}"
        );
    }
}

#[test]
fn a_manifest_that_is_no_regular_file_or_too_large_is_refused() {
    let world = World::new();
    let manifest = world.channel().join("manifest");
    fs::create_dir_all(&manifest).unwrap();
    assert!(matches!(
        refused(&mut world.follower()),
        Refusal::Unreadable(_)
    ));
    fs::remove_dir(&manifest).unwrap();
    fs::File::create(&manifest)
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    assert!(matches!(
        refused(&mut world.follower()),
        Refusal::Malformed(_)
    ));
}

#[test]
fn one_bad_channel_does_not_stop_the_others() {
    let world = World::new();
    world
        .publisher_of("ocsp/a")
        .publish(generation(&[b"a"]))
        .unwrap();
    world
        .publisher_of("ocsp/b")
        .publish(generation(&[b"b"]))
        .unwrap();
    fs::write(world.root.join("ocsp/a/manifest"), "nonsense").unwrap();
    fs::create_dir_all(world.root.join("ocsp/empty/objects")).unwrap();
    fs::write(world.root.join("ocsp/file"), "not a directory").unwrap();
    let mut follower = world.follower();
    let found = follower.scan().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].as_ref().unwrap_err().channel, "ocsp/a");
    assert_eq!(found[1].as_ref().unwrap().manifest.channel, "ocsp/b");
}

#[test]
fn what_the_reader_refuses_is_not_offered_again_nor_remembered() {
    let world = World::new();
    let mut publisher = world.publisher();
    let mut follower = world.follower();
    publisher.publish(generation(&[b"one"])).unwrap();
    let candidate = offered(&mut follower);
    let refused = follower.refuse(&candidate, "answer set: bad magic");
    assert_eq!(refused.reason.to_string(), "answer set: bad magic");
    assert!(follower.scan().unwrap().is_empty());
    assert_eq!(follower.behind(), [refused]);
    assert!(follower.generations().get(CHANNEL).is_none());
    publisher.publish(generation(&[b"two"])).unwrap();
    take(&mut follower);
    assert!(follower.behind().is_empty());
}

#[test]
fn a_damaged_memory_is_an_error_and_not_an_empty_one() {
    let world = World::new();
    world.publisher().publish(generation(&[b"one"])).unwrap();
    take(&mut world.follower());
    fs::write(world.generations(), "{").unwrap();
    let error = Generations::open(world.generations()).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_publication_wakes_the_follower() {
    let world = World::new();
    let mut publisher = world.publisher();
    let mut watch = world.follower().watch();
    watch.changed().await;
    // The first wake-up covers what came before; from now on only a publication can wake it early.
    let waiting = tokio::spawn(async move {
        let start = std::time::Instant::now();
        watch.changed().await;
        start.elapsed()
    });
    tokio::task::yield_now().await;
    publisher.publish(generation(&[b"one"])).unwrap();
    assert!(waiting.await.unwrap() < publication::POLL_INTERVAL);
}

#[tokio::test]
async fn a_directory_that_appears_later_is_found() {
    let world = World::new();
    let mut follower = world.follower();
    let mut watch = follower.watch();
    world.publisher().publish(generation(&[b"one"])).unwrap();
    watch.changed().await;
    take(&mut follower);
}
