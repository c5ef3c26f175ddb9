//! Real certification requests, made by openssl, go in; certificates that openssl accepts come out, or a
//! refusal that names the rule and what to do.
#![forbid(unsafe_code)]

use e2e::system::{EC, RSA, path};
use e2e::{Finished, System, program};

const KEYS: [&str; 7] = [
    "rsa:2048",
    "rsa:3072",
    "rsa:4096",
    "ec -pkeyopt ec_paramgen_curve:P-256",
    "ec -pkeyopt ec_paramgen_curve:P-384",
    "ec -pkeyopt ec_paramgen_curve:P-521",
    "ed25519",
];

const NAMES: [&str; 4] = ["Antonín Dvořák", "Γιώργος Σεφέρης", "محمود درويش", "李白"];

#[test]
fn every_kind_of_key() {
    let system = System::start(EC);
    for (index, key) in KEYS.into_iter().enumerate() {
        // Ed25519 where a profile allows it (I5): not for TLS servers.
        let profile = if key == "ed25519" { "client" } else { "server" };
        let name = format!("key{index}");
        let (subject, san) = match profile {
            "client" => (
                "/CN=Jan Novák".to_owned(),
                "email:jan@example.org".to_owned(),
            ),
            _ => (
                format!("/CN={name}.example.org"),
                format!("DNS:{name}.example.org"),
            ),
        };
        let csr = system.csr(
            &name,
            key,
            &subject,
            &["-addext", &format!("subjectAltName={san}")],
        );
        issue(&system, profile, &csr).ok();
        verify(&system, &name);
    }
}

#[test]
fn names_of_the_world() {
    let system = System::start(EC);
    for (index, person) in NAMES.into_iter().enumerate() {
        let name = format!("person{index}");
        let san = format!("subjectAltName=email:person{index}@example.org");
        let csr = system.csr(&name, KEYS[3], &format!("/CN={person}"), &["-addext", &san]);
        issue(&system, "client", &csr).ok();
        verify(&system, &name);
        let certificate = system
            .folder()
            .join("person.pem")
            .with_file_name(format!("{name}.pem"));
        let subject = program(
            system.folder(),
            "openssl",
            [
                "x509",
                "-in",
                path(&certificate),
                "-noout",
                "-subject",
                "-nameopt",
                "utf8,sep_comma_plus",
            ],
        )
        .ok();
        assert!(subject.stdout.contains(person), "{subject:#?}");
    }
}

/// Each is refused with its rule, and the next request is served at once (V12).
#[test]
fn refused_with_the_rule() {
    let system = System::start(EC);
    let san = ["-addext", "subjectAltName=DNS:www.example.org"];
    let cases: [(&str, &str, &str, &[&str]); 7] = [
        ("small", "rsa:1024", "/CN=www.example.org", &san),
        ("control", KEYS[3], "/CN=www.example.org\u{7}", &san),
        ("bidi", KEYS[3], "/CN=\u{202e}gro.elpmaxe", &san),
        ("elsewhere", KEYS[3], "/CN=other.example.org", &san),
        (
            "wildcard",
            KEYS[3],
            "/CN=www.example.org",
            &["-addext", "subjectAltName=DNS:www.*.example.org"],
        ),
        ("entity", KEYS[3], "/CN=&#1234;", &san),
        ("nothing", KEYS[3], "/CN=Some Person", &[]),
    ];
    for (name, key, subject, extra) in cases {
        let csr = system.csr(name, key, subject, extra);
        let refused = issue(&system, "server", &csr);
        assert_eq!(refused.code, 1, "{name}: {refused:#?}");
        assert!(refused.stdout.is_empty(), "{name}: {refused:#?}");
        assert!(has_rule(&refused.stderr), "{name}: {refused:#?}");
        system.issue_server("member", &format!("after-{name}.example.org"));
    }
}

/// I6: the hash that was asked for, exactly, or a refusal.
#[test]
fn the_hash_is_honoured_or_refused() {
    let system = System::start(RSA);
    let csr = system.csr(
        "hash",
        KEYS[3],
        "/CN=h.example.org",
        &["-addext", "subjectAltName=DNS:h.example.org"],
    );
    for (hash, algorithm) in [
        ("sha256", "sha256WithRSAEncryption"),
        ("sha384", "sha384WithRSAEncryption"),
        ("sha512", "sha512WithRSAEncryption"),
    ] {
        let out = system.folder().join(format!("{hash}.pem"));
        let arguments = [
            "issue",
            "--profile",
            "server",
            "--issuer",
            "member",
            "--csr",
            path(&csr),
            "--hash",
            hash,
            "--out",
            path(&out),
        ];
        system.avouch(&arguments).ok();
        let text = program(
            system.folder(),
            "openssl",
            ["x509", "-in", path(&out), "-noout", "-text"],
        )
        .ok()
        .stdout;
        assert!(text.contains(algorithm), "{text}");
    }
    let arguments = [
        "issue",
        "--profile",
        "server",
        "--issuer",
        "member",
        "--csr",
        path(&csr),
        "--hash",
        "sha1",
    ];
    assert_eq!(system.avouch(&arguments).code, 64, "SHA-1 is no choice");
}

fn issue(system: &System, profile: &str, csr: &std::path::Path) -> Finished {
    let out = csr.with_extension("pem");
    system.avouch(&[
        "issue",
        "--profile",
        profile,
        "--issuer",
        "member",
        "--csr",
        path(csr),
        "--out",
        path(&out),
    ])
}

fn verify(system: &System, name: &str) {
    let certificate = system.folder().join(format!("{name}.pem"));
    let chain = system.chain("member");
    program(
        system.folder(),
        "openssl",
        [
            "verify",
            "-x509_strict",
            "-CAfile",
            path(&chain),
            path(&certificate),
        ],
    )
    .ok();
}

/// An id of mission.md or of a standard, such as `I9`, `CERT-20` or `RFC 5280`.
fn has_rule(text: &str) -> bool {
    let id = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        word.starts_with("CERT-")
            || word == "RFC"
            || word
                .strip_prefix('I')
                .is_some_and(|digits| digits.parse::<u8>().is_ok())
    };
    text.split_whitespace().any(id)
}
