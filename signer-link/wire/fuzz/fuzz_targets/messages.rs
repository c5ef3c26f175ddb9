//! A message decodes from its canonical encoding only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{FromHost, FromSigner, Reply, Request};

fuzz_target!(|octets: &[u8]| {
    if let Ok(request) = Request::decode(octets) {
        assert_eq!(request.encode().as_deref(), Ok(octets));
    }
    if let Ok(reply) = Reply::decode(octets) {
        assert_eq!(reply.encode().as_deref(), Ok(octets));
    }
    if let Ok(message) = FromHost::decode(octets) {
        assert_eq!(message.encode().as_deref(), Ok(octets));
    }
    if let Ok(message) = FromSigner::decode(octets) {
        assert_eq!(message.encode().as_deref(), Ok(octets));
    }
});
