//! Certificates of delegated OCSP responders (OCSP-60 to OCSP-67).

use pki::name_rules::{AttributeKind, SubjectAttribute};
use pki::profile::{Profile, ProfileDocument, RuleSet};
use pki::refusal::Refusal;
use pki::{Certificate, PublicKey, Serial, Time, oid};

use crate::complete::read_ca;
use crate::recover::PAGE;
use crate::{Issuance, IssuanceError, Issued, Order, Signer};

const SUFFIX: &str = " OCSP responder";

/// A responder's certificate that the policy of its issuer wants.
#[derive(Clone, Copy, Debug)]
pub struct ResponderOrder<'a> {
    /// The issuer's name in the ledger.
    pub issuer: &'a str,
    /// The responder's key.
    pub key: &'a PublicKey,
    /// When it begins; `None`: at once.
    pub begins: Option<Time>,
    /// How long it is valid, or as long as the CA's own certificate.
    pub days: u32,
    /// Whose rules the CA keeps: by its own, certificates may begin ahead of their signing.
    pub rule_set: RuleSet,
    /// Who asked.
    pub actor: &'a str,
}

impl<S: Signer> Issuance<S> {
    /// Issues a certificate for an OCSP responder. The profile is the built-in one: OCSPSigning alone, nocheck,
    /// digitalSignature, no names and no URLs. The subject follows the CA's own.
    pub async fn issue_responder_certificate(
        &self,
        wanted: &ResponderOrder<'_>,
    ) -> Result<Issued, IssuanceError> {
        let mut profile = responder_profile(wanted.rule_set)?;
        // The CA's own end shortens default days, never a refusal: this runs unattended.
        profile.default_days = wanted.days.min(profile.max_days);
        pki::weak_keys::check(wanted.key, &profile.keys, None)?;

        let ca = read_ca(&self.issuer(wanted.issuer).await?)?;
        let order = Order {
            issuer: wanted.issuer.to_owned(),
            subject: subject(&ca)?,
            alt_names: Vec::new(),
            public_key: wanted.key.clone(),
            hash: None,
            begins: wanted.begins,
            days: None,
            csr: None,
            evidence_sha256: None,
            actor: wanted.actor.to_owned(),
        };
        self.issue(&order, &profile).await
    }

    /// A responder's certificate that this issuer has issued to this key.
    pub async fn find_responder_certificate(
        &self,
        issuer: &str,
        key: &PublicKey,
    ) -> Result<Found, IssuanceError> {
        let key = key.fingerprint();
        // First what is open: what is finished between the two questions is found by the second.
        let waiting = self.waiting_with_key(issuer, &key).await?;
        if let Some(der) = self.ledger.certificate_of_key(issuer, &key).await? {
            let certificate =
                Certificate::from_der(&der).map_err(|source| IssuanceError::Unreadable {
                    issuer: issuer.to_owned(),
                    what: "a responder certificate",
                    source,
                })?;
            return Ok(Found::Issued(Box::new(certificate)));
        }
        Ok(waiting.map_or(Found::Nothing, Found::Waiting))
    }

    /// Looks through everything that waits: it is asked after a crash only.
    async fn waiting_with_key(
        &self,
        issuer: &str,
        key: &[u8; 32],
    ) -> Result<Option<Serial>, IssuanceError> {
        let mut after = 0;
        loop {
            let page = self.ledger.pending_reservations(after, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(None);
            };
            after = *last;
            let mut open = page.iter().map(|(_, open)| open);
            if let Some(found) = open.find(|open| open.issuer == issuer && open.spki_sha256 == *key)
            {
                return Ok(Some(found.serial));
            }
        }
    }
}

/// What became of an order, found by its key.
#[derive(Clone, Debug)]
pub enum Found {
    /// It was issued.
    Issued(Box<Certificate>),
    /// None was ordered, or the order was given up.
    Nothing,
    /// The signer has not answered yet; the certificate with this serial number is issued when it does.
    Waiting(Serial),
}

/// The profile that is shipped for responders.
fn responder_profile(rule_set: RuleSet) -> Result<Profile, IssuanceError> {
    let broken = |message: String| {
        Refusal::new(
            "I3",
            "profile",
            message,
            "Report this: the profile is built in.",
        )
    };
    let document: ProfileDocument =
        toml::from_str(include_str!("../../profiles/ocsp-responder.toml"))
            .map_err(|error| broken(error.to_string()))?;
    document
        .select(rule_set)
        .map_err(|error| broken(error.to_string()).into())
}

/// OCSP-66: country and organisation of the CA, as far as they can be issued, and a common name.
fn subject(ca: &Certificate) -> Result<Vec<SubjectAttribute>, Refusal> {
    let mut subject = Vec::new();
    for kind in [AttributeKind::CountryName, AttributeKind::OrganizationName] {
        let value = ca.subject().first(kind.oid());
        if let Some(Ok(attribute)) = value.map(|value| SubjectAttribute::new(kind, value)) {
            subject.push(attribute);
        }
    }
    let ca_name = ca
        .subject()
        .first(oid::COMMON_NAME)
        .or_else(|| ca.subject().first(oid::ORGANIZATION))
        .unwrap_or_default();
    let room = AttributeKind::CommonName.upper_bound() - SUFFIX.len();
    let shortened: String = ca_name.chars().take(room).collect();
    let common_name = format!("{}{SUFFIX}", shortened.trim_end());
    subject.push(
        SubjectAttribute::new(AttributeKind::CommonName, common_name.trim_start())
            .or_else(|_| SubjectAttribute::new(AttributeKind::CommonName, SUFFIX.trim_start()))?,
    );
    Ok(subject)
}
