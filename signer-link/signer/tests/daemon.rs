//! The daemon as a program: it starts, serves, dies and comes back.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use common::{Fixture, Leaf, SIGNER, crl, failed, signer, write_secret};
use pki::{Clock, SystemClock};
use signer_client::{SignerClient, SignerError};

/// A daemon over a fixture's keys, with the system's clock.
struct Daemon {
    child: Child,
    client: SignerClient,
}

impl Daemon {
    async fn start(fixture: &Fixture) -> Self {
        let path = fixture.directory.path();
        write_secret(&path.join("passphrase"), common::PASSPHRASE);
        let config = format!(
            "socket = {:?}\nkeys = {:?}\njournal = {:?}\npassphrase_file = {:?}\nprofiles = {:?}\n",
            path.join("signer.sock"),
            fixture.keys(),
            fixture.journal(),
            path.join("passphrase"),
            common::profiles_directory(),
        );
        fs::write(path.join("signer.toml"), config).unwrap();
        let log = fs::File::create(path.join("log")).unwrap();
        let child = Command::new(SIGNER)
            .arg("--config")
            .arg(path.join("signer.toml"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let client = SignerClient::new(path.join("signer.sock"));
        let mut daemon = Self { child, client };
        while daemon.client.ping().await.is_err() {
            assert!(
                daemon.child.try_wait().unwrap().is_none(),
                "{}",
                fs::read_to_string(path.join("log")).unwrap()
            );
            tokio::task::yield_now().await;
        }
        daemon
    }

    fn signal(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Ended already where the test got that far.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A leaf as of the system's time.
fn leaf_now(fixture: &Fixture) -> Leaf {
    let mut leaf = Leaf::new(&fixture.member);
    leaf.not_before = SystemClock.now().plus_seconds(-300);
    leaf.not_after = leaf.not_before.plus_seconds(86_400);
    leaf
}

#[tokio::test]
async fn the_daemon_survives_kill_9_and_stops_on_sigterm() {
    let fixture = Fixture::at(SystemClock.now());
    let path = fixture.directory.path().to_owned();
    let mut daemon = Daemon::start(&fixture).await;
    let mode = fs::metadata(path.join("signer.sock"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        fs::read_to_string(path.join("log"))
            .unwrap()
            .contains("DEMO MODE")
    );
    let names: Vec<_> = daemon
        .client
        .info()
        .await
        .unwrap()
        .into_iter()
        .map(|issuer| issuer.name)
        .collect();
    assert_eq!(names, ["member", "root"]);

    let request = leaf_now(&fixture).request();
    let signature = daemon
        .client
        .issue_certificate([1; 16], request.clone())
        .await
        .unwrap();
    let crl_request = crl(
        &fixture.member,
        1,
        SystemClock.now().plus_seconds(-120),
        &[],
    );
    let crl_signature = daemon
        .client
        .sign_crl([2; 16], crl_request.clone())
        .await
        .unwrap();
    let mut hostile = request.clone();
    hostile.tbs[40] ^= 0xff;
    let refused = daemon
        .client
        .issue_certificate([3; 16], hostile)
        .await
        .unwrap_err();
    assert!(matches!(refused, SignerError::Refused { .. }), "{refused}");

    // A second one finds the journal taken, and changes nothing.
    let second = signer(&path, &["--config", "signer.toml"]);
    failed(&second, 1, "has the journal open");

    daemon.signal("-KILL");
    assert!(daemon.client.ping().await.is_err());
    let mut daemon = Daemon::start(&fixture).await;
    assert_eq!(
        daemon.client.issue_certificate([1; 16], request).await,
        Ok(signature)
    );
    assert_eq!(
        daemon.client.sign_crl([2; 16], crl_request).await,
        Ok(crl_signature)
    );

    let calls: Vec<_> = (10..60)
        .map(|id| {
            let (client, request) = (daemon.client.clone(), leaf_now(&fixture).request());
            tokio::spawn(async move { client.issue_certificate([id; 16], request).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(daemon.signal("-TERM"), Some(0));
    assert!(!path.join("signer.sock").exists());
}

#[tokio::test]
async fn the_daemon_does_not_start_on_a_damaged_or_missing_journal_or_a_wrong_passphrase() {
    let fixture = Fixture::at(SystemClock.now());
    let path = fixture.directory.path().to_owned();
    let mut daemon = Daemon::start(&fixture).await;
    assert_eq!(daemon.signal("-TERM"), Some(0));
    let start = || signer(&path, &["--config", "signer.toml"]);

    write_secret(&path.join("passphrase"), "wrong");
    failed(&start(), 1, "wrong passphrase");
    write_secret(&path.join("passphrase"), common::PASSPHRASE);

    let journal = fs::read(fixture.journal()).unwrap();
    let mut damaged = journal.clone();
    damaged[40] ^= 1;
    fs::write(fixture.journal(), &damaged).unwrap();
    failed(&start(), 1, "the journal is damaged");
    fs::remove_file(fixture.journal()).unwrap();
    failed(&start(), 1, "there is no journal");
    fs::write(fixture.journal(), [&journal[..], b"\0\0\0"].concat()).unwrap();
    let mut daemon = Daemon::start(&fixture).await;
    assert_eq!(daemon.signal("-TERM"), Some(0));
    assert!(
        fs::read_to_string(path.join("log"))
            .unwrap()
            .contains("incomplete record")
    );
}
