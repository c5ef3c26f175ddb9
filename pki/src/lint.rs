//! Judging a certificate before it is signed (CERT-33), by our own rules.
//!
//! The lint knows nothing of how the TBSCertificate was made. It reads the bytes, and every part that
//! has one right form must have exactly that. Issuer and signer both ask it; each finding is a reason
//! not to sign. It is for end-entity certificates: whatever claims to be a CA is refused.

mod basics;
mod extensions;
mod names;
mod purpose;

use crate::certificate_builder::{GeneralName, assemble};
use crate::name_rules::IdnPolicy;
use crate::profile::Profile;
use crate::{Certificate, SignatureAlgorithm, Time, Violation, oid};

/// What the lint holds the bytes against.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The CA that is going to sign.
    pub ca: &'a Certificate,
    /// The algorithm that it is going to sign with.
    pub signature_algorithm: SignatureAlgorithm,
    /// The time of signing.
    pub now: Time,
    /// The profile, where it is known: then keys, names, lifetime and the set of extensions must be the
    /// profile's.
    pub profile: Option<&'a Profile>,
    /// Where domain names may mix scripts.
    pub idn: &'a IdnPolicy,
}

/// Every reason not to sign `tbs`; none if it may be signed.
pub fn lint(tbs: &[u8], context: &Context<'_>) -> Vec<Violation> {
    let mut findings = Findings(Vec::new());
    // The reader of certificates wants a whole one; the signature plays no part here.
    let whole = assemble(tbs, context.signature_algorithm, &[0]);
    let certificate = match Certificate::from_der(&whole) {
        Ok(certificate) => certificate,
        Err(error) => {
            findings.add(
                "CERT-01",
                format!("the bytes are not those of a certificate: {error}"),
            );
            return findings.0;
        }
    };
    let alt_names = match certificate.extension(oid::SUBJECT_ALT_NAME) {
        None => Vec::new(),
        Some(extension) => match GeneralName::read_all(&extension.value) {
            Ok(names) => names,
            Err(error) => {
                findings.add("CERT-07", format!("subjectAltName: {error}"));
                Vec::new()
            }
        },
    };

    let subject = Subject {
        certificate: &certificate,
        alt_names: &alt_names,
        context,
    };
    basics::check(tbs, &subject, &mut findings);
    names::check(&subject, &mut findings);
    extensions::check(&subject, &mut findings);
    purpose::check(&subject, &mut findings);
    findings.0
}

/// What is judged, read.
struct Subject<'a> {
    certificate: &'a Certificate,
    alt_names: &'a [GeneralName],
    context: &'a Context<'a>,
}

struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, rule: &'static str, message: impl Into<String>) {
        self.0.push(Violation::new(rule, message));
    }

    /// Adds a finding if `holds` is false.
    fn require(&mut self, holds: bool, rule: &'static str, message: impl Into<String>) {
        if !holds {
            self.add(rule, message);
        }
    }
}

#[cfg(test)]
mod tests;
