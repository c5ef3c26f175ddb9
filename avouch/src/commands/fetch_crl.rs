//! `avouch fetch-crl`: keeps a file with a CA's CRL up to date, for whoever relies on it.
//!
//! It asks for the difference to what is there, and for the whole CRL where there is none; `judge` decides whether what
//! came may be used, `kept` is the file.

mod judge;
mod kept;
mod transfer;

use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use pki::crl::Crl;
use pki::crl::difference::{CONTENT_TYPE, Log, apply};
use pki::{Clock as _, SystemClock};
use serde_json::json;

use self::judge::Judge;
use self::kept::{Kept, Note};
use self::transfer::{Body, Got, Transfer};
use crate::cli::FetchCrlOptions;
use crate::human;
use crate::outcome::{Failure, Outcome};
use crate::records;

/// Brings `--out` up to date.
pub(crate) async fn fetch_crl(options: &FetchCrlOptions) -> Result<Outcome> {
    let judge = Judge {
        authorities: records::certificates(&options.ca)?,
        accept_sha1: options.accept_sha1,
        delta: options.delta,
        url: options.url.clone(),
        now: SystemClock.now(),
    };
    let kept = Kept::read(&options.out, &judge)?;
    let transfer = Transfer::new(options);
    let found = Fetch {
        judge: &judge,
        kept: &kept,
        transfer: &transfer,
        url: &options.url,
    }
    .newest()
    .await
    .map_err(|error| unchanged(&error, &kept, options))?;

    let crl = match &found {
        Found::New { crl, .. } => crl,
        // Unwrap safety: nothing is unchanged where nothing was.
        Found::Unchanged => kept.crl.as_ref().unwrap(),
    };
    let bytes = kept::written(crl, options.pem);
    let changed = kept.bytes.as_deref() != Some(&bytes[..]);
    let mut note = match &found {
        Found::New { note, .. } => note.clone(),
        Found::Unchanged => kept.note.clone(),
    };
    if changed {
        // Noted before the file is there: a crash in between never loses a reload.
        note.reload_due = options.exec.is_some();
        kept.write_note(&note);
        kept.replace(&bytes)?;
    }
    if let Some(command) = &options.exec
        && note.reload_due
    {
        run(command)?;
        note.reload_due = false;
        kept.write_note(&note);
    }
    Ok(told(options, &found, crl, &kept, &transfer, changed))
}

/// What there is.
enum Found {
    New { crl: Box<Crl>, note: Note, how: How },
    Unchanged,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum How {
    Difference,
    Whole,
}

struct Fetch<'a> {
    judge: &'a Judge,
    kept: &'a Kept,
    transfer: &'a Transfer,
    url: &'a str,
}

impl Fetch<'_> {
    async fn newest(&self) -> Result<Found> {
        if let Some(found) = self.by_difference().await {
            return Ok(found);
        }
        let current = self.kept.current(self.judge.now);
        let conditions = current.map(|_| self.kept.conditions()).unwrap_or_default();
        match self.transfer.get(self.url, &conditions).await? {
            Got::NotModified if current.is_some() => Ok(Found::Unchanged),
            Got::NotModified => bail!("it answers 304 though nothing was said of an older CRL"),
            Got::Body(body) => self.whole(body),
        }
    }

    /// `None` if it cannot be had that way, whatever the reason.
    async fn by_difference(&self) -> Option<Found> {
        let old = self.kept.current(self.judge.now)?;
        let from = old.number()?;
        let url = format!("{}.diff?from={from}", self.url.strip_suffix(".crl")?);
        // To a CRL's own number belongs a difference that its server tags as it tags the CRL.
        let conditions = [(
            "If-None-Match",
            format!("\"{}\"", kept::sha256_hex(old.der())),
        )];
        let body = match self.transfer.get(&url, &conditions).await.ok()? {
            Got::NotModified => return Some(Found::Unchanged),
            Got::Body(body) => body,
        };
        if !body.is_of_type(CONTENT_TYPE) {
            // The number is too old for a difference: this is the CRL, or it is nothing.
            return self.whole(body).ok();
        }
        let log = Log::read(&body.octets).ok()?;
        let new = apply(old.der(), from, &log).ok()?;
        let note = Note::default();
        self.judged(&new, note, How::Difference).ok()
    }

    fn whole(&self, body: Body) -> Result<Found> {
        let der = kept::der(&body.octets).context("what came is no CRL")?;
        let note = Note {
            etag: body.etag,
            last_modified: body.last_modified,
            ..Note::default()
        };
        self.judged(&der, note, How::Whole)
    }

    fn judged(&self, der: &[u8], mut note: Note, how: How) -> Result<Found> {
        if self.kept.crl.as_ref().is_some_and(|old| old.der() == der) {
            self.judge.still_valid(self.kept.crl.as_ref())?;
            return Ok(Found::Unchanged);
        }
        let crl = self.judge.verified(der)?;
        self.judge.still_valid(Some(&crl))?;
        self.judge.not_older(&crl, self.kept.crl.as_ref())?;
        note.sha256 = kept::sha256_hex(der);
        note.url = self.url.to_owned();
        Ok(Found::New {
            crl: Box::new(crl),
            note,
            how,
        })
    }
}

fn run(command: &str) -> Result<()> {
    let status = Command::new("sh")
        .args(["-c", command])
        .status()
        .context("the CRL is up to date, but sh cannot be started for --exec")?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the CRL is up to date, but --exec failed ({status}): {command}"
    ))
    .remedy("make that command work; the next run of this one tries it again, changed or not")
    .into())
}

fn unchanged(error: &anyhow::Error, kept: &Kept, options: &FetchCrlOptions) -> anyhow::Error {
    let out = options.out.display();
    let stays = match kept.crl.as_ref().map(Crl::next_update) {
        None => format!("there is none in {out} yet"),
        Some(Some(end)) => format!("the one in {out} stays; it is valid until {end}"),
        Some(None) => format!("the one in {out} stays"),
    };
    anyhow!("no CRL from {}: {error:#}; {stays}", options.url)
}

fn told(
    options: &FetchCrlOptions,
    found: &Found,
    crl: &Crl,
    kept: &Kept,
    transfer: &Transfer,
    changed: bool,
) -> Outcome {
    if options.quiet {
        return Outcome::silent();
    }
    let moved = transfer.received();
    let octets = crl.der().len() as u64;
    let number = |crl: &Crl| crl.number().map(ToString::to_string);
    let (what, how) = match found {
        Found::New { how, .. } => {
            let from = kept.crl.as_ref().and_then(number);
            let step = match (from, number(crl)) {
                (Some(from), Some(to)) => format!("number {from} -> {to}"),
                (None, Some(to)) => format!("number {to}"),
                (_, None) => "without a number".to_owned(),
            };
            (format!("new CRL, {step}"), Some(*how))
        }
        Found::Unchanged if changed => ("the same CRL, written anew".to_owned(), None),
        Found::Unchanged => ("unchanged".to_owned(), None),
    };
    let end = crl.next_update().map(|end| end.to_string());
    // Tenths of a percent, not rounded up to a hundred.
    let saved = 1000_u64.saturating_sub((moved * 1000).div_ceil(octets.max(1)));
    let text = format!(
        "{}: {what}, {} entries, valid until {}\n{} octets came{} for a CRL of {} octets: {}.{} % saved",
        options.out.display(),
        human::count(crl.len() as u64),
        end.as_deref().unwrap_or("it says nothing"),
        human::count(moved),
        match how {
            Some(How::Difference) => " (a difference)",
            Some(How::Whole) => " (the whole)",
            None => "",
        },
        human::count(octets),
        saved / 10,
        saved % 10,
    );
    let json = json!({
        "out": options.out,
        "changed": changed,
        "how": how.map(|how| match how {
            How::Difference => "difference",
            How::Whole => "whole",
        }),
        "number": number(crl),
        "entries": crl.len(),
        "next_update": end,
        "octets": octets,
        "received": moved,
    });
    Outcome::new(json, text)
}
