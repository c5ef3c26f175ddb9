//! CRLs whose signature is nonsense, for what is decided after it was verified.

use pki::crl::Crl;
use pki::crl::build::{CrlEntry, append_entry};
use pki::der_encode::{
    boolean_true, explicit, integer, octet_string, oid, sequence, utc_or_generalized_time,
};
use pki::oid::{CRL_NUMBER, DELTA_CRL_INDICATOR, ISSUING_DISTRIBUTION_POINT};
use pki::{ObjectIdentifier, Time};

pub(crate) type Entry = CrlEntry;

const THIS_UPDATE: Time = Time::from_unix(1_795_000_000);

/// With this number; a delta if there is a base.
pub(crate) fn crl(number: u8, base: Option<u8>, entries: &[Entry]) -> Crl {
    with_scope(number, base, entries, None)
}

/// The same with an issuingDistributionPoint of these octets.
pub(crate) fn with_scope(
    number: u8,
    base: Option<u8>,
    entries: &[Entry],
    scope: Option<&[u8]>,
) -> Crl {
    let algorithm = sequence(&[&oid(&ObjectIdentifier::new_unwrap("1.3.101.112"))]);
    let mut revoked = Vec::new();
    for entry in entries {
        append_entry(&mut revoked, entry);
    }
    let revoked = if revoked.is_empty() {
        Vec::new()
    } else {
        sequence(&[&revoked])
    };
    let critical = |id, value: &[u8]| sequence(&[&oid(id), &boolean_true(), &octet_string(value)]);
    let mut extensions = sequence(&[&oid(&CRL_NUMBER), &octet_string(&integer(&[number]))]);
    if let Some(base) = base {
        extensions.extend(critical(&DELTA_CRL_INDICATOR, &integer(&[base])));
    }
    if let Some(scope) = scope {
        extensions.extend(critical(&ISSUING_DISTRIBUTION_POINT, scope));
    }
    let tbs = sequence(&[
        &integer(&[1]),
        &algorithm,
        &sequence(&[]),
        &utc_or_generalized_time(THIS_UPDATE),
        &utc_or_generalized_time(THIS_UPDATE.plus_seconds(3600)),
        &revoked,
        &explicit(0, &sequence(&[&extensions])),
    ]);
    let signature = pki::der_encode::bit_string(&[0; 64]);
    Crl::from_der(&sequence(&[&tbs, &algorithm, &signature])).unwrap()
}
