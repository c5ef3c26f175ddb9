//! The ledger and the signers' logs, certificate by certificate and CRL by CRL, in both directions.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use anyhow::Result;
use ledger::{
    CertificateRow, CertificateState, CrlRecord, CrlScope, Issuer, Ledger, Origin, PgpRecord,
    PgpResult,
};
use pki::{CrlNumber, HashAlgorithm, Serial};
use serde_json::{Value, json};
use signer::journal_record::{Act, Hash, Record};

use super::acts::{Key, Logged, Made, scope_name};
use super::difference::{About, Difference};
use super::logs::Logs;
use crate::human;
use crate::progress::Progress;
use crate::records;
use crate::signer_log::Entry;

/// Rows of the ledger in one page.
const PAGE: u32 = 1_000;

/// How the two sides compare so far.
pub(super) struct Comparison<'a> {
    ledger: &'a Ledger,
    issuers: Vec<Party>,
    /// In the ledger, and in no log so far.
    missing: Vec<Missing>,
    counts: Counts,
    differences: Vec<Difference>,
}

/// An issuer and whose serial numbers it has.
struct Party {
    issuer: Issuer,
    authority: Hash,
}

struct Missing {
    key: Key,
    issuer: String,
    what: What,
    tbs: Option<Hash>,
    certificate: Option<Hash>,
}

enum What {
    Certificate(Serial),
    Crl(CrlScope, CrlNumber),
    /// The fingerprint of the key whose user id it is.
    Pgp([u8; 20]),
}

/// What was found to agree, and what is neither here nor there.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// In both.
    certificates: u64,
    crls: u64,
    certifications: u64,
    /// Taken over: no signer here signed them.
    imported: u64,
    /// Reserved in the ledger, not signed.
    waiting: u64,
    /// Signed, and not yet recorded in the ledger.
    in_flight: u64,
    /// Refused by the signer.
    given_up: u64,
    /// CRLs that were signed under a claimed number and never recorded: a crash, or the builder's own gate.
    unused_crls: u64,
    /// Made in a ceremony, and nothing that the ledger keeps.
    ceremony: u64,
    /// In the ledger; the signer has not handed over that part of its log yet.
    not_archived: u64,
    /// In the ledger, and perhaps in the part of a log that cannot be read.
    unreadable: u64,
}

impl<'a> Comparison<'a> {
    pub(super) async fn begin(ledger: &'a Ledger) -> Result<Self> {
        let mut issuers = Vec::new();
        for issuer in ledger.issuers().await? {
            let ca = records::ca_certificate(&issuer)?;
            issuers.push(Party {
                authority: sha256(ca.subject().as_der()),
                issuer,
            });
        }
        Ok(Self {
            ledger,
            issuers,
            missing: Vec::new(),
            counts: Counts::default(),
            differences: Vec::new(),
        })
    }

    /// Looks up everything in the ledger, and takes out of the log what is found there.
    pub(super) async fn ledger_to_log(&mut self, logs: &mut Logs) -> Result<()> {
        let mut total = 0;
        for party in &self.issuers {
            total += self.ledger.counts(&party.issuer.name).await?.issued;
        }
        let mut progress = Progress::bar("comparing the ledger with it", total);
        let mut done = 0;
        for index in 0..self.issuers.len() {
            self.certificates(index, logs, |rows| {
                done += rows;
                progress.set(done);
            })
            .await?;
            self.crls(index, logs).await?;
        }
        self.certifications(logs).await?;
        progress.done(&format!("{} certificates", human::count(total)));
        Ok(())
    }

    async fn certificates(
        &mut self,
        index: usize,
        logs: &mut Logs,
        mut show: impl FnMut(u64),
    ) -> Result<()> {
        let name = self.issuers[index].issuer.name.clone();
        let mut after = None;
        loop {
            let rows = self.ledger.certificate_rows(&name, after, PAGE).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(last.serial);
            show(rows.len() as u64);
            for row in &rows {
                self.certificate(index, row, logs);
            }
        }
    }

    fn certificate(&mut self, index: usize, row: &CertificateRow, logs: &mut Logs) {
        let Party { issuer, authority } = &self.issuers[index];
        let key = Key::certificate(authority, row.serial.as_bytes());
        let logged = logs.acts.remove(&key);
        match (row.state, logged) {
            (CertificateState::Issued, Some(logged)) => {
                let same = logged.is_of(row.tbs_sha256.as_ref(), row.certificate_sha256.as_ref());
                match same {
                    true => self.counts.certificates += 1,
                    false => {
                        let other = other_content(&issuer.name, &row.serial, &logged);
                        self.differences.push(other);
                    }
                }
            }
            // A CA made here has nothing that was taken over, whatever the row says.
            (CertificateState::Issued, None)
                if row.origin == Origin::Imported && issuer.origin == Origin::Imported =>
            {
                self.counts.imported += 1;
            }
            (CertificateState::Issued, None) => self.missing.push(Missing {
                key,
                issuer: issuer.name.clone(),
                what: What::Certificate(row.serial),
                tbs: row.tbs_sha256,
                certificate: row.certificate_sha256,
            }),
            (CertificateState::Reserved, Some(_)) => self.counts.in_flight += 1,
            (CertificateState::Reserved, None) => self.counts.waiting += 1,
            (CertificateState::GivenUp, Some(logged)) => {
                let given_up = signed_and_given_up(&issuer.name, &row.serial, &logged);
                self.differences.push(given_up);
            }
            (CertificateState::GivenUp, None) => self.counts.given_up += 1,
        }
    }

    async fn crls(&mut self, index: usize, logs: &mut Logs) -> Result<()> {
        let name = self.issuers[index].issuer.name.clone();
        let mut after: Option<(CrlScope, CrlNumber)> = None;
        loop {
            let rows = self.ledger.crl_records(&name, after.as_ref(), PAGE).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some((last.scope.clone(), last.number.clone()));
            for CrlRecord { scope, number, .. } in rows {
                let authority = &self.issuers[index].authority;
                let key = Key::crl(authority, &scope.to_string(), &number.to_be_bytes());
                match logs.acts.remove(&key) {
                    Some(_) => self.counts.crls += 1,
                    None => self.missing.push(Missing {
                        key,
                        issuer: name.clone(),
                        what: What::Crl(scope, number),
                        tbs: None,
                        certificate: None,
                    }),
                }
            }
        }
    }

    async fn certifications(&mut self, logs: &mut Logs) -> Result<()> {
        let mut after = 0;
        loop {
            let rows = self.ledger.pgp_records(after, PAGE).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.id;
            for PgpRecord {
                request, result, ..
            } in rows
            {
                let tbs = match result {
                    Some(PgpResult::Certified { tbs_sha256, .. }) => tbs_sha256,
                    Some(PgpResult::Refused(_)) => {
                        self.counts.given_up += 1;
                        continue;
                    }
                    None => {
                        self.counts.waiting += 1;
                        continue;
                    }
                };
                let key = Key::pgp(&request.by, &tbs);
                match logs.acts.remove(&key) {
                    Some(_) => self.counts.certifications += 1,
                    None => self.missing.push(Missing {
                        key,
                        issuer: request.issuer,
                        what: What::Pgp(request.key),
                        tbs: Some(tbs),
                        certificate: None,
                    }),
                }
            }
        }
    }

    /// Looks again for what was missing, in what has been read since. Whether nothing is missing any more.
    pub(super) fn look_again(&mut self, logs: &mut Logs) -> bool {
        for missing in std::mem::take(&mut self.missing) {
            let Some(logged) = logs.acts.remove(&missing.key) else {
                self.missing.push(missing);
                continue;
            };
            match &missing.what {
                What::Crl(..) => self.counts.crls += 1,
                What::Pgp(_) => self.counts.certifications += 1,
                What::Certificate(serial) => {
                    if logged.is_of(missing.tbs.as_ref(), missing.certificate.as_ref()) {
                        self.counts.certificates += 1;
                    } else {
                        let other = other_content(&missing.issuer, serial, &logged);
                        self.differences.push(other);
                    }
                }
            }
        }
        self.missing.is_empty()
    }

    /// Judges what is still missing; `is_behind` says whether a signer has records that are not archived yet.
    pub(super) fn judge_missing(&mut self, logs: &Logs, is_behind: impl Fn(Option<u8>) -> bool) {
        for missing in std::mem::take(&mut self.missing) {
            let signer = match &missing.what {
                What::Certificate(serial) => serial.as_bytes().first().copied(),
                What::Crl(..) | What::Pgp(_) => None,
            };
            if !logs.are_whole() {
                self.counts.unreadable += 1;
            } else if is_behind(signer) {
                self.counts.not_archived += 1;
            } else {
                self.differences.push(not_in_log(&missing, logs, signer));
            }
        }
    }

    /// Judges what is in the log and was not in the ledger.
    pub(super) async fn log_to_ledger(&mut self, logs: &Logs) -> Result<()> {
        let mut left: HashMap<(u8, u64), (Key, Logged)> = HashMap::new();
        for (key, logged) in logs.acts.left() {
            left.insert((logged.signer, logged.intent), (*key, *logged));
        }
        if left.is_empty() {
            return Ok(());
        }
        let mut found = Vec::new();
        // An intent that one signer took over from the other stands in the log of the one that signed.
        logs.look_up(|signer, entry| {
            if let Some((_, logged)) = left.remove(&(signer, entry.position.sequence)) {
                found.push((logged, content(entry)));
            }
            match left.is_empty() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        let claimed = match found
            .iter()
            .any(|(_, content)| matches!(content, Some(Content::Crl { .. })))
        {
            true => claimed_numbers(self.ledger).await?,
            false => HashSet::new(),
        };
        for (logged, content) in found {
            match content {
                Some(Content::Certificate {
                    issuer,
                    authority,
                    serial,
                }) => {
                    self.unknown_certificate(&issuer, &authority, serial, &logged)
                        .await?;
                }
                Some(Content::Crl {
                    issuer,
                    authority,
                    scope,
                    number,
                }) => self.unknown_crl(&issuer, &authority, &scope, &number, &logged, &claimed),
                Some(Content::Pgp {
                    issuer,
                    by,
                    key,
                    tbs,
                }) => {
                    self.unknown_certification(&issuer, (&by, &key, &tbs), &logged)
                        .await?;
                }
                None => {}
            }
        }
        Ok(())
    }

    async fn unknown_certification(
        &mut self,
        issuer: &str,
        (by, key, tbs): (&[u8; 20], &[u8; 20], &Hash),
        logged: &Logged,
    ) -> Result<()> {
        for PgpRecord {
            request, result, ..
        } in self.ledger.pgp_of_key(key).await?
        {
            match result {
                // Recorded while this ran.
                Some(PgpResult::Certified { tbs_sha256, .. })
                    if request.by == *by && tbs_sha256 == *tbs =>
                {
                    self.counts.certifications += 1;
                    return Ok(());
                }
                None if request.by == *by => {
                    // Counted as waiting before its signature was found.
                    self.counts.waiting = self.counts.waiting.saturating_sub(1);
                    self.counts.in_flight += 1;
                    return Ok(());
                }
                _ => {}
            }
        }
        if logged.made != Made::Requested {
            self.counts.ceremony += 1;
            return Ok(());
        }
        let text = format!(
            "certification of a user id of the OpenPGP key {} by {issuer}: signed by signer {} (record {} of its log), and \
             the ledger does not know it",
            hex::encode_upper(key),
            logged.signer,
            logged.signed
        );
        let position = Some((logged.signer, logged.signed));
        let about = about(issuer, None, None, position);
        self.differences
            .push(Difference::new("not-in-ledger", about, text));
        Ok(())
    }

    async fn unknown_certificate(
        &mut self,
        issuer: &str,
        authority: &Hash,
        serial: Serial,
        logged: &Logged,
    ) -> Result<()> {
        for party in self.parties(authority) {
            let name = party.issuer.name.clone();
            match self.ledger.certificate_row(&name, &serial).await? {
                // Recorded while this ran.
                Some(row) if row.state == CertificateState::Issued => {
                    if logged.is_of(row.tbs_sha256.as_ref(), row.certificate_sha256.as_ref()) {
                        self.counts.certificates += 1;
                    } else {
                        let other = other_content(&name, &serial, logged);
                        self.differences.push(other);
                    }
                    return Ok(());
                }
                Some(row) if row.state == CertificateState::Reserved => {
                    self.counts.in_flight += 1;
                    return Ok(());
                }
                Some(_) => {
                    self.differences
                        .push(signed_and_given_up(&name, &serial, logged));
                    return Ok(());
                }
                None => {}
            }
        }
        if logged.made != Made::Requested {
            self.counts.ceremony += 1;
            return Ok(());
        }
        let text = format!(
            "certificate {serial} of {issuer}: signed by signer {} (record {} of its log), and the ledger does not know it",
            logged.signer, logged.signed
        );
        self.differences.push(Difference::new(
            "not-in-ledger",
            about(
                issuer,
                Some(serial),
                None,
                Some((logged.signer, logged.signed)),
            ),
            text,
        ));
        Ok(())
    }

    fn unknown_crl(
        &mut self,
        issuer: &str,
        authority: &Hash,
        scope: &str,
        number: &CrlNumber,
        logged: &Logged,
        claimed: &HashSet<(String, String)>,
    ) {
        if logged.made != Made::Requested {
            self.counts.ceremony += 1;
            return;
        }
        let number_text = number.to_string();
        let is_claimed = self
            .parties(authority)
            .iter()
            .any(|party| claimed.contains(&(party.issuer.name.clone(), number_text.clone())));
        if is_claimed {
            self.counts.unused_crls += 1;
            return;
        }
        let text = format!(
            "CRL {number} ({scope}) of {issuer}: signed by signer {} (record {} of its log), and the ledger never gave that \
             number out",
            logged.signer, logged.signed
        );
        let crl = Some((scope.to_owned(), number.clone()));
        self.differences.push(Difference::new(
            "not-in-ledger",
            about(issuer, None, crl, Some((logged.signer, logged.signed))),
            text,
        ));
    }

    /// The issuers of one Name.
    fn parties(&self, authority: &Hash) -> Vec<&Party> {
        let of_name = self.issuers.iter();
        of_name
            .filter(|party| party.authority == *authority)
            .collect()
    }

    pub(super) fn differences(&mut self) -> Vec<Difference> {
        std::mem::take(&mut self.differences)
    }

    pub(super) fn text(&self) -> String {
        let Counts {
            certificates,
            crls,
            certifications,
            ..
        } = self.counts;
        let mut text = format!(
            "{} certificates and {} CRLs of the ledger have their record in the log of a signer.",
            human::count(certificates),
            human::count(crls)
        );
        if certifications > 0 {
            text.push_str(&format!(
                "\n  So have {} certifications of OpenPGP user ids",
                human::count(certifications)
            ));
        }
        let apart: Vec<String> = self
            .apart()
            .into_iter()
            .filter(|(_, count, _)| *count > 0)
            .map(|(_, count, what)| format!("{} {what}", human::count(count)))
            .collect();
        if !apart.is_empty() {
            text.push_str(&format!("\n  Beside these: {}", apart.join("; ")));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let mut object = json!({
            "certificates": self.counts.certificates,
            "crls": self.counts.crls,
            "certifications": self.counts.certifications,
        });
        for (key, count, _) in self.apart() {
            object[key] = json!(count);
        }
        object
    }

    /// What is counted apart, as programs and as people call it.
    fn apart(&self) -> [(&'static str, u64, &'static str); 8] {
        let counts = &self.counts;
        [
            ("imported", counts.imported, "taken over from elsewhere"),
            ("waiting", counts.waiting, "waiting for the signer"),
            ("in_flight", counts.in_flight, "signed and not yet recorded"),
            ("given_up", counts.given_up, "refused by the signer"),
            (
                "unused_crls",
                counts.unused_crls,
                "CRLs signed and never recorded (a crash, or refused here)",
            ),
            ("ceremony", counts.ceremony, "signed in a ceremony"),
            (
                "not_archived",
                counts.not_archived,
                "whose record the signer has not handed over yet",
            ),
            (
                "unreadable",
                counts.unreadable,
                "that may stand where the log cannot be read",
            ),
        ]
    }
}

/// What an intent is about.
enum Content {
    Certificate {
        issuer: String,
        authority: Hash,
        serial: Serial,
    },
    Crl {
        issuer: String,
        authority: Hash,
        scope: String,
        number: CrlNumber,
    },
    Pgp {
        issuer: String,
        by: [u8; 20],
        key: [u8; 20],
        tbs: Hash,
    },
}

fn content(entry: &Entry) -> Option<Content> {
    let inner;
    let record = match entry.record.as_ref().ok()? {
        Record::Replicated { record, .. } => {
            inner = Record::decode(record).ok()?;
            &inner
        }
        record => record,
    };
    match record {
        Record::Intent { act, .. } => Some(match act {
            Act::Certificate {
                issuer,
                authority,
                serial,
                ..
            } => Content::Certificate {
                issuer: issuer.clone(),
                authority: *authority,
                serial: Serial::from_be_bytes(serial).ok()?,
            },
            Act::Crl {
                issuer,
                authority,
                scope,
                number,
                ..
            } => Content::Crl {
                issuer: issuer.clone(),
                authority: *authority,
                scope: scope_name(scope).to_owned(),
                number: CrlNumber::from_be_bytes(number).ok()?,
            },
            Act::PgpUserId {
                issuer,
                by,
                key,
                tbs,
                ..
            } => Content::Pgp {
                issuer: issuer.clone(),
                by: *by,
                key: *key,
                tbs: *tbs,
            },
        }),
        Record::CaCertificate {
            name,
            authority,
            serial,
            ..
        } => Some(Content::Certificate {
            issuer: name.clone(),
            authority: *authority,
            serial: Serial::from_be_bytes(serial).ok()?,
        }),
        _ => None,
    }
}

/// Every CRL number that the ledger gave out, by issuer.
async fn claimed_numbers(ledger: &Ledger) -> Result<HashSet<(String, String)>> {
    let mut claimed = HashSet::new();
    let mut after = 0;
    loop {
        let records = ledger.audit_records(after, PAGE).await?;
        let Some(last) = records.last() else {
            return Ok(claimed);
        };
        after = last.id;
        for record in records.iter().filter(|record| record.act == "crl.reserve") {
            let detail: Value = serde_json::from_str(&record.detail)?;
            if let Some(number) = detail["number"].as_str() {
                claimed.insert((record.issuer.clone(), number.to_owned()));
            }
        }
    }
}

fn not_in_log(missing: &Missing, logs: &Logs, signer: Option<u8>) -> Difference {
    let log = |signer: u8| match logs.end(signer) {
        Some(end) => format!(
            "the log of signer {signer} (records 1 to {}) has no signature for it",
            end.sequence
        ),
        None => format!("there is no log of the signer {signer} that its serial number names"),
    };
    let issuer = &missing.issuer;
    let signer = signer.filter(|id| (1..=127).contains(id));
    match &missing.what {
        What::Certificate(serial) => {
            let why = match signer {
                Some(signer) => log(signer),
                None => "no signer's log has a signature for it".to_owned(),
            };
            let mut about = about(issuer, Some(*serial), None, None);
            about.signer = signer;
            let text = format!("certificate {serial} of {issuer}: in the ledger, and {why}");
            Difference::new("not-in-log", about, text)
        }
        What::Crl(scope, number) => {
            let text = format!(
                "CRL {number} ({scope}) of {issuer}: in the ledger, and no signer's log has a signature for it"
            );
            let crl = Some((scope.to_string(), number.clone()));
            Difference::new("not-in-log", about(issuer, None, crl, None), text)
        }
        What::Pgp(key) => {
            let text = format!(
                "certification of a user id of the OpenPGP key {} by {issuer}: in the ledger, and no signer's log has a \
                 signature for it",
                hex::encode_upper(key)
            );
            Difference::new("not-in-log", about(issuer, None, None, None), text)
        }
    }
}

fn other_content(issuer: &str, serial: &Serial, logged: &Logged) -> Difference {
    let text = format!(
        "certificate {serial} of {issuer}: what the ledger has is not what signer {} signed (record {} of its log)",
        logged.signer, logged.signed
    );
    let position = Some((logged.signer, logged.signed));
    Difference::new(
        "other-content",
        about(issuer, Some(*serial), None, position),
        text,
    )
}

fn signed_and_given_up(issuer: &str, serial: &Serial, logged: &Logged) -> Difference {
    let text = format!(
        "certificate {serial} of {issuer}: the ledger gave it up, and signer {} signed it (record {} of its log)",
        logged.signer, logged.signed
    );
    let position = Some((logged.signer, logged.signed));
    Difference::new(
        "signed-and-given-up",
        about(issuer, Some(*serial), None, position),
        text,
    )
}

fn about(
    issuer: &str,
    serial: Option<Serial>,
    crl: Option<(String, CrlNumber)>,
    position: Option<(u8, u64)>,
) -> About {
    About {
        issuer: Some(issuer.to_owned()),
        serial,
        crl,
        signer: position.map(|(signer, _)| signer),
        record: position.map(|(_, record)| record),
    }
}

fn sha256(octets: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&HashAlgorithm::Sha256.digest(octets));
    hash
}
