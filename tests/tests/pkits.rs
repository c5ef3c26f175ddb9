//! NIST's PKITS: every one of its CRLs imported without its CA's key. What verifies is served byte for
//! byte, everything else is refused with its rule.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use e2e::clients::curl;
use e2e::program::repository;
use e2e::system::{EC, path};
use e2e::{System, program, wait_for};
use pki::{Clock as _, SystemClock};

#[test]
fn every_crl_is_served_or_refused_with_its_rule() {
    let system = System::start(EC);
    let vectors = vectors(&system);
    let authorities = authorities(&system, &vectors.join("certs"));
    let mut names = BTreeMap::new();
    let (mut served, mut ended) = (0, 0);
    let (mut refused, mut unnamed) = (Vec::new(), Vec::new());
    for (number, crl) in files(&vectors.join("crls")).into_iter().enumerate() {
        let stem = crl
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name")
            .to_owned();
        let issuer = openssl(
            &system,
            &[
                "crl",
                "-inform",
                "DER",
                "-in",
                path(&crl),
                "-noout",
                "-hash",
            ],
        );
        // One of them bears a name that no CA has; its own CA is the one of its file's name.
        let own = stem.trim_end_matches("CRL").trim_end_matches("Bad");
        let own = format!("{own}Cert.pem");
        let own = vec![system.folder().join(own)];
        let candidates = authorities.get(issuer.trim()).unwrap_or(&own);
        let verifying = candidates
            .iter()
            .find(|ca| signature_is_good(&system, &crl, ca));
        let ca = verifying.unwrap_or(&candidates[0]);
        let again = names.contains_key(ca);
        let name = names
            .entry(ca.clone())
            .or_insert_with(|| format!("pkits{number}"));
        let import = system.avouch(&[
            "import",
            "ca",
            "--name",
            name,
            "--cert",
            path(ca),
            "--crl",
            path(&crl),
        ]);
        if import.code == 0 {
            assert!(
                verifying.is_some(),
                "{stem}: openssl finds no good signature, and it was taken"
            );
            let url = format!("{}crl/{name}.crl", system.status_url());
            if again {
                // The newer of two is served.
                served += 1;
                continue;
            }
            // What has ended is never served (CRL-31), and its URL says so.
            let status = if has_ended(&system, &crl) { 503 } else { 200 };
            wait_for(|| curl(&system, &url, &[]).status == status);
            if status == 503 {
                ended += 1;
                continue;
            }
            assert!(
                curl(&system, &url, &[]).body == fs::read(&crl).expect("the CRL"),
                "{stem}"
            );
            served += 1;
        } else {
            assert_eq!(import.code, 1, "{stem}: {import:#?}");
            let named = ["CRL-", "CERT-", "OCSP-", "RFC 5280"]
                .iter()
                .any(|rule| import.stderr.contains(rule));
            if !named {
                unnamed.push(format!("{stem}: {}", import.stderr.trim()));
            }
            refused.push(format!("{stem}: {}", import.stderr.trim()));
        }
    }
    println!(
        "{served} served, {ended} ended, {} refused:\n{}",
        refused.len(),
        refused.join("\n")
    );
    assert!(
        unnamed.is_empty(),
        "refused without a rule:\n{}",
        unnamed.join("\n")
    );
    assert!(
        served >= 100,
        "PKITS has 174 CRLs, most of them good; only {served} were taken"
    );
    for known_bad in ["BadCRLSignatureCACRL", "BadCRLIssuerNameCACRL"] {
        let found = refused.iter().any(|line| line.starts_with(known_bad));
        assert!(found, "{known_bad} must be refused");
    }
}

/// The folder of the vectors, as the installed package says.
fn vectors(system: &System) -> PathBuf {
    let python = repository().join("target/python/bin/python");
    let code =
        "import cryptography_vectors, os; print(os.path.dirname(cryptography_vectors.__file__))";
    let folder = program(system.folder(), python, ["-c", code]).ok().stdout;
    Path::new(folder.trim()).join("x509/PKITS_data")
}

/// The CA certificates, as PEM files, by the hash of their subject.
fn authorities(system: &System, folder: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut by_subject = BTreeMap::<_, Vec<_>>::new();
    for certificate in files(folder) {
        let stem = certificate
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name")
            .to_owned();
        let pem = system.folder().join(format!("{stem}.pem"));
        openssl(
            system,
            &[
                "x509",
                "-inform",
                "DER",
                "-in",
                path(&certificate),
                "-out",
                path(&pem),
            ],
        );
        let hash = openssl(
            system,
            &["x509", "-in", path(&pem), "-noout", "-subject_hash"],
        );
        by_subject
            .entry(hash.trim().to_owned())
            .or_default()
            .push(pem);
    }
    by_subject
}

/// Whether openssl sees a nextUpdate in an earlier year than this.
fn has_ended(system: &System, crl: &Path) -> bool {
    let arguments = ["crl", "-inform", "DER", "-in", path(crl), "-noout"];
    let line = openssl(system, &[&arguments[..], &["-nextupdate"]].concat());
    let year = line.split_whitespace().rev().nth(1);
    let year: i64 = year.and_then(|year| year.parse().ok()).expect("a year");
    year < SystemClock.now().calendar().0
}

fn signature_is_good(system: &System, crl: &Path, ca: &Path) -> bool {
    let arguments = [
        "crl",
        "-inform",
        "DER",
        "-in",
        path(crl),
        "-CAfile",
        path(ca),
        "-noout",
    ];
    program(system.folder(), "openssl", arguments)
        .output()
        .contains("verify OK")
}

fn openssl(system: &System, arguments: &[&str]) -> String {
    program(system.folder(), "openssl", arguments).ok().stdout
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the vectors")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}
