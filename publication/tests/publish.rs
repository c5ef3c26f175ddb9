//! What a publisher writes, and what it leaves behind when it dies.

#[allow(dead_code)] // Each test program uses its own part of it.
mod common;

use std::fs;
use std::io::{Read, Seek};
use std::sync::Arc;

use common::{CHANNEL, World, fresh, generation, object, offered, refused, take};
use publication::{Content, PublishError, Publisher, Source};

#[test]
fn generations_move_forward_with_the_clock_or_without() {
    let world = World::new();
    let mut publisher = world.publisher();
    let first = publisher.publish(generation(&[b"1"])).unwrap();
    assert_eq!(first.generation, 1_800_000_000_000);
    let second = publisher.publish(generation(&[b"2"])).unwrap();
    assert_eq!(second.generation, first.generation + 1);
    drop(publisher);
    world.clock.advance(-3600);
    let third = world.publisher().publish(generation(&[b"3"])).unwrap();
    assert_eq!(third.generation, second.generation + 1);
}

#[test]
fn a_second_publisher_is_kept_out() {
    let world = World::new();
    let publisher = world.publisher();
    let second = Publisher::open(
        &world.root,
        CHANNEL,
        world.public_key(),
        world.signer(),
        Arc::new(world.clock.clone()),
    );
    assert!(matches!(second, Err(PublishError::InUse(_))), "{second:?}");
    drop(publisher);
    world.publisher();
}

#[test]
fn an_own_manifest_is_found_again_and_its_objects_read() {
    let world = World::new();
    let published = world.publisher().publish(generation(&[b"one"])).unwrap();
    let publisher = world.publisher();
    assert_eq!(publisher.current(), Some(&published));
    assert_eq!(
        publisher.object_bytes(&published.objects[0]).unwrap(),
        b"one"
    );
    fs::write(world.object_file(&published, 0), b"two").unwrap();
    assert!(publisher.object_bytes(&published.objects[0]).is_err());
}

#[test]
fn old_objects_are_collected_two_generations_later() {
    let world = World::new();
    let mut publisher = world.publisher();
    let manifests: Vec<_> = (0..4u8)
        .map(|number| {
            publisher
                .publish(generation(&[b"base", &[number]]))
                .unwrap()
        })
        .collect();
    assert!(!world.object_file(&manifests[0], 1).exists());
    for manifest in &manifests[1..] {
        assert!(world.object_file(manifest, 1).exists());
    }
    assert!(world.object_file(&manifests[0], 0).exists(), "still live");
}

#[test]
fn leftovers_of_a_crash_change_nothing_and_are_collected() {
    let world = World::new();
    let published = world.publisher().publish(generation(&[b"one"])).unwrap();
    // Died while it wrote an object, after it wrote one, and while it wrote the manifest.
    let objects = world.channel().join("objects");
    let half = objects.join(format!(".new-{}", "0".repeat(64)));
    let orphan = objects.join("1".repeat(64));
    fs::write(&half, b"ha").unwrap();
    fs::write(&orphan, b"orphan").unwrap();
    fs::write(world.channel().join(".new-manifest"), b"{").unwrap();

    let mut follower = world.follower();
    assert_eq!(take(&mut follower), published);
    let mut publisher = world.publisher();
    assert_eq!(publisher.current(), Some(&published));
    for number in 0..3u8 {
        publisher.publish(generation(&[&[number]])).unwrap();
        take(&mut follower);
    }
    assert!(!half.exists() && !orphan.exists());
    assert!(!world.channel().join(".new-manifest").exists());
}

#[test]
fn half_an_object_under_its_final_name_is_replaced() {
    let world = World::new();
    let mut publisher = world.publisher();
    let published = publisher.publish(generation(&[b"one"])).unwrap();
    fs::write(world.object_file(&published, 0), b"o").unwrap();
    publisher.publish(generation(&[b"one"])).unwrap();
    let candidate = offered(&mut world.follower());
    assert_eq!(fresh(&candidate.objects[0]), b"one");
}

#[test]
fn a_manifest_that_does_not_verify_counts_as_nothing_and_is_replaced() {
    let world = World::new();
    world.publisher().publish(generation(&[b"one"])).unwrap();
    fs::write(world.channel().join("manifest"), b"broken").unwrap();
    let mut publisher = world.publisher();
    assert_eq!(publisher.current(), None);
    let next = publisher.publish(generation(&[b"two"])).unwrap();
    assert_eq!(take(&mut world.follower()), next);
}

#[test]
fn objects_come_from_memory_from_a_file_or_from_before() {
    let world = World::new();
    let mut publisher = world.publisher();
    let staged = publisher.staging().unwrap().join("base");
    fs::write(&staged, b"a large base").unwrap();
    let mut new = generation(&[]);
    new.objects
        .push(object("base", Source::File(staged.clone())));
    let first = publisher.publish(new).unwrap();
    assert!(!staged.exists(), "moved");
    let mut new = generation(&[]);
    new.objects.push(object(
        "base",
        Source::Existing(first.objects[0].sha256.clone()),
    ));
    let second = publisher.publish(new).unwrap();
    assert_eq!(second.objects, first.objects);
    let candidate = offered(&mut world.follower());
    assert_eq!(fresh(&candidate.objects[0]), b"a large base");
}

#[test]
fn what_cannot_be_published_leaves_the_generation_before() {
    let world = World::new();
    let mut publisher = world.publisher();
    let before = publisher.publish(generation(&[b"one"])).unwrap();

    let mut gone = generation(&[]);
    gone.objects
        .push(object("base", Source::Existing("0".repeat(64))));
    assert!(matches!(
        publisher.publish(gone),
        Err(PublishError::ObjectGone { .. })
    ));
    let mut climbing = generation(&[]);
    climbing
        .objects
        .push(object("base", Source::Existing("../../x".to_owned())));
    assert!(publisher.publish(climbing).is_err());
    let mut bad_path = generation(&[b"two"]);
    bad_path.objects[0]
        .paths
        .push("/crl/../member.crl".to_owned());
    assert!(matches!(
        publisher.publish(bad_path),
        Err(PublishError::BadName(_))
    ));

    // A file that was to be moved in is gone, and nothing was written for it.
    let staged = publisher.staging().unwrap().join("base");
    fs::write(&staged, b"a base").unwrap();
    let mut gone = generation(&[b"three"]);
    gone.objects
        .push(object("base", Source::File(staged.clone())));
    gone.objects
        .push(object("more", Source::Existing("0".repeat(64))));
    assert!(publisher.publish(gone).is_err());
    assert!(!staged.exists());
    let objects = fs::read_dir(world.channel().join("objects")).unwrap();
    assert_eq!(objects.count(), 1, "only what is live");

    assert_eq!(publisher.current(), Some(&before));
    assert_eq!(offered(&mut world.follower()).manifest, before);
}

#[test]
fn an_object_may_be_named_by_its_tail() {
    let world = World::new();
    let mut publisher = world.publisher();
    let staged = publisher.staging().unwrap().join("base");
    fs::write(&staged, b"a large base, and its hashes").unwrap();
    let with_tail = |source, tail| {
        let mut new = generation(&[]);
        let mut object = object("base", source);
        object.tail = Some(tail);
        new.objects.push(object);
        new
    };
    let published = publisher
        .publish(with_tail(Source::File(staged), 6))
        .unwrap();
    let from_file = &published.objects[0];
    assert_eq!((from_file.size, from_file.tail), (28, Some(6)));
    let again = with_tail(Source::Bytes(b"a large base, and its hashes".to_vec()), 6);
    let again = publisher.publish(again).unwrap();
    assert_eq!(&again.objects[0], from_file);
    let existing = with_tail(Source::Existing(from_file.sha256.clone()), 6);
    assert_eq!(&publisher.publish(existing).unwrap().objects[0], from_file);
    for tail in [0, 29] {
        let wrong = with_tail(
            Source::Bytes(b"a large base, and its hashes".to_vec()),
            tail,
        );
        assert!(publisher.publish(wrong).is_err(), "{tail}");
    }

    // A follower reads and verifies the tail alone.
    let file = world.object_file(&published, 0);
    fs::write(&file, b"A LARGE BASE, AND ITS hashes").unwrap();
    let mut candidate = offered(&mut world.follower());
    let Content::File(found) = &mut candidate.objects[0].content else {
        panic!("{:?}", candidate.objects[0])
    };
    let mut content = String::new();
    found.rewind().unwrap();
    found.read_to_string(&mut content).unwrap();
    assert_eq!(content, "A LARGE BASE, AND ITS hashes");
    for (content, refusal) in [
        (&b"a large base, and its hashes."[..], "octets"),
        (b"a large base, and its HASHES", "SHA-256"),
    ] {
        fs::write(&file, content).unwrap();
        let refused = refused(&mut world.follower()).to_string();
        assert!(refused.contains(refusal), "{refused}");
        assert!(publisher.object_file(from_file).is_err());
        assert!(publisher.object_bytes(from_file).is_err());
    }
}

#[test]
fn what_a_crash_left_in_staging_is_removed() {
    let world = World::new();
    let staged = world.publisher().staging().unwrap().join("half");
    fs::write(&staged, b"half").unwrap();
    world.publisher();
    assert!(!staged.exists());
}

#[test]
fn an_existing_object_that_was_cut_off_counts_as_gone() {
    let world = World::new();
    let mut publisher = world.publisher();
    let first = publisher.publish(generation(&[b"one"])).unwrap();
    fs::write(world.object_file(&first, 0), b"on").unwrap();
    let mut next = generation(&[]);
    next.objects.push(object(
        "base",
        Source::Existing(first.objects[0].sha256.clone()),
    ));
    assert!(matches!(
        publisher.publish(next),
        Err(PublishError::ObjectGone { .. })
    ));
}

#[test]
fn a_signature_of_another_key_is_never_published() {
    let world = World::new();
    let other = World::new();
    let mut publisher = Publisher::open(
        &world.root,
        CHANNEL,
        world.public_key(),
        other.signer(),
        Arc::new(world.clock.clone()),
    )
    .unwrap();
    let refused = publisher.publish(generation(&[b"one"]));
    assert!(
        matches!(refused, Err(PublishError::WrongKey(_))),
        "{refused:?}"
    );
    assert!(!world.channel().join("manifest").exists());
}

#[test]
fn a_channel_name_cannot_leave_the_directory() {
    let world = World::new();
    for channel in ["../x/y", "ocsp/..", "ocsp", "/etc/x", "ocsp/a/b"] {
        let opened = Publisher::open(
            &world.root,
            channel,
            world.public_key(),
            world.signer(),
            Arc::new(world.clock.clone()),
        );
        assert!(matches!(opened, Err(PublishError::BadName(_))), "{channel}");
    }
}
