//! The commands of the signer's console: what they make, and what they say.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{failed, openssl, signer, write_secret};
use pki::{Certificate, KeyUsage, oid};
use tempfile::TempDir;

fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    write_secret(&directory.path().join("passphrase"), "correct horse\n");
    directory
}

fn ceremony(directory: &Path, hierarchy: &str) -> Output {
    fs::write(directory.join("hierarchy.toml"), hierarchy).unwrap();
    signer(
        directory,
        &[
            "ceremony",
            "hierarchy.toml",
            "--keys",
            "signer/keys",
            "--out",
            "ca",
            "--passphrase-file",
            "passphrase",
            "--base-url",
            "http://status.example.org/",
        ],
    )
}

fn import(directory: &Path, arguments: &[&str]) -> Output {
    let common = [
        "import",
        "--keys",
        "signer/keys",
        "--passphrase-file",
        "passphrase",
    ];
    signer(directory, &[&common, arguments].concat())
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    stderr
}

fn certificate(path: PathBuf) -> Certificate {
    Certificate::from_pem(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_ceremony_makes_what_openssl_accepts() {
    let directory = directory();
    let path = directory.path();
    succeeded(&ceremony(path, hierarchy::EC));
    let root = certificate(path.join("ca/root.pem"));
    assert_eq!((root.version(), root.issuer()), (2, root.subject()));
    for name in ["member", "assured", "organisation"] {
        let ca = certificate(path.join(format!("ca/{name}.pem")));
        // CERT-11, CERT-27.
        assert!(ca.is_ca());
        for critical in [oid::BASIC_CONSTRAINTS, oid::KEY_USAGE] {
            assert!(ca.extension(critical).unwrap().critical);
        }
        assert_eq!(
            ca.key_usage().unwrap().bits(),
            [KeyUsage::KEY_CERT_SIGN, KeyUsage::CRL_SIGN]
        );
        assert_eq!(ca.subject_key_id(), Some(&ca.public_key().key_id()[..]));
        assert_eq!(ca.authority_key_id(), root.subject_key_id());
        assert_eq!(ca.serial().as_bytes().len(), 16);
        let pem = format!("ca/{name}.pem");
        let text = openssl(path, &["x509", "-in", &pem, "-noout", "-text"]);
        for part in [
            "CA:TRUE, pathlen:0",
            "X509v3 Any Policy",
            "http://status.example.org/crl/root.crl",
            "OCSP - URI:http://status.example.org\n",
            "http://status.example.org/ca/root.cer",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        openssl(
            path,
            &[
                "verify",
                "-x509_strict",
                "-policy_check",
                "-CAfile",
                "ca/root.pem",
                &pem,
            ],
        );
        let chain = fs::read_to_string(path.join(format!("ca/chain-{name}.pem"))).unwrap();
        assert_eq!(chain, ca.to_pem() + &root.to_pem());
    }
    let transcript = fs::read_to_string(path.join("ca/transcript.txt")).unwrap();
    assert!(
        transcript.contains(&hex_of_certificate(&root)),
        "{transcript}"
    );
    assert_eq!(
        fs::metadata(path.join("signer/keys"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o700
    );
    assert_eq!(
        fs::metadata(path.join("signer/journal"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
}

fn hex_of_certificate(certificate: &Certificate) -> String {
    hex::encode(pki::HashAlgorithm::Sha256.digest(certificate.der()))
}

#[test]
fn a_ceremony_that_was_broken_off_goes_on() {
    let directory = directory();
    let path = directory.path();
    succeeded(&ceremony(path, hierarchy::EC));
    let before = fs::read_to_string(path.join("ca/chain-member.pem")).unwrap();
    // As after a kill between a key and its certificate, and before the copies were written.
    fs::remove_file(path.join("signer/keys/assured.pem")).unwrap();
    fs::remove_file(path.join("signer/keys/organisation.pem")).unwrap();
    fs::remove_file(path.join("signer/keys/organisation.key")).unwrap();
    fs::remove_dir_all(path.join("ca")).unwrap();
    let told = succeeded(&ceremony(path, hierarchy::EC));
    assert!(
        told.contains("member: key (p-256) is there, kept"),
        "{told}"
    );
    assert!(told.contains("organisation: making its key"), "{told}");
    assert_eq!(
        fs::read_to_string(path.join("ca/chain-member.pem")).unwrap(),
        before
    );
    openssl(
        path,
        &[
            "verify",
            "-CAfile",
            "ca/root.pem",
            "ca/assured.pem",
            "ca/organisation.pem",
        ],
    );
    // Another hierarchy over the same keys is refused.
    let other = hierarchy::EC.replace("Avouch EC Member CA", "Another CA");
    failed(&ceremony(path, &other), 1, "not this hierarchy's");
    let other = hierarchy::EC
        // The key for OpenPGP has no hash, and is none of these.
        .replace("key = \"p-256\"\nhash = \"sha256\"", "key = \"ed25519\"");
    failed(&ceremony(path, &other), 1, "the hierarchy wants ed25519");
}

#[test]
fn a_ceremony_says_what_is_wrong() {
    let directory = directory();
    let path = directory.path();
    failed(&ceremony(path, "base_url = 1"), 1, "base_url");
    succeeded(&ceremony(path, hierarchy::EC));
    write_secret(&path.join("passphrase"), "wrong\n");
    failed(&ceremony(path, hierarchy::EC), 1, "wrong passphrase");
    fs::remove_file(path.join("passphrase")).unwrap();
    failed(
        &ceremony(path, hierarchy::EC),
        1,
        "passphrase file passphrase cannot be read",
    );
    // Keys without their journal.
    write_secret(&path.join("passphrase"), "correct horse\n");
    fs::remove_file(path.join("signer/journal")).unwrap();
    failed(&ceremony(path, hierarchy::EC), 1, "there is no journal");
    failed(&signer(path, &["ceremony"]), 64, "<FILE>");
    failed(&signer(path, &[]), 64, "Usage: signer <COMMAND>");
    let run = ["run", "--config", "none.toml"];
    failed(&signer(path, &run), 64, "none.toml");
}

#[test]
fn a_ca_of_openssl_is_imported() {
    let directory = directory();
    let path = directory.path();
    let request = ["req", "-x509", "-days", "30", "-newkey"];
    let rsa = [
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=Old RSA",
        "-keyout",
        "rsa.key",
        "-out",
        "rsa.pem",
    ];
    openssl(path, &[&request[..], &rsa].concat());
    let ec = [
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-passout",
        "pass:x",
        "-subj",
        "/CN=Old EC",
        "-keyout",
    ];
    openssl(
        path,
        &[&request[..], &ec, &["ec.key", "-out", "ec.pem"]].concat(),
    );
    openssl(
        path,
        &["x509", "-in", "ec.pem", "-outform", "DER", "-out", "ec.cer"],
    );
    let rsa = [
        "--name",
        "old-rsa",
        "--key",
        "rsa.key",
        "--certificate",
        "rsa.pem",
    ];
    assert!(succeeded(&import(path, &rsa)).contains("rsa-2048 key of CN=Old RSA imported"));
    // Again: nothing changes.
    assert!(succeeded(&import(path, &rsa)).contains("in the store already"));

    let ec = [
        "--name",
        "old-ec",
        "--key",
        "ec.key",
        "--certificate",
        "ec.cer",
    ];
    failed(&import(path, &ec), 1, "--key-passphrase-file");
    write_secret(&path.join("key-passphrase"), "y\n");
    let ec = [&ec[..], &["--key-passphrase-file", "key-passphrase"]].concat();
    failed(&import(path, &ec), 1, "passphrase does not open the key");
    write_secret(&path.join("key-passphrase"), "x\n");
    succeeded(&import(path, &ec));

    failed(
        &import(
            path,
            &[
                "--name",
                "other",
                "--key",
                "rsa.key",
                "--certificate",
                "ec.pem",
            ],
        ),
        1,
        "public keys differ",
    );
    failed(
        &import(
            path,
            &[
                "--name",
                "Bad",
                "--key",
                "rsa.key",
                "--certificate",
                "rsa.pem",
            ],
        ),
        1,
        "no name for a key",
    );
    let leaf = [
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-key",
        "rsa.key",
        "-out",
        "leaf.pem",
    ];
    openssl(
        path,
        &[&["req", "-x509", "-new", "-subj", "/CN=leaf"][..], &leaf].concat(),
    );
    failed(
        &import(
            path,
            &[
                "--name",
                "leaf",
                "--key",
                "rsa.key",
                "--certificate",
                "leaf.pem",
            ],
        ),
        1,
        "not a CA's",
    );
    let limited = [
        "-addext",
        "keyUsage=critical,digitalSignature",
        "-key",
        "rsa.key",
        "-out",
        "limited.pem",
    ];
    openssl(
        path,
        &[
            &["req", "-x509", "-new", "-subj", "/CN=limited"][..],
            &limited,
        ]
        .concat(),
    );
    failed(
        &import(
            path,
            &[
                "--name",
                "limited",
                "--key",
                "rsa.key",
                "--certificate",
                "limited.pem",
            ],
        ),
        1,
        "cRLSign",
    );
    openssl(
        path,
        &[
            "req",
            "-x509",
            "-new",
            "-subj",
            "/CN=Renamed",
            "-key",
            "rsa.key",
            "-out",
            "renamed.pem",
        ],
    );
    failed(
        &import(
            path,
            &[
                "--name",
                "old-rsa",
                "--key",
                "rsa.key",
                "--certificate",
                "renamed.pem",
            ],
        ),
        1,
        "another",
    );
}
