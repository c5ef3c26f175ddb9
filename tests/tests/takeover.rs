//! Taking over a CA that openssl made: its certificates, statuses, URLs, CRL numbers and responder (R4).
#![forbid(unsafe_code)]

use std::fs;

use e2e::clients::{Verdict, curl};
use e2e::program::binary;
use e2e::system::{EC, path};
use e2e::{OldCa, System, program, wait_for};

fn with_key(key: &str) {
    let system = System::start(EC);
    let old = OldCa::new(&system.folder().join("old"), key);
    system
        .avouch(&[
            "import",
            "ca",
            "--name",
            "old",
            "--cert",
            &old.file("ca.pem"),
            "--key",
            &old.file("ca.key"),
            "--index",
            &old.file("index.txt"),
            "--crl",
            &old.file("ca.crl"),
            "--certs",
            &old.file("good.pem"),
            "--ocsp-path",
            "/old-ocsp/",
            "--crl-path",
            "/old.crl",
            "--cert-path",
            "/old.crt",
        ])
        .ok();
    let url = format!("{}old-ocsp/", system.status_url());
    wait_for(|| old.ask(&system, &url, &old.good) == Verdict::Good);
    old.check_statuses(&system, &url);
    old.check_statuses(&system, system.status_url());

    // CRLs are ours from here on, above the imported number 0x0123, with the hold kept.
    let crl_url = format!("{}old.crl", system.status_url());
    wait_for(|| crl_text(&system, &crl_url).contains("Certificate Hold"));
    let text = crl_text(&system, &crl_url);
    let number = text
        .lines()
        .skip_while(|line| !line.contains("X509v3 CRL Number"))
        .nth(1)
        .and_then(|line| line.trim().parse::<u64>().ok())
        .expect("a CRL number");
    assert!(number > 0x123, "{text}");
    assert!(text.contains("Superseded"), "{text}");

    // A revocation after the take-over shows in both.
    system.revoke_serial_of(&old.good, "old");
    wait_for(|| old.ask(&system, &url, &old.good) == Verdict::Revoked);
    let certificate = curl(&system, &format!("{}old.crt", system.status_url()), &[]);
    assert_eq!(
        certificate.header("content-type"),
        Some("application/pkix-cert")
    );
    everything_agrees(&system);
}

#[test]
fn rsa_with_its_key() {
    with_key("rsa:2048");
}

#[test]
fn p256_with_its_key() {
    with_key("ec -pkeyopt ec_paramgen_curve:P-256");
}

/// Without the CA key: the given responder answers, the old CRL is served byte for byte.
#[test]
fn with_its_own_responder() {
    let system = System::start(EC);
    let old = OldCa::new(&system.folder().join("old"), "rsa:2048");
    old.issue("responder", "rsa:2048", "responder");
    let arguments = [
        "import",
        "ca",
        "--name",
        "old",
        "--cert",
        &old.file("ca.pem"),
        "--index",
        &old.file("index.txt"),
        "--crl",
        &old.file("ca.crl"),
        "--responder-cert",
        &old.file("responder.pem"),
        "--responder-key",
        &old.file("responder.key"),
        "--crl-path",
        "/rsa.crl",
    ];
    system.avouch(&arguments).ok();
    wait_for(|| old.ask(&system, system.status_url(), &old.good) == Verdict::Good);
    old.check_statuses(&system, system.status_url());
    let crl_url = format!("{}rsa.crl", system.status_url());
    wait_for(|| curl(&system, &crl_url, &[]).status == 200);
    let imported = fs::read_to_string(old.file("ca.crl")).expect("the CRL");
    let imported = pki::pem::decode(&imported, "X509 CRL").expect("PEM");
    assert!(curl(&system, &crl_url, &[]).body == imported);
    everything_agrees(&system);
}

/// With neither key nor responder: the command prints a CSR, and its certificate finishes the work.
#[test]
fn with_a_responder_certified_by_the_old_ca() {
    let system = System::start(EC);
    let old = OldCa::new(&system.folder().join("old"), "rsa:2048");
    let (ca, index) = (old.file("ca.pem"), old.file("index.txt"));
    let import = [
        "import", "ca", "--name", "old", "--cert", &ca, "--index", &index,
    ];
    let printed = system.avouch(&import).ok().stdout;
    let start = printed
        .find("-----BEGIN CERTIFICATE REQUEST-----")
        .expect("a CSR is printed");
    fs::write(old.folder.join("responder.csr"), &printed[start..]).expect("written");
    old.sign("responder.csr", "responder.pem", "responder");
    system
        .avouch(&[
            "import",
            "ca",
            "--name",
            "old",
            "--cert",
            &ca,
            "--responder-cert",
            &old.file("responder.pem"),
        ])
        .ok();
    wait_for(|| old.ask(&system, system.status_url(), &old.good) == Verdict::Good);
    old.check_statuses(&system, system.status_url());
    everything_agrees(&system);
}

/// V7, also of what was taken over: holds, and CRLs that are signed elsewhere or not there at all.
fn everything_agrees(system: &System) {
    let config = system.data().join("config/status-watch.toml");
    let arguments = [
        "--config",
        path(&config),
        "--edge",
        system.status_url(),
        "--once",
    ];
    let report = program(system.folder(), binary("status-watch"), arguments).ok();
    assert!(report.stdout.contains("everything agrees"), "{report:#?}");
}

fn crl_text(system: &System, url: &str) -> String {
    let response = curl(system, url, &[]);
    if response.status != 200 {
        return String::new();
    }
    let file = system.folder().join("fetched.crl");
    fs::write(&file, response.body).expect("written");
    program(
        system.folder(),
        "openssl",
        [
            "crl",
            "-inform",
            "DER",
            "-in",
            path(&file),
            "-noout",
            "-text",
        ],
    )
    .ok()
    .stdout
}
