//! How a running system behaves: prompt revocations, restarts, dead processes, a moved clock.
#![forbid(unsafe_code)]

use std::path::Path;

use e2e::clients::{self, Verdict, curl};
use e2e::program::{binary, repository};
use e2e::system::{EC, path, signal};
use e2e::{FakedEdge, System, program, wait_for};

const DAEMONS: [&str; 7] = [
    "signer",
    "signer-host",
    "issuer",
    "ocsp-presigner",
    "crl-builder",
    "ocsp-responder",
    "status-watch",
];

/// The first command of the README: a demo CA with RSA-4096 keys, ready to issue; going on where it was.
#[test]
fn the_demo_starts_stops_and_goes_on() {
    let mut system = System::start_demo();
    for issuer in ["root", "member", "assured", "organisation"] {
        let text = std::fs::read_to_string(system.ca(issuer)).expect("a certificate");
        let certificate = pki::Certificate::from_pem(&text).expect("a certificate");
        assert_eq!(
            certificate.public_key().kind(),
            Ok(pki::KeyKind::Rsa(4096)),
            "{issuer}"
        );
    }
    let certificate = system.issue_server("member", "www.example.org");
    let address = system
        .status_url()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    system.stop();
    assert!(
        !system.data().join("run/endpoints.json").exists(),
        "endpoints.json goes when nothing serves"
    );
    system.up(&address);
    assert_eq!(
        clients::openssl_ocsp(&system, "member", &certificate, &[]),
        Verdict::Good
    );
    let status = system.avouch(&["status", "--json"]).ok().json();
    assert!(status.is_object());
}

/// S2 and the bounds of the first issue: OCSP within a second, the CRL within five.
#[test]
fn a_revocation_is_prompt_and_explained() {
    let system = System::start(EC);
    let certificate = system.issue_server("member", "www.example.org");
    let revoked = system.revoke(&certificate);
    assert!(revoked.is_object(), "{revoked}");
    assert_eq!(
        clients::openssl_ocsp(&system, "member", &certificate, &["-no_nonce"]),
        Verdict::Revoked
    );
    assert_eq!(
        clients::openssl_crl(&system, "member", &certificate),
        Verdict::Revoked
    );

    let text = std::fs::read_to_string(&certificate).expect("a certificate");
    let serial = pki::Certificate::from_pem(&text)
        .expect("a certificate")
        .serial()
        .to_string();
    let explained = system.avouch(&["explain", &serial]).ok().stdout;
    for word in [
        "member",
        "keyCompromise",
        "subscriber",
        "www.example.org",
        "revoked",
    ] {
        assert!(
            explained.contains(word),
            "{word} is missing in:\n{explained}"
        );
    }
    // A key that was compromised never comes back (I5).
    let csr = system.folder().join("member-www.example.org.csr");
    let again = system.avouch(&[
        "issue",
        "--profile",
        "server",
        "--issuer",
        "member",
        "--csr",
        path(&csr),
    ]);
    assert_eq!(again.code, 1, "{again:#?}");
    assert!(again.stderr.contains("I5"), "{again:#?}");
}

/// Each daemon killed at once comes back, and the system still issues, revokes and answers.
#[test]
fn a_dead_process_comes_back() {
    let system = System::start(EC);
    for daemon in DAEMONS {
        let before = system.pid(daemon);
        signal("-KILL", before);
        wait_for(|| system.try_pid(daemon).is_some_and(|pid| pid != before));
        wait_for(|| curl_is_ready(&system));
        let certificate = loop_issue(&system, &format!("{daemon}.example.org"));
        system.revoke(&certificate);
        assert_eq!(
            clients::openssl_ocsp(&system, "member", &certificate, &[]),
            Verdict::Revoked,
            "{daemon}"
        );
    }
}

/// OCSP-06, V3: past nextUpdate the shipped edge says tryLater for OCSP, serves no CRL, and is not ready.
#[test]
fn a_moved_clock_never_brings_stale_answers() {
    let system = System::start(EC);
    let certificate = system.issue_server("member", "www.example.org");
    for (days, stale) in [("+1d", false), ("+30d", true)] {
        let edge = FakedEdge::start(&system, days);
        let verdict = clients::openssl_ocsp_at(
            &system,
            &edge.url,
            &system.ca("member"),
            &system.chain("member"),
            &certificate,
            &["-no_nonce", "-noverify"],
        );
        let said = format!("{verdict:?}");
        assert_eq!(said.contains("trylater"), stale, "{days}: {said}");
        let crl = curl(&system, &format!("{}crl/member.crl", edge.url), &[]);
        assert_eq!(crl.status, if stale { 503 } else { 200 }, "{days}");
        let ready = curl(&system, &format!("{}readyz?issuer=member", edge.admin), &[]);
        assert_eq!(ready.status, if stale { 503 } else { 200 }, "{days}");
    }
}

/// V2: no key, no database code in the edge; V10's start: the signer is reached by its socket alone.
#[test]
fn the_edge_has_no_keys_and_no_database() {
    depends_on_none_of(
        "ocsp-responder",
        "hyper",
        &[
            "keystore",
            "ledger",
            "signer-client",
            "sqlx",
            "libsqlite3-sys",
            "rustls",
            "cryptoki",
        ],
    );
}

/// G1: no network code on the machine with the keys.
#[test]
fn the_signer_has_no_network_code() {
    depends_on_none_of(
        "signer",
        "keystore",
        &[
            "axum",
            "hyper",
            "mio",
            "rustls",
            "socket2",
            "sqlx",
            "telemetry",
            "tokio",
        ],
    );
}

#[track_caller]
fn depends_on_none_of(package: &str, on_this: &str, forbidden: &[&str]) {
    let listing = program(
        &repository(),
        env!("CARGO"),
        [
            "tree",
            "--locked",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ],
    )
    .ok()
    .stdout;
    let depends = |on: &str| {
        listing
            .lines()
            .any(|line| line.split(' ').next() == Some(on))
    };
    assert!(
        depends(on_this),
        "the listing is not what it should be:\n{listing}"
    );
    for forbidden in forbidden {
        assert!(!depends(forbidden), "{package} depends on {forbidden}");
    }
}

#[test]
fn every_binary_has_help_and_version_and_exit_codes() {
    for name in DAEMONS.into_iter().chain(["avouch"]) {
        let run = |arguments: &[&str]| program(Path::new("/"), binary(name), arguments);
        assert!(run(&["--help"]).ok().stdout.contains("Usage"), "{name}");
        assert!(run(&["--version"]).ok().stdout.starts_with(name), "{name}");
        assert_eq!(run(&["--no-such-option"]).code, 64, "{name}");
    }
    for name in DAEMONS {
        let config = ["run", "--config", "/nowhere/at-all.toml"];
        // The signer has commands, the others only run.
        let arguments = if name == "signer" {
            &config[..]
        } else {
            &config[1..]
        };
        let missing = program(Path::new("/"), binary(name), arguments);
        assert_eq!(missing.code, 64, "{name}: {missing:#?}");
        assert!(
            missing.stderr.contains("/nowhere/at-all.toml"),
            "{name}: {missing:#?}"
        );
    }
}

fn curl_is_ready(system: &System) -> bool {
    program(
        system.folder(),
        "curl",
        [
            "--silent",
            "--fail",
            &format!("{}readyz", system.admin_url()),
        ],
    )
    .code
        == 0
}

/// Issues a server certificate, again and again until the part that was killed is back.
fn loop_issue(system: &System, host: &str) -> std::path::PathBuf {
    let san = format!("subjectAltName=DNS:{host}");
    let key = "ec -pkeyopt ec_paramgen_curve:P-256";
    let csr = system.csr(host, key, &format!("/CN={host}"), &["-addext", &san]);
    let out = csr.with_extension("pem");
    let arguments = [
        "issue",
        "--profile",
        "server",
        "--issuer",
        "member",
        "--csr",
        path(&csr),
        "--out",
        path(&out),
    ];
    wait_for(|| system.avouch(&arguments).code == 0);
    out
}
