//! The keys of the cable: both ends agree, openssl computes the same, files are guarded.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use keystore::{LinkEnd, LinkKeys, LinkKeysError, SignerId};

/// A raw X25519 private key in PKCS#8 (RFC 8410 section 7), and a public key in SubjectPublicKeyInfo.
const PKCS8: &str = "302e020100300506032b656e04220420";
const SPKI: &str = "302a300506032b656e032100";

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn both_ends_agree_and_openssl_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let pair = LinkKeys::pair(SignerId::new(7).unwrap()).unwrap();
    assert_eq!(pair.signer.psk(), pair.host.psk());
    assert_ne!(pair.signer.private(), pair.host.private());
    assert_eq!(pair.signer.public().unwrap(), *pair.host.peer());
    assert_eq!(pair.host.public().unwrap(), *pair.signer.peer());

    let secrets = [&pair.signer, &pair.host].map(|keys| {
        let name = directory.path().join(keys.end().as_str());
        let [private, peer] = ["private", "peer"].map(|part| name.with_extension(part));
        let der = |prefix: &str, key: &[u8]| [&hex::decode(prefix).unwrap(), key].concat();
        fs::write(&private, der(PKCS8, keys.private())).unwrap();
        fs::write(&peer, der(SPKI, keys.peer())).unwrap();
        let [private, peer] = [&private, &peer].map(|path| path.to_str().unwrap());
        let public = openssl(&[
            "pkey", "-inform", "DER", "-in", private, "-pubout", "-outform", "DER",
        ]);
        assert_eq!(public, der(SPKI, &keys.public().unwrap()));
        openssl(&[
            "pkeyutl",
            "-derive",
            "-keyform",
            "DER",
            "-inkey",
            private,
            "-peerform",
            "DER",
            "-peerkey",
            peer,
        ])
    });
    assert_eq!(secrets[0], secrets[1]);
}

#[test]
fn files_are_private_and_for_one_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("link-signer.key");
    let keys = LinkKeys::pair(SignerId::FIRST).unwrap().signer;
    keys.save(&path).unwrap();
    let again = LinkKeys::load(&path, LinkEnd::Signer).unwrap();
    assert_eq!(again.to_text(), keys.to_text());
    assert_eq!(again.signer(), SignerId::FIRST);
    assert!(matches!(keys.save(&path), Err(LinkKeysError::File(..))));
    let other = LinkKeys::load(&path, LinkEnd::Host).unwrap_err();
    assert!(
        other
            .to_string()
            .contains("keys of the signer end, the host's are wanted"),
        "{other}"
    );

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let readable = LinkKeys::load(&path, LinkEnd::Signer).unwrap_err();
    assert!(readable.to_string().contains("chmod 600"), "{readable}");

    let text = keys.to_text().replace("Signer: 1\n", "Signer: 0\n");
    assert!(LinkKeys::from_text(&text).is_err());
    assert!(!format!("{keys:?}").contains(&hex::encode(keys.psk())));
    assert!(
        [0, 128, 255]
            .iter()
            .all(|number| SignerId::new(*number).is_none())
    );
}
