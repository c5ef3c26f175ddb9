//! CA keys that live in a token: the store names them, and opens them with the PIN that it keeps sealed.
//!
//! SoftHSM reads its configuration once per process, from the environment: the test runs in a child process of this
//! binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keystore::{Cost, EncryptedStore, KeyError, SecretString, StoreError, Token, TokenEntry};
use pki::{KeyKind, SignatureAlgorithm};

const PIN: &str = "271828";

#[test]
fn a_store_names_keys_in_a_token() {
    in_child("a_store_names_keys_in_a_token", |module| {
        let directory = tempfile::tempdir().unwrap();
        let passphrase = SecretString::from("a passphrase");
        let cost = Cost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        };
        let store = EncryptedStore::create_with(directory.path(), &passphrase, cost).unwrap();
        let token = Token::with_pin(module.clone(), "avouch", PIN.into());
        for (name, kind) in [("root", KeyKind::P384), ("member", KeyKind::Rsa(2048))] {
            let made = token.generate(kind, name).unwrap();
            let entry = TokenEntry {
                module: module.clone(),
                token: "avouch".to_owned(),
                id: made.token_id().unwrap().to_vec(),
                pin: PIN.into(),
            };
            let refused = store.insert(name, &made).unwrap_err();
            assert!(
                matches!(
                    refused,
                    StoreError::Key {
                        source: KeyError::StaysInToken,
                        ..
                    }
                ),
                "{refused}"
            );
            store.insert_token_key(name, &entry).unwrap();

            let file = fs::read(directory.path().join(format!("{name}.key"))).unwrap();
            assert!(!file.windows(PIN.len()).any(|part| part == PIN.as_bytes()));
            let store = EncryptedStore::open(directory.path(), &passphrase).unwrap();
            let key = store.get(name).unwrap();
            assert!(key.is_in_token());
            assert_eq!(key.public_key(), made.public_key());
            let algorithm = SignatureAlgorithm::for_key(kind, kind.default_hash()).unwrap();
            let signature = key.sign(algorithm, b"message").unwrap();
            made.public_key()
                .verify(algorithm, b"message", &signature)
                .unwrap();
        }
        let wrong = TokenEntry {
            module,
            token: "avouch".to_owned(),
            id: vec![0; 16],
            pin: PIN.into(),
        };
        let refused = store.insert_token_key("none", &wrong).unwrap_err();
        assert!(!store.contains("none").unwrap(), "{refused}");
    });
}

fn in_child(test: &str, body: impl FnOnce(PathBuf)) {
    const MODULES: [&str; 3] = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    ];
    const IN_CHILD: &str = "AVOUCH_TEST_TOKEN";
    if std::env::var_os(IN_CHILD).is_some() {
        let module = MODULES.iter().find(|module| Path::new(module).exists());
        return body(PathBuf::from(
            module.expect("SoftHSM (Debian package softhsm2)"),
        ));
    }
    let directory = tempfile::tempdir().unwrap();
    let (tokens, configuration) = (
        directory.path().join("tokens"),
        directory.path().join("softhsm2.conf"),
    );
    fs::create_dir(&tokens).unwrap();
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(&configuration, text).unwrap();
    let made = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "avouch",
            "--so-pin",
            "314159",
            "--pin",
            PIN,
        ])
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .expect("softhsm2-util (Debian package softhsm2)");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("SOFTHSM2_CONF", &configuration)
        .env(IN_CHILD, "1")
        .status()
        .unwrap();
    assert!(child.success(), "{child}");
}
