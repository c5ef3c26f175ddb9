//! A TBSCertificate that the signer judges good is, octet for octet, what its own profile makes of the serial number, the
//! validity, the subject, the key and the names in it; and another reader understands the same.
//!
//! An input is the number of a profile, and then either changes to a good TBSCertificate of that profile, or (number
//! above 127) a whole TBSCertificate.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pki::certificate_builder::{GeneralName, TbsCertificate};
use pki::csr::CertificationRequest;
use pki::name_rules::{AttributeKind, IdnPolicy, SubjectAttribute};
use pki::profile::{CertifiedNames, Profile, RuleSet, StatusUrls};
use pki::{Certificate, PublicKey, Serial, SignatureAlgorithm, Time, der_encode, oid};
use signer::judge::judge_certificate;
use signer::policy::Policy;
use wire::{CsrAroundKey, IssueCertificate};
use x509_cert::der::{Decode, Encode};

const ISSUER: &str = "member";
const BASE_URL: &str = "http://status.example.org";
const PROFILES: [&str; 4] = ["server", "client", "code-signing", "ocsp-responder"];
const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;
const SIGNER_ID: u8 = 1;
/// Within the validity of the CA.
const NOW: Time = Time::from_unix(1_795_262_400);

static SCENE: LazyLock<Scene> = LazyLock::new(Scene::new);

struct Scene {
    ca: Certificate,
    policy: Policy,
    csr: Vec<u8>,
    key: PublicKey,
    good: Vec<Vec<u8>>,
}

impl Scene {
    fn new() -> Self {
        let ca = Certificate::from_der(include_bytes!("../ca.der")).expect("a CA");
        let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../issuer/profiles");
        let policy = Policy::load(&profiles, RuleSet::Community, IdnPolicy::default())
            .expect("profiles")
            .with_base_url(Some(BASE_URL.parse().expect("a URL")));
        let csr = include_bytes!("../leaf.csr").to_vec();
        let request = CertificationRequest::from_der(&csr).expect("a request");
        let mut scene = Self {
            key: request.public_key().clone(),
            ca,
            policy,
            csr,
            good: Vec::new(),
        };
        scene.good = PROFILES.iter().map(|name| scene.good(name)).collect();
        scene
    }

    fn profile(&self, name: &str) -> &Profile {
        let profile = self.policy.profile(name);
        profile.expect("a profile").expect("profiles")
    }

    /// A TBSCertificate that the signer signs.
    fn good(&self, profile: &str) -> Vec<u8> {
        let (text, names) = match profile {
            "server" => {
                let names = [
                    "www.example.org",
                    "*.example.org",
                    "xn--bcher-kva.example.de",
                ];
                (
                    "www.example.org",
                    names.map(|name| GeneralName::Dns(name.to_owned())).to_vec(),
                )
            }
            "client" => {
                let names = vec![GeneralName::Email("zuzana@example.cz".to_owned())];
                ("Zuzana Příkladová", names)
            }
            _ => ("Community Builder", Vec::new()),
        };
        let subject = [SubjectAttribute::new(AttributeKind::CommonName, text).expect("a name")];
        let names = CertifiedNames {
            alt_names: &names,
            subject_is_empty: false,
        };
        let urls = StatusUrls::new(BASE_URL, ISSUER);
        let not_before = NOW.plus_seconds(-300);
        let tbs = TbsCertificate {
            serial: Serial::from_be_bytes(&[SIGNER_ID; 16]).expect("a serial number"),
            signature_algorithm: ALGORITHM,
            issuer: self.ca.subject(),
            not_before,
            not_after: not_before.plus_seconds(7 * 86_400 - 1),
            subject: &subject,
            public_key: &self.key,
            extensions: &self
                .profile(profile)
                .extensions_for(&self.ca, &self.key, names, &urls)
                .expect("extensions"),
        }
        .to_der();
        let judged = self.judge(profile, &tbs);
        judged.unwrap_or_else(|refused| panic!("{profile}: {refused}"));
        tbs
    }

    fn judge(&self, profile: &str, tbs: &[u8]) -> Result<(), wire::Refused> {
        let csr = CsrAroundKey::cut(&self.csr, self.key.spki_der());
        let request = IssueCertificate {
            issuer: ISSUER.to_owned(),
            profile: profile.to_owned(),
            signature_algorithm: ALGORITHM,
            tbs: tbs.to_vec(),
            csr: (profile != "ocsp-responder").then_some(csr),
            evidence: None,
        };
        judge_certificate(&request, &self.ca, &self.policy, SIGNER_ID, NOW).map(drop)
    }

    /// What the profile makes of what stands in a TBSCertificate.
    fn made_again(&self, profile: &str, found: &Certificate) -> Vec<u8> {
        let alt_names = found.extension(oid::SUBJECT_ALT_NAME).map(|extension| {
            GeneralName::read_all(&extension.value).expect("names that were accepted")
        });
        let alt_names = alt_names.unwrap_or_default();
        let names = CertifiedNames {
            alt_names: &alt_names,
            subject_is_empty: found.subject().is_empty(),
        };
        let mut urls = StatusUrls::new(BASE_URL, ISSUER);
        let uri = found.distribution_point_uri();
        let partition = uri.as_ref().and_then(|uri| urls.crl_partition_in(uri));
        if let Some(partition) = partition.map(str::to_owned) {
            urls = urls.with_crl_partition(&partition);
        }
        let expected = self
            .profile(profile)
            .extensions_for(&self.ca, &self.key, names, &urls);
        let extensions: Vec<_> = expected
            .expect("extensions")
            .iter()
            .map(|extension| {
                let critical = match extension.critical {
                    true => der_encode::boolean_true(),
                    false => Vec::new(),
                };
                der_encode::sequence(&[
                    &der_encode::oid(&extension.oid),
                    &critical,
                    &der_encode::octet_string(&extension.value),
                ])
            })
            .collect();
        let extensions: Vec<_> = extensions.iter().map(Vec::as_slice).collect();
        der_encode::sequence(&[
            &der_encode::explicit(0, &der_encode::integer(&[2])),
            &der_encode::integer(found.serial().as_bytes()),
            ALGORITHM.algorithm_identifier(),
            self.ca.subject().as_der(),
            &der_encode::sequence(&[
                &der_encode::utc_or_generalized_time(found.not_before()),
                &der_encode::utc_or_generalized_time(found.not_after()),
            ]),
            found.subject().as_der(),
            self.key.spki_der(),
            &der_encode::explicit(3, &der_encode::sequence(&extensions)),
        ])
    }
}

/// Changes octets, takes some out, puts some in or doubles some, wherever the fuzzer says.
fn change(tbs: &mut Vec<u8>, changes: &[u8]) {
    for change in changes.chunks_exact(4) {
        let [kind, high, low, value] = *change else {
            return;
        };
        if tbs.is_empty() {
            return;
        }
        let at = usize::from(u16::from_be_bytes([high, low])) % tbs.len();
        match kind % 6 {
            0 => tbs[at] = value,
            1 => tbs[at] ^= 1 << (value % 8),
            2 => tbs.insert(at, value),
            3 => drop(tbs.remove(at)),
            4 => tbs.truncate(at),
            _ => {
                let end = (at + usize::from(value)).min(tbs.len());
                let piece = tbs[at..end].to_vec();
                tbs.splice(at..at, piece);
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((number, rest)) = input.split_first() else {
        return;
    };
    let scene = &*SCENE;
    let profile = PROFILES[usize::from(number % 4)];
    let mut tbs = scene.good[usize::from(number % 4)].clone();
    match number {
        0..128 => change(&mut tbs, rest),
        128.. => tbs = rest.to_vec(),
    }
    if scene.judge(profile, &tbs).is_err() {
        return;
    }
    let whole = pki::certificate_builder::assemble(&tbs, ALGORITHM, &[0]);
    let found = Certificate::from_der(&whole).expect("what was judged good can be read");
    assert_eq!(scene.made_again(profile, &found), tbs);

    let other = x509_cert::TbsCertificate::from_der(&tbs).expect("another reader refuses it");
    assert_eq!(other.to_der().expect("it can be written"), tbs);
    assert_eq!(other.serial_number.as_bytes(), found.serial().as_bytes());
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
    assert_eq!(
        seconds(other.validity.not_before),
        found.not_before().unix() as u64
    );
    assert_eq!(
        seconds(other.validity.not_after),
        found.not_after().unix() as u64
    );
});
