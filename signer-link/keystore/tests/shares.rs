//! Shares of a store: any m of n open it, and whatever is wrong with one is said of that one.

use std::fs;
use std::path::Path;

use keystore::{
    Cost, EncryptedStore, Holder, NewStore, Purpose, SealedShare, SecretString, ShareError,
    Sharing, SigningKey, StoreError, Unlocking,
};
use pki::KeyKind;

const CHEAP: Cost = Cost {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
};

const NAMES: [&str; 5] = ["Alice", "Bób", "Carol C.", "Δήμητρα", "Eve"];

fn passphrase_of(name: &str) -> SecretString {
    SecretString::from(format!("the passphrase of {name}"))
}

fn holders(count: usize) -> Vec<Holder> {
    NAMES[..count]
        .iter()
        .map(|name| Holder {
            name: (*name).to_owned(),
            passphrase: passphrase_of(name),
        })
        .collect()
}

/// A store with one key, and its shares as they lie in files.
fn store(directory: &Path, sharing: Sharing) -> (SigningKey, Vec<SealedShare>) {
    let holders = holders(usize::from(sharing.shares()));
    let new = NewStore::prepare(directory, sharing, Purpose::Rehearsal, &holders, CHEAP).unwrap();
    let shares = new.shares().to_vec();
    assert!(
        matches!(Unlocking::begin(directory), Err(StoreError::NoStore(_))),
        "there before its shares are written"
    );
    let store = new.commit().unwrap();
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    store.insert("ca", &key).unwrap();
    let shares = shares
        .iter()
        .map(|share| SealedShare::from_text(Path::new("file"), &share.to_text()).unwrap())
        .collect();
    (key, shares)
}

fn unlock<'a>(
    directory: &Path,
    shares: impl IntoIterator<Item = &'a SealedShare>,
) -> Result<EncryptedStore, StoreError> {
    let mut unlocking = Unlocking::begin(directory)?;
    for share in shares {
        unlocking.add(share.open(&passphrase_of(share.holder()))?)?;
    }
    unlocking.finish()
}

#[test]
fn any_m_of_n_open_the_store_and_fewer_do_not() {
    for (threshold, count) in [(2, 3), (2, 4), (3, 4), (2, 5), (3, 5)] {
        let directory = tempfile::tempdir().unwrap();
        let sharing = Sharing::new(threshold, count).unwrap();
        let (key, shares) = store(directory.path(), sharing);
        for mask in 0..1_u32 << count {
            let chosen = shares
                .iter()
                .filter(|share| mask & (1 << (share.index() - 1)) != 0);
            match unlock(directory.path(), chosen) {
                Ok(store) => {
                    assert!(
                        mask.count_ones() >= u32::from(threshold),
                        "{sharing}, {mask:b}"
                    );
                    assert_eq!(store.get("ca").unwrap().public_key(), key.public_key());
                    assert_eq!(store.purpose(), Purpose::Rehearsal);
                }
                Err(StoreError::SharesMissing { .. }) => {
                    assert!(
                        mask.count_ones() < u32::from(threshold),
                        "{sharing}, {mask:b}"
                    );
                }
                Err(error) => panic!("{sharing}, {mask:b}: {error}"),
            }
        }
    }
}

#[test]
fn only_sound_numbers_are_shared() {
    for (threshold, shares) in [
        (0, 0),
        (1, 1),
        (1, 3),
        (2, 2),
        (3, 3),
        (4, 5),
        (2, 6),
        (5, 5),
    ] {
        assert!(
            Sharing::new(threshold, shares).is_err(),
            "{threshold} of {shares}"
        );
    }
    let directory = tempfile::tempdir().unwrap();
    let new = |holders: &[Holder]| {
        let sharing = Sharing::new(2, 3).unwrap();
        NewStore::prepare(
            directory.path(),
            sharing,
            Purpose::Production,
            holders,
            CHEAP,
        )
        .unwrap_err()
    };
    assert!(
        new(&holders(2))
            .to_string()
            .contains("2 holders for 3 shares")
    );
    let mut unnamed = holders(3);
    unnamed[1].name = "Bob\nShare: 1".to_owned();
    assert!(matches!(
        new(&unnamed),
        StoreError::Share(ShareError::Holder(_))
    ));
}

#[test]
fn what_is_wrong_with_a_share_is_said_of_that_share() {
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sharing = Sharing::new(2, 3).unwrap();
    let (_, shares) = store(directory.path(), sharing);
    let (_, foreign) = store(other.path(), sharing);
    let says = |error: &dyn std::error::Error, parts: &[&str]| {
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    };
    let bob = &shares[1];

    let wrong = bob.open(&SecretString::from("a guess")).unwrap_err();
    says(&wrong, &["passphrase", "share 2 of Bób", "try again"]);

    let mut unlocking = Unlocking::begin(directory.path()).unwrap();
    let theirs = &foreign[0];
    let error = unlocking.wants(theirs).unwrap_err();
    says(
        &error,
        &[
            "share 1 of Alice",
            &theirs.set().to_string(),
            &bob.set().to_string(),
        ],
    );
    let open = theirs.open(&passphrase_of("Alice")).unwrap();
    assert!(matches!(
        unlocking.add(open),
        Err(ShareError::OtherSet { .. })
    ));

    unlocking
        .add(bob.open(&passphrase_of("Bób")).unwrap())
        .unwrap();
    says(
        &unlocking.wants(bob).unwrap_err(),
        &["share 2 of Bób was given already"],
    );
    let again = bob.open(&passphrase_of("Bób")).unwrap();
    assert!(matches!(unlocking.add(again), Err(ShareError::Twice(_))));
    assert_eq!(
        (unlocking.missing(), unlocking.holders()),
        (1, vec!["Bób".to_owned()])
    );
    // A refused share does not spoil the others.
    unlocking
        .add(shares[2].open(&passphrase_of("Carol C.")).unwrap())
        .unwrap();
    unlocking.finish().unwrap();

    let text = bob.to_text();
    for at in text.find('\n').unwrap() + 1..text.rfind("-----END").unwrap() {
        let mut bad = text.clone().into_bytes();
        bad[at] ^= 1;
        let Ok(bad) = String::from_utf8(bad) else {
            continue;
        };
        let error = SealedShare::from_text(Path::new("stick/bob.share"), &bad).unwrap_err();
        says(&error, &["stick/bob.share", "compare it with another copy"]);
    }
}

#[test]
fn shares_that_do_not_give_the_key_are_told_from_a_wrong_passphrase() {
    let directory = tempfile::tempdir().unwrap();
    let (_, shares) = store(directory.path(), Sharing::new(2, 3).unwrap());
    // The header of another store, with the set of this one.
    let other = tempfile::tempdir().unwrap();
    store(other.path(), Sharing::new(2, 3).unwrap());
    let path = directory.path().join("store.header");
    let (mine, theirs) = (
        fs::read_to_string(&path).unwrap(),
        other.path().join("store.header"),
    );
    let theirs = fs::read_to_string(theirs).unwrap();
    let at = mine.find("commitment=").unwrap();
    fs::write(&path, format!("{}{}", &mine[..at], &theirs[at..])).unwrap();
    let error = unlock(directory.path(), &shares[..2]).unwrap_err();
    assert!(matches!(error, StoreError::Commitment { .. }), "{error}");
    assert!(error.to_string().contains("Alice, Bób"), "{error}");
    // Nor is a store of many opened by one passphrase.
    let error = EncryptedStore::open(directory.path(), &passphrase_of("Alice")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("2 of 3 shares open this key store"),
        "{error}"
    );
}
