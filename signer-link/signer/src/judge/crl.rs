//! Judging a CRL.

use pki::crl::Crl;
use pki::crl::build::assemble;
use pki::crl::verify::{Expected, OwnRules, Previous, Profile, Scope, violations};
use pki::{Certificate, SignatureAlgorithm, Time, Violation};
use wire::{Refused, SignCrl};

use super::{clip, policy, refuse_all};
use crate::state::LastCrl;

/// The rule that a CRL's signature verifies: there is no signature yet when the signer judges.
const SIGNATURE_RULE: &str = "CRL-31";
/// The rule that the CA's certificate has a keyUsage with cRLSign. [`crate::issuer::Issuer`] has checked that the
/// keyUsage, where there is one, allows CRLs; a CA that was taken over may have none at all.
const KEY_USAGE_RULE: &str = "CRL-27";

/// Judges a CRL to be signed by `ca`.
pub fn judge_crl(
    request: &SignCrl,
    ca: &Certificate,
    last: Option<&LastCrl>,
    now: Time,
) -> Result<(), Refused> {
    let algorithm = request.signature_algorithm;
    let of_key = ca
        .public_key()
        .kind()
        .and_then(|kind| SignatureAlgorithm::for_key(kind, algorithm.hash()));
    if of_key != Ok(algorithm) {
        return Err(policy(
            "signature_algorithm",
            format!("{algorithm} is not an algorithm of the CA's key"),
        ));
    }
    let der = assemble(&request.tbs, algorithm, &[0]);
    let crl =
        Crl::from_der(&der).map_err(|violation| policy("tbs", clip(&violation.to_string())))?;
    check_proposal(request, &crl)?;
    if ca.not_after() < now || now < ca.not_before() {
        return Err(policy(
            "issuer",
            format!(
                "the CA's certificate is valid from {} to {} and it is {now}",
                ca.not_before(),
                ca.not_after()
            ),
        ));
    }
    let expected = Expected {
        ca,
        now,
        scope: Scope::Complete,
        previous: last.map(|last| Previous {
            number: &last.number,
            next_update: None,
        }),
        profile: Profile::Own(OwnRules {
            // A root may be offline: its CRLs live for up to 12 months (S3).
            ca_certificates_only: ca.issuer() == ca.subject(),
            keeps_holds: true,
            browser_forum: false,
        }),
    };
    let found = violations(&der, &expected)
        .map_err(|violation| policy("tbs", clip(&violation.to_string())))?;
    let counts = |violation: &Violation| {
        violation.rule != SIGNATURE_RULE
            && (violation.rule != KEY_USAGE_RULE || ca.key_usage().is_some())
    };
    let found: Vec<_> = found.into_iter().filter(counts).collect();
    refuse_all("tbs", &found)
}

/// What was proposed is what stands in the bytes.
fn check_proposal(request: &SignCrl, crl: &Crl) -> Result<(), Refused> {
    if crl.number() != Some(&request.number) {
        return Err(policy("number", "not the CRL number in the TBSCertList"));
    }
    if crl.this_update() != request.this_update {
        return Err(policy(
            "this_update",
            "not the thisUpdate in the TBSCertList",
        ));
    }
    if crl.next_update() != Some(request.next_update) {
        return Err(policy(
            "next_update",
            "not the nextUpdate in the TBSCertList",
        ));
    }
    Ok(())
}
