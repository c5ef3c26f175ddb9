//! The store of encrypted keys: what survives, what is refused, and what the refusal says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keystore::{Cost, EncryptedStore, SecretString, ShareError, SigningKey, StoreError};
use pki::KeyKind;

fn passphrase() -> SecretString {
    SecretString::from("correct horse battery staple")
}

/// A store that is cheap to open.
fn create(directory: &Path) -> EncryptedStore {
    EncryptedStore::create_with(
        directory,
        &passphrase(),
        Cost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        },
    )
    .unwrap()
}

fn key() -> SigningKey {
    SigningKey::generate(KeyKind::P256).unwrap()
}

#[test]
fn keys_come_back_as_they_went_in() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path());
    for (name, kind) in [
        ("root", KeyKind::P384),
        ("member", KeyKind::Rsa(2048)),
        ("odd-1_x", KeyKind::Ed25519),
        ("p521", KeyKind::P521),
    ] {
        let key = SigningKey::generate(kind).unwrap();
        store.insert(name, &key).unwrap();
        let reopened = EncryptedStore::open(directory.path(), &passphrase()).unwrap();
        assert_eq!(reopened.get(name).unwrap().public_key(), key.public_key());
    }
    assert_eq!(
        store.names().unwrap(),
        ["member", "odd-1_x", "p521", "root"]
    );
}

#[test]
fn the_default_cost_is_64_mib_and_three_passes() {
    let directory = tempfile::tempdir().unwrap();
    EncryptedStore::open_or_create(directory.path(), &passphrase()).unwrap();
    let share = fs::read_to_string(share_of(directory.path())).unwrap();
    assert!(
        share.contains("\nDerivation: argon2id m=65536 t=3 p=1 salt="),
        "{share}"
    );
    let header = fs::read_to_string(directory.path().join("store.header")).unwrap();
    assert!(header.starts_with("avouch-keystore 2 set="), "{header}");
    EncryptedStore::open_or_create(directory.path(), &passphrase()).unwrap();
}

/// The one share of a store that is opened unattended.
fn share_of(directory: &Path) -> PathBuf {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "share")
        })
        .unwrap()
}

#[test]
fn nothing_is_readable_by_others_or_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    let store = create(&path);
    let key = key();
    store.insert("a", &key).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for entry in fs::read_dir(&path).unwrap() {
        let file = entry.unwrap().path();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let content = fs::read(&file).unwrap();
        let secret = key.to_pkcs8_der().unwrap();
        assert!(
            !content
                .windows(16)
                .any(|window| secret.windows(16).any(|part| part == window))
        );
    }
}

#[test]
fn a_wrong_passphrase_is_told_apart_from_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path());
    store.insert("a", &key()).unwrap();
    let wrong = EncryptedStore::open(directory.path(), &SecretString::from("wrong")).unwrap_err();
    assert!(matches!(wrong, StoreError::WrongPassphrase(_)));
    assert!(wrong.to_string().contains("wrong passphrase"));

    assert_eq!(wrong.to_string().matches('\n').count(), 0);

    let path = directory.path().join("a.key");
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x01;
        fs::write(&path, &bad).unwrap();
        let error = store.get("a").unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Damaged { .. }
                    | StoreError::ForeignKey(_)
                    | StoreError::Unsupported { .. }
            ),
            "octet {at}: {error}"
        );
    }
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        assert!(store.get("a").is_err(), "length {length}");
    }
    fs::write(&path, &good).unwrap();
    store.get("a").unwrap();
}

#[test]
fn a_key_cannot_stand_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path());
    store.insert("a", &key()).unwrap();
    fs::rename(
        directory.path().join("a.key"),
        directory.path().join("b.key"),
    )
    .unwrap();
    assert!(matches!(store.get("b"), Err(StoreError::Damaged { .. })));

    let other = tempfile::tempdir().unwrap();
    create(other.path()).insert("c", &key()).unwrap();
    fs::copy(other.path().join("c.key"), directory.path().join("c.key")).unwrap();
    assert!(matches!(store.get("c"), Err(StoreError::ForeignKey(_))));
}

#[test]
fn keys_and_stores_are_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path());
    let first = key();
    store.insert("a", &first).unwrap();
    assert!(matches!(
        store.insert("a", &key()),
        Err(StoreError::Exists(_))
    ));
    assert_eq!(store.get("a").unwrap().public_key(), first.public_key());
    assert!(matches!(
        EncryptedStore::create(directory.path(), &passphrase()),
        Err(StoreError::Exists(_))
    ));
}

#[test]
fn names_cannot_leave_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path());
    for name in [
        "",
        "../a",
        "a/b",
        "A",
        "-a",
        ".a",
        "a.b",
        "á",
        &"a".repeat(65),
    ] {
        assert!(
            matches!(store.insert(name, &key()), Err(StoreError::Name(_))),
            "{name:?}"
        );
        assert!(
            matches!(store.get(name), Err(StoreError::Name(_))),
            "{name:?}"
        );
    }
    assert!(matches!(store.get("a"), Err(StoreError::NotFound(_))));
    assert!(matches!(
        EncryptedStore::open(&directory.path().join("none"), &passphrase()),
        Err(StoreError::NoStore(_))
    ));
}

#[test]
fn another_process_sees_a_new_key_and_ignores_an_unfinished_one() {
    let directory = tempfile::tempdir().unwrap();
    let one = create(directory.path());
    let two = EncryptedStore::open(directory.path(), &passphrase()).unwrap();
    one.insert("new", &key()).unwrap();
    fs::write(directory.path().join(".half.key.1.2.tmp"), b"avouch-key").unwrap();
    assert_eq!(two.names().unwrap(), ["new"]);
    two.get("new").unwrap();
}

#[test]
fn hostile_files_are_refused_without_work() {
    let directory = tempfile::tempdir().unwrap();
    create(directory.path());
    let share = share_of(directory.path());
    let good = fs::read_to_string(&share).unwrap();
    for (from, to) in [
        ("m=64", "m=4294967295"),
        ("t=1", "t=4294967295"),
        ("t=1", "t=-1"),
        ("argon2id", "argon2i"),
    ] {
        let bad = good.replace(from, to);
        // With a checksum that fits, as somebody who plants a file makes it.
        let lines = &bad[bad.find('\n').unwrap() + 1..bad.find("Checksum").unwrap()];
        let sum = hex::encode(&pki::HashAlgorithm::Sha256.digest(lines.as_bytes())[..4]);
        let at = bad.find("Checksum: ").unwrap() + 10;
        let bad = format!("{}{sum}{}", &bad[..at], &bad[at + 8..]);
        fs::write(&share, &bad).unwrap();
        let error = EncryptedStore::open(directory.path(), &passphrase()).unwrap_err();
        assert!(
            matches!(error, StoreError::Share(ShareError::Damaged(..))),
            "{error}"
        );
        assert!(!error.to_string().contains("checksum"), "{error}");
    }
    fs::write(&share, &good).unwrap();

    let header = directory.path().join("store.header");
    let good = fs::read_to_string(&header).unwrap();
    for bad in [
        good.replace("threshold=1", "threshold=2"),
        good.replace("threshold=1 shares=1", "threshold=2 shares=3"),
        good.replace("threshold=1", "threshold=+1"),
        good.replace("purpose=production", "purpose=rehearsal"),
        good.replace("avouch-keystore 2", "avouch-keystore 1"),
        good.replace('\n', ""),
        String::new(),
    ] {
        fs::write(&header, &bad).unwrap();
        assert!(
            EncryptedStore::open(directory.path(), &passphrase()).is_err(),
            "{bad}"
        );
    }
    fs::write(&header, &good).unwrap();
    EncryptedStore::open(directory.path(), &passphrase()).unwrap();
}
