//! What an import says that the ledger does not know yet. No database here.

use std::collections::BTreeMap;

use pki::{Certificate, RevocationReason, Serial, Time};

use crate::audit::{Fields, sha256};
use crate::error::LedgerError;
use crate::model::{ImportedCertificate, ImportedStatus};

/// One certificate of the batch, everything the batch says about it put together.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    pub(super) serial: Serial,
    pub(super) not_after: Option<Time>,
    pub(super) subject: Option<String>,
    pub(super) certificate: Option<Document<'a>>,
    pub(super) revoked: Option<(Time, RevocationReason)>,
    pub(super) invalidity_date: Option<Time>,
}

#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) der: &'a [u8],
    pub(super) sha256: [u8; 32],
    pub(super) not_before: Time,
    pub(super) spki_sha256: [u8; 32],
}

/// What the ledger knows about it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) issued: bool,
    pub(super) not_after: Option<Time>,
    pub(super) has_subject: bool,
    pub(super) certificate_sha256: Option<[u8; 32]>,
    pub(super) revoked: Option<(Time, RevocationReason)>,
}

/// What is to be added to a known certificate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) not_after: bool,
    pub(super) subject: bool,
    pub(super) certificate: bool,
    pub(super) revoked: Option<(Time, RevocationReason)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The certificate was not known.
    New,
    /// It was known, and this is new.
    Changed(News),
    /// It was known, and all of it.
    Unchanged,
    /// The ledger says otherwise, which stands; what does not contradict it is still news.
    Conflict(Option<News>),
}

/// Puts together what the batch says, in the order of serial numbers; and the serial numbers about which it
/// contradicts itself.
pub(super) fn merge(
    batch: &[ImportedCertificate],
) -> Result<(Vec<Incoming<'_>>, Vec<Serial>), LedgerError> {
    let mut merged: BTreeMap<Serial, Incoming<'_>> = BTreeMap::new();
    let mut conflicts = Vec::new();
    for item in batch {
        let (incoming, mut conflict) = read(item)?;
        match merged.get_mut(&item.serial) {
            None => {
                merged.insert(item.serial, incoming);
            }
            Some(first) => conflict |= first.add(incoming),
        }
        if conflict {
            conflicts.push(item.serial);
        }
    }
    Ok((merged.into_values().collect(), conflicts))
}

pub(super) fn judge(incoming: &Incoming<'_>, known: Option<&Known>) -> Verdict {
    let Some(known) = known else {
        return Verdict::New;
    };
    if !known.issued {
        return Verdict::Conflict(None);
    }
    let offered = incoming
        .certificate
        .as_ref()
        .map(|document| document.sha256);
    let conflict = differ(known.not_after, incoming.not_after)
        || differ(known.certificate_sha256, offered)
        || differ(known.revoked, incoming.revoked);
    let news = News {
        not_after: known.not_after.is_none() && incoming.not_after.is_some(),
        subject: !known.has_subject && incoming.subject.is_some(),
        certificate: known.certificate_sha256.is_none() && incoming.certificate.is_some(),
        revoked: if known.revoked.is_none() {
            incoming.revoked
        } else {
            None
        },
    };
    match (conflict, news == News::default()) {
        (false, true) => Verdict::Unchanged,
        (false, false) => Verdict::Changed(news),
        (true, true) => Verdict::Conflict(None),
        (true, false) => Verdict::Conflict(Some(news)),
    }
}

/// A hash of everything the batch says, for the audit record.
pub(super) fn digest(incoming: &[Incoming<'_>]) -> [u8; 32] {
    let mut fields = Fields::new();
    let time = |time: Option<Time>| time.map(|time| time.unix().to_be_bytes());
    for item in incoming {
        fields.field(item.serial.as_bytes());
        fields.field(
            time(item.not_after)
                .as_ref()
                .map_or(&[][..], |octets| octets),
        );
        fields.field(item.subject.as_deref().unwrap_or_default().as_bytes());
        fields.field(
            item.certificate
                .as_ref()
                .map_or(&[][..], |document| &document.sha256),
        );
        fields.field(
            time(item.revoked.map(|(time, _)| time))
                .as_ref()
                .map_or(&[][..], |octets| octets),
        );
        fields.field(
            item.revoked
                .map(|(_, reason)| [reason.code()])
                .as_ref()
                .map_or(&[][..], |octets| octets),
        );
        fields.field(
            time(item.invalidity_date)
                .as_ref()
                .map_or(&[][..], |octets| octets),
        );
    }
    fields.finish()
}

fn read(item: &ImportedCertificate) -> Result<(Incoming<'_>, bool), LedgerError> {
    let (revoked, invalidity_date) = match item.status {
        ImportedStatus::Good => (None, None),
        ImportedStatus::Revoked {
            reason: RevocationReason::RemoveFromCrl,
            ..
        } => {
            return Err(LedgerError::refused(
                "S6",
                format!(
                    "{} is said to be revoked with removeFromCRL, which no complete CRL has; leave it out",
                    item.serial
                ),
            ));
        }
        ImportedStatus::Revoked {
            time,
            reason,
            invalidity_date,
        } => (Some((time, reason)), invalidity_date),
    };
    let mut incoming = Incoming {
        serial: item.serial,
        not_after: item.not_after,
        subject: item.subject.clone(),
        certificate: None,
        revoked,
        invalidity_date,
    };
    let Some(der) = &item.certificate else {
        return Ok((incoming, false));
    };
    let certificate = Certificate::from_der(der).map_err(|error| {
        LedgerError::refused(
            "certificate",
            format!(
                "the certificate of {} cannot be read: {error}; leave it out",
                item.serial
            ),
        )
    })?;
    if *certificate.serial() != item.serial {
        return Err(LedgerError::refused(
            "certificate",
            format!(
                "the certificate given for {} has the serial number {}",
                item.serial,
                certificate.serial()
            ),
        ));
    }
    let conflict = differ(Some(certificate.not_after()), item.not_after);
    incoming.not_after = Some(certificate.not_after());
    incoming.subject = Some(certificate.subject().to_string());
    incoming.certificate = Some(Document {
        der,
        sha256: sha256(der),
        not_before: certificate.not_before(),
        spki_sha256: certificate.public_key().fingerprint(),
    });
    Ok((incoming, conflict))
}

impl<'a> Incoming<'a> {
    /// Adds what a second row says about the same certificate; true when it contradicts the first.
    fn add(&mut self, other: Self) -> bool {
        let offered = |item: &Self| item.certificate.as_ref().map(|document| document.sha256);
        let conflict = differ(self.not_after, other.not_after)
            || differ(offered(self), offered(&other))
            || differ(self.revoked, other.revoked);
        self.not_after = self.not_after.or(other.not_after);
        self.subject = self.subject.take().or(other.subject);
        self.revoked = self.revoked.or(other.revoked);
        self.invalidity_date = self.invalidity_date.or(other.invalidity_date);
        self.certificate = self.certificate.take().or(other.certificate);
        conflict
    }
}

/// Both are there and not the same.
fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}
