//! An issuer whose certificates are looked at.

use ledger::{Issuer, Ledger, Origin, Subjects};
use pki::crl::verify::{ImportedRules, OwnRules, Profile};
use pki::ocsp::IssuerHashes;
use pki::ocsp::verify::Rules;
use pki::{Certificate, HashAlgorithm};

/// An issuer and what its answers and CRLs must fit.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) issuer: Issuer,
    pub(crate) ca: Certificate,
    /// Clients ask by either hash (OCSP-18).
    pub(crate) hashes: [IssuerHashes; 2],
}

impl Subject {
    pub(crate) fn name(&self) -> &str {
        &self.issuer.name
    }

    pub(crate) fn ocsp_rules(&self) -> Rules {
        Rules {
            ca_certificate: self.issuer.policy.subjects == Subjects::CaCertificates,
            keeps_holds: self.issuer.origin == Origin::Imported,
            browser_forum: false,
            bounded_by_responder: false,
            bounded_by_crl: self.issuer.policy.source.is_followed(),
        }
    }

    pub(crate) fn crl_profile(&self) -> Profile {
        if self.issuer.signs {
            Profile::Own(OwnRules {
                ca_certificates_only: self.issuer.policy.subjects == Subjects::CaCertificates,
                keeps_holds: self.issuer.origin == Origin::Imported,
                browser_forum: self.issuer.policy.crl.browser_forum,
            })
        } else {
            // Whether SHA-1 may be served was decided when the CRL was taken in.
            Profile::Imported(ImportedRules {
                old_algorithms: true,
                bare: true,
            })
        }
    }
}

/// All issuers of the ledger, as they are now.
pub(crate) async fn all(ledger: &Ledger) -> anyhow::Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for issuer in ledger.issuers().await? {
        let ca = Certificate::from_der(&issuer.certificate).map_err(|error| {
            anyhow::anyhow!("the certificate of {} cannot be read: {error}", issuer.name)
        })?;
        let hashes =
            [HashAlgorithm::Sha1, HashAlgorithm::Sha256].map(|hash| IssuerHashes::of(hash, &ca));
        subjects.push(Subject { issuer, ca, hashes });
    }
    Ok(subjects)
}
