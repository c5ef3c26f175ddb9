//! Judging a CRL.

use pki::crl::Crl;
use pki::crl::build::assemble;
use pki::crl::verify::{Expected, OwnRules, Previous, Profile, Scope, violations};
use pki::{Certificate, CrlNumber, SignatureAlgorithm, Time, Violation};
use wire::{CrlScope, Refused, SignCrl};

use super::{clip, policy, refuse_all};
use crate::policy::Policy;

/// The rule that a CRL's signature verifies: there is no signature yet when the signer judges.
const SIGNATURE_RULE: &str = "CRL-31";
/// The rule that the CA's certificate has a keyUsage with cRLSign. [`crate::issuer::Issuer`] has checked that the
/// keyUsage, where there is one, allows CRLs; a CA that was taken over may have none at all.
const KEY_USAGE_RULE: &str = "CRL-27";

/// Judges a CRL to be signed by `ca`: the whole TBSCertList, which the signer has put together for this request. `last` is
/// the number of the last CRL of this scope. Gives the number of the CRL that a delta is relative to.
pub fn judge_crl(
    request: &SignCrl,
    tbs: &[u8],
    ca: &Certificate,
    rules: &Policy,
    last: Option<&CrlNumber>,
    now: Time,
) -> Result<Option<CrlNumber>, Refused> {
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
    let crl = read(tbs, algorithm)?;
    check_proposal(request, &crl)?;
    if scope_of(&crl, &request.issuer, rules)? != request.scope {
        return Err(policy("scope", "not what the TBSCertList covers"));
    }
    let scope = match &request.scope {
        CrlScope::Complete => Scope::Complete,
        CrlScope::Delta => Scope::Delta {
            base: crl.base_number().unwrap_or(&request.number),
        },
        CrlScope::Partition(uri) => Scope::Partition { uri },
    };
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
        scope,
        previous: last.map(|number| Previous {
            number,
            next_update: None,
        }),
        profile: Profile::Own(OwnRules {
            // A root may be offline: its CRLs live for up to 12 months (S3).
            ca_certificates_only: ca.issuer() == ca.subject(),
            keeps_holds: true,
            browser_forum: false,
        }),
    };
    let found = violations(crl.der(), &expected)
        .map_err(|violation| policy("tbs", clip(&violation.to_string())))?;
    let counts = |violation: &Violation| {
        violation.rule != SIGNATURE_RULE
            && (violation.rule != KEY_USAGE_RULE || ca.key_usage().is_some())
    };
    let found: Vec<_> = found.into_iter().filter(counts).collect();
    refuse_all("tbs", &found)?;
    Ok(crl.base_number().cloned())
}

/// What a CRL to be signed covers. A part must be one of the issuer's own, where its URLs are configured.
fn scope_of(crl: &Crl, issuer: &str, rules: &Policy) -> Result<CrlScope, Refused> {
    if crl.base_number().is_some() {
        return Ok(CrlScope::Delta);
    }
    let Some(uri) = crl.distribution_point_uri() else {
        return Ok(CrlScope::Complete);
    };
    if let Some(urls) = rules.status_urls(issuer)
        && urls.crl_partition_in(uri).is_none()
    {
        return Err(policy(
            "tbs.issuingDistributionPoint",
            format!("{uri} is no part of the CRL at {}", urls.crl),
        ));
    }
    Ok(CrlScope::Partition(uri.to_owned()))
}

/// The reader wants a whole CRL; the signature plays no part.
fn read(tbs: &[u8], algorithm: SignatureAlgorithm) -> Result<Crl, Refused> {
    Crl::from_der(&assemble(tbs, algorithm, &[0]))
        .map_err(|violation| policy("tbs", clip(&violation.to_string())))
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
