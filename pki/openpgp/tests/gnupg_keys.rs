//! A key that GnuPG made (Ed25519, with six user ids and a subkey), read, verified and changed octet by octet.

use openpgp::{PgpError, Signature, SignatureKind, TransferableKey, armour};

/// `gpg --quick-generate-key` and `--quick-add-uid` of GnuPG 2.2.40; the beginning of the fuzz target's corpus.
const KEY: &[u8] = include_bytes!("../../fuzz/corpus/fuzz_openpgp_key/ed25519");

fn key() -> TransferableKey {
    TransferableKey::from_octets(&armour::decode(KEY).unwrap()).unwrap()
}

#[test]
fn every_user_id_is_the_keys_own() {
    let key = key();
    assert_eq!(
        key.key().to_string(),
        "8CB039AB305B22F179256EE164C463B14DCC9682"
    );
    assert!(!key.is_revoked());
    assert_eq!(key.identities().len(), 6);
    for (place, identity) in key.identities().iter().enumerate() {
        let body = key.self_signature(place).unwrap();
        let signature = Signature::from_body(body).unwrap();
        assert_eq!(signature.kind(), SignatureKind::Certification);
        assert_eq!(signature.key_expires(key.key()), None);
        let other = key.identities()[(place + 1) % 6].octets();
        assert_ne!(identity.octets(), other);
        assert!(
            signature
                .verify_user_id(key.key(), other, key.key())
                .is_err()
        );
    }
    assert!(key.self_signature(6).is_err());
}

#[test]
fn what_was_read_is_written() {
    let key = key();
    let again = TransferableKey::from_octets(&key.to_octets()).unwrap();
    assert_eq!(again, key);
    let one = key.certified(&[(2, vec![4, 0x10])]);
    assert_eq!(one.identities().len(), 1);
    assert_eq!(one.identities()[0].octets(), key.identities()[2].octets());
    // The subkey stays.
    let lost: usize = key.to_octets().len() - one.to_octets().len();
    assert!(lost < KEY.len() - 200, "{lost}");
}

/// The user ids that count, each with the signature that says so.
fn own_user_ids(key: &TransferableKey) -> Vec<(&[u8], Signature)> {
    let identities = key.identities().iter().enumerate();
    let own = identities.filter_map(|(place, identity)| {
        let body = key.self_signature(place).ok()?;
        Some((identity.octets(), Signature::from_body(body).unwrap()))
    });
    own.collect()
}

#[test]
fn a_flipped_bit_never_makes_a_user_id() {
    let good = key();
    let known = own_user_ids(&good);
    for at in 0..KEY.len() {
        for bit in [1, 0x80] {
            let mut octets = KEY.to_vec();
            octets[at] ^= bit;
            let Ok(read) = TransferableKey::from_octets(&octets) else {
                continue;
            };
            let own = own_user_ids(&read);
            assert!(read.key() == good.key() || own.is_empty(), "{at}");
            assert!(own.iter().all(|one| known.contains(one)), "{at}");
        }
    }
}

#[test]
fn every_truncation_is_refused_or_has_less() {
    let whole = key();
    for length in 0..KEY.len() {
        match TransferableKey::from_octets(&KEY[..length]) {
            Ok(read) => assert_ne!(read, whole, "{length}"),
            Err(error) => assert!(matches!(error, PgpError::Malformed(_)), "{error}"),
        }
    }
}
