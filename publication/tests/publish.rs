//! What a publisher writes, and what it leaves behind when it dies.

#[allow(dead_code)] // Each test program uses its own part of it.
mod common;

use std::fs;
use std::sync::Arc;

use common::{CHANNEL, World, generation, object, offered, take};
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
    assert_eq!(
        candidate.objects[0].content,
        Content::Fresh(b"one".to_vec())
    );
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
    assert_eq!(
        candidate.objects[0].content,
        Content::Fresh(b"a large base".to_vec())
    );
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

    assert_eq!(publisher.current(), Some(&before));
    assert_eq!(offered(&mut world.follower()).manifest, before);
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
