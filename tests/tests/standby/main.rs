//! G8: a second signer follows the first and takes over, and nobody who asks for a certificate sees it. No serial number
//! and no CRL number comes twice, whatever the first one still does.
#![forbid(unsafe_code)]

mod second;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::clients::{self, Verdict, curl};
use e2e::{System, repository, wait_for};
use pki::crl::Crl;
use pki::{Certificate, CrlNumber};

use crate::second::{NUMBER, Second, lay_cable};

const FIRST: u8 = 1;

/// The shipped hierarchy, with the keys of two cables.
fn hierarchy(folder: &Path) -> PathBuf {
    let ec = fs::read_to_string(repository().join(e2e::system::EC)).expect("a hierarchy");
    let file = folder.join("pair.toml");
    let links = format!("\n[[link]]\nsigner = {FIRST}\n[[link]]\nsigner = {NUMBER}\n");
    fs::write(&file, ec + &links).expect("written");
    file
}

fn certificate(path: &Path) -> Certificate {
    let text = fs::read_to_string(path).expect("a certificate");
    Certificate::from_pem(&text).expect("a certificate")
}

fn signed_by(path: &Path) -> u8 {
    certificate(path).serial().as_bytes()[0]
}

fn crl_number(system: &System) -> CrlNumber {
    let url = format!("{}crl/member.crl", system.status_url());
    let crl = Crl::from_der(&curl(system, &url, &[]).body).expect("a CRL");
    crl.number().expect("a number").clone()
}

/// A value of the host's metrics.
fn metric(system: &System, series: &str) -> Option<f64> {
    let text = system.metrics("signer-host");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line?.parse().ok()
}

fn mode(system: &System, signer: u8, mode: &str) -> bool {
    let series = format!("avouch_signer_host_signer_mode{{mode=\"{mode}\",signer=\"{signer}\"}}");
    metric(system, &series) == Some(1.0)
}

/// All that is archived of the first one's log is with the second.
fn follows(system: &System) -> bool {
    let value = |name: &str, signer: u8| {
        metric(
            system,
            &format!("avouch_signer_host_{name}{{signer=\"{signer}\"}}"),
        )
    };
    let head = value("log_head", FIRST);
    head.is_some() && head == value("log_replicated", NUMBER)
}

/// Says so also when a check fails.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_standby_takes_over_unseen() {
    let scratch = tempfile::tempdir().expect("a directory");
    let mut system = System::start(hierarchy(scratch.path()).to_str().expect("text"));
    let before = system.issue_server("member", "before.example.org");
    let revoked = system.issue_server("member", "revoked.example.org");
    system.revoke(&revoked);
    assert_eq!(signed_by(&before), FIRST);
    let address = system.status_url().to_owned();
    let address = address.trim_start_matches("http://").trim_end_matches('/');
    system.stop();

    let mut second = Second::set_up(&system);
    lay_cable(&system);
    system.up(address);
    second.start();
    wait_for(|| mode(&system, NUMBER, "standby") && follows(&system));
    let during = system.issue_server("member", "during.example.org");
    assert_eq!(signed_by(&during), FIRST);
    system.revoke(&during);
    let number = crl_number(&system);
    wait_for(|| follows(&system));

    // Certificates are asked for all the time, and each is issued.
    let over = AtomicBool::new(false);
    let signers = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut signers = Vec::new();
            while !over.load(Ordering::SeqCst) {
                let host = format!("n{}.example.org", signers.len());
                signers.push(signed_by(&system.issue_server("assured", &host)));
            }
            signers
        });
        let asked_until = AtTheEnd(&over);
        second.says("promote\nyes\nyes\n");
        wait_for(|| mode(&system, NUMBER, "active"));
        let after = system.issue_server("member", "after.example.org");
        assert_eq!(signed_by(&after), NUMBER);
        drop(asked_until);
        asking.join().expect("every certificate was issued")
    });
    assert!(signers.is_sorted(), "{signers:?}");

    // V5, G8: above everything that the first one could have used.
    let after = system.issue_server("member", "revoked-after.example.org");
    system.revoke(&after);
    let run_of_the_first = number.last_of_run();
    wait_for(|| crl_number(&system) > run_of_the_first);
    for (certificate, verdict) in [
        (&before, Verdict::Good),
        (&revoked, Verdict::Revoked),
        (&during, Verdict::Revoked),
        (&after, Verdict::Revoked),
    ] {
        assert_eq!(
            clients::openssl_crl(&system, "member", certificate),
            verdict
        );
        assert_eq!(
            clients::openssl_ocsp(&system, "member", certificate, &[]),
            verdict
        );
    }
    // The first one hears of it, and does nothing any more, also when it is started again.
    let log = system.data().join("run/signer.log");
    let locked = || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        log.contains("LOCKED: another signer was promoted (epoch 2)")
    };
    wait_for(locked);
    system.stop();
    second.kill();
    fs::remove_file(&log).expect("the log of the run before");
    // Without an active signer it would not get ready.
    second.start();
    system.up(address);
    wait_for(|| locked() && mode(&system, NUMBER, "active"));
    let later = system.issue_server("member", "later.example.org");
    assert_eq!(signed_by(&later), NUMBER);
    // It cannot be promoted twice: what follows is a new standby's to do.
    second.says("promote\nyes\nyes\n");
    let last = system.issue_server("member", "last.example.org");
    assert_eq!(signed_by(&last), NUMBER);
    assert!(!second.log().contains("LOCKED"), "{}", second.log());
}
