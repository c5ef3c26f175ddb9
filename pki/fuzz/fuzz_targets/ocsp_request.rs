//! An OCSP request from anybody is read or refused; what was read can be walked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::ocsp::request::OcspRequest;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = OcspRequest::parse(bytes) {
        assert!(request.cert_ids().count() > 0);
        assert!(request.nonce().is_none_or(|nonce| (1..=128).contains(&nonce.len())));
    }
});
