//! Requests made by OpenSSL, judged under the shipped profiles.

use std::process::Command;

use pki::name_rules::AttributeKind;
use pki::profile::{ProfileDocument, RuleSet};

use super::*;

fn profile(name: &str, rule_set: RuleSet) -> Profile {
    let text = match name {
        "server" => include_str!("../../profiles/server.toml"),
        "client" => include_str!("../../profiles/client.toml"),
        "code-signing" => include_str!("../../profiles/code-signing.toml"),
        "ocsp-responder" => include_str!("../../profiles/ocsp-responder.toml"),
        _ => panic!("no such profile"),
    };
    toml::from_str::<ProfileDocument>(text)
        .expect(name)
        .select(rule_set)
        .expect(name)
}

/// A request with a new P-256 key.
fn csr(subject: &str, alt_names: &str) -> String {
    csr_with(subject, &[&format!("subjectAltName={alt_names}")])
}

fn csr_with(subject: &str, extensions: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("openssl");
    command
        .current_dir(directory.path())
        .args(["req", "-new", "-utf8", "-nodes"]);
    command.args([
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-keyout",
        "key.pem",
    ]);
    command.args(["-subj", subject]);
    for extension in extensions
        .iter()
        .filter(|extension| !extension.ends_with('='))
    {
        command.args(["-addext", extension]);
    }
    let output = command.output().expect("openssl");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("PEM")
}

fn judge_as(profile_name: &str, csr: &str) -> Result<Accepted, Refusal> {
    judge(
        csr,
        &profile(profile_name, RuleSet::Community),
        &IdnPolicy::default(),
        None,
    )
}

fn names(accepted: &Accepted) -> Vec<String> {
    accepted.alt_names.iter().map(ToString::to_string).collect()
}

fn subject(accepted: &Accepted) -> Vec<(AttributeKind, &str)> {
    accepted
        .subject
        .iter()
        .map(|attribute| (attribute.kind(), attribute.value()))
        .collect()
}

fn dropped(accepted: &Accepted) -> Vec<&str> {
    accepted
        .dropped
        .iter()
        .map(|dropped| &*dropped.what)
        .collect()
}

#[test]
fn a_server_with_its_names() {
    let csr = csr(
        "/CN=www.Example.org",
        "DNS:www.example.org,DNS:*.Example.org,IP:192.0.2.1,IP:2001:db8::1",
    );
    let accepted = judge_as("server", &csr).expect("accepted");
    assert_eq!(
        names(&accepted),
        [
            "DNS:www.example.org",
            "DNS:*.example.org",
            "IP:192.0.2.1",
            "IP:2001:db8::1"
        ]
    );
    assert_eq!(
        subject(&accepted),
        [(AttributeKind::CommonName, "www.example.org")]
    );
    assert_eq!(dropped(&accepted), [] as [&str; 0]);
}

#[test]
fn a_common_name_alone_becomes_a_name() {
    let accepted = judge_as("server", &csr("/CN=WWW.example.org", "")).expect("accepted");
    assert_eq!(names(&accepted), ["DNS:www.example.org"]);
    let accepted = judge_as("server", &csr("/CN=192.0.2.1", "")).expect("accepted");
    assert_eq!(names(&accepted), ["IP:192.0.2.1"]);
}

#[test]
fn names_alone_leave_the_subject_empty() {
    let accepted = judge_as("server", &csr("/", "DNS:www.example.org")).expect("accepted");
    assert_eq!(subject(&accepted), []);
}

#[test]
fn a_common_name_elsewhere_is_refused() {
    let refusal =
        judge_as("server", &csr("/CN=a.example.org", "DNS:b.example.org")).expect_err("CN");
    assert_eq!(
        (&*refusal.rule, &*refusal.field),
        ("I9", "subject.commonName")
    );
    assert!(refusal.remedy.contains("DNS:a.example.org"));
}

#[test]
fn a_server_without_a_name_is_refused() {
    let refusal = judge_as("server", &csr("/O=Acme", "")).expect_err("no name");
    assert_eq!((&*refusal.rule, &*refusal.field), ("I9", "subjectAltName"));
    let refusal = judge_as("server", &csr("/CN=My Server", "")).expect_err("no host");
    assert_eq!(
        (&*refusal.rule, &*refusal.field),
        ("I9", "subject.commonName")
    );
}

#[test]
fn unicode_hosts_are_refused_with_their_a_labels() {
    for csr in [
        csr("/CN=bücher.example", ""),
        csr("/CN=příklad.example", "DNS:www.example.org"),
    ] {
        let refusal = judge_as("server", &csr).expect_err("unicode");
        assert_eq!(
            (&*refusal.rule, &*refusal.field),
            ("I10", "subject.commonName")
        );
        assert!(refusal.remedy.contains("xn--"), "{}", refusal.remedy);
    }
    let mixed = csr("/", "DNS:xn--pypal-4ve.com");
    assert_eq!(
        judge_as("server", &mixed).expect_err("mixed scripts").rule,
        "I10"
    );
    assert!(judge_as("server", &csr("/", "DNS:xn--bcher-kva.example")).is_ok());
}

#[test]
fn bad_host_names_are_refused() {
    for name in [
        "*.org",
        "www.*.example.org",
        "w*.example.org",
        "exa_mple.org",
        "-a.example.org",
        "a..b",
    ] {
        let refusal = judge_as("server", &csr("/", &format!("DNS:{name}"))).expect_err(name);
        assert_eq!(
            (&*refusal.rule, &*refusal.field),
            ("I9", "subjectAltName"),
            "{name}"
        );
    }
}

#[test]
fn what_a_server_request_holds_besides_is_dropped_and_named() {
    let csr = csr_with(
        "/C=CZ/O=Acme/emailAddress=a@example.org/CN=www.example.org",
        &[
            "subjectAltName=DNS:www.example.org,email:a@example.org,URI:http://example.org",
            "basicConstraints=critical,CA:TRUE",
            "keyUsage=keyCertSign",
            "extendedKeyUsage=OCSPSigning",
        ],
    );
    let accepted = judge_as("server", &csr).expect("accepted");
    assert_eq!(names(&accepted), ["DNS:www.example.org"]);
    assert_eq!(
        subject(&accepted),
        [(AttributeKind::CommonName, "www.example.org")]
    );
    assert_eq!(
        dropped(&accepted),
        [
            "subject attribute C=CZ",
            "subject attribute O=Acme",
            "subject attribute emailAddress=a@example.org",
            "subjectAltName email:a@example.org",
            "subjectAltName URI:http://example.org",
            "extension id-ce-basicConstraints (2.5.29.19)",
            "extension id-ce-keyUsage (2.5.29.15)",
            "extension id-ce-extKeyUsage (2.5.29.37)",
        ]
    );
}

#[test]
fn the_forum_s_rules_allow_no_internal_names() {
    let cabf = profile("server", RuleSet::Cabf);
    for name in [
        "DNS:localhost",
        "DNS:printer.local",
        "DNS:a.test",
        "IP:10.0.0.1",
        "IP:::1",
    ] {
        let csr = csr("/", name);
        assert!(judge_as("server", &csr).is_ok(), "{name}");
        let refusal = judge(&csr, &cabf, &IdnPolicy::default(), None).expect_err(name);
        assert_eq!(refusal.rule, "I9", "{name}");
    }
}

#[test]
fn the_forum_s_rules_leave_the_common_name_to_the_names() {
    let cabf = profile("server", RuleSet::Cabf);
    let accepted = judge(
        &csr("/CN=www.example.com", ""),
        &cabf,
        &IdnPolicy::default(),
        None,
    )
    .expect("accepted");
    assert_eq!(names(&accepted), ["DNS:www.example.com"]);
    assert_eq!(subject(&accepted), []);
    assert_eq!(dropped(&accepted), ["subject attribute CN=www.example.com"]);
}

#[test]
fn names_of_people() {
    for name in [
        "Žluťoučký Kůň",
        "Γιώργος Παπαδόπουλος",
        "محمد العربي",
        "王小明",
        "שרה כהן",
    ] {
        let csr = csr(&format!("/CN={name}/O={name}"), "email:Anna@Example.org");
        let accepted = judge_as("client", &csr).expect(name);
        assert_eq!(
            subject(&accepted),
            [
                (AttributeKind::OrganizationName, name),
                (AttributeKind::CommonName, name)
            ]
        );
        assert_eq!(names(&accepted), ["email:Anna@example.org"]);
        assert_eq!(
            subject(&judge_as("code-signing", &csr).expect(name)),
            [
                (AttributeKind::OrganizationName, name),
                (AttributeKind::CommonName, name)
            ]
        );
    }
}

#[test]
fn mail_addresses_move_out_of_the_subject() {
    let csr = csr("/CN=Anna/emailAddress=anna@example.org", "");
    let accepted = judge_as("client", &csr).expect("accepted");
    assert_eq!(names(&accepted), ["email:anna@example.org"]);
    assert_eq!(subject(&accepted), [(AttributeKind::CommonName, "Anna")]);
    assert!(accepted.dropped[0].why.contains("moved"));

    let bad = csr_with("/CN=Anna/emailAddress=not an address", &[]);
    let refusal = judge_as("client", &bad).expect_err("no address");
    assert_eq!(
        (&*refusal.rule, &*refusal.field),
        ("I9", "subject.emailAddress")
    );
}

#[test]
fn nobody_named_gets_the_fixed_name() {
    let accepted = judge_as("client", &csr("/", "email:a@example.org")).expect("accepted");
    assert_eq!(
        subject(&accepted),
        [(AttributeKind::CommonName, "Community Member")]
    );

    let refusal = judge_as("code-signing", &csr("/O=Acme", "")).expect_err("no common name");
    assert_eq!(
        (&*refusal.rule, &*refusal.field),
        ("I3", "subject.commonName")
    );
}

#[test]
fn names_that_deceive_are_refused() {
    for (name, message) in [
        ("Anna\u{202E}avonavoN", "bidirectional"),
        ("Anna\u{200F}", "bidirectional"),
        ("Anna\tNová", "control"),
        ("&#381;ofie", "HTML"),
        ("Anna\u{200B}", "invisible"),
        ("Anna ", "white space"),
    ] {
        let refusal = judge_as("client", &csr(&format!("/CN={name}"), "")).expect_err(name);
        assert_eq!(
            (&*refusal.rule, &*refusal.field),
            ("I9", "subject.commonName"),
            "{name}"
        );
        assert!(refusal.message.contains(message), "{}", refusal.message);
    }
}

#[test]
fn decomposed_names_are_composed() {
    let accepted = judge_as("client", &csr("/CN=Z\u{30C}ofie", "")).expect("accepted");
    assert_eq!(subject(&accepted), [(AttributeKind::CommonName, "Žofie")]);
    assert_eq!(
        dropped(&accepted),
        ["the decomposed characters of subject.commonName"]
    );
}

/// OpenSSL keeps these bounds itself, so the requests are made by hand.
#[test]
fn bounds_of_the_subject() {
    let request = |length: usize| {
        let subject = format!("/CN={}", "Ž".repeat(length));
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("openssl.cnf");
        std::fs::write(&file, "[req]\ndistinguished_name=dn\n[dn]\n").expect("written");
        let output = Command::new("openssl")
            .current_dir(directory.path())
            .args([
                "req",
                "-new",
                "-utf8",
                "-nodes",
                "-config",
                "openssl.cnf",
                "-newkey",
                "ec",
            ])
            .args([
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-keyout",
                "key.pem",
                "-subj",
                &subject,
            ])
            .output()
            .expect("openssl");
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).expect("PEM"))
    };
    let longest = request(64).expect("OpenSSL allows 64 characters");
    assert!(judge_as("client", &longest).is_ok());
    if let Some(longer) = request(65) {
        assert_eq!(
            judge_as("client", &longer).expect_err("65 characters").rule,
            "I9"
        );
    }
}

#[test]
fn repeated_attributes_are_refused_but_units() {
    let refusal = judge_as("client", &csr("/CN=Anna/CN=Eva", "")).expect_err("two names");
    assert_eq!(
        (&*refusal.rule, &*refusal.field),
        ("I9", "subject.commonName")
    );
    let accepted = judge_as("client", &csr("/OU=A/OU=B/CN=Anna", "")).expect("accepted");
    assert_eq!(accepted.subject.len(), 3);
}

#[test]
fn keys_follow_the_profile() {
    let rsa_2048 = {
        let directory = tempfile::tempdir().expect("a directory");
        let output = Command::new("openssl")
            .current_dir(directory.path())
            .args([
                "req", "-new", "-nodes", "-newkey", "rsa:2048", "-keyout", "key.pem",
            ])
            .args(["-subj", "/CN=www.example.org"])
            .output()
            .expect("openssl");
        String::from_utf8(output.stdout).expect("PEM")
    };
    assert!(judge_as("server", &rsa_2048).is_ok());
    let refusal = judge_as("code-signing", &rsa_2048).expect_err("RSA-2048 for code");
    assert_eq!((&*refusal.rule, &*refusal.field), ("I5", "publicKey"));
    assert!(refusal.remedy.contains("3072"));
}

#[test]
fn responders_are_not_given_out() {
    let refusal = judge_as("ocsp-responder", &csr("/CN=Responder", "")).expect_err("a responder");
    assert_eq!(refusal.rule, "OCSP-60");
}

#[test]
fn only_the_address_under_the_forum_s_rules() {
    let cabf = profile("client", RuleSet::Cabf);
    let csr = csr("/CN=Anna/O=Acme", "email:anna@example.org");
    let accepted = judge(&csr, &cabf, &IdnPolicy::default(), None).expect("accepted");
    assert_eq!(subject(&accepted), []);
    assert_eq!(
        dropped(&accepted),
        ["subject attribute CN=Anna", "subject attribute O=Acme"]
    );
}
