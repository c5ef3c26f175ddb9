//! A file of link keys is read or refused; what was read is written and read again as it was.
//!
//! An input is the number of an end and changes to its file, or (number above 127) the lines of a file.
#![no_main]

mod common;

use std::sync::LazyLock;

use keystore::{LinkKeys, SignerId};
use libfuzzer_sys::fuzz_target;

static GOOD: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let pair = LinkKeys::pair(SignerId::FIRST).expect("random numbers");
    [pair.signer, pair.host].map(|keys| common::lines_of(&keys.to_text()))
});

fuzz_target!(|input: &[u8]| {
    let Some((number, rest)) = input.split_first() else {
        return;
    };
    let mut lines = GOOD[usize::from(number % 2)].clone();
    match number {
        0..128 => common::change(&mut lines, rest),
        128.. => lines = rest.to_vec(),
    }
    let Some(text) = common::text_around("AVOUCH LINK KEYS", &lines) else {
        return;
    };
    if let Ok(keys) = LinkKeys::from_text(&text) {
        assert!((1..=127).contains(&keys.signer().get()));
        let again = LinkKeys::from_text(&keys.to_text()).expect("what was written is read");
        assert_eq!(*again.to_text(), *keys.to_text());
        assert!(!format!("{keys:?}").contains("Psk"));
    }
    // Without the checksum's help.
    if let Ok(text) = std::str::from_utf8(rest) {
        let _ = LinkKeys::from_text(text);
    }
});
