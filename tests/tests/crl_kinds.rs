//! Complete, delta and partitioned CRLs, judged by clients that know nothing of Avouch.
#![forbid(unsafe_code)]

#[path = "crl_kinds/openssl.rs"]
mod openssl;
#[path = "crl_kinds/others.rs"]
mod others;

use std::path::{Path, PathBuf};

use e2e::clients::curl;
use e2e::system::{EC, RSA, signal};
use e2e::{System, wait_for};
use pki::Certificate;
use pki::crl::Crl;

const ISSUER: &str = "member";

/// A system whose member CA has every kind of CRL, with a good certificate, one that was revoked before the base of the
/// deltas, and one that was revoked after it.
struct Kinds {
    system: System,
    good: PathBuf,
    old: PathBuf,
    new: PathBuf,
}

impl Kinds {
    fn start(hierarchy: &str) -> Self {
        let system = System::start(hierarchy);
        system
            .avouch(&[
                "policy",
                ISSUER,
                "--set",
                "crl.deltas=true",
                "--set",
                "crl.partitions=3",
            ])
            .ok();
        let issue = |name| system.issue_server(ISSUER, name);
        let (good, old, new) = (
            issue("good.example.org"),
            issue("old.example.org"),
            issue("new.example.org"),
        );
        system.revoke(&old);
        // After a start the base of the deltas is what is published.
        signal("-TERM", system.pid("crl-builder"));
        system.revoke(&new);
        let kinds = Self {
            system,
            good,
            old,
            new,
        };
        wait_for(|| kinds.delta().is_some_and(|delta| lists(&delta, &kinds.new)));
        wait_for(|| lists(&kinds.partition(&kinds.new), &kinds.new));
        kinds
    }

    fn url(&self, name: &str) -> String {
        format!("{}crl/{name}", self.system.status_url())
    }

    fn complete(&self) -> Crl {
        self.fetch(&self.url("member.crl")).expect("a complete CRL")
    }

    fn delta(&self) -> Option<Crl> {
        self.fetch(&self.url("member.delta.crl"))
    }

    /// The part that a certificate names.
    fn partition(&self, certificate: &Path) -> Crl {
        let url = read(certificate)
            .distribution_point_uri()
            .expect("a distribution point");
        assert!(url.starts_with(&self.url("member/part/")), "{url}");
        self.fetch(&url).expect("the part")
    }

    fn fetch(&self, url: &str) -> Option<Crl> {
        let response = curl(&self.system, url, &[]);
        (response.status == 200).then(|| Crl::from_der(&response.body).expect("a CRL"))
    }

    /// A CRL as a PEM file.
    fn file(&self, name: &str, crl: &Crl) -> PathBuf {
        let file = self.system.folder().join(name);
        std::fs::write(&file, pki::pem::encode("X509 CRL", crl.der())).expect("written");
        file
    }

    /// Every CRL there is, as PEM files.
    fn files(&self) -> Vec<PathBuf> {
        let mut parts: Vec<_> = [&self.good, &self.old, &self.new]
            .map(|certificate| self.partition(certificate))
            .into();
        parts.sort_by_key(|part| part.distribution_point_uri().map(str::to_owned));
        parts.dedup_by_key(|part| part.distribution_point_uri().map(str::to_owned));
        let parts = parts
            .iter()
            .enumerate()
            .map(|(number, part)| self.file(&format!("part-{number}.pem"), part));
        [
            self.file("complete.pem", &self.complete()),
            self.file("delta.pem", &self.delta().expect("a delta")),
        ]
        .into_iter()
        .chain(parts)
        .collect()
    }
}

fn read(certificate: &Path) -> Certificate {
    let text = std::fs::read_to_string(certificate).expect("a certificate");
    Certificate::from_pem(&text).expect("a certificate")
}

fn lists(crl: &Crl, certificate: &Path) -> bool {
    crl.find(read(certificate).serial()).is_some()
}

fn judged_by_everybody(hierarchy: &str) {
    let kinds = Kinds::start(hierarchy);
    one_build(&kinds);
    openssl::takes_all_kinds(&kinds);
    others::take_all_kinds(&kinds);
}

#[test]
fn of_an_ec_ca() {
    judged_by_everybody(EC);
}

#[test]
fn of_an_rsa_ca() {
    judged_by_everybody(RSA);
}

/// CRL-10, CRL-23 to CRL-25: complete and delta share number and times, and the delta is relative to a lower number.
fn one_build(kinds: &Kinds) {
    let (mut complete, mut delta) = (kinds.complete(), kinds.delta().expect("a delta"));
    // Both are published at once, but fetched one after the other.
    while complete.number() != delta.number() {
        (complete, delta) = (kinds.complete(), kinds.delta().expect("a delta"));
    }
    assert_eq!(complete.this_update(), delta.this_update());
    assert_eq!(complete.next_update(), delta.next_update());
    assert!(delta.base_number() < delta.number());
    assert!(lists(&complete, &kinds.old) && lists(&complete, &kinds.new));
    assert!(!lists(&complete, &kinds.good));
    assert!(lists(&delta, &kinds.new) && !lists(&delta, &kinds.good));
    assert!(!lists(&delta, &kinds.old));
    for certificate in [&kinds.old, &kinds.new] {
        assert!(lists(&kinds.partition(certificate), certificate));
    }
    assert!(!lists(&kinds.partition(&kinds.good), &kinds.good));
}

/// The number of parts may change at any time; certificates keep theirs.
#[test]
fn parts_grow_without_breaking_certificates() {
    let system = System::start(EC);
    let set = |parts: &str| {
        let parts = format!("crl.partitions={parts}");
        system.avouch(&["policy", ISSUER, "--set", &parts]).ok();
    };
    set("1");
    let before = system.issue_server(ISSUER, "before.example.org");
    set("64");
    let after = system.issue_server(ISSUER, "after.example.org");
    set("0");
    let without = system.issue_server(ISSUER, "without.example.org");
    system
        .avouch(&["policy", ISSUER, "--set", "crl.partition_by_month=true"])
        .ok();
    let month = system.issue_server(ISSUER, "month.example.org");
    let complete = format!("{}crl/member.crl", system.status_url());
    assert_eq!(read(&without).distribution_point_uri(), Some(complete));
    for certificate in [&before, &after, &without, &month] {
        system.revoke(certificate);
        assert_eq!(
            openssl::verdict_by_download(&system, ISSUER, certificate),
            e2e::clients::Verdict::Revoked
        );
    }
    let uri = read(&month).distribution_point_uri().expect("one");
    assert!(uri.contains("/part/20"), "{uri}");
}
