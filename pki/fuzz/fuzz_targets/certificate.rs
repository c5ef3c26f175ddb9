//! A certificate that can be read keeps its bytes, and shows its names without control characters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::Certificate;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        assert_eq!(certificate.der(), bytes);
        assert!(!certificate.subject().to_string().chars().any(char::is_control));
        let _ = certificate.verify_signed_by(certificate.public_key());
    }
});
