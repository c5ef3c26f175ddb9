//! Checks of a delegated responder certificate (standards section 3, OCSP-60 … OCSP-67; RFC 6960 section
//! 4.2.2.2).

use crate::der_encode::tag;
use crate::der_read::Reader;
use crate::ocsp::verify::Rules;
use crate::violation::{Check, Judgement, Violation, ensure};
use crate::{Certificate, KeyUsage, ObjectIdentifier, Time, oid, raw_extension, signature_rules};

/// What the checks look at.
pub(crate) struct Subject<'a> {
    responder: &'a Certificate,
    ca: &'a Certificate,
    now: Time,
    rules: Rules,
}

type CertificateCheck = Check<fn(&Subject<'_>) -> Judgement>;

#[rustfmt::skip] // a table
pub(crate) const CHECKS: &[CertificateCheck] = &[
    Check { rule: "OCSP-51", name: "issued by the CA's name", run: issued_by_name },
    Check { rule: "CERT-03", name: "inner and outer algorithm", run: same_algorithm },
    Check { rule: "CERT-32", name: "no weak signature", run: not_weak },
    Check { rule: "CERT-31", name: "the algorithm's bytes", run: algorithm_bytes },
    Check { rule: "OCSP-51", name: "signed by the CA's key", run: issued_by_key },
    Check { rule: "OCSP-65", name: "valid already", run: valid_already },
    Check { rule: "OCSP-65", name: "not expired", run: not_expired },
    Check { rule: "OCSP-60", name: "OCSPSigning", run: ocsp_signing },
    Check { rule: "OCSP-60", name: "nothing but OCSPSigning", run: ocsp_signing_only },
    Check { rule: "OCSP-61", name: "nocheck", run: no_check_present },
    Check { rule: "OCSP-61", name: "nocheck not critical", run: no_check_not_critical },
    Check { rule: "OCSP-61", name: "nocheck is NULL", run: no_check_null },
    Check { rule: "OCSP-62", name: "keyUsage critical", run: key_usage_critical },
    Check { rule: "OCSP-62", name: "digitalSignature only", run: digital_signature_only },
    Check { rule: "OCSP-63", name: "the CA's key identifier", run: key_id_matches },
    Check { rule: "OCSP-63", name: "keyIdentifier alone", run: key_id_alone },
    Check { rule: "OCSP-64", name: "no cRLDistributionPoints", run: no_crl_points },
    Check { rule: "OCSP-64", name: "no subjectAltName", run: no_alt_name },
    Check { rule: "OCSP-64", name: "no nameConstraints", run: no_name_constraints },
    Check { rule: "OCSP-64", name: "no OCSP address", run: no_ocsp_address },
    Check { rule: "OCSP-64", name: "basicConstraints empty", run: basic_constraints_empty },
    Check { rule: "OCSP-66", name: "order of the name", run: name_order },
    Check { rule: "OCSP-66", name: "country, organisation and common name", run: name_complete },
    Check { rule: "OCSP-67", name: "not a CA", run: not_a_ca },
];

/// Every rule that it breaks, with the check `removed` taken out.
pub(crate) fn violations(
    responder: &Certificate,
    ca: &Certificate,
    now: Time,
    rules: Rules,
    removed: Option<&str>,
) -> Vec<Violation> {
    let subject = Subject {
        responder,
        ca,
        now,
        rules,
    };
    CHECKS
        .iter()
        .filter(|check| Some(check.name) != removed)
        .filter_map(|check| check.violation(|run| run(&subject)))
        .collect()
}

fn issued_by_name(s: &Subject<'_>) -> Judgement {
    ensure(s.responder.issuer() == s.ca.subject(), || {
        format!(
            "the responder certificate is issued by {}, not by {}",
            s.responder.issuer(),
            s.ca.subject()
        )
    })
}

fn same_algorithm(s: &Subject<'_>) -> Judgement {
    let (inner, outer) = s.responder.algorithm_identifiers();
    ensure(inner == outer, || {
        "the responder certificate names two signature algorithms".to_owned()
    })
}

fn not_weak(s: &Subject<'_>) -> Judgement {
    signature_rules::not_weak(s.responder.algorithm_identifiers().1)
        .map_err(|message| format!("the responder certificate: {message}"))
}

fn algorithm_bytes(s: &Subject<'_>) -> Judgement {
    signature_rules::exact_bytes(s.responder.algorithm_identifiers().0, s.ca.public_key())
}

fn issued_by_key(s: &Subject<'_>) -> Judgement {
    let (_, algorithm) = s.responder.algorithm_identifiers();
    let (message, signature) = (s.responder.tbs_der(), s.responder.signature());
    signature_rules::verifies(s.ca.public_key(), algorithm, message, signature).map_err(|error| {
        format!("the responder certificate is not signed by the CA's key: {error}")
    })
}

fn valid_already(s: &Subject<'_>) -> Judgement {
    let start = s.responder.not_before();
    ensure(start <= s.now, || {
        format!("the responder certificate is not valid before {start}")
    })
}

fn not_expired(s: &Subject<'_>) -> Judgement {
    let end = s.responder.not_after();
    ensure(s.now <= end, || {
        format!("the responder certificate expired at {end}")
    })
}

fn ocsp_signing(s: &Subject<'_>) -> Judgement {
    ensure(
        s.responder
            .extended_key_usages()
            .contains(&oid::OCSP_SIGNING),
        || "the responder certificate's extendedKeyUsage has no id-kp-OCSPSigning".to_owned(),
    )
}

fn ocsp_signing_only(s: &Subject<'_>) -> Judgement {
    let other = s
        .responder
        .extended_key_usages()
        .into_iter()
        .find(|usage| *usage != oid::OCSP_SIGNING);
    match other {
        Some(usage) => Err(format!(
            "the responder certificate's extendedKeyUsage has {usage} too"
        )),
        None => Ok(()),
    }
}

fn no_check_present(s: &Subject<'_>) -> Judgement {
    ensure(s.responder.extension(oid::OCSP_NO_CHECK).is_some(), || {
        "the responder certificate has no id-pkix-ocsp-nocheck".to_owned()
    })
}

fn no_check_not_critical(s: &Subject<'_>) -> Judgement {
    let critical = s
        .responder
        .extension(oid::OCSP_NO_CHECK)
        .is_some_and(|extension| extension.critical);
    ensure(!critical, || "id-pkix-ocsp-nocheck is critical".to_owned())
}

fn no_check_null(s: &Subject<'_>) -> Judgement {
    let null = s
        .responder
        .extension(oid::OCSP_NO_CHECK)
        .is_none_or(|extension| extension.value == [tag::NULL, 0]);
    ensure(null, || "id-pkix-ocsp-nocheck is not NULL".to_owned())
}

fn key_usage_critical(s: &Subject<'_>) -> Judgement {
    let critical = s
        .responder
        .extension(oid::KEY_USAGE)
        .is_none_or(|extension| extension.critical);
    ensure(critical, || {
        "the responder certificate's keyUsage is not critical".to_owned()
    })
}

fn digital_signature_only(s: &Subject<'_>) -> Judgement {
    let bits = s.responder.key_usage().map(KeyUsage::bits);
    ensure(
        bits.as_deref() == Some(&[KeyUsage::DIGITAL_SIGNATURE]),
        || "the responder certificate's keyUsage is not digitalSignature alone".to_owned(),
    )
}

fn key_id_matches(s: &Subject<'_>) -> Judgement {
    ensure(
        s.responder.authority_key_id() == Some(&s.ca.key_id()),
        || "the responder certificate's authorityKeyIdentifier is not that of the CA".to_owned(),
    )
}

fn key_id_alone(s: &Subject<'_>) -> Judgement {
    let Some(extension) = s.responder.extension(oid::AUTHORITY_KEY_IDENTIFIER) else {
        return Ok(());
    };
    let fields = Reader::new(&extension.value).sequence("authorityKeyIdentifier");
    let alone = fields.and_then(|mut fields| {
        fields.optional(tag::context_primitive(0), "keyIdentifier")?;
        Ok(fields.is_empty())
    });
    ensure(alone == Ok(true), || {
        "the responder certificate's authorityKeyIdentifier has more than the keyIdentifier"
            .to_owned()
    })
}

fn no_crl_points(s: &Subject<'_>) -> Judgement {
    absent(s, oid::CRL_DISTRIBUTION_POINTS)
}

fn no_alt_name(s: &Subject<'_>) -> Judgement {
    absent(s, oid::SUBJECT_ALT_NAME)
}

fn no_name_constraints(s: &Subject<'_>) -> Judgement {
    absent(s, oid::NAME_CONSTRAINTS)
}

/// authorityInfoAccess may name the CA's certificate, but no OCSP service.
fn no_ocsp_address(s: &Subject<'_>) -> Judgement {
    let Some(extension) = s.responder.extension(oid::AUTHORITY_INFO_ACCESS) else {
        return Ok(());
    };
    let mut list = Reader::new(&extension.value)
        .sequence("authorityInfoAccess")
        .map_err(|error| error.to_string())?;
    while !list.is_empty() {
        let method = list
            .sequence("AccessDescription")
            .and_then(|mut access| access.oid("accessMethod"))
            .map_err(|error| error.to_string())?;
        ensure(method != oid::AD_OCSP, || {
            "the responder certificate names an OCSP service".to_owned()
        })?;
    }
    Ok(())
}

fn basic_constraints_empty(s: &Subject<'_>) -> Judgement {
    let fits = s
        .responder
        .extension(oid::BASIC_CONSTRAINTS)
        .is_none_or(|extension| {
            // cA TRUE is OCSP-67.
            s.responder.is_ca() || extension.critical && extension.value == [tag::SEQUENCE, 0]
        });
    ensure(fits, || {
        "the responder certificate's basicConstraints is neither absent nor critical and empty"
            .to_owned()
    })
}

/// Country before organisation before common name, as far as they are there.
fn name_order(s: &Subject<'_>) -> Judgement {
    let present: Vec<ObjectIdentifier> = s
        .responder
        .subject()
        .attributes()
        .iter()
        .map(|attribute| attribute.oid)
        .filter(|oid| NAME_ORDER.contains(oid))
        .collect();
    let rank = |oid: &ObjectIdentifier| NAME_ORDER.iter().position(|known| known == oid);
    ensure(present.is_sorted_by_key(rank), || {
        format!(
            "the responder's name {} is not in the order country, organisation, common name",
            s.responder.subject()
        )
    })
}

fn name_complete(s: &Subject<'_>) -> Judgement {
    let needed = if s.rules.browser_forum {
        &NAME_ORDER[..]
    } else {
        &[oid::COMMON_NAME]
    };
    match needed
        .iter()
        .find(|&&oid| s.responder.subject().first(oid).is_none())
    {
        Some(oid) => Err(format!(
            "the responder's name {} has no attribute {oid}",
            s.responder.subject()
        )),
        None => Ok(()),
    }
}

fn not_a_ca(s: &Subject<'_>) -> Judgement {
    ensure(!s.responder.is_ca(), || {
        "the responder certificate is a CA certificate".to_owned()
    })
}

fn absent(s: &Subject<'_>, id: ObjectIdentifier) -> Judgement {
    ensure(s.responder.extension(id).is_none(), || {
        format!("the responder certificate has {}", raw_extension::name(&id))
    })
}

const NAME_ORDER: [ObjectIdentifier; 3] = [oid::COUNTRY, oid::ORGANIZATION, oid::COMMON_NAME];

#[cfg(test)]
mod tests;
