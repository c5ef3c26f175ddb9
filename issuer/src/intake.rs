//! From a certification request to what may be certified (I4, I5, I9).
//!
//! Only what is verified enters: the key after every check, names after every rule, in the attributes
//! and kinds that the profile has. Whatever else the request holds is dropped, and its sender is told.

mod alt_names;
mod subject;

use pki::certificate_builder::GeneralName;
use pki::csr::CertificationRequest;
use pki::name_rules::{IdnPolicy, SubjectAttribute};
use pki::profile::{CommonNameIs, Profile};
use pki::refusal::Refusal;
use pki::weak_keys::{self, DebianWeakKeys};
use pki::{PublicKey, oid};
use serde::Serialize;

/// What a request may have.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) csr: Vec<u8>,
    pub(crate) subject: Vec<SubjectAttribute>,
    pub(crate) alt_names: Vec<GeneralName>,
    pub(crate) public_key: PublicKey,
    pub(crate) dropped: Vec<Dropped>,
}

/// A part of a request that does not enter the certificate as it was.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Dropped {
    pub(crate) what: String,
    pub(crate) why: String,
}

impl Dropped {
    fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
        }
    }
}

/// Judges the request in `pem` under `profile`.
pub(crate) fn judge(
    pem: &str,
    profile: &Profile,
    idn: &IdnPolicy,
    debian: Option<&DebianWeakKeys>,
) -> Result<Accepted, Refusal> {
    if profile.is_ocsp_responder() {
        return Err(Refusal::new(
            "OCSP-60",
            "profile",
            format!(
                "certificates of the profile {} are not given out on request",
                profile.name
            ),
            "They are made for ocsp-presigner, which asks for them by itself.",
        ));
    }
    let request = CertificationRequest::from_pem(pem)?;
    weak_keys::check(request.public_key(), &profile.keys, debian)?;
    request.verify_proof_of_possession()?;

    let mut dropped = Vec::new();
    let subject = subject::read(request.subject(), profile, &mut dropped)?;
    let requested = alt_names::Requested {
        names: request.subject_alt_names()?,
        emails_of_subject: subject.emails,
        common_name: subject.common_name.filter(|_| is_host_profile(profile)),
    };
    let alt_names = alt_names::read(requested, profile, idn, &mut dropped)?;
    let subject = subject::finish(
        subject.attributes,
        alt_names.common_name,
        profile,
        &mut dropped,
    )?;
    drop_the_rest(&request, &mut dropped);

    Ok(Accepted {
        csr: request.der().to_vec(),
        subject,
        alt_names: alt_names.names,
        public_key: request.public_key().clone(),
        dropped,
    })
}

fn is_host_profile(profile: &Profile) -> bool {
    profile.subject.common_name == CommonNameIs::HostName
}

/// Extensions and attributes that no profile takes from a request.
fn drop_the_rest(request: &CertificationRequest, dropped: &mut Vec<Dropped>) {
    for extension in request.extensions() {
        if extension.oid != oid::SUBJECT_ALT_NAME {
            dropped.push(Dropped::new(
                format!("extension {}", pki::csr::describe(&extension.oid)),
                "the profile decides which extensions a certificate has",
            ));
        }
    }
    for attribute in request.other_attributes() {
        dropped.push(Dropped::new(
            format!("attribute {}", pki::csr::describe(attribute)),
            "certificates have no such thing",
        ));
    }
}

#[cfg(test)]
mod tests;
