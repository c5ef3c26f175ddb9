//! Checks of a CRL as a whole.

use std::collections::HashSet;

use crate::crl::verify::{ImportedRules, ListCheck, Profile, Subject};
use crate::violation::{Check, Judgement, ensure};
use crate::{KeyUsage, Name, signature_rules, time_rules};

const DAY: i64 = 86_400;

/// What RFC 5280 demands of everybody.
#[rustfmt::skip] // a table
pub(crate) const RFC_CHECKS: &[ListCheck] = &[
    Check { rule: "CRL-01", name: "version 2", run: version },
    Check { rule: "CRL-02", name: "inner and outer algorithm", run: same_algorithm },
    Check { rule: "CRL-03", name: "an issuer", run: issuer_not_empty },
    Check { rule: "CRL-03", name: "the CA's name", run: issuer_matches },
    Check { rule: "CRL-27", name: "the CA may sign CRLs", run: ca_may_sign },
    Check { rule: "CERT-32", name: "no weak signature", run: not_weak },
    Check { rule: "CRL-31", name: "the signature", run: signature },
    Check { rule: "CRL-04", name: "form of thisUpdate", run: this_update_form },
    Check { rule: "CRL-04", name: "form of nextUpdate", run: next_update_form },
    Check { rule: "CRL-05", name: "a nextUpdate", run: next_update_present },
    Check { rule: "CRL-05", name: "nextUpdate after thisUpdate", run: next_update_later },
    Check { rule: "CRL-07", name: "no empty list", run: no_empty_list },
    Check { rule: "CRL-32", name: "thisUpdate not in the future", run: not_from_the_future },
];

/// What we demand of our own CRLs besides.
#[rustfmt::skip] // a table
pub(crate) const OWN_CHECKS: &[ListCheck] = &[
    Check { rule: "CRL-03", name: "the CA's name byte for byte", run: issuer_bytes },
    Check { rule: "CERT-31", name: "the algorithm's bytes", run: algorithm_bytes },
    Check { rule: "CRL-05", name: "nextUpdate not before the last one's", run: next_update_grows },
    Check { rule: "CRL-06", name: "validity", run: validity },
    Check { rule: "V3", name: "not expired", run: not_expired },
    Check { rule: "V8", name: "nextUpdate within the CA's validity", run: within_ca_validity },
];

/// Last, since it looks at all entries together.
pub(crate) const ONE_ENTRY_PER_SERIAL: ListCheck = Check {
    rule: "CRL-17",
    name: "one entry per serial",
    run: one_entry_per_serial,
};

fn version(crl: &Subject<'_>) -> Judgement {
    match crl.raw.version {
        Some([1]) => Ok(()),
        None if crl.may_be_bare() && crl.raw.extensions.is_none() => Ok(()),
        None => Err("the version is left out, which means version 1".to_owned()),
        Some(content) => Err(format!("the version is INTEGER {}", hex::encode(content))),
    }
}

fn same_algorithm(crl: &Subject<'_>) -> Judgement {
    ensure(crl.raw.inner_algorithm == crl.raw.outer_algorithm, || {
        "signature and signatureAlgorithm differ".to_owned()
    })
}

fn issuer_not_empty(crl: &Subject<'_>) -> Judgement {
    ensure(crl.raw.issuer.len() > 2, || {
        "the issuer's name is empty".to_owned()
    })
}

/// RFC 5280 section 7.1, as far as it is common: letter case and runs of spaces do not count.
fn issuer_matches(crl: &Subject<'_>) -> Judgement {
    let issuer = Name::from_der(crl.raw.issuer).map_err(|error| error.to_string())?;
    let subject = crl.expected.ca.subject();
    ensure(comparable(&issuer) == comparable(subject), || {
        format!("the issuer is {issuer}, the CA {subject}")
    })
}

fn issuer_bytes(crl: &Subject<'_>) -> Judgement {
    ensure(crl.raw.issuer == crl.expected.ca.subject().as_der(), || {
        "the issuer's name is written with other string types or letters than the CA's subject"
            .to_owned()
    })
}

fn ca_may_sign(crl: &Subject<'_>) -> Judgement {
    match (crl.expected.ca.key_usage(), crl.expected.profile) {
        (Some(usage), _) if usage.has(KeyUsage::CRL_SIGN) => Ok(()),
        (Some(_), _) => Err("the CA's keyUsage has no cRLSign".to_owned()),
        (None, Profile::Imported(_)) => Ok(()),
        (None, Profile::Own(rules)) if rules.keeps_holds => Ok(()),
        (None, Profile::Own(_)) => Err("the CA's certificate has no keyUsage".to_owned()),
    }
}

fn not_weak(crl: &Subject<'_>) -> Judgement {
    match crl.expected.profile {
        Profile::Imported(ImportedRules {
            old_algorithms: true,
            ..
        }) => Ok(()),
        _ => signature_rules::not_weak(crl.raw.outer_algorithm),
    }
}

fn algorithm_bytes(crl: &Subject<'_>) -> Judgement {
    signature_rules::exact_bytes(crl.raw.inner_algorithm, crl.expected.ca.public_key())
}

fn signature(crl: &Subject<'_>) -> Judgement {
    let Some((0, signature)) = crl.raw.signature.split_first() else {
        return Err("the signature is no BIT STRING of whole octets".to_owned());
    };
    let key = crl.expected.ca.public_key();
    signature_rules::verifies(key, crl.raw.outer_algorithm, crl.raw.tbs, signature)
}

fn this_update_form(crl: &Subject<'_>) -> Judgement {
    time_rules::utc_or_generalized(crl.raw.this_update, "thisUpdate")
}

fn next_update_form(crl: &Subject<'_>) -> Judgement {
    crl.raw.next_update.map_or(Ok(()), |time| {
        time_rules::utc_or_generalized(time, "nextUpdate")
    })
}

fn next_update_present(crl: &Subject<'_>) -> Judgement {
    ensure(crl.next_update.is_some(), || {
        "there is no nextUpdate".to_owned()
    })
}

fn next_update_later(crl: &Subject<'_>) -> Judgement {
    let this_update = crl.this_update;
    crl.next_update.map_or(Ok(()), |next_update| {
        ensure(next_update > this_update, || {
            format!("nextUpdate {next_update} is not after thisUpdate {this_update}")
        })
    })
}

fn next_update_grows(crl: &Subject<'_>) -> Judgement {
    let before = crl
        .expected
        .previous
        .and_then(|previous| previous.next_update);
    match (before, crl.next_update) {
        (Some(before), Some(next_update)) => ensure(next_update >= before, || {
            format!("nextUpdate {next_update} is before that of the last CRL, {before}")
        }),
        _ => Ok(()),
    }
}

fn validity(crl: &Subject<'_>) -> Judgement {
    let days = if crl.own().ca_certificates_only {
        365
    } else {
        10
    };
    let valid = crl
        .next_update
        .map_or(0, |next_update| crl.this_update.seconds_until(next_update));
    ensure(valid <= days * DAY, || {
        format!("it is valid for {valid} s, more than {days} days")
    })
}

fn no_empty_list(crl: &Subject<'_>) -> Judgement {
    ensure(
        crl.raw.revoked.is_none_or(|content| !content.is_empty()),
        || {
            "revokedCertificates is an empty list; it is left out when nothing is revoked"
                .to_owned()
        },
    )
}

fn not_from_the_future(crl: &Subject<'_>) -> Judgement {
    ensure(crl.this_update <= crl.expected.now, || {
        format!("thisUpdate {} is in the future", crl.this_update)
    })
}

fn not_expired(crl: &Subject<'_>) -> Judgement {
    let now = crl.expected.now;
    crl.next_update.map_or(Ok(()), |next_update| {
        ensure(now < next_update, || {
            format!("nextUpdate {next_update} is past")
        })
    })
}

fn within_ca_validity(crl: &Subject<'_>) -> Judgement {
    let end = crl.expected.ca.not_after();
    crl.next_update.map_or(Ok(()), |next_update| {
        ensure(next_update <= end, || {
            format!("nextUpdate {next_update} is after the CA's notAfter {end}")
        })
    })
}

fn one_entry_per_serial(crl: &Subject<'_>) -> Judgement {
    let mut last: &[u8] = &[];
    let ascending = crl.raw.entries().flatten().all(|entry| {
        let above = (last.len(), last) < (entry.serial.len(), entry.serial);
        last = entry.serial;
        above
    });
    if ascending {
        return Ok(());
    }
    let mut seen = HashSet::new();
    for entry in crl.raw.entries().flatten() {
        ensure(seen.insert(entry.serial), || {
            format!("{} stands there twice", entry.serial_text())
        })?;
    }
    Ok(())
}

/// A name in a form in which equal names of RFC 5280 section 7.1 are equal.
fn comparable(name: &Name) -> Vec<(usize, String, String)> {
    let attributes = name.attributes().iter().map(|attribute| {
        let text = match &attribute.value {
            Some(value) => value
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .to_lowercase(),
            None => hex::encode(&attribute.raw),
        };
        (attribute.rdn, attribute.oid.to_string(), text)
    });
    let mut attributes: Vec<_> = attributes.collect();
    // The attributes of one RDN are a set.
    attributes.sort_unstable();
    attributes
}
