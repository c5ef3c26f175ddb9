//! A CA that is being wound down (G11): nothing is issued to subscribers any more, who are told why; revocations, CRLs and
//! responders go on.

use std::fs;

use e2e::system::{EC, path};
use e2e::{Finished, System, http, wait_for};
use pki::{Certificate, KeyKind};
use serde_json::Value;

const ISSUER: &str = "member";

#[test]
fn revocations_crls_and_responders_go_on() {
    let mut system = System::start(EC);
    let certificate = system.issue_server(ISSUER, "before.example.org");
    set(&mut system, true);

    let refused = ask(&system, "after");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("wound down"), "{refused:?}");
    assert!(refused.stderr.contains("not-allowed"), "{refused:?}");

    // To the published CRL, and OCSP.
    system.revoke(&certificate);
    // A new kind of key needs a new certificate for it.
    let before = responders(&system);
    let kind = ["--set", "ocsp.responder_key=p-384"];
    system
        .avouch(&[&["policy", ISSUER][..], &kind].concat())
        .ok();
    wait_for(|| has_a_responder_of(&system, KeyKind::P384));
    wait_for(|| responders(&system) > before);

    let state = system.avouch(&["signer", "state", "--json"]).ok().json();
    assert_eq!(state["signers"][0]["winding_down"], true, "{state}");
    assert_eq!(state["signers"][0]["mode"], "active", "{state}");
    assert_eq!(state["refused_count"], 1, "{state}");
    assert!(metrics(&system).contains("avouch_signer_host_winding_down{signer=\"1\"} 1"));
    let log = system.avouch(&["signer", "log"]).ok().stdout;
    assert_eq!(log.matches("WINDS DOWN").count(), 1, "{log}");
    // What was refused is no difference.
    let verified = system.avouch(&["audit", "verify", "--json"]).ok().json();
    assert_eq!(verified["compared"]["given_up"], 1, "{verified}");

    // Setting it back in the file is not enough: that takes those who can unlock.
    set(&mut system, false);
    assert_eq!(ask(&system, "later").code, 1);
}

/// Starts anew with the setting in the signer's configuration.
fn set(system: &mut System, wind_down: bool) {
    let listen = system.status_url().to_owned();
    let listen = listen
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix('/'))
        .expect("a URL");
    system.stop();
    let file = system.data().join("config/signer.toml");
    let text = fs::read_to_string(&file).expect("the signer's configuration");
    let text = text.replace("wind_down = true\n", "");
    let text = match wind_down {
        true => format!("wind_down = true\n{text}"),
        false => text,
    };
    fs::write(&file, text).expect("the signer's configuration");
    system.up(listen);
}

fn ask(system: &System, name: &str) -> Finished {
    let host = format!("{name}.example.org");
    let san = format!("subjectAltName=DNS:{host}");
    let csr = system.csr(
        name,
        "ec -pkeyopt ec_paramgen_curve:P-256",
        &format!("/CN={host}"),
        &["-addext", &san],
    );
    let common = ["issue", "--profile", "server", "--issuer", ISSUER];
    system.avouch(&[&common[..], &["--csr", path(&csr)]].concat())
}

/// How many responder certificates the log of the signer has.
fn responders(system: &System) -> usize {
    let log = system.avouch(&["signer", "log", "--json"]).ok().stdout;
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|record| record["content"]["profile"] == "ocsp-responder")
        .count()
}

/// Whether the presigner has a certificate for a key of this kind; those in stock are of the kind before.
fn has_a_responder_of(system: &System, kind: KeyKind) -> bool {
    let folder = system.data().join("ocsp-presigner/keys").join(ISSUER);
    fs::read_dir(folder)
        .expect("the presigner's keys")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == "cer"))
        .filter_map(|path| Certificate::from_der(&fs::read(path).ok()?).ok())
        .any(|certificate| certificate.public_key().kind() == Ok(kind))
}

fn metrics(system: &System) -> String {
    let state = fs::read(system.data().join("run/signer-host.json")).expect("its state");
    let state: Value = serde_json::from_slice(&state).expect("JSON");
    let admin = state["admin"].as_str().expect("its admin listener");
    let address = admin
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix('/'))
        .expect("a URL");
    let page = http::get(address, "/metrics").expect("its metrics");
    String::from_utf8(page.body).expect("text")
}
