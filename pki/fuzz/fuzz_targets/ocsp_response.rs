//! An OCSP response from a foreign server is judged; nothing that the fuzzer makes up is ever accepted,
//! since it has no key.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pki::ocsp::verify::{Expected, Rules, verify_response, violations};
use pki::{Certificate, HashAlgorithm, Serial, Time};

static CA: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::from_der(include_bytes!("../ca.der")).unwrap());

fuzz_target!(|bytes: &[u8]| {
    let expected = Expected {
        ca: &CA,
        hash: HashAlgorithm::Sha1,
        serial: &Serial::from_be_bytes(&[0x43, 0x21]).unwrap(),
        now: Time::from_unix(1_795_255_200),
        status: None,
        rules: Rules::default(),
    };
    let _ = violations(bytes, &expected);
    assert!(verify_response(bytes, &expected).is_err());
});
