//! Certificates of delegated OCSP responders (OCSP-60 to OCSP-67).

use pki::name_rules::{AttributeKind, SubjectAttribute};
use pki::profile::{Profile, ProfileDocument, RuleSet};
use pki::refusal::Refusal;
use pki::{Certificate, PublicKey, oid};

use crate::complete::read_ca;
use crate::{Issuance, IssuanceError, Issued, Order, Signer};

const SUFFIX: &str = " OCSP responder";

impl<S: Signer> Issuance<S> {
    /// Issues a certificate for a responder of `issuer` that holds `key`, for `days` or as many as the
    /// CA's own certificate leaves. The profile is the built-in one: OCSPSigning alone, nocheck,
    /// digitalSignature, no names and no URLs. The subject follows the CA's own.
    pub async fn issue_responder_certificate(
        &self,
        issuer: &str,
        key: &PublicKey,
        days: u32,
        actor: &str,
    ) -> Result<Issued, IssuanceError> {
        let mut profile = responder_profile()?;
        // The CA's own end shortens default days, never a refusal: this runs unattended.
        profile.default_days = days.min(profile.max_days);
        pki::weak_keys::check(key, &profile.keys, None)?;

        let ca = read_ca(&self.issuer(issuer).await?)?;
        let order = Order {
            issuer: issuer.to_owned(),
            subject: subject(&ca)?,
            alt_names: Vec::new(),
            public_key: key.clone(),
            hash: None,
            days: None,
            csr: None,
            evidence_sha256: None,
            actor: actor.to_owned(),
        };
        self.issue(&order, &profile).await
    }
}

/// The profile that is shipped for responders.
fn responder_profile() -> Result<Profile, IssuanceError> {
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
        .select(RuleSet::Community)
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
