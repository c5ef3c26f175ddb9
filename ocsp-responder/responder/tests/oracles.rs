//! Clients of other people judge the edge: openssl, GnuTLS, curl.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::authority::serial;
use common::client::base64;
use common::edge::TestEdge;
use common::world::{World, good};
use pki::{HashAlgorithm, KeyKind};

fn run(command: &mut Command) -> (bool, String) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    path
}

fn published(kind: KeyKind) -> World {
    let world = World::with_keys(kind);
    world.publish_usual();
    world
}

#[test]
fn openssl_accepts_good_and_sees_revoked_with_both_hashes_with_and_without_nonce() {
    for kind in [KeyKind::P256, KeyKind::Rsa(2048)] {
        let world = published(kind);
        let edge = TestEdge::start(&world);
        let ca = write(
            world.temporary.path(),
            "ca.pem",
            world.authority.ca.to_pem(),
        );
        for path in ["/", "/old/ocsp", "/old/ocsp/"] {
            for hash in ["-sha1", "-sha256"] {
                for nonce in ["-nonce", "-no_nonce"] {
                    for (number, status) in [(1, ": good"), (2, ": revoked")] {
                        let (success, text) = run(Command::new("openssl")
                            .arg("ocsp")
                            .arg("-CAfile")
                            .arg(&ca)
                            .arg("-issuer")
                            .arg(&ca)
                            .arg(hash)
                            .args(["-serial", &format!("0x{}", serial(number))])
                            .args(["-url", &format!("http://{}{path}", edge.address)])
                            .arg(nonce));
                        assert!(
                            success && text.contains("Response verify OK"),
                            "{path} {hash} {nonce}: {text}"
                        );
                        assert!(text.contains(status), "{path} {hash} {nonce}: {text}");
                    }
                }
            }
        }
        let (_, text) = run(Command::new("openssl")
            .args(["ocsp", "-issuer"])
            .arg(&ca)
            .args([
                "-serial",
                "0x77",
                "-url",
                &format!("http://{}/", edge.address),
            ]));
        assert!(text.contains("unauthorized (6)"), "{text}");
    }
}

#[test]
fn openssl_verifies_the_crl_and_the_certificate() {
    let world = published(KeyKind::P256);
    let edge = TestEdge::start(&world);
    let crl = write(
        world.temporary.path(),
        "x.crl",
        edge.get("/crl/member.crl").body,
    );
    let ca = write(
        world.temporary.path(),
        "ca.cer",
        edge.get("/ca/member.cer").body,
    );
    let pem = write(
        world.temporary.path(),
        "ca.pem",
        world.authority.ca.to_pem(),
    );
    let (_, text) = run(Command::new("openssl")
        .args(["crl", "-inform", "DER", "-noout", "-CAfile"])
        .arg(&pem)
        .arg("-in")
        .arg(&crl));
    assert!(text.contains("verify OK"), "{text}");
    let (success, text) = run(Command::new("openssl")
        .args(["x509", "-inform", "DER", "-noout", "-subject", "-in"])
        .arg(&ca));
    assert!(success && text.contains("Member CA"), "{text}");
}

#[test]
fn gnutls_accepts_an_answer() {
    let world = published(KeyKind::P256);
    let edge = TestEdge::start(&world);
    let ca = write(
        world.temporary.path(),
        "ca.pem",
        world.authority.ca.to_pem(),
    );
    for (number, status) in [
        (1, "Certificate Status: good"),
        (2, "Certificate Status: revoked"),
    ] {
        let answer = write(
            world.temporary.path(),
            "answer.der",
            edge.ask(&world, &serial(number)).body,
        );
        let (_, text) = run(Command::new("ocsptool")
            .args(["--response-info", "--inder", "--infile"])
            .arg(&answer));
        assert!(text.contains(status), "{text}");
        let (success, text) = run(Command::new("ocsptool")
            .arg("--verify-response")
            .arg("--load-trust")
            .arg(&ca)
            .args(["--inder", "--load-response"])
            .arg(&answer));
        assert!(success && text.contains("Success"), "{text}");
    }
}

#[test]
fn curl_gets_every_spelling() {
    let world = published(KeyKind::P256);
    let edge = TestEdge::start(&world);
    let request = world.authority.request(HashAlgorithm::Sha256, &good());
    let plain = base64(&request);
    let expected = edge.post(&request).body;
    let escaped = plain
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    for spelling in [
        &plain,
        &escaped,
        &format!("/{plain}"),
        &format!("/{escaped}"),
    ] {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--fail",
                "--path-as-is",
                &format!("http://{}/{spelling}", edge.address),
            ])
            .output()
            .unwrap();
        assert_eq!(output.stdout, expected, "{spelling}");
    }
    // A broken download goes on where it stopped.
    let crl = edge.get("/crl/member.crl").body;
    let part = write(world.temporary.path(), "part.crl", &crl[..100]);
    let (success, text) = run(Command::new("curl")
        .args(["--silent", "--fail", "--continue-at", "-", "--output"])
        .arg(&part)
        .arg(format!("http://{}/crl/member.crl", edge.address)));
    assert!(success, "{text}");
    assert_eq!(fs::read(&part).unwrap(), crl);
}
