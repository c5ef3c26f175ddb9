//! A frame between the policy process and the key process is read or refused; what was read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signer::key::message::{Reply, Request};

fuzz_target!(|octets: &[u8]| {
    let mut rest = octets;
    while let Ok(Some(request)) = Request::read(&mut rest) {
        let read = octets.len() - rest.len();
        let mut again = Vec::new();
        request.write(&mut again).expect("memory takes all");
        assert!(octets[..read].ends_with(&again), "{request:?}");
    }
    let mut rest = octets;
    if let Ok(reply) = Reply::read(&mut rest) {
        let mut again = Vec::new();
        reply.write(&mut again).expect("memory takes all");
        assert_eq!(again, octets[..octets.len() - rest.len()], "{reply:?}");
    }
});
