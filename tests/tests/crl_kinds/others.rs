//! GnuTLS, Java, Python's cryptography, rustls-webpki, pkilint.

use std::path::Path;
use std::time::Duration;

use e2e::clients::{Verdict, curl, java, pkilint};
use e2e::program::repository;
use e2e::system::path;
use e2e::{program, wait_for};
use pki::{Clock as _, SystemClock};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, anchor_from_trusted_cert,
};

use super::openssl::plain_certificate;
use super::{ISSUER, Kinds, lists, read};

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
    java_and_deltas(kinds);
}

/// What JDK 17 does with deltas: nothing. The critical deltaCRLIndicator is none that it knows, so that it takes a delta
/// neither for a CRL nor adds it to one (RFC 5280 section 5.2 allows just that), and it fetches none.
fn java_and_deltas(kinds: &Kinds) {
    let source = |files: &[&Path]| {
        let files: Vec<_> = files.iter().map(|file| path(file)).collect();
        format!("files={}", files.join(","))
    };
    let judged =
        |files: &[&Path], certificate| java(&kinds.system, ISSUER, certificate, &source(files));
    let plain = plain_certificate(kinds);
    let old = kinds.file("java-old.pem", &kinds.complete());
    kinds.system.revoke(&plain);
    wait_for(|| kinds.delta().is_some_and(|delta| lists(&delta, &plain)));
    let delta = kinds.file("java-delta.pem", &kinds.delta().expect("a delta"));
    let new = kinds.file("java-new.pem", &kinds.complete());
    assert_eq!(judged(&[&new], &plain), Verdict::Revoked);
    assert_eq!(judged(&[&old], &plain), Verdict::Good);
    assert_eq!(judged(&[&old, &delta], &plain), Verdict::Good);
    let (root, ca) = (kinds.system.ca("root"), kinds.system.ca(ISSUER));
    let class = repository().join("tests/interop/Revocation.java");
    let why = ["-Djava.security.debug=certpath", path(&class)];
    let source = source(&[&delta]);
    let chain = [source.as_str(), path(&root), path(&plain), path(&ca)];
    let said = program(
        kinds.system.folder(),
        "java",
        [&why[..], &chain[..]].concat(),
    );
    for part in [
        "Unrecognized critical extension(s) in CRL: [2.5.29.27]",
        "approved crls.size() = 0",
    ] {
        assert!(said.output().contains(part), "{said:#?}");
    }

    let asked = || {
        let metrics = curl(
            &kinds.system,
            &format!("{}metrics", kinds.system.admin_url()),
            &[],
        )
        .body;
        let metrics = String::from_utf8(metrics).expect("text");
        let of = |role: &str| -> f64 {
            let labels = format!("issuer=\"{ISSUER}\",role=\"{role}\"");
            let name = "avouch_edge_object_requests_total";
            let lines = metrics.lines().filter(|line| line.starts_with(name));
            let values = lines.filter(|line| line.contains(&labels));
            let values = values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            values.sum()
        };
        [of("crl"), of("crl-delta")]
    };
    let before = asked();
    assert_eq!(java(&kinds.system, ISSUER, &plain, "crl"), Verdict::Revoked);
    let after = asked();
    assert!(after[0] > before[0], "it fetched the complete CRL");
    assert_eq!(after[1], before[1], "and no delta");
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
