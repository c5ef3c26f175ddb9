//! What the signer refuses to sign, and that it signs the rest.

mod common;

use common::{Fixture, Leaf, SIGNER_ID, crl, csr, noon, policy, profile, tbs_of};
use keystore::SigningKey;
use pki::certificate_builder::extension;
use pki::crl::build::CrlEntry;
use pki::name_rules::IdnPolicy;
use pki::profile::{CertifiedNames, RuleSet, StatusUrls};
use pki::{CrlNumber, Extension, KeyKind, RevocationReason, Serial, SignatureAlgorithm, oid};
use signer::judge::{judge_certificate, judge_crl};
use signer::policy::Policy;
use wire::{CsrAroundKey, IssueCertificate, Refused, SignCrl};

fn judge(fixture: &Fixture, request: &IssueCertificate) -> Result<Serial, Refused> {
    judge_certificate(request, &fixture.member, &policy(), SIGNER_ID, noon())
        .map(|judged| judged.serial)
}

fn rules() -> Policy {
    Policy::without_profiles(IdnPolicy::default())
}

/// The refusal of a changed leaf names this field.
#[track_caller]
fn refused(fixture: &Fixture, field: &str, change: impl FnOnce(&mut Leaf)) {
    let mut leaf = Leaf::new(&fixture.member);
    change(&mut leaf);
    let refused = judge(fixture, &leaf.request()).expect_err("it was accepted");
    assert_eq!(refused.field, field, "{refused}");
}

fn replace(leaf: &mut Leaf, with: Extension) {
    let place = leaf
        .extensions
        .iter_mut()
        .find(|extension| extension.oid == with.oid)
        .unwrap();
    *place = with;
}

#[test]
fn a_good_certificate_is_accepted() {
    let fixture = Fixture::new();
    let leaf = Leaf::new(&fixture.member);
    assert_eq!(judge(&fixture, &leaf.request()), Ok(leaf.serial));
    // Names of the whole world are no reason to refuse (F3).
    for host in ["xn--jxalpdlp.gr", "xn--fsqu00a.xn--0zwm56d", "*.example.cz"] {
        let leaf = Leaf::named(&fixture.member, host);
        assert_eq!(judge(&fixture, &leaf.request()), Ok(leaf.serial), "{host}");
    }
}

#[test]
fn a_ca_is_never_certified() {
    let fixture = Fixture::new();
    refused(&fixture, "tbs.extensions.basicConstraints", |leaf| {
        replace(leaf, extension::basic_constraints_ca(None));
    });
    refused(&fixture, "tbs.extensions.basicConstraints", |leaf| {
        replace(leaf, extension::basic_constraints_ca(Some(0)));
    });
    // TRUE as another octet than 0xff, which lenient readers take for TRUE.
    refused(&fixture, "tbs.extensions.basicConstraints", |leaf| {
        let value = vec![0x30, 3, 1, 1, 1];
        replace(
            leaf,
            Extension {
                oid: oid::BASIC_CONSTRAINTS,
                critical: true,
                value,
            },
        );
    });
    refused(&fixture, "tbs.extensions.keyUsage", |leaf| {
        replace(leaf, extension::key_usage(&[0, 5]))
    });
    refused(&fixture, "tbs.extensions.keyUsage", |leaf| {
        replace(leaf, extension::key_usage(&[0, 6]))
    });
    refused(&fixture, "tbs.subjectPublicKeyInfo", |leaf| {
        let store =
            keystore::EncryptedStore::open(&fixture.keys(), &common::PASSPHRASE.into()).unwrap();
        leaf.key = store.get("member").unwrap().into();
        leaf.csr = csr(&leaf.key);
    });
}

#[test]
fn the_issuer_is_the_ca_byte_for_byte() {
    let fixture = Fixture::new();
    refused(&fixture, "tbs.issuer", |leaf| {
        leaf.issuer = fixture.root.subject().clone()
    });
    // The same name with the country as UTF8String.
    refused(&fixture, "tbs.issuer", |leaf| {
        let mut der = fixture.member.subject().as_der().to_vec();
        let at = der.windows(2).position(|pair| pair == [0x13, 2]).unwrap();
        der[at] = 0x0c;
        leaf.issuer = pki::Name::from_der(&der).unwrap();
    });
}

#[test]
fn exactly_the_algorithm_asked_for() {
    let fixture = Fixture::new();
    for algorithm in SignatureAlgorithm::ALL {
        let mut leaf = Leaf::new(&fixture.member);
        leaf.algorithm = algorithm;
        let ours = algorithm == SignatureAlgorithm::EcdsaSha256;
        assert_eq!(
            judge(&fixture, &leaf.request()).is_ok(),
            ours,
            "{algorithm}"
        );
    }
    let mut request = Leaf::new(&fixture.member).request();
    request.signature_algorithm = SignatureAlgorithm::EcdsaSha384;
    assert_eq!(
        judge(&fixture, &request).unwrap_err().field,
        "tbs.signature"
    );
}

#[test]
fn times() {
    let fixture = Fixture::new();
    refused(&fixture, "tbs.validity.notAfter", |leaf| {
        leaf.not_after = fixture.member.not_after().plus_seconds(1);
    });
    refused(&fixture, "tbs.validity.notAfter", |leaf| {
        leaf.not_after = leaf.not_before.plus_seconds(731 * 86_400);
    });
    refused(&fixture, "tbs.validity.notBefore", |leaf| {
        leaf.not_before = fixture.member.not_before().plus_seconds(-1);
    });
    refused(&fixture, "tbs.validity.notBefore", |leaf| {
        leaf.not_before = noon().plus_seconds(3_600)
    });
    refused(&fixture, "tbs", |leaf| leaf.not_after = leaf.not_before);
    let request = Leaf::new(&fixture.member).request();
    let late = fixture.member.not_after().plus_seconds(1);
    let error =
        judge_certificate(&request, &fixture.member, &policy(), SIGNER_ID, late).unwrap_err();
    assert_eq!(error.field, "issuer");
}

#[test]
fn the_key_is_proved_and_strong() {
    let fixture = Fixture::new();
    // The key is put into the request from the certificate: another one's request is none then, or not signed by it.
    refused(&fixture, "csr", |leaf| {
        leaf.csr = csr(&SigningKey::generate(KeyKind::P256).unwrap());
    });
    let mut request = Leaf::new(&fixture.member).request();
    let other = SigningKey::generate(KeyKind::P256).unwrap();
    let spki = other.public_key().spki_der();
    request.csr = Some(CsrAroundKey::cut(&csr(&other), spki));
    assert_eq!(judge(&fixture, &request).unwrap_err().field, "csr");
    let leaf = Leaf::new(&fixture.member);
    let mut request = leaf.request();
    request.csr = None;
    assert_eq!(judge(&fixture, &request).unwrap_err().field, "csr");
    let mut broken = csr(&leaf.key);
    *broken.last_mut().unwrap() ^= 1;
    request.csr = Some(CsrAroundKey::cut(&broken, leaf.key.public_key().spki_der()));
    assert_eq!(judge(&fixture, &request).unwrap_err().field, "csr");
    request.csr = Some(CsrAroundKey::cut(&[0x30, 0x80], &[]));
    assert_eq!(judge(&fixture, &request).unwrap_err().field, "csr");
}

#[test]
fn profiles_are_the_signers_own() {
    let fixture = Fixture::new();
    let mut request = Leaf::new(&fixture.member).request();
    request.profile = "subordinate-ca".to_owned();
    let error = judge(&fixture, &request).unwrap_err();
    assert_eq!(error.field, "profile");
    assert!(error.message.contains("server"), "{error}");
    // A server's certificate is none of a client's profile.
    request.profile = "client".to_owned();
    assert!(judge(&fixture, &request).is_err());
    // An extension less or more than the profile's.
    refused(&fixture, "tbs.extensions", |leaf| {
        drop(leaf.extensions.pop())
    });
    refused(&fixture, "tbs.extensions", |leaf| {
        leaf.extensions.push(extension::ocsp_no_check())
    });
    refused(&fixture, "tbs.extensions", |leaf| {
        leaf.extensions.swap(0, 1)
    });
    // Status somewhere else than where this CA serves it.
    refused(&fixture, "tbs.extensions", |leaf| {
        replace(
            leaf,
            extension::crl_distribution_points("http://evil.example/crl/member.crl"),
        );
    });

    let mut server = profile("server");
    server.issuers = Some(vec!["assured".to_owned()]);
    let matrix = Policy::new([server], IdnPolicy::default());
    let request = Leaf::new(&fixture.member).request();
    let error =
        judge_certificate(&request, &fixture.member, &matrix, SIGNER_ID, noon()).unwrap_err();
    assert_eq!(error.field, "profile");
    // Without profiles the general rules hold.
    let none = Policy::without_profiles(IdnPolicy::default());
    assert!(judge_certificate(&request, &fixture.member, &none, SIGNER_ID, noon()).is_ok());
}

#[test]
fn responders_are_certified_without_a_request() {
    let fixture = Fixture::new();
    let mut leaf = Leaf::new(&fixture.member);
    let responder = profile("ocsp-responder");
    let names = CertifiedNames {
        alt_names: &[],
        subject_is_empty: false,
    };
    let urls = StatusUrls::new("http://127.0.0.1:8080", "member");
    leaf.extensions = responder
        .extensions_for(&fixture.member, leaf.key.public_key(), names, &urls)
        .unwrap();
    leaf.not_after = leaf.not_before.plus_seconds(7 * 86_400 - 1);
    let mut request = leaf.request();
    request.profile = "ocsp-responder".to_owned();
    request.csr = None;
    assert_eq!(judge(&fixture, &request), Ok(leaf.serial));
    // OCSPSigning never comes with anything else (OCSP-60).
    replace(
        &mut leaf,
        extension::extended_key_usage(&[oid::OCSP_SIGNING, oid::SERVER_AUTH]),
    );
    request.tbs = leaf.tbs();
    assert!(judge(&fixture, &request).is_err());
}

/// S9: a responder's certificate may begin later, by 28 days at most, and is valid for 7 days at most.
#[test]
fn responders_are_certified_ahead() {
    const DAY: i64 = 86_400;
    let fixture = Fixture::new();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../issuer/profiles");
    let rules = |rule_set| {
        Policy::load(directory.as_ref(), rule_set, IdnPolicy::default()).expect("profiles")
    };
    let (community, cabf) = (rules(RuleSet::Community), rules(RuleSet::Cabf));
    let without = Policy::without_profiles(IdnPolicy::default());
    let extensions = |leaf: &mut Leaf| {
        let names = CertifiedNames {
            alt_names: &[],
            subject_is_empty: false,
        };
        let urls = StatusUrls::new("http://127.0.0.1:8080", "member");
        leaf.extensions = profile("ocsp-responder")
            .extensions_for(&fixture.member, leaf.key.public_key(), names, &urls)
            .unwrap();
    };
    let field = |policy: &Policy, ahead: i64, seconds: i64| {
        let mut leaf = Leaf::new(&fixture.member);
        extensions(&mut leaf);
        leaf.not_before = noon().plus_seconds(ahead);
        leaf.not_after = leaf.not_before.plus_seconds(seconds - 1);
        let request = IssueCertificate {
            profile: "ocsp-responder".to_owned(),
            csr: None,
            ..leaf.request()
        };
        match judge_certificate(&request, &fixture.member, policy, SIGNER_ID, noon()) {
            Ok(judged) => {
                assert!(judged.is_responder);
                String::new()
            }
            Err(refused) => {
                assert_eq!(refused.code, wire::RefusalCode::Policy);
                refused.field
            }
        }
    };
    let (begins, ends) = ("tbs.validity.notBefore", "tbs.validity.notAfter");
    // Clocks may differ by five minutes.
    for ahead in [-300, 0, 300, DAY, 28 * DAY, 28 * DAY + 300] {
        assert_eq!(field(&community, ahead, 7 * DAY), "", "{ahead}");
    }
    assert_eq!(field(&community, 28 * DAY + 301, 7 * DAY), begins);
    assert_eq!(field(&community, 29 * DAY, 7 * DAY), begins);
    assert_eq!(field(&community, -DAY - 1, 7 * DAY), "tbs");
    for ahead in [-300, 14 * DAY] {
        assert_eq!(field(&community, ahead, 7 * DAY + 1), ends);
        assert_eq!(field(&community, ahead, 8 * DAY), ends);
    }
    // Under the CA/Browser Forum's rules none is issued ahead, nor by a signer that does not know the profile.
    for policy in [&cabf, &without] {
        assert_eq!(field(policy, 300, 7 * DAY), "");
        assert_eq!(field(policy, 301, 7 * DAY), begins);
        assert_eq!(field(policy, 14 * DAY, 7 * DAY), begins);
    }
    // No other profile's certificate begins later, and no other profile makes a responder of it.
    let mut leaf = Leaf::new(&fixture.member);
    leaf.not_before = noon().plus_seconds(DAY);
    let mut request = leaf.request();
    let judge = |request: &IssueCertificate| {
        judge_certificate(request, &fixture.member, &community, SIGNER_ID, noon())
    };
    assert_eq!(judge(&request).unwrap_err().field, begins);
    request.profile = "ocsp-responder".to_owned();
    assert_eq!(judge(&request).unwrap_err().field, begins);
    extensions(&mut leaf);
    leaf.not_after = leaf.not_before.plus_seconds(DAY);
    let request = leaf.request();
    assert_eq!(request.profile, "server");
    assert_eq!(judge(&request).unwrap_err().field, begins);
}

/// A root may be offline: the certificate of its responder comes by ceremony or is valid for long (S3).
#[test]
fn a_roots_responder_may_live_for_a_year() {
    let fixture = Fixture::new();
    let mut leaf = Leaf::new(&fixture.root);
    let names = CertifiedNames {
        alt_names: &[],
        subject_is_empty: false,
    };
    let urls = StatusUrls::new("http://127.0.0.1:8080", "root");
    leaf.extensions = profile("ocsp-responder")
        .extensions_for(&fixture.root, leaf.key.public_key(), names, &urls)
        .unwrap();
    leaf.not_after = leaf.not_before.plus_seconds(396 * 86_400);
    let algorithm = SignatureAlgorithm::for_key(
        fixture.root.public_key().kind().unwrap(),
        fixture.root.public_key().kind().unwrap().default_hash(),
    );
    leaf.algorithm = algorithm.unwrap();
    let request = IssueCertificate {
        issuer: "root".to_owned(),
        profile: "ocsp-responder".to_owned(),
        csr: None,
        ..leaf.request()
    };
    let judged = judge_certificate(&request, &fixture.root, &policy(), SIGNER_ID, noon());
    assert!(judged.is_ok(), "{judged:?}");
}

/// Every changed bit of a good TBSCertificate is refused, but for another serial number and another second of validity,
/// which make a certificate as good as the first.
#[test]
fn mutants_are_refused_or_as_good() {
    let fixture = Fixture::new();
    let leaf = Leaf::new(&fixture.member);
    let good = leaf.request();
    let serial = leaf.serial.as_bytes().to_vec();
    let at_serial = good
        .tbs
        .windows(serial.len())
        .position(|window| window == serial)
        .unwrap();
    let mut accepted = Vec::new();
    for at in 0..good.tbs.len() {
        for bit in 0..8 {
            let mut mutant = good.clone();
            mutant.tbs[at] ^= 1 << bit;
            if judge(&fixture, &mutant).is_ok() {
                accepted.push(at);
            }
        }
    }
    accepted.dedup();
    let harmless = |at: &usize| {
        // The serial number, and digits of times.
        let in_serial = (at_serial..at_serial + serial.len()).contains(at);
        let octet = good.tbs[*at];
        in_serial || octet.is_ascii_digit()
    };
    let bad: Vec<_> = accepted.iter().filter(|at| !harmless(at)).collect();
    assert!(bad.is_empty(), "accepted with changes at {bad:?}");
}

#[test]
fn hostile_bytes_are_refused_quickly() {
    let fixture = Fixture::new();
    let mut request = Leaf::new(&fixture.member).request();
    for tbs in [
        vec![],
        vec![0x30],
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        [0x30, 0x80].repeat(30_000),
        [0x30, 0x82, 0xff, 0xff].repeat(15_000),
        [&request.tbs[..], &[0]].concat(),
        [&request.tbs[..], &request.tbs[..]].concat(),
    ] {
        request.tbs = tbs;
        assert!(judge(&fixture, &request).is_err());
    }
}

#[test]
fn crls() {
    let fixture = Fixture::new();
    let entry = |reason| CrlEntry {
        serial: Serial::random_of_signer(SIGNER_ID).unwrap(),
        revocation_date: noon().plus_seconds(-600),
        reason,
        invalidity_date: None,
    };
    let ca = &fixture.member;
    let entries = [entry(Some(RevocationReason::KeyCompromise))];
    let good = crl(ca, 5, noon().plus_seconds(-120), &entries);
    let judge_with =
        |request: &SignCrl, tbs: &[u8]| judge_crl(request, tbs, ca, &rules(), None, noon());
    let judge =
        |request: &SignCrl, entries: &[CrlEntry]| judge_with(request, &tbs_of(request, entries));
    assert_eq!(judge(&good, &entries), Ok(None));
    assert_eq!(judge(&crl(ca, 1, noon(), &[]), &[]), Ok(None));

    let field = |request: SignCrl| judge(&request, &entries).unwrap_err().field;
    let empty = |request: SignCrl| judge(&request, &[]).unwrap_err().field;
    let mut other = good.clone();
    other.number = CrlNumber::from(6);
    assert_eq!(field(other), "number");
    let mut other = good.clone();
    other.this_update = noon();
    assert_eq!(field(other), "this_update");
    let mut other = good.clone();
    other.next_update = noon();
    assert_eq!(field(other), "next_update");
    let mut other = good.clone();
    other.signature_algorithm = SignatureAlgorithm::EcdsaSha384;
    assert_eq!(field(other), "signature_algorithm");
    // Another CA's name, a future thisUpdate, a serial twice, hostile bytes.
    assert_eq!(empty(crl(&fixture.root, 5, noon(), &[])), "tbs");
    assert_eq!(empty(crl(ca, 5, noon().plus_seconds(60), &[])), "tbs");
    let twice = [entry(None); 2];
    let doubled = crl(ca, 5, noon(), &twice);
    assert_eq!(judge(&doubled, &twice).unwrap_err().field, "tbs");
    let hostile = [0x30, 0x84, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(judge_with(&good, &hostile).unwrap_err().field, "tbs");
    let mut other = good.clone();
    other.scope = wire::CrlScope::Delta;
    assert_eq!(field(other), "scope");
    // A subscriber CA's CRL for more than 10 days.
    let mut long = pki::crl::build::CrlContents {
        issuer: ca.subject(),
        authority_key_id: &ca.key_id(),
        number: &CrlNumber::from(5),
        this_update: noon(),
        next_update: noon().plus_seconds(11 * 86_400),
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        scope: pki::crl::verify::Scope::Complete,
        freshest: None,
    };
    let mut request = good.clone();
    (request.this_update, request.next_update) = (long.this_update, long.next_update);
    assert_eq!(
        judge_with(&request, &long.tbs([])).unwrap_err().field,
        "tbs"
    );
    long.next_update = noon().plus_seconds(10 * 86_400);
    request.next_update = long.next_update;
    assert_eq!(judge_with(&request, &long.tbs([])), Ok(None));

    let tbs = tbs_of(&good, &entries);
    let last = CrlNumber::from(5);
    assert!(judge_crl(&good, &tbs, ca, &rules(), Some(&last), noon()).is_err());
}

#[test]
fn every_changed_bit_of_a_crl_is_refused_or_a_crl_as_good() {
    let fixture = Fixture::new();
    let good = crl(&fixture.member, 5, noon().plus_seconds(-120), &[]);
    let tbs = tbs_of(&good, &[]);
    for at in 0..tbs.len() {
        for bit in 0..8 {
            let mut mutant = tbs.clone();
            mutant[at] ^= 1 << bit;
            assert!(
                judge_crl(&good, &mutant, &fixture.member, &rules(), None, noon()).is_err(),
                "octet {at} bit {bit}"
            );
        }
    }
}
