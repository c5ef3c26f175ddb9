//! What is the same in every run: the CA, the policy, those who want certificates, and the keys of the cables.
//!
//! The CA's key is Ed25519, since its signatures do not depend on random numbers of the system: the same seed gives the
//! same octets.

use keystore::SigningKey;
use pki::certificate_builder::{GeneralName, TbsCertificate, assemble, extension, subject_der};
use pki::csr::CertificationRequest;
use pki::name_rules::{AttributeKind, IdnPolicy, SubjectAttribute};
use pki::profile::{CertifiedNames, Profile, ProfileDocument, RuleSet, StatusUrls};
use pki::{Certificate, Extension, KeyUsage, Name, PublicKey, Serial, SignatureAlgorithm, oid};
use signer::ca::Ca;
use signer::policy::Policy;
use wire::CsrAroundKey;
use wire::link::{KeyPair, SessionKeys};
use zeroize::Zeroizing;

use crate::clock::START;

/// The name that requests ask with.
pub(crate) const ISSUER: &str = "member";
/// The profile of its certificates.
pub(crate) const PROFILE: &str = "server";
/// How the CA signs.
pub(crate) const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::Ed25519;

const BASE_URL: &str = "http://status.example.org";
const SERVER: &str = include_str!("../../../issuer/profiles/server.toml");
/// Certification requests with P-256 keys, as subscribers make them.
const REQUESTS: [&str; 4] = [
    include_str!("../requests/host1.pem"),
    include_str!("../requests/host2.pem"),
    include_str!("../requests/host3.pem"),
    include_str!("../requests/host4.pem"),
];

/// The CA and all around it.
#[derive(Debug)]
pub struct Authority {
    pub(crate) key: SigningKey,
    pub(crate) ca: Ca,
    pub(crate) policy: Policy,
    pub(crate) subscribers: Vec<Subscriber>,
    /// Of each cable, the host's and the signer's.
    pub(crate) cables: [(SessionKeys, SessionKeys); 2],
}

/// Somebody who wants a certificate.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) subject: Vec<SubjectAttribute>,
    pub(crate) key: PublicKey,
    pub(crate) csr: CsrAroundKey,
    pub(crate) extensions: Vec<Extension>,
}

impl Authority {
    /// Makes it.
    pub fn new() -> anyhow::Result<Self> {
        let root_key = ed25519(1)?;
        let key = ed25519(2)?;
        let root = ca_certificate(("Simulated Root", &root_key), ("Simulated Root", &root_key))?;
        let certificate =
            ca_certificate(("Simulated Root", &root_key), ("Simulated Member CA", &key))?;
        certificate.verify_signed_by(root.public_key())?;
        let document: ProfileDocument = toml::from_str(SERVER)?;
        let profile = document.select(RuleSet::Community)?;
        let subscribers = REQUESTS
            .iter()
            .map(|request| Subscriber::new(request, &profile, &certificate))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            ca: Ca {
                name: ISSUER.to_owned(),
                key_kind: key.kind(),
                certificate,
            },
            key,
            policy: Policy::new([profile], IdnPolicy::default())
                .with_base_url(Some(BASE_URL.parse()?)),
            subscribers,
            cables: [cable_keys(10), cable_keys(20)],
        })
    }
}

impl Subscriber {
    fn new(request: &str, profile: &Profile, ca: &Certificate) -> anyhow::Result<Self> {
        let csr = CertificationRequest::from_pem(request).map_err(anyhow::Error::msg)?;
        let names = csr.subject_alt_names().map_err(anyhow::Error::msg)?;
        let Some(GeneralName::Dns(host)) = names.first() else {
            anyhow::bail!("a certification request without a host's name");
        };
        let certified = CertifiedNames {
            alt_names: &names,
            subject_is_empty: false,
        };
        let urls = StatusUrls::new(BASE_URL, ISSUER);
        let common_name = SubjectAttribute::new(AttributeKind::CommonName, host);
        Ok(Self {
            subject: vec![common_name.map_err(anyhow::Error::msg)?],
            key: csr.public_key().clone(),
            csr: CsrAroundKey::cut(csr.der(), csr.public_key().spki_der()),
            extensions: profile.extensions_for(ca, csr.public_key(), certified, &urls)?,
        })
    }
}

/// An Ed25519 key whose private octets are all the same (RFC 8410 section 7).
fn ed25519(octet: u8) -> anyhow::Result<SigningKey> {
    const BEFORE: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    Ok(SigningKey::from_pkcs8_der(
        &[&BEFORE[..], &[octet; 32]].concat(),
    )?)
}

fn ca_certificate(
    (issuer, issuer_key): (&str, &SigningKey),
    (subject, key): (&str, &SigningKey),
) -> anyhow::Result<Certificate> {
    let name = |common_name| {
        SubjectAttribute::new(AttributeKind::CommonName, common_name).map_err(anyhow::Error::msg)
    };
    let mut extensions = vec![
        extension::basic_constraints_ca(None),
        extension::key_usage(&[KeyUsage::KEY_CERT_SIGN, KeyUsage::CRL_SIGN]),
        extension::subject_key_identifier(key.public_key()),
        extension::authority_key_identifier(&issuer_key.public_key().key_id()),
    ];
    if issuer != subject {
        let urls = StatusUrls::new(BASE_URL, "root");
        extensions.extend([
            extension::certificate_policies(&[oid::ANY_POLICY]),
            extension::crl_distribution_points(&urls.crl),
        ]);
    }
    let tbs = TbsCertificate {
        serial: Serial::from_be_bytes(subject.as_bytes())?,
        signature_algorithm: ALGORITHM,
        issuer: &Name::from_der(&subject_der(&[name(issuer)?]))?,
        not_before: START.plus_seconds(-30 * 86_400),
        not_after: START.plus_seconds(3_650 * 86_400),
        subject: &[name(subject)?],
        public_key: key.public_key(),
        extensions: &extensions,
    }
    .to_der();
    let signature = issuer_key.sign(ALGORITHM, &tbs)?;
    Ok(Certificate::from_der(&assemble(
        &tbs, ALGORITHM, &signature,
    ))?)
}

fn cable_keys(octet: u8) -> (SessionKeys, SessionKeys) {
    let host = KeyPair::of(Zeroizing::new([octet; 32]));
    let signer = KeyPair::of(Zeroizing::new([octet + 1; 32]));
    let psk = [octet + 2; 32];
    let keys = |own: &KeyPair, peer: &KeyPair| SessionKeys {
        private: *own.private,
        peer: peer.public,
        psk,
    };
    (keys(&host, &signer), keys(&signer, &host))
}
