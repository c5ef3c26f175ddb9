//! `avouch explain`: everything known about one certificate, from the records and from what the world is told.

mod says;

use std::fmt::Write as _;

use anyhow::Result;
use ledger::{AuditRecord, CertificateRecord, Issuer, Ledger, Origin, Reservation, Revocation};
use pki::{Certificate, Clock, Serial, SystemClock, Time};
use serde_json::{Value, json};

use self::says::Says;
use crate::cli::ExplainOptions;
use crate::data_dir::DataDir;
use crate::endpoints::Endpoints;
use crate::human;
use crate::outcome::{Failure, Outcome};
use crate::records;

pub(crate) async fn explain(data: &DataDir, options: &ExplainOptions) -> Result<Outcome> {
    let serial: Serial = options.serial.parse().map_err(Failure::usage)?;
    let ledger = records::open(data).await?;
    let issuers = match &options.issuer {
        Some(name) => vec![records::issuer(&ledger, name).await?],
        None => ledger.issuers().await?,
    };
    let endpoints = Endpoints::read(data)?;
    let mut found = Vec::new();
    for issuer in issuers {
        if let Some(facts) = Facts::gather(&ledger, issuer, &serial, endpoints.as_ref()).await? {
            found.push(facts);
        }
    }
    if found.is_empty() {
        return Err(Failure::new(format!(
            "no certificate with the serial number {serial} was ever issued here"
        ))
        .remedy("check the number; with several data directories, name the right one with --data")
        .into());
    }
    let certificates: Vec<Value> = found.iter().map(Facts::json).collect();
    let text: Vec<String> = found.iter().map(Facts::text).collect();
    Ok(Outcome::new(
        json!({ "serial": serial, "certificates": certificates }),
        text.join("\n\n"),
    ))
}

/// What one issuer's records and publications say about the serial number.
struct Facts {
    issuer: Issuer,
    serial: Serial,
    record: Option<CertificateRecord>,
    reservation: Option<Reservation>,
    history: Vec<AuditRecord>,
    /// Absent when nothing runs.
    says: Option<Says>,
}

impl Facts {
    async fn gather(
        ledger: &Ledger,
        issuer: Issuer,
        serial: &Serial,
        endpoints: Option<&Endpoints>,
    ) -> Result<Option<Self>> {
        let record = ledger.certificate(&issuer.name, serial).await?;
        let reservation = ledger.pending_reservation(&issuer.name, serial).await?;
        let history = history(ledger, &issuer.name, serial).await?;
        if record.is_none() && reservation.is_none() && history.is_empty() {
            return Ok(None);
        }
        let says = match endpoints {
            Some(endpoints) => Some(Says::ask(&endpoints.status, &issuer, serial).await?),
            None => None,
        };
        Ok(Some(Self {
            issuer,
            serial: *serial,
            record,
            reservation,
            history,
            says,
        }))
    }

    fn text(&self) -> String {
        let mut text = format!("{} of {}", self.serial, self.issuer.name);
        let mut line = |label: &str, value: String| {
            let _ = write!(text, "\n  {label:<14} {value}");
        };
        match (&self.record, &self.reservation) {
            (Some(record), _) => {
                for (label, value) in certificate_lines(record) {
                    line(label, value);
                }
            }
            (None, Some(reservation)) => line(
                "being issued",
                format!(
                    "the serial number is taken for {} (profile {}), the signature is still asked for",
                    reservation.actor, reservation.profile
                ),
            ),
            (None, None) => line(
                "not issued",
                "the serial number was taken and given up; it stays used".to_owned(),
            ),
        }
        for record in &self.history {
            line(
                "recorded",
                format!(
                    "{}  {} by {} (audit record {})",
                    record.time, record.act, record.actor, record.id
                ),
            );
        }
        match &self.says {
            Some(says) => {
                for (label, value) in says.lines() {
                    line(label, value);
                }
            }
            None => line(
                "the world hears",
                "nothing: `avouch up` does not run".to_owned(),
            ),
        }
        text
    }

    fn json(&self) -> Value {
        json!({
            "issuer": self.issuer.name,
            "state": match (&self.record, &self.reservation) {
                (Some(_), _) => "issued",
                (None, Some(_)) => "reserved",
                (None, None) => "abandoned",
            },
            "certificate": self.record.as_ref().map(record_json),
            "audit": self.history.iter().map(|record| json!({
                "id": record.id,
                "time": record.time,
                "actor": record.actor,
                "act": record.act,
                "detail": serde_json::from_str(&record.detail).unwrap_or(Value::Null),
            })).collect::<Vec<_>>(),
            "ocsp": self.says.as_ref().map(Says::ocsp_json),
            "crl": self.says.as_ref().map(Says::crl_json),
        })
    }
}

/// The audit records that name this certificate.
async fn history(ledger: &Ledger, issuer: &str, serial: &Serial) -> Result<Vec<AuditRecord>> {
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = ledger.audit_records(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = last.id;
        found
            .extend(page.into_iter().filter(|record| {
                record.issuer == issuer && record.serial.as_ref() == Some(serial)
            }));
    }
}

fn certificate_lines(record: &CertificateRecord) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    lines.push((
        "subject",
        record
            .subject
            .clone()
            .unwrap_or_else(|| "not known".to_owned()),
    ));
    let how = match record.origin {
        Origin::Own => "issued",
        Origin::Imported => "taken over",
    };
    let profile = record
        .profile
        .as_ref()
        .map_or_else(String::new, |profile| format!(", profile {profile}"));
    lines.push((
        how,
        format!("{} for {}{profile}", record.issued_at, record.requested_by),
    ));
    lines.push(("valid", validity(record, SystemClock.now())));
    if let Some(certificate) = parsed(record) {
        if let Ok(kind) = certificate.public_key().kind() {
            let fingerprint = hex::encode(certificate.public_key().fingerprint());
            lines.push(("key", format!("{kind}, SHA-256 {fingerprint}")));
        }
        if let Ok(algorithm) = certificate.signature_algorithm() {
            lines.push(("signed with", algorithm.name().to_owned()));
        }
    }
    lines.push((
        "status",
        record
            .revocation
            .as_ref()
            .map_or_else(|| "not revoked".to_owned(), revocation_line),
    ));
    lines
}

fn parsed(record: &CertificateRecord) -> Option<Certificate> {
    Certificate::from_der(record.certificate.as_ref()?).ok()
}

fn validity(record: &CertificateRecord, now: Time) -> String {
    let from = record
        .not_before
        .map_or_else(|| "?".to_owned(), |time| time.to_string());
    match record.not_after {
        None => format!("{from} to an unknown time"),
        Some(end) if end < now => format!(
            "{from} to {end} (expired {} ago)",
            human::span(end.seconds_until(now))
        ),
        Some(end) => format!(
            "{from} to {end} ({} left)",
            human::span(now.seconds_until(end))
        ),
    }
}

fn revocation_line(revocation: &Revocation) -> String {
    let case = revocation
        .case
        .as_ref()
        .map_or_else(String::new, |case| format!(", case {case}"));
    let since = revocation.invalidity_date.map_or_else(String::new, |time| {
        format!(", key not to be trusted since {time}")
    });
    format!(
        "revoked {} ({}), ground {}, by {}{case}{since}",
        revocation.time, revocation.reason, revocation.ground, revocation.actor
    )
}

fn record_json(record: &CertificateRecord) -> Value {
    json!({
        "subject": record.subject,
        "origin": match record.origin { Origin::Own => "own", Origin::Imported => "imported" },
        "profile": record.profile,
        "requested_by": record.requested_by,
        "issued_at": record.issued_at,
        "not_before": record.not_before,
        "not_after": record.not_after,
        "pem": record.certificate.as_ref().map(|der| pki::pem::encode("CERTIFICATE", der)),
        "revocation": record.revocation.as_ref().map(|revocation| json!({
            "time": revocation.time,
            "reason": revocation.reason,
            "ground": revocation.ground,
            "actor": revocation.actor,
            "case": revocation.case,
            "invalidity_date": revocation.invalidity_date,
            "event": revocation.seq,
        })),
    })
}

const PAGE: u32 = 5_000;
