//! The bytes to be signed, from an order and its profile.

use ledger::{CrlPolicy, Issuer, Subjects};
use pki::certificate_builder::TbsCertificate;
use pki::lint::{self, Context};
use pki::name_rules::IdnPolicy;
use pki::profile::{CertifiedNames, Profile, StatusUrls};
use pki::refusal::Refusal;
use pki::{Certificate, HashAlgorithm, Serial, SignatureAlgorithm, Time};

use crate::{IssuanceError, Order};

const DAY: i64 = 86_400;

/// Everything that is settled about a certificate before its serial number.
pub(crate) struct Plan<'a> {
    pub(crate) order: &'a Order,
    pub(crate) profile: &'a Profile,
    pub(crate) ca: &'a Certificate,
    pub(crate) signature_algorithm: SignatureAlgorithm,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    urls: StatusUrls,
    crl_policy: CrlPolicy,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(
        order: &'a Order,
        profile: &'a Profile,
        issuer: &Issuer,
        ca: &'a Certificate,
        now: Time,
        base_url: Option<&str>,
    ) -> Result<Self, IssuanceError> {
        check_issuer(profile, issuer, ca, now)?;
        let (not_before, not_after) = validity(order, profile, ca, now)?;
        Ok(Self {
            order,
            profile,
            ca,
            signature_algorithm: signature_algorithm(ca, order.hash)?,
            not_before,
            not_after,
            urls: status_urls(profile, &issuer.name, base_url)?,
            crl_policy: issuer.policy.crl.clone(),
        })
    }

    /// The URI of the CRL's part that a certificate with this serial number belongs to; `None` without partitions.
    pub(crate) fn crl_partition(&self, serial: &Serial) -> Option<String> {
        let urls = self.urls_for(serial);
        (self.profile.extensions.crl_url && urls != self.urls).then_some(urls.crl)
    }

    fn urls_for(&self, serial: &Serial) -> StatusUrls {
        match self.crl_policy.partition_of(serial, self.not_before) {
            Some(partition) => self.urls.clone().with_crl_partition(&partition),
            None => self.urls.clone(),
        }
    }

    /// The TBSCertificate with this serial number, linted.
    pub(crate) fn tbs(
        &self,
        serial: Serial,
        now: Time,
        idn: &IdnPolicy,
    ) -> Result<Vec<u8>, IssuanceError> {
        let order = self.order;
        let names = CertifiedNames {
            alt_names: &order.alt_names,
            subject_is_empty: order.subject.is_empty(),
        };
        let extensions = self
            .profile
            .extensions_for(self.ca, &order.public_key, names, &self.urls_for(&serial))
            .map_err(|error| {
                Refusal::new(
                    "I5",
                    "publicKey",
                    error.to_string(),
                    "Make a key of another kind.",
                )
            })?;
        let tbs = TbsCertificate {
            serial,
            signature_algorithm: self.signature_algorithm,
            issuer: self.ca.subject(),
            not_before: self.not_before,
            not_after: self.not_after,
            subject: &order.subject,
            public_key: &order.public_key,
            extensions: &extensions,
        }
        .to_der();

        let findings = lint::lint(
            &tbs,
            &Context {
                ca: self.ca,
                signature_algorithm: self.signature_algorithm,
                now,
                profile: Some(self.profile),
                idn,
            },
        );
        if findings.is_empty() {
            Ok(tbs)
        } else {
            Err(IssuanceError::Lint(findings))
        }
    }
}

fn check_issuer(
    profile: &Profile,
    issuer: &Issuer,
    ca: &Certificate,
    now: Time,
) -> Result<(), Refusal> {
    let refuse =
        |rule, message: String, remedy: &str| Err(Refusal::new(rule, "issuer", message, remedy));
    let name = &issuer.name;
    if !issuer.signs {
        return refuse(
            "I7",
            format!("the key of {name} is not in our signer"),
            "Choose another issuer; `avouch status` lists them.",
        );
    }
    if profile
        .issuers
        .as_ref()
        .is_some_and(|issuers| !issuers.contains(name))
    {
        return refuse(
            "I7",
            format!("{name} does not issue under the profile {}", profile.name),
            "Choose another issuer or profile.",
        );
    }
    let is_root = ca.subject() == ca.issuer();
    let for_subscribers = !profile.is_ocsp_responder();
    let only_cas = issuer.policy.subjects == Subjects::CaCertificates;
    if for_subscribers && (only_cas || is_root && !profile.root_may_issue) {
        return refuse(
            "I7",
            format!("{name} certifies CAs only"),
            "Choose one of its subordinates; `avouch status` lists them.",
        );
    }
    if now < ca.not_before() || ca.not_after() <= now {
        return refuse(
            "CERT-05",
            format!(
                "the certificate of {name} is valid from {} to {}",
                ca.not_before(),
                ca.not_after()
            ),
            "Choose another issuer, or renew the CA's certificate.",
        );
    }
    Ok(())
}

/// I6: exactly the hash that was asked for.
fn signature_algorithm(
    ca: &Certificate,
    hash: Option<HashAlgorithm>,
) -> Result<SignatureAlgorithm, Refusal> {
    let choose = || {
        let kind = ca.public_key().kind()?;
        SignatureAlgorithm::for_key(kind, hash.unwrap_or_else(|| kind.default_hash()))
    };
    choose().map_err(|error| {
        Refusal::new(
            "I6",
            "hash",
            error.to_string(),
            "Leave the hash out, or ask for one that the issuer's key can sign with.",
        )
    })
}

/// First and last second. A certificate of `n` days is valid for exactly `n` times 86,400 seconds,
/// notAfter included (CERT-05).
fn validity(
    order: &Order,
    profile: &Profile,
    ca: &Certificate,
    now: Time,
) -> Result<(Time, Time), Refusal> {
    let days = order
        .days
        .unwrap_or_else(|| profile.default_days_of(&order.issuer));
    let max_days = profile.max_days_of(&order.issuer);
    if days == 0 || days > max_days {
        return Err(Refusal::new(
            "CERT-05",
            "days",
            format!("{days} days were asked for"),
            format!(
                "The profile {} of {} allows 1 to {max_days} days.",
                profile.name, order.issuer
            ),
        ));
    }
    let backdated = now.plus_seconds(-i64::from(profile.backdate_seconds));
    // The lint judges whether it may lie so far ahead.
    let not_before = order.begins.unwrap_or(backdated).max(ca.not_before());
    let not_after = not_before.plus_seconds(i64::from(days) * DAY - 1);
    if not_after <= ca.not_after() {
        return Ok((not_before, not_after));
    }
    if order.days.is_none() {
        return Ok((not_before, ca.not_after()));
    }
    Err(Refusal::new(
        "CERT-05",
        "days",
        format!(
            "{days} days end after the CA's own certificate, which ends {}",
            ca.not_after()
        ),
        format!(
            "Ask for at most {} days, or leave the days out.",
            not_before.seconds_until(ca.not_after()) / DAY
        ),
    ))
}

fn status_urls(
    profile: &Profile,
    issuer: &str,
    base_url: Option<&str>,
) -> Result<StatusUrls, Refusal> {
    let rules = &profile.extensions;
    let needed = rules.ocsp_url || rules.ca_issuers_url || rules.crl_url;
    match base_url {
        Some(base_url) => Ok(StatusUrls::new(base_url, issuer)),
        None if !needed => Ok(StatusUrls::new("", issuer)),
        None => Err(Refusal::new(
            "CERT-08",
            "base_url",
            format!(
                "the profile {} needs the URL where status is served",
                profile.name
            ),
            "Set base_url in the configuration of the issuer.",
        )),
    }
}
