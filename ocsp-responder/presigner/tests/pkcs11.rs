//! Responder keys in a token: SoftHSM, with a token directory of its own.
//!
//! SoftHSM reads its configuration once per process, from the environment: each test runs in a child process of this
//! binary.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keystore::{KeyError, Token, TokenPlace};
use ledger::{ChangeKind, IssuerPolicy, KeyPlace, OcspPolicy};
use multi_buffer::Search;
use ocsp_presigner::Backends;
use pki::{HashAlgorithm, KeyKind, SignatureAlgorithm};

use common::{World, all_answers, assert_complete, openssl_says, serial};

const PIN: &str = "271828";

#[test]
fn keys_of_a_token_sign_and_are_found_again() {
    in_child("keys_of_a_token_sign_and_are_found_again", |place| {
        let token = Token::new(place.clone());
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa(2048)] {
            let algorithm = SignatureAlgorithm::for_key(kind, kind.default_hash()).unwrap();
            let label = format!("test {kind}");
            let key = token.generate(kind, &label).unwrap();
            assert!(key.is_in_token() && key.kind() == kind);
            assert!(matches!(key.to_pkcs8_der(), Err(KeyError::StaysInToken)));
            // On many threads at once, each with a session of its own.
            std::thread::scope(|scope| {
                for thread in 0..4_u8 {
                    let key = &key;
                    scope.spawn(move || {
                        for message in 0..20_u8 {
                            key.sign(algorithm, &[thread, message]).unwrap();
                        }
                    });
                }
            });
            let again = Token::new(place.clone()).keys(&label).unwrap();
            assert_eq!(again.len(), 1);
            assert_eq!(again[0].public_key(), key.public_key());
            token.destroy(&again[0]).unwrap();
            assert!(token.keys(&label).unwrap().is_empty());
            assert!(matches!(
                key.sign(algorithm, b""),
                Err(KeyError::Token { .. })
            ));
        }
        for kind in [KeyKind::Ed25519, KeyKind::MlDsa65] {
            let refused = token.generate(kind, "test").unwrap_err();
            assert!(matches!(refused, KeyError::Unsupported(_)), "{refused}");
        }
    });
}

#[test]
fn a_token_that_is_not_right_says_what_is_wrong() {
    in_child("a_token_that_is_not_right_says_what_is_wrong", |place| {
        let says = |place: TokenPlace| Token::new(place).keys("any").unwrap_err().to_string();
        let wrong_pin = place.pin_file.with_extension("wrong");
        fs::write(&wrong_pin, "0000").unwrap();
        let other = |token: &str, pin_file: &Path| TokenPlace {
            token: token.to_owned(),
            pin_file: pin_file.to_owned(),
            ..place.clone()
        };
        let away = says(other("elsewhere", &place.pin_file));
        assert!(
            away.contains("elsewhere") && away.contains("no token"),
            "{away}"
        );
        let wrong = says(other(&place.token, &wrong_pin));
        assert!(wrong.contains("PinIncorrect"), "{wrong}");
        let no_pin = says(other(&place.token, Path::new("/nonexistent/pin")));
        assert!(no_pin.contains("/nonexistent/pin"), "{no_pin}");
        let module = TokenPlace {
            module: "/nonexistent/module.so".into(),
            ..place.clone()
        };
        assert!(says(module).contains("one PKCS#11 module"));
        Token::new(place).keys("any").unwrap();
    });
}

/// From the key in the token to an answer that openssl verifies; with a restart, and a token that is away for a while.
#[test]
fn answers_are_signed_in_the_token() {
    in_child("answers_are_signed_in_the_token", |place| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(answers_from(place));
    });
}

async fn answers_from(place: TokenPlace) {
    let backends = Backends::find(&Search::Off, Some(Token::new(place.clone()))).unwrap();
    let world = World::with(backends).await;
    for (name, kind) in [("ec", KeyKind::P256), ("rsa", KeyKind::Rsa(2048))] {
        let policy = IssuerPolicy {
            ocsp: OcspPolicy {
                responder_key: Some(kind),
                responder_key_in: KeyPlace::Pkcs11,
                ..OcspPolicy::default()
            },
            ..IssuerPolicy::default()
        };
        let ca = world
            .add_issuer(name, "EC -pkeyopt ec_paramgen_curve:P-256", true, policy)
            .await;
        world.import(name, 1..150, None).await;

        // Without its PIN the token is as good as away: that is said, and tried again.
        let away = place.pin_file.with_extension("away");
        let (mut worker, inbox) = world.worker(name).await;
        if name == "ec" {
            fs::rename(&place.pin_file, &away).unwrap();
            worker.settle().await;
            assert!(worker.responder().is_none());
            let said = format!("{:?}", world.health.readiness(Some(name)));
            assert!(said.contains(&*place.pin_file.to_string_lossy()), "{said}");
            fs::rename(&away, &place.pin_file).unwrap();
            inbox.put(ChangeKind::IssuerChanged, None);
        }
        let mut cursor = world.ledger.head().await.unwrap();
        // The stock waits until everything else has started.
        world.clock.advance(10);
        worker.settle().await;
        world.feed(&inbox, &mut cursor).await;
        worker.settle().await;
        assert_complete(&world, &worker, name, &ca).await;
        for hash in common::HASHES {
            assert_eq!(openssl_says(&world, &worker, name, serial(7), hash), "good");
            assert_eq!(
                openssl_says(&world, &worker, name, serial(10), hash),
                "revoked"
            );
        }
        let files: Vec<_> = fs::read_dir(world.path().join("keys").join(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        // The one in use and nine in stock, each of a key of its own in the token.
        assert_eq!(files.len(), 10, "certificates and no key: {files:?}");
        let asked = world.signer.asked();

        // A restart finds the keys again, and asks for no others.
        let certificate = worker.responder().unwrap().der().to_vec();
        drop(worker);
        let (mut worker, inbox) = world.worker(name).await;
        worker.settle().await;
        assert_eq!(worker.responder().unwrap().der(), certificate);
        assert_eq!(world.signer.asked(), asked);

        // The next one in stock signs when its time has come.
        world.clock.advance(72 * 3600);
        worker.settle().await;
        let next = worker.responder().unwrap();
        assert_ne!(next.der(), certificate);
        assert!(next.not_before() <= world.now());
        assert!(all_answers(worker.published().view()).any(|answer| {
            let responder = answer.responder().unwrap();
            responder.der() == worker.responder().unwrap().der()
        }));

        let mut cursor = world.ledger.head().await.unwrap();
        world.revoke(name, serial(7)).await;
        world.feed(&inbox, &mut cursor).await;
        worker.settle().await;
        let says = openssl_says(&world, &worker, name, serial(7), HashAlgorithm::Sha256);
        assert_eq!(says, "revoked");
    }
}

/// Runs a test in a child process with a token of its own.
fn in_child(test: &str, body: impl FnOnce(TokenPlace)) {
    const PLACE: &str = "AVOUCH_TEST_TOKEN";
    if let Some(directory) = std::env::var_os(PLACE) {
        return body(place(Path::new(&directory)));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir(path.join("tokens")).unwrap();
    let configuration = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        path.join("tokens").display()
    );
    fs::write(path.join("softhsm2.conf"), configuration).unwrap();
    fs::write(path.join("pin"), format!("{PIN}\n")).unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "avouch"])
        .args(["--so-pin", "314159", "--pin", PIN])
        .env("SOFTHSM2_CONF", path.join("softhsm2.conf"))
        .output()
        .expect("softhsm2-util (Debian package softhsm2)");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("SOFTHSM2_CONF", path.join("softhsm2.conf"))
        .env(PLACE, path)
        .status()
        .unwrap();
    assert!(child.success(), "{child}");
}

fn place(directory: &Path) -> TokenPlace {
    let modules = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    ];
    let module = modules
        .into_iter()
        .find(|module| Path::new(module).exists());
    TokenPlace {
        module: PathBuf::from(module.expect("SoftHSM (Debian package softhsm2)")),
        token: "avouch".to_owned(),
        pin_file: directory.join("pin"),
    }
}
