//! NIST's PKITS: CRLs of CAs that are not ours, as they are imported (from the Python package
//! `cryptography-vectors`).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// The middle of the tests' validity, 2010 to 2030.
const NOW: Time = Time::from_unix(1_795_262_400);

#[test]
fn imported_or_refused_by_rule() {
    let directory = vectors();
    let certificates: Vec<_> = files(&directory.join("certs"))
        .iter()
        .filter_map(|(_, der)| Certificate::from_der(der).ok())
        .collect();
    let crls = files(&directory.join("crls"));
    let refused: Vec<_> = crls
        .iter()
        .filter_map(|(name, der)| Some((name.as_str(), verify(&certificates, der).err()?.rule)))
        .collect();
    assert_eq!(refused, REFUSED);
    assert_eq!(crls.len(), 173);
}

const REFUSED: &[(&str, &str)] = &[
    ("BadCRLIssuerNameCACRL", "CRL-03"),
    ("BadCRLSignatureCACRL", "CRL-31"),
    // Its CA's certificate cannot be read.
    ("BadSignedCACRL", "CRL-03"),
    ("DSACACRL", "CRL-31"),
    ("DSAParametersInheritedCACRL", "CRL-31"),
    ("TwoCRLsCABadCRL", "CRL-03"),
    ("UnknownCRLEntryExtensionCACRL", "RFC 5280 5.3"),
    ("UnknownCRLExtensionCACRL", "RFC 5280 5.2"),
    ("deltaCRLCA1deltaCRL", "CRL-23"),
    ("deltaCRLCA2deltaCRL", "CRL-23"),
    ("deltaCRLCA3deltaCRL", "CRL-23"),
    ("deltaCRLIndicatorNoBaseCACRL", "CRL-23"),
    ("indirectCRLCA1CRL", "CRL-22"),
    ("indirectCRLCA3cRLIssuerCRL", "CRL-22"),
    ("indirectCRLCA4cRLIssuerCRL", "CRL-22"),
    ("indirectCRLCA5CRL", "CRL-22"),
    ("keyUsageCriticalcRLSignFalseCACRL", "CRL-27"),
    ("keyUsageNotCriticalcRLSignFalseCACRL", "CRL-27"),
    ("onlyContainsAttributeCertsCACRL", "CRL-19"),
];

/// With the certificate that it fits best: several have one name, others one key.
fn verify(certificates: &[Certificate], der: &[u8]) -> Result<Verified, Violation> {
    let issuer = Crl::from_der(der)?.issuer().clone();
    let mut best = Err(Violation::new(
        "CRL-03",
        format!("there is no certificate of {issuer}"),
    ));
    for ca in certificates {
        let expected = Expected {
            ca,
            now: NOW,
            scope: Scope::Complete,
            previous: None,
            profile: Profile::Imported(ImportedRules::default()),
        };
        match verify_crl(der, &expected) {
            Err(violation) if violation.rule == "CRL-03" => {}
            other if best.is_ok() => drop(other),
            Err(violation)
                if violation.rule == "CRL-31"
                    && best.as_ref().is_err_and(|best| best.rule != "CRL-03") => {}
            other => best = other,
        }
    }
    best
}

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths
        .iter()
        .map(|path| (name(path), std::fs::read(path).unwrap()))
        .collect()
}

fn vectors() -> PathBuf {
    let output = Command::new("python3")
        .args([
            "-c",
            "import cryptography_vectors as v; print(v.__path__[0], end='')",
        ])
        .output()
        .expect("python3 runs");
    assert!(
        output.status.success(),
        "PKITS comes with: python3 -m pip install cryptography-vectors"
    );
    PathBuf::from(String::from_utf8(output.stdout).unwrap()).join("x509/PKITS_data")
}
