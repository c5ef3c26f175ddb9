//! Issuers whose CRLs somebody else signs: followed over HTTP and as files, and never beyond their end.
#![forbid(unsafe_code)]

use std::fs;

use e2e::clients::{Verdict, curl};
use e2e::crl_server::Gives;
use e2e::system::{EC, path};
use e2e::{CrlServer, FakedEdge, OldCa, System, program, wait_for};

const KEY: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
const DAY: u32 = 86_400;

/// A running system, and a CA beside it that goes on issuing and revoking.
struct World {
    system: System,
    ca: OldCa,
}

impl World {
    /// Takes the CA over without its key; `source` are options of `avouch import ca`.
    fn new(source: &[&str]) -> Self {
        let system = System::start(EC);
        let ca = OldCa::new(&system.folder().join("old"), KEY);
        ca.issue("later", KEY, "leaf");
        ca.issue("responder", KEY, "responder");
        let world = Self { system, ca };
        world.import(source);
        world
    }

    fn import(&self, source: &[&str]) {
        let file = |name| self.ca.file(name);
        let files = [
            file("ca.pem"),
            file("index.txt"),
            file("responder.pem"),
            file("responder.key"),
        ];
        let mut arguments = vec!["import", "ca", "--name", "old", "--cert", &files[0]];
        arguments.extend(["--index", &files[1]]);
        arguments.extend(["--responder-cert", &files[2], "--responder-key", &files[3]]);
        arguments.extend(source);
        self.system.avouch(&arguments).ok();
    }

    fn set(&self, settings: &[&str]) {
        let mut arguments = vec!["policy", "old"];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        self.system.avouch(&arguments).ok();
    }

    fn says(&self, name: &str) -> Verdict {
        let certificate = self.ca.folder.join(format!("{name}.pem"));
        self.ca
            .ask(&self.system, self.system.status_url(), &certificate)
    }

    #[track_caller]
    fn wait_until(&self, name: &str, verdict: &Verdict) {
        wait_for(|| self.says(name) == *verdict);
    }

    /// What the CRL builder says about the issuer.
    fn condition(&self) -> String {
        let url = format!("{}readyz?issuer=old", self.admin("crl-builder"));
        String::from_utf8(curl(&self.system, &url, &[]).body).expect("text")
    }

    #[track_caller]
    fn wait_for_trouble(&self, words: &str) {
        wait_for(|| self.condition().contains(words));
    }

    #[track_caller]
    fn wait_for_peace(&self) {
        let url = format!("{}readyz?issuer=old", self.admin("crl-builder"));
        wait_for(|| curl(&self.system, &url, &[]).status == 200);
    }

    fn admin(&self, daemon: &str) -> String {
        let file = self.system.data().join(format!("run/{daemon}.json"));
        let state = fs::read(file).expect("its state");
        let state: serde_json::Value = serde_json::from_slice(&state).expect("JSON");
        let url = state["admin"].as_str().expect("an admin URL");
        format!("{}/", url.trim_end_matches('/'))
    }

    fn metric(&self, daemon: &str, line: &str) -> Option<i64> {
        let url = format!("{}metrics", self.admin(daemon));
        let text = String::from_utf8(curl(&self.system, &url, &[]).body).expect("text");
        let found = text.lines().find(|found| found.starts_with(line))?;
        found.rsplit(' ').next()?.parse().ok()
    }

    /// The CRL that the edge serves.
    fn served(&self) -> Vec<u8> {
        let url = format!("{}crl/old.crl", self.system.status_url());
        curl(&self.system, &url, &[]).body
    }

    /// A certificate of another issuer of the same edge.
    fn neighbour(&self) -> std::path::PathBuf {
        self.system.issue_server("member", "www.example.org")
    }

    fn asked_with(
        &self,
        url: &str,
        ca: &str,
        chain: &std::path::Path,
        certificate: &std::path::Path,
    ) -> String {
        let arguments = [
            "ocsp",
            "-issuer",
            ca,
            "-CAfile",
            path(chain),
            "-url",
            url,
            "-no_nonce",
            "-noverify",
            "-cert",
            path(certificate),
        ];
        program(self.system.folder(), "openssl", arguments).output()
    }

    fn neighbour_says(&self, url: &str, certificate: &std::path::Path) -> String {
        let ca = self.system.ca("member");
        self.asked_with(url, path(&ca), &self.system.chain("member"), certificate)
    }

    fn old_says(&self, url: &str, name: &str) -> String {
        let ca = self.ca.folder.join("ca.pem");
        let certificate = self.ca.folder.join(format!("{name}.pem"));
        self.asked_with(url, path(&ca), &ca, &certificate)
    }
}

#[test]
fn fetched_verified_and_followed() {
    let server = CrlServer::start();
    let (crl_url, delta_url) = (server.url("/ca.crl"), server.url("/delta.crl"));
    let mut world = World::new(&["--crl-url", &crl_url, "--delta-crl-url", &delta_url]);
    world.set(&["source.interval_seconds=1", "source.timeout_seconds=2"]);

    // Nothing is said before the first CRL is there.
    world.wait_for_trouble("404");
    assert!(world.condition().contains("no CRL has been taken in yet"));
    assert!(matches!(world.says("good"), Verdict::Other(_)));
    let first = world.ca.crl(0x200, DAY);
    server.set("/moved.crl", Gives::Octets(first.clone()));
    server.set("/ca.crl", Gives::Redirect("/moved.crl".to_owned()));
    server.set("/delta.crl", Gives::Status(404));
    world.wait_until("good", &Verdict::Good);
    world.wait_until("revoked", &Verdict::Revoked);
    world.wait_until("held", &Verdict::Revoked);
    wait_for(|| world.served() == first);

    // 304 from then on.
    wait_for(|| server.answered("/moved.crl", 304) > 1);
    let line =
        "avouch_crl_source_fetches_total{issuer=\"old\",list=\"complete\",result=\"not_modified\"}";
    assert!(
        world
            .metric("crl-builder", line)
            .is_some_and(|count| count > 0)
    );
    assert_eq!(server.answered("/moved.crl", 200), 1);

    // A delta revokes one and releases another; one whose base is not here waits.
    let delta = world.ca.delta(
        0x201,
        0x200,
        DAY,
        &[("later", "keyCompromise"), ("held", "removeFromCRL")],
    );
    server.set("/delta.crl", Gives::Octets(delta.clone()));
    world.wait_until("later", &Verdict::Revoked);
    world.wait_until("held", &Verdict::Good);
    let delta_here = format!("{}crl/old.delta.crl", world.system.status_url());
    wait_for(|| curl(&world.system, &delta_here, &[]).body == delta);
    assert_eq!(world.says("revoked"), Verdict::Revoked);
    world.wait_for_peace();
    let waiting = world.ca.delta(0x20a, 0x209, DAY, &[("good", "superseded")]);
    server.set("/delta.crl", Gives::Octets(waiting));
    world.wait_for_trouble("waits: number 522 builds on the complete CRL number 521");
    assert_eq!(world.says("good"), Verdict::Good);
    assert_eq!(world.says("later"), Verdict::Revoked);

    // The complete CRL that it waits for: number 521. Certificates on hold again, and the new one revoked for good.
    world.ca.revoke("later", "keyCompromise");
    let second = world.ca.crl(0x209, DAY);
    server.set("/ca.crl", Gives::Octets(second.clone()));
    world.wait_until("good", &Verdict::Revoked);
    world.wait_until("held", &Verdict::Revoked);
    wait_for(|| world.served() == second);
    let last = world.ca.crl(0x20b, DAY);
    server.set("/ca.crl", Gives::Octets(last.clone()));
    wait_for(|| world.served() == last);
    world.wait_for_peace();
    // Superseded by the delta, but not in the newer complete CRL: a revocation stays.
    assert_eq!(world.says("good"), Verdict::Revoked);

    refuses_what_is_bad(&world, &server, &last);

    // Another start finds everything in its files and the ledger; nobody answers at the URLs.
    drop(server);
    let address = world.system.status_url();
    let address = address
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    world.system.stop();
    world.system.up(&address);
    world.wait_until("responder", &Verdict::Good);
    assert_eq!(world.says("later"), Verdict::Revoked);
    assert_eq!(world.served(), last);
    world.wait_for_trouble("no connection");
    world.system.avouch(&["audit", "verify"]).ok();

    // The source stays away, and its day passes: this issuer alone says tryLater.
    let neighbour = world.neighbour();
    wait_for(|| {
        world
            .neighbour_says(world.system.status_url(), &neighbour)
            .contains(": good")
    });
    let edge = FakedEdge::start(&world.system, "+25h");
    assert!(world.old_says(&edge.url, "responder").contains("trylater"));
    assert!(
        world
            .neighbour_says(&edge.url, &neighbour)
            .contains(": good")
    );
    for (issuer, status) in [("old", 503), ("member", 200)] {
        let url = format!("{}readyz?issuer={issuer}", edge.admin);
        assert_eq!(curl(&world.system, &url, &[]).status, status, "{issuer}");
    }
}

/// None of these replaces the good one, and each is named.
fn refuses_what_is_bad(world: &World, server: &CrlServer, good: &[u8]) {
    let other = OldCa::new(&world.system.folder().join("other"), KEY);
    let ended = world.ca.crl(0x300, 1);
    wait_for(|| {
        let now = std::time::SystemTime::now();
        let crl = pki::crl::Crl::from_der(&ended).expect("a CRL");
        let end = crl.next_update().expect("an end").unix();
        now.duration_since(std::time::UNIX_EPOCH)
            .is_ok_and(|now| i64::try_from(now.as_secs()).is_ok_and(|now| now > end))
    });
    let mut broken = good.to_vec();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    for (gives, words) in [
        (Gives::Status(500), "the answer is 500"),
        (Gives::Html, "HTML"),
        (Gives::Truncated(good.to_vec()), "broke off"),
        (Gives::Silence, "source.timeout_seconds"),
        (Gives::Enormous, "source.max_megabytes"),
        (Gives::Loop, "redirected more than 5 times"),
        (
            Gives::Redirect("https://127.0.0.1/ca.crl".to_owned()),
            "http:// alone",
        ),
        (Gives::Octets(world.ca.crl(0x20a, DAY)), "CRL-11"),
        (Gives::Octets(other.crl(0x400, DAY)), "CRL-31"),
        (Gives::Octets(broken), "CRL-31"),
        (Gives::Octets(ended), "it has ended already"),
        (Gives::Octets(Vec::new()), "it is empty"),
        (
            Gives::Octets(world.ca.delta(0x500, 0x20b, DAY, &[])),
            "CRL-23",
        ),
    ] {
        server.set("/ca.crl", gives);
        world.wait_for_trouble(words);
        assert_eq!(world.says("responder"), Verdict::Good, "{words}");
        assert_eq!(world.served(), good, "{words}");
        let line = "avouch_crl_source_trouble{issuer=\"old\",list=\"complete\"}";
        wait_for(|| world.metric("crl-builder", line) == Some(1));
    }
    server.set("/ca.crl", Gives::Octets(good.to_vec()));
    world.wait_for_peace();
}

/// A file that is not replaced in time: tryLater for this issuer, service again as soon as there is a new one.
#[test]
fn service_ends_with_its_source_and_comes_back() {
    let world = World::new(&[]);
    world.wait_until("good", &Verdict::Good);
    let neighbour = world.neighbour();
    let file = world.system.data().join("crl-builder/imported/old.crl");
    let put = |der: &[u8]| {
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        let new = file.with_extension("put");
        fs::write(&new, der).expect("written");
        fs::rename(&new, &file).expect("renamed");
    };
    world.ca.revoke("later", "superseded");
    put(&world.ca.crl(0x200, 20));
    world.set(&["source.crl=file"]);
    world.wait_until("later", &Verdict::Revoked);
    let url = world.system.status_url();
    wait_for(|| world.old_says(url, "good").contains("trylater"));
    assert!(world.old_says(url, "later").contains("trylater"));
    world.wait_for_trouble("too old, and OCSP says tryLater: the newest, number 512");
    wait_for(|| {
        world
            .metric(
                "ocsp-presigner",
                "avouch_presigner_source_seconds_left{issuer=\"old\"}",
            )
            .is_some_and(|left| left <= 1)
    });
    let ready = |issuer: &str| {
        let url = format!("{}readyz?issuer={issuer}", world.system.admin_url());
        curl(&world.system, &url, &[]).status
    };
    wait_for(|| ready("old") == 503);
    let status = world.system.avouch(&["status", "--json"]).stdout;
    assert!(
        status.contains("source: its CRLs were to be relied on until"),
        "{status}"
    );
    assert_eq!(ready("member"), 200);
    wait_for(|| world.neighbour_says(url, &neighbour).contains(": good"));

    put(&world.ca.crl(0x201, DAY));
    world.wait_until("good", &Verdict::Good);
    world.wait_until("later", &Verdict::Revoked);
    wait_for(|| ready("old") == 200);
    world.wait_for_peace();
}
