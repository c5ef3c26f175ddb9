//! A CRL is read or refused; its entries can be walked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::crl::Crl;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(crl) = Crl::from_der(bytes) {
        let _ = crl.entries().count();
    }
});
