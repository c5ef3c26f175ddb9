//! Checks of a CRL's extensions.

use crate::crl::idp::IssuingDistributionPoint;
use crate::crl::verify::{ListCheck, Scope, Subject};
use crate::der_encode::tag;
use crate::der_read::{DerError, Reader, single};
use crate::raw_extension::{self, RawExtension, find, name, not_critical};
use crate::violation::{Check, Judgement, ensure};
use crate::{CrlNumber, ObjectIdentifier, oid};

/// What RFC 5280 demands of everybody.
#[rustfmt::skip] // a table
pub(crate) const RFC_CHECKS: &[ListCheck] = &[
    Check { rule: "RFC 5280 5.1.2.7", name: "no empty extensions", run: not_empty },
    Check { rule: "RFC 5280 4.2", name: "each extension once", run: once_each },
    Check { rule: "X.690 11.5", name: "no FALSE", run: no_written_false },
    Check { rule: "RFC 5280 5.2", name: "no unknown critical extension", run: no_unknown_critical },
    Check { rule: "CRL-08", name: "an authorityKeyIdentifier", run: key_id_present },
    Check { rule: "CRL-08", name: "authorityKeyIdentifier not critical", run: key_id_not_critical },
    Check { rule: "CRL-08", name: "the CA's key identifier", run: key_id_matches },
    Check { rule: "CRL-09", name: "a cRLNumber", run: number_present },
    Check { rule: "CRL-09", name: "cRLNumber not critical", run: number_not_critical },
    Check { rule: "CRL-09", name: "range of cRLNumber", run: number_in_range },
    Check { rule: "CRL-10", name: "another number than the last", run: number_not_reused },
    Check { rule: "CRL-11", name: "no number below the last", run: number_not_back },
    Check { rule: "CRL-19", name: "issuingDistributionPoint critical", run: idp_critical },
    Check { rule: "CRL-19", name: "form of issuingDistributionPoint", run: idp_form },
    Check { rule: "CRL-19", name: "issuingDistributionPoint not empty", run: idp_not_empty },
    Check { rule: "CRL-19", name: "one kind of certificates", run: idp_one_kind },
    Check { rule: "CRL-19", name: "no attribute certificates", run: idp_no_attributes },
    Check { rule: "CRL-19", name: "no FALSE in issuingDistributionPoint", run: idp_no_false },
    Check { rule: "CRL-20", name: "the partition's URI", run: partition_uri },
    Check { rule: "CRL-22", name: "not indirect", run: not_indirect },
    Check { rule: "CRL-23", name: "a delta where one is expected", run: delta_expected },
    Check { rule: "CRL-23", name: "deltaCRLIndicator critical", run: delta_critical },
    Check { rule: "CRL-23", name: "the expected base", run: delta_base },
    Check { rule: "CRL-23", name: "a base below the number", run: delta_base_below },
    Check { rule: "CRL-25", name: "freshestCRL not critical", run: freshest_not_critical },
    Check { rule: "CRL-25", name: "freshestCRL in complete CRLs only", run: freshest_complete },
    Check { rule: "CRL-25", name: "freshestCRL names nothing but points", run: freshest_points },
    Check { rule: "CRL-26", name: "authorityInfoAccess not critical", run: access_not_critical },
    Check { rule: "CRL-26", name: "caIssuers only", run: access_ca_issuers },
];

/// What we demand of our own CRLs besides.
#[rustfmt::skip] // a table
pub(crate) const OWN_CHECKS: &[ListCheck] = &[
    Check { rule: "CRL-08", name: "keyIdentifier alone", run: key_id_alone },
    Check { rule: "CRL-20", name: "URIs only", run: idp_uris },
    Check { rule: "CRL-20", name: "all reasons", run: idp_all_reasons },
    Check { rule: "CRL-21", name: "no issuingDistributionPoint where all is covered", run: idp_unneeded },
    Check { rule: "CRL-25", name: "no other extension", run: no_other },
];

const ALLOWED: [ObjectIdentifier; 6] = [
    oid::AUTHORITY_INFO_ACCESS,
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::CRL_NUMBER,
    oid::DELTA_CRL_INDICATOR,
    oid::FRESHEST_CRL,
    oid::ISSUING_DISTRIBUTION_POINT,
];

fn not_empty(crl: &Subject<'_>) -> Judgement {
    ensure(
        crl.raw
            .extensions
            .as_ref()
            .is_none_or(|list| !list.is_empty()),
        || "crlExtensions is an empty list".to_owned(),
    )
}

fn once_each(crl: &Subject<'_>) -> Judgement {
    raw_extension::once_each(extensions(crl))
}

fn no_written_false(crl: &Subject<'_>) -> Judgement {
    raw_extension::no_written_false(extensions(crl))
}

fn no_unknown_critical(crl: &Subject<'_>) -> Judgement {
    let known = |id| ALLOWED.contains(id) || *id == oid::ISSUER_ALT_NAME;
    match extensions(crl)
        .iter()
        .find(|extension| extension.critical && !known(&extension.id))
    {
        Some(extension) => Err(format!("{} is critical and not known", name(&extension.id))),
        None => Ok(()),
    }
}

fn no_other(crl: &Subject<'_>) -> Judgement {
    match extensions(crl)
        .iter()
        .find(|extension| !extension.critical && !ALLOWED.contains(&extension.id))
    {
        Some(extension) => Err(format!(
            "{} does not belong in our CRLs",
            name(&extension.id)
        )),
        None => Ok(()),
    }
}

fn key_id_present(crl: &Subject<'_>) -> Judgement {
    let present =
        key_id_fields(crl)?.is_some_and(|fields| fields.peek() == Some(tag::context_primitive(0)));
    ensure(present || crl.may_be_bare(), || {
        "there is no authorityKeyIdentifier with a keyIdentifier".to_owned()
    })
}

fn key_id_not_critical(crl: &Subject<'_>) -> Judgement {
    not_critical(extensions(crl), &oid::AUTHORITY_KEY_IDENTIFIER)
}

fn key_id_matches(crl: &Subject<'_>) -> Judgement {
    let Some(mut fields) = key_id_fields(crl)? else {
        return Ok(());
    };
    let Ok(Some(found)) = fields.optional(tag::context_primitive(0), "keyIdentifier") else {
        return Ok(());
    };
    let key_id = crl.expected.ca.key_id();
    ensure(found.content == key_id, || {
        format!(
            "the authorityKeyIdentifier is {}, that of the CA {}",
            hex::encode(found.content),
            hex::encode(&key_id)
        )
    })
}

fn key_id_alone(crl: &Subject<'_>) -> Judgement {
    let Some(mut fields) = key_id_fields(crl)? else {
        return Ok(());
    };
    fields
        .optional(tag::context_primitive(0), "keyIdentifier")
        .map_err(text)?;
    ensure(fields.is_empty(), || {
        "authorityKeyIdentifier names issuer and serial number too".to_owned()
    })
}

fn key_id_fields<'a>(crl: &Subject<'a>) -> Result<Option<Reader<'a>>, String> {
    extension(crl, &oid::AUTHORITY_KEY_IDENTIFIER)
        .map(|extension| {
            Ok(whole(extension, tag::SEQUENCE, "authorityKeyIdentifier")
                .map_err(text)?
                .reader())
        })
        .transpose()
}

fn number_present(crl: &Subject<'_>) -> Judgement {
    let present = extension(crl, &oid::CRL_NUMBER).is_some();
    ensure(present || crl.may_be_bare(), || {
        "there is no cRLNumber".to_owned()
    })
}

fn number_not_critical(crl: &Subject<'_>) -> Judgement {
    not_critical(extensions(crl), &oid::CRL_NUMBER)
}

fn number_in_range(crl: &Subject<'_>) -> Judgement {
    number(crl, &oid::CRL_NUMBER).map(drop)
}

fn number_not_reused(crl: &Subject<'_>) -> Judgement {
    compare_with_previous(crl, |number, last| number != last)
}

fn number_not_back(crl: &Subject<'_>) -> Judgement {
    compare_with_previous(crl, |number, last| number >= last)
}

fn compare_with_previous(
    crl: &Subject<'_>,
    fits: impl Fn(&CrlNumber, &CrlNumber) -> bool,
) -> Judgement {
    let last = crl.expected.previous.map(|previous| previous.number);
    let (Some(last), Ok(Some(number))) = (last, number(crl, &oid::CRL_NUMBER)) else {
        return Ok(());
    };
    ensure(fits(&number, last), || {
        format!("its number is {number}, that of the last CRL {last}")
    })
}

fn idp_critical(crl: &Subject<'_>) -> Judgement {
    let critical =
        extension(crl, &oid::ISSUING_DISTRIBUTION_POINT).is_none_or(|extension| extension.critical);
    ensure(critical, || {
        "issuingDistributionPoint is not critical".to_owned()
    })
}

fn idp_form(crl: &Subject<'_>) -> Judgement {
    match extension(crl, &oid::ISSUING_DISTRIBUTION_POINT) {
        Some(extension) => IssuingDistributionPoint::read(extension.value)
            .map(drop)
            .map_err(text),
        None => Ok(()),
    }
}

fn idp_not_empty(crl: &Subject<'_>) -> Judgement {
    idp_holds(
        crl,
        |idp| !idp.is_empty(),
        "issuingDistributionPoint is an empty SEQUENCE",
    )
}

fn idp_one_kind(crl: &Subject<'_>) -> Judgement {
    idp_holds(
        crl,
        |idp| {
            [idp.only_user, idp.only_ca, idp.only_attribute]
                .iter()
                .filter(|flag| **flag == Some(true))
                .count()
                < 2
        },
        "more than one of onlyContainsUserCerts, onlyContainsCACerts and onlyContainsAttributeCerts is TRUE",
    )
}

fn idp_no_attributes(crl: &Subject<'_>) -> Judgement {
    idp_holds(
        crl,
        |idp| idp.only_attribute != Some(true),
        "onlyContainsAttributeCerts is TRUE",
    )
}

fn idp_no_false(crl: &Subject<'_>) -> Judgement {
    idp_holds(
        crl,
        |idp| {
            ![idp.only_user, idp.only_ca, idp.only_attribute, idp.indirect].contains(&Some(false))
        },
        "issuingDistributionPoint has FALSE written out",
    )
}

fn idp_uris(crl: &Subject<'_>) -> Judgement {
    idp_holds(
        crl,
        |idp| !idp.relative_name && idp.full_name.iter().all(|name| name.tag == URI),
        "the distributionPoint is named otherwise than by URIs",
    )
}

fn idp_all_reasons(crl: &Subject<'_>) -> Judgement {
    idp_holds(
        crl,
        |idp| !idp.some_reasons,
        "onlySomeReasons leaves certificates out",
    )
}

fn idp_unneeded(crl: &Subject<'_>) -> Judgement {
    let partition = matches!(crl.expected.scope, Scope::Partition { .. });
    ensure(
        partition || extension(crl, &oid::ISSUING_DISTRIBUTION_POINT).is_none(),
        || "issuingDistributionPoint does not belong in a CRL that covers everything".to_owned(),
    )
}

fn partition_uri(crl: &Subject<'_>) -> Judgement {
    let Scope::Partition { uri } = crl.expected.scope else {
        return Ok(());
    };
    let named = idp(crl).is_some_and(|idp| {
        idp.full_name
            .iter()
            .any(|name| name.tag == URI && name.content == uri.as_bytes())
    });
    ensure(named, || {
        format!("issuingDistributionPoint does not name {uri}")
    })
}

fn not_indirect(crl: &Subject<'_>) -> Judgement {
    idp_holds(
        crl,
        |idp| idp.indirect != Some(true),
        "it is an indirect CRL",
    )
}

fn delta_expected(crl: &Subject<'_>) -> Judgement {
    let is_delta = extension(crl, &oid::DELTA_CRL_INDICATOR).is_some();
    let expected = matches!(crl.expected.scope, Scope::Delta { .. });
    ensure(is_delta == expected, || {
        if is_delta {
            "it is a delta CRL"
        } else {
            "it is not a delta CRL"
        }
        .to_owned()
    })
}

fn delta_critical(crl: &Subject<'_>) -> Judgement {
    let critical =
        extension(crl, &oid::DELTA_CRL_INDICATOR).is_none_or(|extension| extension.critical);
    ensure(critical, || "deltaCRLIndicator is not critical".to_owned())
}

fn delta_base(crl: &Subject<'_>) -> Judgement {
    let base = number(crl, &oid::DELTA_CRL_INDICATOR)?;
    match (crl.expected.scope, base) {
        (Scope::Delta { base: expected }, Some(base)) => ensure(base == *expected, || {
            format!("its base is {base}, {expected} is expected")
        }),
        _ => Ok(()),
    }
}

fn delta_base_below(crl: &Subject<'_>) -> Judgement {
    let (Ok(Some(base)), Ok(Some(number))) = (
        number(crl, &oid::DELTA_CRL_INDICATOR),
        number(crl, &oid::CRL_NUMBER),
    ) else {
        return Ok(());
    };
    ensure(base < number, || {
        format!("its base {base} is not below its number {number}")
    })
}

fn freshest_not_critical(crl: &Subject<'_>) -> Judgement {
    not_critical(extensions(crl), &oid::FRESHEST_CRL)
}

fn freshest_complete(crl: &Subject<'_>) -> Judgement {
    let delta = extension(crl, &oid::DELTA_CRL_INDICATOR).is_some();
    ensure(
        !delta || extension(crl, &oid::FRESHEST_CRL).is_none(),
        || "freshestCRL stands in a delta CRL".to_owned(),
    )
}

/// Only distributionPoint `[0]`; neither reasons `[1]` nor cRLIssuer `[2]`.
fn freshest_points(crl: &Subject<'_>) -> Judgement {
    let Some(extension) = extension(crl, &oid::FRESHEST_CRL) else {
        return Ok(());
    };
    let mut points = whole(extension, tag::SEQUENCE, "freshestCRL")
        .map_err(text)?
        .reader();
    while !points.is_empty() {
        let mut point = points.sequence("DistributionPoint").map_err(text)?;
        point
            .optional_context(0, "distributionPoint")
            .map_err(text)?;
        ensure(point.is_empty(), || {
            "freshestCRL has reasons or cRLIssuer".to_owned()
        })?;
    }
    Ok(())
}

fn access_not_critical(crl: &Subject<'_>) -> Judgement {
    not_critical(extensions(crl), &oid::AUTHORITY_INFO_ACCESS)
}

fn access_ca_issuers(crl: &Subject<'_>) -> Judgement {
    let Some(extension) = extension(crl, &oid::AUTHORITY_INFO_ACCESS) else {
        return Ok(());
    };
    let mut list = whole(extension, tag::SEQUENCE, "authorityInfoAccess")
        .map_err(text)?
        .reader();
    while !list.is_empty() {
        let method = list
            .sequence("AccessDescription")
            .and_then(|mut one| one.oid("accessMethod"))
            .map_err(text)?;
        ensure(method == oid::AD_CA_ISSUERS, || {
            format!("authorityInfoAccess has the method {method}")
        })?;
    }
    Ok(())
}

/// GeneralName: uniformResourceIdentifier.
const URI: u8 = tag::context_primitive(6);

/// The number in one of the extensions that hold one: 0 to 2^159 - 1.
fn number(crl: &Subject<'_>, id: &ObjectIdentifier) -> Result<Option<CrlNumber>, String> {
    let Some(extension) = extension(crl, id) else {
        return Ok(None);
    };
    let content = whole(extension, tag::INTEGER, "a CRL number")
        .and_then(|value| Reader::new(value.whole).integer("a CRL number"))
        .map_err(text)?;
    ensure(content[0] & 0x80 == 0, || {
        format!("{} is negative", name(id))
    })?;
    CrlNumber::from_be_bytes(content)
        .map(Some)
        .map_err(|error| error.to_string())
}

fn idp<'a>(crl: &Subject<'a>) -> Option<IssuingDistributionPoint<'a>> {
    let extension = extension(crl, &oid::ISSUING_DISTRIBUTION_POINT)?;
    IssuingDistributionPoint::read(extension.value).ok()
}

/// True of the issuingDistributionPoint, or there is none that can be read.
fn idp_holds(
    crl: &Subject<'_>,
    holds: impl Fn(&IssuingDistributionPoint<'_>) -> bool,
    message: &str,
) -> Judgement {
    ensure(idp(crl).is_none_or(|idp| holds(&idp)), || {
        message.to_owned()
    })
}

fn extensions<'s, 'a>(crl: &'s Subject<'a>) -> &'s [RawExtension<'a>] {
    crl.raw.extension_list()
}

fn extension<'s, 'a>(crl: &'s Subject<'a>, id: &ObjectIdentifier) -> Option<&'s RawExtension<'a>> {
    find(extensions(crl), id)
}

fn whole<'a>(
    extension: &RawExtension<'a>,
    tag: u8,
    what: &'static str,
) -> Result<crate::der_read::Tlv<'a>, DerError> {
    single(extension.value, what)?.expect(tag, what)
}

fn text(error: DerError) -> String {
    error.to_string()
}
