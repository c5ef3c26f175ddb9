//! A ledger with a clock that stands still, and certificates that parse.

use std::sync::Arc;

use ledger::{
    Ground, ImportedCertificate, ImportedStatus, Issuer, IssuerPolicy, Ledger, Origin, Reservation,
    RevocationRequest,
};
use pki::der_encode::{
    bit_string, boolean_true, explicit, integer, octet_string, oid, sequence, tlv,
    utc_or_generalized_time, utf8_string,
};
use pki::{ManualClock, ObjectIdentifier, RevocationReason, Serial, Time};

use crate::Place;

pub(crate) const NOW: Time = Time::from_unix(1_795_255_200);
pub(crate) const LATER: Time = Time::from_unix(1_795_255_200 + 90 * 86_400);
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");

pub(crate) async fn open<P: Place>(place: &P) -> Ledger {
    Ledger::over(place.open().await, Arc::new(ManualClock::new(NOW)))
}

/// A ledger with the issuers `member` and `assured`.
pub(crate) async fn with_issuers<P: Place>(place: &P) -> Ledger {
    let ledger = open(place).await;
    for (number, name) in ["member", "assured"].into_iter().enumerate() {
        ledger
            .add_issuer(issuer(name, number as u8), "alice")
            .await
            .unwrap();
    }
    ledger
}

/// Everything that is reserved and neither recorded nor given up.
pub(crate) async fn pending(ledger: &Ledger) -> Vec<Reservation> {
    let open = ledger.pending_reservations(0, u32::MAX).await.unwrap();
    open.into_iter()
        .map(|(_, reservation)| reservation)
        .collect()
}

pub(crate) fn issuer(name: &str, key: u8) -> Issuer {
    Issuer {
        name: name.to_owned(),
        certificate: certificate(&serial(u64::from(key) + 1), name, &[key; 32], true).0,
        chain: vec![certificate(&serial(1), "root", &[255; 32], true).0],
        origin: Origin::Own,
        signs: true,
        ocsp_paths: vec!["/old/ocsp".to_owned()],
        crl_paths: vec!["/rsa.crl".to_owned()],
        certificate_paths: vec![],
        policy: IssuerPolicy::default(),
    }
}

pub(crate) fn serial(number: u64) -> Serial {
    Serial::from_be_bytes(&number.to_be_bytes()).unwrap()
}

/// A reservation of a certificate whose key is made of `serial`, and the certificate.
pub(crate) fn reservation(issuer: &str, number: u64) -> (Reservation, Vec<u8>) {
    let serial = serial(number);
    let key = key_of(number);
    let (der, tbs) = certificate(&serial, &format!("host-{number}.example"), &key, false);
    let spki_sha256 = pki::Certificate::from_der(&der)
        .unwrap()
        .public_key()
        .fingerprint();
    let mut request_id = [0; 16];
    request_id[..8].copy_from_slice(&number.to_be_bytes());
    request_id[8..].copy_from_slice(&pki::HashAlgorithm::Sha256.digest(issuer.as_bytes())[..8]);
    let reservation = Reservation {
        issuer: issuer.to_owned(),
        serial,
        request_id,
        profile: "server".to_owned(),
        tbs,
        signature_algorithm: "ed25519".to_owned(),
        csr: Some(vec![1, 2, 3]),
        not_after: LATER,
        spki_sha256,
        crl_partition: None,
        evidence_sha256: None,
        actor: "bob".to_owned(),
    };
    (reservation, der)
}

pub(crate) fn key_of(number: u64) -> [u8; 32] {
    let mut key = [7; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key
}

/// Issues a certificate; its event.
pub(crate) async fn issue(ledger: &Ledger, issuer: &str, number: u64) -> u64 {
    let (reservation, der) = reservation(issuer, number);
    ledger.reserve_serial(&reservation).await.unwrap();
    ledger
        .record_certificate(issuer, &serial(number), &der)
        .await
        .unwrap()
}

pub(crate) fn revocation(issuer: &str, number: u64, reason: RevocationReason) -> RevocationRequest {
    RevocationRequest {
        issuer: issuer.to_owned(),
        serial: serial(number),
        actor: "carol".to_owned(),
        ground: Ground::Subscriber,
        case: None,
        reason,
        invalidity_date: None,
    }
}

/// A certificate as index.txt knows it.
pub(crate) fn imported(number: u64, status: ImportedStatus) -> ImportedCertificate {
    ImportedCertificate {
        serial: serial(number),
        not_after: Some(LATER),
        subject: Some(format!("CN=old-{number}.example")),
        certificate: None,
        status,
    }
}

/// A certificate (its signature is nonsense) and its TBSCertificate.
pub(crate) fn certificate(
    serial: &Serial,
    common_name: &str,
    key: &[u8; 32],
    ca: bool,
) -> (Vec<u8>, Vec<u8>) {
    let algorithm = sequence(&[&oid(&ED25519)]);
    let name = |text: &str| {
        let attribute = sequence(&[&oid(&COMMON_NAME), &utf8_string(text)]);
        sequence(&[&tlv(0x31, &attribute)])
    };
    let basic_constraints = sequence(if ca { &[&[0x01, 0x01, 0xff]] } else { &[] });
    let extension = sequence(&[
        &oid(&BASIC_CONSTRAINTS),
        &boolean_true(),
        &octet_string(&basic_constraints),
    ]);
    let tbs = sequence(&[
        &explicit(0, &integer(&[2])),
        &integer(serial.as_bytes()),
        &algorithm,
        &name("some CA"),
        &sequence(&[
            &utc_or_generalized_time(NOW),
            &utc_or_generalized_time(LATER),
        ]),
        &name(common_name),
        &sequence(&[&algorithm, &bit_string(key)]),
        &explicit(3, &sequence(&[&extension])),
    ]);
    (sequence(&[&tbs, &algorithm, &bit_string(&[0; 64])]), tbs)
}
