//! Keys that openssl wrote are read, and openssl verifies what they sign.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use keystore::{KeyError, SecretString, SigningKey};
use pki::{KeyKind, SignatureAlgorithm};

const MESSAGE: &[u8] = b"The quick brown fox";

fn run(directory: &Path, arguments: &str) -> Output {
    Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .output()
        .unwrap()
}

fn openssl(directory: &Path, arguments: &str) {
    let output = run(directory, arguments);
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn read(directory: &Path, file: &str) -> String {
    fs::read_to_string(directory.join(file)).unwrap()
}

/// Signs here, verifies there, with openssl's own reading of the private key file.
fn check_signature(directory: &Path, key: &SigningKey, file: &str, algorithm: SignatureAlgorithm) {
    fs::write(directory.join("message"), MESSAGE).unwrap();
    fs::write(
        directory.join("signature"),
        key.sign(algorithm, MESSAGE).unwrap(),
    )
    .unwrap();
    openssl(
        directory,
        &format!("pkey -in {file} -passin pass:x -pubout -out public.pem"),
    );
    if algorithm == SignatureAlgorithm::Ed25519 {
        openssl(
            directory,
            "pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile signature",
        );
    } else {
        let hash = algorithm.hash();
        openssl(
            directory,
            &format!("dgst -{hash} -verify public.pem -signature signature message"),
        );
    }
}

#[test]
fn rsa_in_every_form() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    openssl(path, "genrsa -out key.pem 2048");
    openssl(path, "rsa -in key.pem -traditional -out pkcs1.pem");
    openssl(
        path,
        "pkcs8 -topk8 -in key.pem -v2 aes-256-cbc -passout pass:x -out aes.pem",
    );
    openssl(
        path,
        "pkcs8 -topk8 -in key.pem -v2 aes-128-cbc -v2prf hmacWithSHA512 -passout pass:x -out aes128.pem",
    );
    openssl(
        path,
        "pkcs8 -topk8 -in key.pem -v2 des3 -v2prf hmacWithSHA1 -passout pass:x -out des3.pem",
    );
    openssl(
        path,
        "pkcs8 -topk8 -in key.pem -scrypt -passout pass:x -out scrypt.pem",
    );
    assert!(read(path, "pkcs1.pem").contains("BEGIN RSA PRIVATE KEY"));
    for file in [
        "key.pem",
        "pkcs1.pem",
        "aes.pem",
        "aes128.pem",
        "des3.pem",
        "scrypt.pem",
    ] {
        let key = SigningKey::from_encrypted_pem(&read(path, file), &SecretString::from("x"))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(key.kind(), KeyKind::Rsa(2048));
        for algorithm in [
            SignatureAlgorithm::RsaSha256,
            SignatureAlgorithm::RsaSha384,
            SignatureAlgorithm::RsaSha512,
        ] {
            check_signature(path, &key, file, algorithm);
        }
    }
}

#[test]
fn curves_in_every_form() {
    for (curve, kind, algorithm) in [
        ("prime256v1", KeyKind::P256, SignatureAlgorithm::EcdsaSha256),
        ("secp384r1", KeyKind::P384, SignatureAlgorithm::EcdsaSha384),
        ("secp521r1", KeyKind::P521, SignatureAlgorithm::EcdsaSha512),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        openssl(
            path,
            &format!("ecparam -name {curve} -genkey -out sec1.pem"),
        );
        openssl(path, "ec -in sec1.pem -no_public -out short.pem");
        openssl(path, "pkcs8 -topk8 -nocrypt -in sec1.pem -out pkcs8.pem");
        openssl(
            path,
            "pkcs8 -topk8 -in sec1.pem -passout pass:x -out encrypted.pem",
        );
        assert!(read(path, "sec1.pem").starts_with("-----BEGIN EC PARAMETERS"));
        for file in ["sec1.pem", "short.pem", "pkcs8.pem", "encrypted.pem"] {
            let key = SigningKey::from_encrypted_pem(&read(path, file), &SecretString::from("x"))
                .unwrap_or_else(|error| panic!("{curve} {file}: {error}"));
            assert_eq!(key.kind(), kind);
            check_signature(path, &key, file, algorithm);
        }
    }
}

#[test]
fn ed25519() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    openssl(path, "genpkey -algorithm ed25519 -out key.pem");
    let key = SigningKey::from_pem(&read(path, "key.pem")).unwrap();
    assert_eq!(key.kind(), KeyKind::Ed25519);
    check_signature(path, &key, "key.pem", SignatureAlgorithm::Ed25519);
}

#[test]
fn our_keys_are_openssls_keys() {
    for kind in [
        KeyKind::Rsa(2048),
        KeyKind::Rsa(3072),
        KeyKind::P256,
        KeyKind::P384,
        KeyKind::P521,
        KeyKind::Ed25519,
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        let key = SigningKey::generate(kind).unwrap();
        key.save_plain(&path).unwrap();
        openssl(directory.path(), "pkey -in key.pem -check -noout");
        let loaded = SigningKey::load_plain(&path).unwrap();
        assert_eq!(loaded.public_key(), key.public_key());
        let algorithm = SignatureAlgorithm::for_key(kind, kind.default_hash()).unwrap();
        check_signature(directory.path(), &loaded, "key.pem", algorithm);
    }
}

#[test]
fn only_the_algorithm_asked_for() {
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    for algorithm in SignatureAlgorithm::ALL {
        let result = key.sign(algorithm, MESSAGE);
        if algorithm == SignatureAlgorithm::EcdsaSha256 {
            assert!(result.is_ok());
        } else {
            assert!(
                matches!(result, Err(KeyError::AlgorithmMismatch { .. })),
                "{algorithm}"
            );
        }
    }
    let key = SigningKey::generate(KeyKind::Rsa(2048)).unwrap();
    assert!(key.sign(SignatureAlgorithm::RsaSha1, MESSAGE).is_err());
    assert!(key.sign(SignatureAlgorithm::EcdsaSha256, MESSAGE).is_err());
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    openssl(path, "genrsa -out key.pem 2048");
    openssl(
        path,
        "rsa -in key.pem -traditional -aes256 -passout pass:x -out legacy.pem",
    );
    openssl(
        path,
        "pkcs8 -topk8 -in key.pem -passout pass:x -out encrypted.pem",
    );
    openssl(
        path,
        "req -x509 -new -key key.pem -subj /CN=x -out certificate.pem",
    );
    openssl(path, "genrsa -out small.pem 1024");
    openssl(path, "ecparam -name secp256k1 -genkey -out k1.pem");
    openssl(
        path,
        "ecparam -name prime256v1 -param_enc explicit -genkey -out explicit.pem",
    );
    openssl(
        path,
        "pkcs8 -topk8 -nocrypt -in explicit.pem -out explicit8.pem",
    );
    openssl(path, "genpkey -algorithm ed448 -out ed448.pem");

    let plain = |file: &str| SigningKey::from_pem(&read(path, file)).unwrap_err();
    let legacy = plain("legacy.pem");
    assert!(matches!(legacy, KeyError::LegacyEncryption));
    assert!(legacy.to_string().contains("openssl pkcs8 -topk8"));
    assert!(matches!(plain("encrypted.pem"), KeyError::PassphraseNeeded));
    assert!(matches!(
        SigningKey::from_encrypted_pem(&read(path, "encrypted.pem"), &SecretString::from("y")),
        Err(KeyError::WrongPassphrase)
    ));
    assert!(
        plain("certificate.pem")
            .to_string()
            .contains("found: CERTIFICATE")
    );
    assert!(
        SigningKey::from_pem("")
            .unwrap_err()
            .to_string()
            .contains("no PEM block")
    );
    for file in ["small.pem", "k1.pem", "explicit8.pem", "ed448.pem"] {
        assert!(
            matches!(plain(file), KeyError::Unsupported(_)),
            "{file}: {}",
            plain(file)
        );
    }
    let two = read(path, "key.pem").repeat(2);
    assert!(matches!(
        SigningKey::from_pem(&two),
        Err(KeyError::Several(2))
    ));
    let cut = read(path, "key.pem").replace("-----END PRIVATE KEY-----", "");
    assert!(matches!(
        SigningKey::from_pem(&cut),
        Err(KeyError::Malformed(_))
    ));
}

#[test]
fn a_key_is_never_shown() {
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey { kind: P256, .. }");
}
