//! A difference is read or refused; applied to a CRL it gives the one that it names, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::crl::difference::{Log, apply};

const OLD: &[u8] = include_bytes!("../../src/crl/difference/golden/10.crl");

fuzz_target!(|bytes: &[u8]| {
    let Ok(log) = Log::read(bytes) else {
        return;
    };
    let ends: Vec<usize> = log.prefixes().map(|(_, end)| end).collect();
    for end in ends {
        let prefix = Log::read(&bytes[..end]).expect("a prefix that the log names is a difference");
        if let Ok(new) = apply(OLD, &10.into(), &prefix) {
            prefix.agrees_with(&new).expect("it agrees with what it leads to");
        }
    }
});
