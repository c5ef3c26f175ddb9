//! The database of `openssl ca`: one certificate a line, six fields separated by tabs.
//!
//! ```text
//! V|R|E  expiry  [revocation date[,reason[,extra]]]  serial  file|unknown  /C=…/CN=…
//! ```
//!
//! Taken as real files have it: dates with two- or four-digit years, tabs inside a field behind a
//! backslash, `\xC3\x89` in names, carriage returns, blank lines, comments. What cannot be understood
//! is an error of its line; the lines after it are read on.

use std::io::{self, BufRead};

use pki::{RevocationReason, Serial, Time};

/// One certificate of the database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) serial: Serial,
    pub(crate) not_after: Time,
    pub(crate) subject: String,
    pub(crate) revocation: Option<Revocation>,
}

/// When and why it was revoked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Revocation {
    pub(crate) time: Time,
    pub(crate) reason: RevocationReason,
    pub(crate) invalidity_date: Option<Time>,
}

/// One line that holds, or should hold, an entry.
#[derive(Debug)]
pub(crate) struct Line {
    /// Counted from 1, as editors do.
    pub(crate) number: u64,
    /// Octets read from the file up to the end of this line.
    pub(crate) position: u64,
    pub(crate) entry: Result<Entry, LineError>,
}

/// Reads the lines one by one; blank lines and comments are passed over.
pub(crate) fn lines(reader: impl BufRead) -> impl Iterator<Item = io::Result<Line>> {
    Lines {
        reader,
        number: 0,
        position: 0,
        buffer: Vec::new(),
    }
}

struct Lines<R> {
    reader: R,
    number: u64,
    position: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.buffer.clear();
            match self.reader.read_until(b'\n', &mut self.buffer) {
                Err(error) => return Some(Err(error)),
                Ok(0) => return None,
                Ok(length) => self.position += length as u64,
            }
            self.number += 1;
            let line = self.buffer.trim_ascii_end();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            // An empty subject leaves a tab at the end, which is a field and no white space.
            let line = without_line_end(&self.buffer);
            return Some(Ok(Line {
                number: self.number,
                position: self.position,
                entry: parse(line),
            }));
        }
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn parse(line: &[u8]) -> Result<Entry, LineError> {
    let fields = split(line);
    let [status, expiry, revocation, serial, _file, subject] =
        <[String; 6]>::try_from(fields).map_err(|fields| LineError::Fields(fields.len()))?;
    let not_after = date(&expiry)?;
    let serial: Serial = serial
        .trim()
        .parse()
        .map_err(|_| LineError::Serial(serial))?;
    let revocation = match (status.as_str(), revocation.trim()) {
        ("V" | "E", "") => None,
        ("V" | "E", _) => return Err(LineError::ValidAndRevoked),
        ("R", "") => return Err(LineError::NoRevocationDate),
        ("R", text) => Some(parse_revocation(text)?),
        _ => return Err(LineError::Status(status)),
    };
    Ok(Entry {
        serial,
        not_after,
        subject: unescape(&subject),
        revocation,
    })
}

/// Splits at tabs; `\` before a tab makes the tab a part of the field.
fn split(line: &[u8]) -> Vec<String> {
    let mut fields = vec![Vec::new()];
    for &byte in line {
        // Unwrap safety: `fields` starts with one field and only grows.
        let field = fields.last_mut().unwrap();
        match byte {
            b'\t' if field.last() == Some(&b'\\') => {
                field.pop();
                field.push(b'\t');
            }
            b'\t' => fields.push(Vec::new()),
            _ => field.push(byte),
        }
    }
    fields
        .into_iter()
        .map(|field| String::from_utf8_lossy(&field).into_owned())
        .collect()
}

/// `date`, `date,reason`, `date,holdInstruction,OID`, `date,keyTime,date`, `date,CAkeyTime,date`.
fn parse_revocation(text: &str) -> Result<Revocation, LineError> {
    let mut parts = text.splitn(3, ',');
    let time = date(parts.next().unwrap_or_default())?;
    let (reason, extra) = (parts.next().unwrap_or_default().trim(), parts.next());
    let plain = |reason| {
        Ok(Revocation {
            time,
            reason,
            invalidity_date: None,
        })
    };
    let with_key_time = |reason| {
        let moment = extra.ok_or_else(|| LineError::Reason(text.to_owned()))?;
        Ok(Revocation {
            time,
            reason,
            invalidity_date: Some(date(moment)?),
        })
    };
    if reason.is_empty() {
        plain(RevocationReason::Unspecified)
    } else if reason.eq_ignore_ascii_case("holdInstruction") {
        plain(RevocationReason::CertificateHold)
    } else if reason.eq_ignore_ascii_case("keyTime") {
        with_key_time(RevocationReason::KeyCompromise)
    } else if reason.eq_ignore_ascii_case("CAkeyTime") {
        with_key_time(RevocationReason::CaCompromise)
    } else {
        match reason.parse() {
            Ok(RevocationReason::RemoveFromCrl) => Err(LineError::RemoveFromCrl),
            Ok(reason) => plain(reason),
            Err(_) => Err(LineError::Reason(reason.to_owned())),
        }
    }
}

/// `YYMMDDHHMM[SS]Z` (50 to 99 are the last century, RFC 5280 section 4.1.2.5.1) or `YYYYMMDDHHMMSSZ`.
fn date(text: &str) -> Result<Time, LineError> {
    let error = || LineError::Date(text.to_owned());
    let digits = text.trim().strip_suffix('Z').ok_or_else(error)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error());
    }
    let number = |from: usize, length: usize| -> u32 {
        digits[from..from + length]
            .bytes()
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
    };
    let (year, rest) = match digits.len() {
        14 => (number(0, 4), 4),
        10 | 12 => (
            if number(0, 2) < 50 { 2000 } else { 1900 } + number(0, 2),
            2,
        ),
        _ => return Err(error()),
    };
    let second = if digits.len() == 10 {
        0
    } else {
        number(rest + 8, 2)
    };
    Time::from_calendar(
        i64::from(year),
        number(rest, 2),
        number(rest + 2, 2),
        number(rest + 4, 2),
        number(rest + 6, 2),
        second,
    )
    .ok_or_else(error)
}

/// `\xC3\x89` to `É`; left as it is when the octets are no UTF-8 text.
fn unescape(subject: &str) -> String {
    let mut out = Vec::with_capacity(subject.len());
    let mut rest = subject.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = rest.strip_prefix(b"\\x").and_then(|tail| {
            let mut octet = [0];
            hex::decode_to_slice(tail.get(..2)?, &mut octet).ok()?;
            Some(octet[0])
        });
        match escaped {
            Some(octet) => {
                out.push(octet);
                rest = &rest[4..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(text) if !text.chars().any(char::is_control) => text,
        _ => subject.to_owned(),
    }
}

/// Why a line is not understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LineError {
    Date(String),
    Fields(usize),
    NoRevocationDate,
    Reason(String),
    RemoveFromCrl,
    Serial(String),
    Status(String),
    ValidAndRevoked,
}

impl std::fmt::Display for LineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Date(text) => {
                write!(f, "{text:?} is no date like 271121100000Z or 20271121100000Z")
            }
            Self::Fields(count) => {
                write!(f, "{count} fields separated by tabs where `openssl ca` writes 6")
            }
            Self::NoRevocationDate => f.write_str("status R without a revocation date"),
            Self::Reason(text) => write!(f, "{text:?} is no revocation reason that `openssl ca` writes"),
            Self::RemoveFromCrl => f.write_str(
                "removeFromCRL is a reason for delta CRLs alone and no status: decide whether the certificate is valid (V) or revoked for another reason",
            ),
            Self::Serial(text) => {
                write!(f, "{text:?} is no serial number: hex, greater than zero, at most 20 octets")
            }
            Self::Status(text) => write!(f, "{text:?} is no status: V (valid), R (revoked) or E (expired)"),
            Self::ValidAndRevoked => f.write_str(
                "a revocation date on a certificate that is not R: decide whether it is revoked",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
