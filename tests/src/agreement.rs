//! What is served against what is known: status, time and reason of every certificate (V7).

use std::collections::BTreeMap;

use pki::crl::Crl;
use pki::ocsp::response::CertStatus;
use pki::ocsp::verify::{Expected, Rules, verify_response};
use pki::ocsp::{IssuerHashes, request};
use pki::{Certificate, Clock as _, HashAlgorithm, RevocationReason, Serial, SystemClock, Time};

use crate::http;

/// OCSP (by both hashes) and this CRL say of each certificate of this CA exactly what is known, and name no others.
#[track_caller]
pub fn as_served(
    address: &str,
    ca: &Certificate,
    known: &BTreeMap<Serial, Option<(Time, RevocationReason)>>,
    crl: &Crl,
) {
    let listed = crl.entries().map(|entry| entry.expect("an entry"));
    let listed: BTreeMap<_, _> = listed
        .map(|entry| (entry.serial, (entry.revocation_date, entry.reason)))
        .collect();
    for (serial, revoked) in known {
        let expected = revoked.map(|(time, reason)| {
            (
                time,
                Some(reason).filter(|reason| *reason != RevocationReason::Unspecified),
            )
        });
        assert_eq!(
            listed.get(serial).copied(),
            expected,
            "CRL and ledger about {serial}"
        );
        for hash in [HashAlgorithm::Sha1, HashAlgorithm::Sha256] {
            let question = request::build(&IssuerHashes::of(hash, ca), &[*serial], None);
            let answer = http::post_ocsp(address, &question).expect("an answer").body;
            let status = match expected {
                None => CertStatus::Good,
                Some((time, reason)) => CertStatus::Revoked { time, reason },
            };
            let expected = Expected {
                ca,
                hash,
                serial,
                now: SystemClock.now(),
                status: Some(status),
                rules: Rules::default(),
            };
            verify_response(&answer, &expected)
                .unwrap_or_else(|violation| panic!("{serial}: {violation}"));
        }
    }
    let strangers: Vec<_> = listed
        .keys()
        .filter(|serial| !known.contains_key(serial))
        .collect();
    assert!(
        strangers.is_empty(),
        "on the CRL and never issued: {strangers:?}"
    );
}
