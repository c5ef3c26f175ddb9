//! GnuTLS, Java, Python's cryptography, rustls-webpki, pkilint.

use std::path::Path;
use std::time::Duration;

use e2e::clients::{Verdict, java, pkilint};
use e2e::program;
use e2e::program::repository;
use e2e::system::path;
use pki::{Clock as _, SystemClock};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, anchor_from_trusted_cert,
};

use super::{ISSUER, Kinds, read};

pub(super) fn take_all_kinds(kinds: &Kinds) {
    for file in kinds.files() {
        gnutls(kinds, &file);
        python(kinds, &file);
        let findings = pkilint(
            &kinds.system,
            "lint_crl",
            &["-t", "CRL", "-p", "PKIX"],
            &file,
        );
        assert!(findings.is_empty(), "{}: {findings:#?}", file.display());
    }
    // Java fetches the part that the certificate names.
    assert_eq!(
        java(&kinds.system, ISSUER, &kinds.good, "crl"),
        Verdict::Good
    );
    assert_eq!(
        java(&kinds.system, ISSUER, &kinds.new, "crl"),
        Verdict::Revoked
    );
    for certificate in [&kinds.good, &kinds.old, &kinds.new] {
        let part = kinds.partition(certificate);
        let revoked = part.find(read(certificate).serial()).is_some();
        assert_eq!(rustls(kinds, part.der(), certificate), !revoked);
    }
}

fn gnutls(kinds: &Kinds, crl: &Path) {
    let ca = kinds.system.ca(ISSUER);
    let arguments = [
        "--verify-crl",
        "--load-ca-certificate",
        path(&ca),
        "--infile",
        path(crl),
    ];
    let output = program(kinds.system.folder(), "certtool", arguments).output();
    assert!(output.contains("Verified"), "{}: {output}", crl.display());
}

/// Reads every extension and every entry, and verifies the signature.
fn python(kinds: &Kinds, crl: &Path) {
    const SCRIPT: &str = "
import sys
from cryptography import x509
crl = x509.load_pem_x509_crl(open(sys.argv[1], 'rb').read())
ca = x509.load_pem_x509_certificate(open(sys.argv[2], 'rb').read())
assert crl.is_signature_valid(ca.public_key())
names = [extension.value for extension in crl.extensions]
entries = [(entry.serial_number, entry.revocation_date_utc, list(entry.extensions)) for entry in crl]
print('read', len(names), len(entries))
";
    let ca = kinds.system.ca(ISSUER);
    let python = repository().join("target/python/bin/python");
    let arguments = ["-c", SCRIPT, path(crl), path(&ca)];
    let output = program(kinds.system.folder(), python, arguments)
        .ok()
        .output();
    assert!(output.starts_with("read"), "{output}");
}

/// Whether rustls-webpki takes the certificate with this CRL; anything but its being revoked fails the test.
fn rustls(kinds: &Kinds, crl: &[u8], certificate: &Path) -> bool {
    let ca = CertificateDer::from(read(&kinds.system.ca(ISSUER)).der().to_vec());
    let certificate = CertificateDer::from(read(certificate).der().to_vec());
    let anchors = [anchor_from_trusted_cert(&ca).expect("a trust anchor")];
    let crl = BorrowedCertRevocationList::from_der(crl).expect("webpki reads the CRL");
    let crls = [&CertRevocationList::from(crl)];
    let revocation = RevocationOptionsBuilder::new(&crls)
        .expect("one CRL")
        .with_depth(RevocationCheckDepth::EndEntity)
        .build();
    let now =
        UnixTime::since_unix_epoch(Duration::from_secs(SystemClock.now().unix().unsigned_abs()));
    let certificate = EndEntityCert::try_from(&certificate).expect("an end entity");
    let found = certificate.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        &[],
        now,
        KeyUsage::server_auth(),
        Some(revocation),
        None,
    );
    match found.map(drop) {
        Ok(()) => true,
        Err(webpki::Error::CertRevoked) => false,
        Err(other) => panic!("{other:?}"),
    }
}
