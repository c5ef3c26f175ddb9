//! A certification request is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::csr::CertificationRequest;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = CertificationRequest::from_der(bytes) {
        let _ = request.verify_proof_of_possession();
    }
});
