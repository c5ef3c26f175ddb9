//! A share that was changed is refused, or is the same share in other words; and only true shares, two different ones of
//! three, open the store.
//!
//! An input is the number of a share and changes to its file, or (number above 127) the lines of a file.
#![no_main]

mod common;

use std::path::Path;
use std::sync::LazyLock;

use keystore::{
    Cost, EncryptedStore, Holder, NewStore, Purpose, SealedShare, SecretString, Sharing,
    StoreError, Unlocking,
};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const NAMES: [&str; 3] = ["Alice", "Bób", "Δήμητρα"];
const CHEAP: Cost = Cost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

static STORE: LazyLock<(TempDir, Vec<SealedShare>)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    let holders = NAMES.map(|name| Holder {
        name: name.to_owned(),
        passphrase: passphrase(),
    });
    let sharing = Sharing::new(2, 3).expect("two of three");
    let keys = directory.path().join("keys");
    let new = NewStore::prepare(&keys, sharing, Purpose::Rehearsal, &holders, CHEAP);
    let new = new.expect("a store");
    let shares = new.shares().to_vec();
    drop(new.commit().expect("a store"));
    (directory, shares)
});

fn passphrase() -> SecretString {
    SecretString::from("one for all of them")
}

fuzz_target!(|input: &[u8]| {
    let Some((number, rest)) = input.split_first() else {
        return;
    };
    let (directory, shares) = &*STORE;
    let original = &shares[usize::from(number % 3)];
    let mut lines = common::lines_of(&original.to_text());
    match number {
        0..128 => common::change(&mut lines, rest),
        128.. => lines = rest.to_vec(),
    }
    let Some(text) = common::text_around("AVOUCH KEY SHARE", &lines) else {
        return;
    };
    let Ok(share) = SealedShare::from_text(Path::new("share"), &text) else {
        return;
    };
    let again = SealedShare::from_text(Path::new("share"), &share.to_text());
    assert_eq!(again.expect("what was written is read"), share);
    // What another cost would take is not the matter here.
    let costs = |text: &str| text.contains(" m=8 t=1 p=1 ");
    if !costs(&share.to_text()) {
        return;
    }
    let Ok(opened) = share.open(&passphrase()) else {
        assert!(!shares.contains(&share), "a true share was refused");
        return;
    };
    assert!(shares.contains(&share), "a changed share was opened");
    for other in shares {
        let mut unlocking = Unlocking::begin(&directory.path().join("keys")).expect("a store");
        unlocking
            .add(opened.clone())
            .expect("a share of this store");
        let second = unlocking.add(other.open(&passphrase()).expect("a share"));
        assert_eq!(second.is_ok(), *other != share);
        let store: Result<EncryptedStore, StoreError> = unlocking.finish();
        assert_eq!(store.is_ok(), *other != share);
    }
});
