//! A key that can be read is written as it was read; whatever its user ids say, they are judged without harm.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openpgp::{TransferableKey, UserId, armour};

fuzz_target!(|bytes: &[u8]| {
    let Ok(octets) = armour::decode(bytes) else {
        return;
    };
    let Ok(key) = TransferableKey::from_octets(&octets) else {
        return;
    };
    let written = key.to_octets();
    let again =
        TransferableKey::from_octets(&armour::decode(armour::encode(&written).as_bytes()).unwrap());
    assert_eq!(again.as_ref(), Ok(&key));
    let _ = key.is_revoked();
    for (place, identity) in key.identities().iter().enumerate() {
        let _ = key.self_signature(place);
        let _ = identity.text().map(UserId::read);
    }
});
