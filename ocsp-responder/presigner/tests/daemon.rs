//! The binary itself: configuration, hints from the ledger, and stopping.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use common::{World, openssl, serial};
use keystore::SigningKey;
use ledger::IssuerPolicy;
use pki::KeyKind;
use pki::ocsp::response::CertStatus;
use publication::{Directory, Trust};

const BINARY: &str = env!("CARGO_BIN_EXE_ocsp-presigner");

struct Running(Child);

impl Running {
    fn start(config: &Path) -> Self {
        Self(
            Command::new(BINARY)
                .arg("--config")
                .arg(config)
                .spawn()
                .unwrap(),
        )
    }

    fn terminate(mut self) -> ExitStatus {
        let status = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        assert!(status.unwrap().success());
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone if the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn usage() {
    let help = Command::new(BINARY).arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--config"));
    let version = Command::new(BINARY).arg("--version").output().unwrap();
    assert!(version.status.success());
    for arguments in [&[][..], &["--nonsense"], &["--config", "/does/not/exist"]] {
        let output = Command::new(BINARY).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_the_ledger_and_stops() {
    let world = World::new().await;
    let path = world.path();
    let ca = world
        .add_issuer(
            "old",
            "RSA -pkeyopt rsa_keygen_bits:2048",
            false,
            IssuerPolicy::default(),
        )
        .await;
    fs::create_dir_all(path.join("keys/old")).unwrap();
    fs::write(
        path.join("responder.ext"),
        "extendedKeyUsage = OCSPSigning\nnoCheck = ignored\n",
    )
    .unwrap();
    openssl(
        path,
        "genpkey -out keys/old/a.key -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
    );
    openssl(
        path,
        "req -new -key keys/old/a.key -out a.csr -subj /CN=Responder",
    );
    openssl(
        path,
        "x509 -req -in a.csr -CA old.pem -CAkey old.key -days 90 -extfile responder.ext -out keys/old/a.cer",
    );
    let key = SigningKey::generate(KeyKind::Ed25519).unwrap();
    key.save_plain(&path.join("publication.key")).unwrap();
    let config = path.join("config.toml");
    fs::write(
        &config,
        format!(
            "ledger = {0:?}\npublication = {1:?}\npublication_key = {2:?}\nkeys = {3:?}\nsigner_socket = {4:?}\n\
             [daemon]\nstate_file = {5:?}\n",
            path.join("ledger.sqlite"),
            path.join("publication"),
            path.join("publication.key"),
            path.join("keys"),
            path.join("signer.sock"),
            path.join("state.json"),
        ),
    )
    .unwrap();
    world.import("old", 1..100, None).await;
    // Its clock is the real one, which must have passed the beginning of the certificates.
    let trust = Trust {
        prefix: "ocsp/".to_owned(),
        public_key: key.public_key().key_bits().try_into().unwrap(),
    };
    let status = |number: u64| {
        let directory = Directory::new(path.join("publication"));
        let manifest = directory
            .manifest("ocsp/old", std::slice::from_ref(&trust))
            .ok()??;
        let sets: Option<Vec<_>> = manifest
            .objects_of(answers::ROLE)
            .map(|object| {
                let octets = directory.object("ocsp/old", object).ok()?;
                Some(std::sync::Arc::new(
                    answers::AnswerSet::from_bytes(octets, &ca).unwrap(),
                ))
            })
            .collect();
        let mut sets = sets?;
        sets.reverse();
        let base = sets.pop()?;
        let layered = answers::Layered::new(base, sets).unwrap();
        layered
            .get(serial(number).as_bytes())
            .unwrap()
            .map(|answer| answer.status())
    };
    let running = Running::start(&config);
    wait("the import is answered", || {
        status(7) == Some(CertStatus::Good)
    });
    assert!(matches!(status(10), Some(CertStatus::Revoked { .. })));
    let state: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path.join("state.json")).unwrap()).unwrap();
    assert!(state["admin"].as_str().unwrap().starts_with("http://"));
    wait("progress is told", || {
        let state = fs::read_to_string(path.join("state.json")).unwrap_or_default();
        state.contains(r#""progress":{"old":{"done":99,"total":99}}"#)
    });

    for number in 1..6 {
        let begun = Instant::now();
        world.revoke("old", serial(number)).await;
        wait("the revocation is published", || {
            matches!(status(number), Some(CertStatus::Revoked { .. }))
        });
        println!("published after {:?}", begun.elapsed());
    }
    assert_eq!(running.terminate().code(), Some(0));
    assert!(!path.join("state.json").exists());
}

fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "waited a minute: {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}
