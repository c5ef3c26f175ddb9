//! `avouch fetch-crl` against an Avouch and against a plain web server.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use e2e::clients::curl;
use e2e::program::{Finished, binary};
use e2e::system::{EC, path};
use e2e::{System, program, wait_for};
use pki::crl::Crl;
use serde_json::Value;

use crate::web_server::WebServer;

/// A relying party with its file.
struct Client<'a> {
    system: &'a System,
    url: String,
    ca: PathBuf,
    out: PathBuf,
}

impl<'a> Client<'a> {
    fn of(system: &'a System) -> Self {
        Self {
            system,
            url: format!("{}crl/member.crl", system.status_url()),
            ca: system.ca("member"),
            out: system.folder().join("kept/member.crl"),
        }
    }

    fn run(&self, more: &[&str]) -> Finished {
        let arguments = [
            "fetch-crl",
            &self.url,
            "--ca",
            path(&self.ca),
            "--out",
            path(&self.out),
        ];
        program(
            self.system.folder(),
            binary("avouch"),
            [&arguments, more].concat(),
        )
    }

    /// A run that goes well, and what it says.
    #[track_caller]
    fn fetch(&self) -> Value {
        self.run(&["--json"]).ok().json()
    }

    fn kept(&self) -> Vec<u8> {
        fs::read(&self.out).expect("the file is there")
    }
}

#[track_caller]
fn assert_said(said: &Value, how: Option<&str>, changed: bool) {
    assert_eq!(
        (said["how"].as_str(), said["changed"].as_bool()),
        (how, Some(changed)),
        "{said}"
    );
}

#[test]
fn from_an_avouch() {
    let system = System::start(EC);
    let client = Client::of(&system);
    fs::create_dir(system.folder().join("kept")).expect("a folder");
    let served = || curl(&system, &client.url, &[]).body;

    assert_said(&client.fetch(), Some("whole"), true);
    assert_eq!(client.kept(), served());
    let unchanged = client.fetch();
    assert_said(&unchanged, None, false);
    assert!(
        unchanged["received"].as_u64() < Some(600),
        "304: {unchanged}"
    );

    // Owner, permissions and a link stay as they are.
    fs::set_permissions(&client.out, fs::Permissions::from_mode(0o640)).expect("changed");
    let real = system.folder().join("kept/real.crl");
    fs::rename(&client.out, &real).expect("moved");
    symlink(&real, &client.out).expect("a link");
    system.issue_good_and_revoked("member");
    assert_said(&client.fetch(), Some("difference"), true);
    assert_eq!(client.kept(), served());
    assert_eq!(Crl::from_der(&client.kept()).expect("a CRL").len(), 1);
    assert!(client.out.is_symlink());
    let mode = fs::metadata(&real)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);

    // A command runs when the CRL changed, again until it succeeds, and not otherwise.
    let (ran, allowed) = (system.folder().join("ran"), system.folder().join("allowed"));
    let command = format!("echo x >> {} && test -e {}", path(&ran), path(&allowed));
    let exec = ["--exec", command.as_str(), "--quiet"];
    let runs = || fs::read_to_string(&ran).unwrap_or_default().lines().count();
    assert_eq!(client.run(&exec).ok().output(), "");
    assert_eq!(runs(), 0, "nothing has changed");
    let certificate = system.issue_server("member", "another.example.org");
    system.revoke(&certificate);
    let failed = client.run(&exec);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(
        failed.stderr.contains("up to date, but --exec failed"),
        "{failed:?}"
    );
    assert_eq!((client.kept() == served(), runs()), (true, 1));
    fs::write(&allowed, "").expect("written");
    client.run(&exec).ok();
    client.run(&exec).ok();
    assert_eq!(runs(), 2);

    // PEM, and differences from it.
    assert_said(&client.run(&["--json", "--pem"]).ok().json(), None, true);
    let said = program(
        system.folder(),
        "openssl",
        [
            "crl",
            "-in",
            path(&client.out),
            "-noout",
            "-CAfile",
            path(&client.ca),
        ],
    );
    assert!(said.ok().output().contains("verify OK"));
    let certificate = system.issue_server("member", "third.example.org");
    system.revoke(&certificate);
    assert_said(
        &client.run(&["--json", "--pem"]).ok().json(),
        Some("difference"),
        true,
    );
    let text = fs::read_to_string(&client.out).expect("text");
    assert_eq!(pki::pem::decode(&text, "X509 CRL"), Ok(served()));
    let leftovers: Vec<_> = fs::read_dir(system.folder().join("kept"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(
        leftovers.len(),
        3,
        "the link, the file, the note: {leftovers:?}"
    );
}

/// What is wrong never replaces what is there, and the exit code says so.
#[test]
fn refusals() {
    let system = System::start(EC);
    let mut client = Client::of(&system);
    fs::create_dir(system.folder().join("kept")).expect("a folder");
    let old = curl(&system, &client.url, &[]).body;
    client.fetch();
    system.issue_good_and_revoked("member");
    client.fetch();
    let kept = client.kept();
    assert_ne!(kept, old);

    let site = system.folder().join("site");
    fs::create_dir(&site).expect("a folder");
    let server = WebServer::start(&site);
    let good = client.url.clone();
    let mut forged = kept.clone();
    *forged.last_mut().expect("octets") ^= 1;
    for (name, content, why) in [
        ("older.crl", &old, "it is older"),
        ("forged.crl", &forged, "refused"),
        ("html.crl", &b"<html>".to_vec(), "no CRL"),
        ("cut.crl", &kept[..100].to_vec(), "no CRL"),
        ("big.crl", &vec![0x30; (1 << 20) + 1], "limit"),
    ] {
        fs::write(site.join(name), content).expect("written");
        client.url = format!("{}{name}", server.url);
        let refused = client.run(&["--max-size", "1"]);
        assert_eq!(refused.code, 1, "{name}: {refused:?}");
        assert!(refused.stderr.contains(why), "{name}: {refused:?}");
        assert!(
            refused.stderr.contains("stays; it is valid until"),
            "{name}: {refused:?}"
        );
        assert_eq!(client.kept(), kept, "{name}");
    }
    for (url, why) in [
        (format!("{}missing.crl", server.url), "404"),
        ("http://127.0.0.1:9/x.crl".to_owned(), "nobody listens"),
        ("https://127.0.0.1:9/x.crl".to_owned(), "only http://"),
    ] {
        client.url = url;
        let refused = client.run(&[]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
        assert_eq!(client.kept(), kept);
    }

    // Another CA's CRL, or a file that is none, is not overwritten.
    client.url = good;
    client.ca = system.ca("assured");
    let refused = client.run(&[]);
    assert_eq!(refused.code, 64, "{refused:?}");
    client.ca = system.ca("member");
    client.out = system.folder().join("kept/diary.txt");
    fs::write(&client.out, "dear diary").expect("written");
    assert_eq!(client.run(&[]).code, 64);
    assert_eq!(client.kept(), b"dear diary");
}

#[test]
fn from_a_plain_web_server() {
    let system = System::start(EC);
    let mut client = Client::of(&system);
    let avouch = client.url.clone();
    for folder in ["kept", "site"] {
        fs::create_dir(system.folder().join(folder)).expect("a folder");
    }
    let site = system.folder().join("site");
    let server = WebServer::start(&site);
    client.url = format!("{}member.crl", server.url);
    // Last-Modified has whole seconds: each CRL gets its own.
    let publish = |as_pem: bool, minute: u32| {
        let der = curl(&system, &avouch, &[]).body;
        let content = match as_pem {
            true => pki::pem::encode("X509 CRL", &der).into_bytes(),
            false => der.clone(),
        };
        fs::write(site.join("member.crl"), content).expect("written");
        let time = format!("2026-11-01 00:{minute:02}:00 UTC");
        program(
            Path::new("/"),
            "touch",
            ["-d", &time, path(&site.join("member.crl"))],
        )
        .ok();
        der
    };
    let first = publish(false, 1);
    assert_said(&client.fetch(), Some("whole"), true);
    assert_eq!(client.kept(), first);
    let unchanged = client.fetch();
    assert_said(&unchanged, None, false);
    assert!(
        unchanged["received"].as_u64() < Some(1500),
        "404 and 304: {unchanged}"
    );

    system.issue_good_and_revoked("member");
    let second = publish(true, 2);
    assert_said(&client.fetch(), Some("whole"), true);
    assert_eq!(client.kept(), second, "it comes as PEM and is kept as DER");
    assert_said(&client.fetch(), None, false);

    // Behind a redirection.
    client.url = avouch;
    assert_said(&client.fetch(), None, false);
    assert_eq!(client.kept(), second);
}

/// Deltas and parts come as complete CRLs do: compressed, by difference, and never one in the place of another.
#[test]
fn deltas_and_parts() {
    const CERTIFICATES: usize = 60;
    let system = System::start(EC);
    fs::create_dir(system.folder().join("kept")).expect("a folder");
    let kinds = ["--set", "crl.deltas=true", "--set", "crl.partitions=1"];
    system
        .avouch(&[&["policy", "member"][..], &kinds].concat())
        .ok();
    let certificates: Vec<_> = (0..=CERTIFICATES)
        .map(|number| system.issue_server("member", &format!("host{number}.example.org")))
        .collect();
    let listed = |url: &str| {
        let response = curl(&system, url, &[]);
        (response.status == 200).then(|| Crl::from_der(&response.body).expect("a CRL").len())
    };
    let url = format!("{}crl/member", system.status_url());
    let (delta, part) = (format!("{url}.delta.crl"), format!("{url}/part/0.crl"));
    for certificate in &certificates[1..] {
        let why = ["--ground", "subscriber", "--reason", "superseded"];
        let which = ["revoke", "--cert", path(certificate)];
        system.avouch(&[&which[..], &why].concat()).ok();
    }
    for url in [&delta, &part] {
        wait_for(|| listed(url) == Some(CERTIFICATES));
    }

    let mut client = Client::of(&system);
    let whole = client.url.clone();
    let clients = [
        (&delta, "kept/delta.crl", &["--json", "--delta"][..]),
        (&part, "kept/part.crl", &["--json"]),
    ];
    for (url, out, options) in clients {
        let plain = curl(&system, url, &[]);
        for coding in ["gzip", "zstd"] {
            let accept = format!("Accept-Encoding: {coding}");
            let response = curl(&system, url, &["-H", &accept]);
            assert_eq!(response.header("content-encoding"), Some(coding), "{url}");
            assert!(response.body.len() < plain.body.len());
        }
        (client.url, client.out) = (url.clone(), system.folder().join(out));
        assert_said(&client.run(options).ok().json(), Some("whole"), true);
        assert_eq!(client.kept(), plain.body);
        assert_said(&client.run(options).ok().json(), None, false);
    }
    system.revoke(&certificates[0]);
    for (url, out, options) in clients {
        wait_for(|| listed(url) == Some(CERTIFICATES + 1));
        (client.url, client.out) = (url.clone(), system.folder().join(out));
        let said = client.run(options).ok().json();
        assert_said(&said, Some("difference"), true);
        assert_eq!(client.kept(), curl(&system, url, &[]).body);
        assert!(said["received"].as_u64() < Some(2000), "{said}");
    }

    // What alone says nothing of most certificates never stands for the whole.
    client.out = system.folder().join("kept/other.crl");
    for (url, options, why) in [
        (&delta, &[][..], "fetch it with --delta"),
        (&whole, &["--delta"], "leave out --delta"),
        (&part, &["--delta"], "leave out --delta"),
    ] {
        client.url = url.clone();
        let refused = client.run(options);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
        assert!(!client.out.exists());
    }
}
