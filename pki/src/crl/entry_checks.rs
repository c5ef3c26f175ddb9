//! Checks of each entry of a CRL.

use crate::crl::raw::RawEntry;
use crate::crl::verify::{Scope, Subject};
use crate::violation::{Check, Judgement, ensure};
use crate::{RevocationReason, Violation, oid, raw_extension, time_rules};

type EntryCheck = Check<fn(&RawEntry<'_>, &Subject<'_>) -> Judgement>;

/// The clocks of who revokes and of who signs may differ by this much before a revocation counts as future.
const CLOCKS_DIFFER: i64 = 3600;

/// What RFC 5280 demands of everybody.
#[rustfmt::skip] // a table
pub(crate) const RFC_CHECKS: &[EntryCheck] = &[
    Check { rule: "CRL-17", name: "form of a serial", run: serial_form },
    Check { rule: "CRL-04", name: "form of revocationDate", run: revocation_date_form },
    Check { rule: "CRL-16", name: "no empty entry extensions", run: extensions_not_empty },
    Check { rule: "RFC 5280 4.2", name: "each entry extension once", run: extensions_once },
    Check { rule: "X.690 11.5", name: "no FALSE in entries", run: no_written_false },
    Check { rule: "CRL-22", name: "no certificateIssuer", run: no_certificate_issuer },
    Check { rule: "RFC 5280 5.3", name: "no unknown critical entry extension", run: no_unknown_critical },
    Check { rule: "CRL-12", name: "form of reasonCode", run: reason_form },
    Check { rule: "CRL-12", name: "reasonCode not critical", run: reason_not_critical },
    Check { rule: "CRL-12", name: "a reason that exists", run: reason_exists },
    Check { rule: "CRL-14", name: "removeFromCRL in deltas only", run: remove_from_crl },
    Check { rule: "CRL-15", name: "form of invalidityDate", run: invalidity_date_form },
    Check { rule: "CRL-15", name: "invalidityDate not critical", run: invalidity_date_not_critical },
];

/// What we demand of our own CRLs besides.
#[rustfmt::skip] // a table
pub(crate) const OWN_CHECKS: &[EntryCheck] = &[
    Check { rule: "CRL-17", name: "a serial that a certificate can have", run: serial_possible },
    Check { rule: "CRL-12", name: "unspecified left out", run: unspecified_left_out },
    Check { rule: "CRL-13", name: "no hold", run: no_hold },
    Check { rule: "CRL-13", name: "a reason that is allowed", run: reason_allowed },
    Check { rule: "CRL-32", name: "no revocation in the future", run: not_from_the_future },
];

/// The first rule that an entry breaks. `Err` if an entry cannot be read.
pub(crate) fn first_violation(
    crl: &Subject<'_>,
    own: bool,
    removed: Option<&str>,
) -> Result<Option<Violation>, Violation> {
    let own_checks = if own { OWN_CHECKS } else { &[] };
    let checks: Vec<&EntryCheck> = RFC_CHECKS
        .iter()
        .chain(own_checks)
        .filter(|check| Some(check.name) != removed)
        .collect();
    for entry in crl.raw.entries() {
        let entry = entry?;
        let found = checks
            .iter()
            .find_map(|check| check.violation(|run| run(&entry, crl)));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// INTEGERs are minimal, as in the certificates that they name.
fn serial_form(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    let padded = match entry.serial {
        [] => true,
        [0x00, next, ..] => next & 0x80 == 0,
        [0xff, next, ..] => next & 0x80 != 0,
        _ => false,
    };
    ensure(!padded, || {
        format!(
            "{}: the serial number is no minimal INTEGER",
            entry.serial_text()
        )
    })
}

fn serial_possible(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    ensure(entry.serial_number().is_some(), || {
        format!(
            "{}: a serial number is positive and has at most 20 octets",
            entry.serial_text()
        )
    })
}

fn revocation_date_form(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    time_rules::utc_or_generalized(entry.revocation_date, "revocationDate").map_err(of(entry))
}

fn extensions_not_empty(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    ensure(
        entry
            .extensions
            .as_ref()
            .is_none_or(|list| !list.is_empty()),
        || {
            format!(
                "{}: crlEntryExtensions is an empty list",
                entry.serial_text()
            )
        },
    )
}

fn extensions_once(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    raw_extension::once_each(entry.extension_list()).map_err(of(entry))
}

fn no_written_false(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    raw_extension::no_written_false(entry.extension_list()).map_err(of(entry))
}

fn no_certificate_issuer(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    ensure(
        raw_extension::find(entry.extension_list(), &oid::CERTIFICATE_ISSUER).is_none(),
        || {
            format!(
                "{}: certificateIssuer makes it an indirect CRL",
                entry.serial_text()
            )
        },
    )
}

fn no_unknown_critical(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    const KNOWN: [crate::ObjectIdentifier; 3] = [
        oid::REASON_CODE,
        oid::INVALIDITY_DATE,
        oid::CERTIFICATE_ISSUER,
    ];
    let unknown = entry
        .extension_list()
        .iter()
        .find(|extension| extension.critical && !KNOWN.contains(&extension.id));
    match unknown {
        Some(extension) => Err(format!(
            "{}: {} is critical",
            entry.serial_text(),
            raw_extension::name(&extension.id)
        )),
        None => Ok(()),
    }
}

fn reason_form(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    entry.reason_code().map(drop)
}

fn reason_not_critical(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    raw_extension::not_critical(entry.extension_list(), &oid::REASON_CODE).map_err(of(entry))
}

fn reason_exists(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    let code = reason_code(entry);
    ensure(
        code.is_none_or(|code| RevocationReason::from_code(code).is_some()),
        || {
            format!(
                "{}: there is no reason {}",
                entry.serial_text(),
                code.unwrap_or_default()
            )
        },
    )
}

fn unspecified_left_out(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    ensure(reason(entry) != Some(RevocationReason::Unspecified), || {
        format!(
            "{}: the reason `unspecified` is written by leaving it out",
            entry.serial_text()
        )
    })
}

fn no_hold(entry: &RawEntry<'_>, crl: &Subject<'_>) -> Judgement {
    let hold = reason(entry) == Some(RevocationReason::CertificateHold);
    ensure(!hold || crl.own().keeps_holds, || {
        format!(
            "{}: the certificate is on hold, which is never used here",
            entry.serial_text()
        )
    })
}

/// Subscribers' certificates: 1, 3, 4, 5, 9; those of CAs also cACompromise, and never without a reason.
fn reason_allowed(entry: &RawEntry<'_>, crl: &Subject<'_>) -> Judgement {
    use RevocationReason as Reason;
    let rules = crl.own();
    if !rules.browser_forum {
        return Ok(());
    }
    let allowed = match reason(entry) {
        None => !rules.ca_certificates_only,
        Some(Reason::CaCompromise) => rules.ca_certificates_only,
        // Each of these has a check of its own.
        Some(Reason::Unspecified | Reason::CertificateHold | Reason::RemoveFromCrl) => true,
        Some(Reason::AaCompromise) => false,
        Some(_) => true,
    };
    ensure(allowed, || match reason(entry) {
        Some(reason) => format!(
            "{}: the reason {reason} is not for these certificates",
            entry.serial_text()
        ),
        None => format!(
            "{}: the revocation of a CA certificate needs a reason",
            entry.serial_text()
        ),
    })
}

fn remove_from_crl(entry: &RawEntry<'_>, crl: &Subject<'_>) -> Judgement {
    let delta = matches!(crl.expected.scope, Scope::Delta { .. });
    ensure(
        delta || reason(entry) != Some(RevocationReason::RemoveFromCrl),
        || {
            format!(
                "{}: removeFromCRL stands in delta CRLs only",
                entry.serial_text()
            )
        },
    )
}

fn invalidity_date_form(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    match entry.invalidity_date()? {
        Some(time) => time_rules::generalized(time, "invalidityDate").map_err(of(entry)),
        None => Ok(()),
    }
}

fn invalidity_date_not_critical(entry: &RawEntry<'_>, _: &Subject<'_>) -> Judgement {
    raw_extension::not_critical(entry.extension_list(), &oid::INVALIDITY_DATE).map_err(of(entry))
}

fn not_from_the_future(entry: &RawEntry<'_>, crl: &Subject<'_>) -> Judgement {
    let date = time_rules::read_leniently(entry.revocation_date);
    let latest = crl.expected.now.plus_seconds(CLOCKS_DIFFER);
    ensure(date.is_none_or(|date| date <= latest), || {
        format!("{}: it is revoked in the future", entry.serial_text())
    })
}

fn reason_code(entry: &RawEntry<'_>) -> Option<u8> {
    entry.reason_code().ok().flatten()
}

fn reason(entry: &RawEntry<'_>) -> Option<RevocationReason> {
    reason_code(entry).and_then(RevocationReason::from_code)
}

/// Puts the entry before a message, once there is one: a CRL has millions of entries that are well.
fn of<'e, 'a>(entry: &'e RawEntry<'a>) -> impl FnOnce(String) -> String + use<'e, 'a> {
    move |message| format!("{}: {message}", entry.serial_text())
}
