//! Small secrets as text that a person can look at, print, and type in again: named lines between two markers, with a
//! checksum that tells a slip from a lie.
//!
//! ```text
//! -----BEGIN AVOUCH KEY SHARE-----
//! Version: 1
//! Holder: Alice
//! Checksum: 6b1f0a93
//! -----END AVOUCH KEY SHARE-----
//! ```
//!
//! The lines are given in one order, each once. Checksum is the first four octets of SHA-256 over all lines before it,
//! line feeds included; it is no protection, only help. Text outside of the markers is passed over.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

const CHECKSUM: &str = "Checksum";
const LONGEST_LINE: usize = 512;

/// Builds such a text.
pub(crate) struct Writer {
    label: &'static str,
    lines: Zeroizing<String>,
}

impl Writer {
    pub(crate) fn new(label: &'static str) -> Self {
        Self {
            label,
            // Enough for all that is written here: growing would leave copies behind.
            lines: Zeroizing::new(String::with_capacity(8 * LONGEST_LINE)),
        }
    }

    pub(crate) fn line(mut self, name: &str, value: &str) -> Self {
        // Writing into a String does not fail.
        let _ = writeln!(self.lines, "{name}: {value}");
        self
    }

    /// What stands so far: associated data for what is sealed in the lines that follow.
    pub(crate) fn so_far(&self) -> &str {
        &self.lines
    }

    pub(crate) fn finish(self) -> Zeroizing<String> {
        let Self { label, lines } = self;
        let sum = checksum(&lines);
        Zeroizing::new(format!(
            "-----BEGIN {label}-----\n{}{CHECKSUM}: {sum}\n-----END {label}-----\n",
            *lines
        ))
    }
}

/// Reads such a text, line by line.
pub(crate) struct Reader<'a> {
    lines: Vec<(&'a str, &'a str)>,
    next: usize,
}

impl<'a> Reader<'a> {
    /// Finds the text between the markers and checks the checksum. The error is a reason.
    pub(crate) fn new(label: &str, text: &'a str) -> Result<Self, String> {
        let begin = format!("-----BEGIN {label}-----");
        let end = format!("-----END {label}-----");
        let mut rest = text
            .lines()
            .map(str::trim_end)
            .skip_while(|line| *line != begin);
        rest.next()
            .ok_or_else(|| format!("it has no line \"{begin}\""))?;
        let mut lines = Vec::new();
        let mut covered = Zeroizing::new(String::with_capacity(text.len()));
        loop {
            let line = rest
                .next()
                .ok_or_else(|| format!("it has no line \"{end}\": its end is missing"))?;
            let (name, value) = line
                .split_once(": ")
                .filter(|_| line.len() <= LONGEST_LINE)
                .ok_or_else(|| "it has a line that is not \"Name: value\"".to_owned())?;
            if name == CHECKSUM {
                if value != checksum(&covered) {
                    return Err(
                        "the checksum does not match: a character was changed or a line is missing"
                            .to_owned(),
                    );
                }
                break;
            }
            covered.push_str(line);
            covered.push('\n');
            lines.push((name, value));
        }
        if rest.next() != Some(&end) {
            return Err(format!("it has no line \"{end}\" after the checksum"));
        }
        Ok(Self { lines, next: 0 })
    }

    /// The value of the next line, which must have this name.
    pub(crate) fn line(&mut self, name: &str) -> Result<&'a str, String> {
        match self.lines.get(self.next) {
            Some((found, value)) if *found == name => {
                self.next += 1;
                Ok(value)
            }
            Some((found, _)) => Err(format!(
                "it has a line \"{found}\" where \"{name}\" belongs"
            )),
            None => Err(format!("it has no line \"{name}\"")),
        }
    }

    /// As [`Self::line`], for octets in hex.
    pub(crate) fn octets<const N: usize>(&mut self, name: &str) -> Result<[u8; N], String> {
        let mut octets = [0; N];
        hex::decode_to_slice(self.line(name)?, &mut octets)
            .map_err(|_| format!("its line \"{name}\" is not {N} octets in hex"))?;
        Ok(octets)
    }

    pub(crate) fn finish(self) -> Result<(), String> {
        match self.lines.get(self.next) {
            Some((found, _)) => Err(format!("it has a line \"{found}\" too many")),
            None => Ok(()),
        }
    }
}

fn checksum(lines: &str) -> String {
    hex::encode(&digest(&SHA256, lines.as_bytes()).as_ref()[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        Writer::new("TEST")
            .line("One", "1")
            .line("Two", "0203")
            .finish()
            .to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let text = format!("a note\n{}more\n", text());
        let mut reader = Reader::new("TEST", &text).unwrap();
        assert_eq!(reader.line("One"), Ok("1"));
        assert_eq!(reader.octets::<2>("Two"), Ok([2, 3]));
        reader.finish().unwrap();
        let crlf = text.replace('\n', "\r\n");
        assert!(Reader::new("TEST", &crlf).is_ok());
    }

    #[test]
    fn every_slip_is_seen() {
        let good = text();
        let inside = good.find('\n').unwrap() + 1..good.rfind("-----END").unwrap();
        for at in inside {
            let mut bad = good.clone().into_bytes();
            bad[at] ^= 1;
            let bad = String::from_utf8(bad).unwrap();
            assert!(Reader::new("TEST", &bad).is_err(), "{bad}");
        }
        for (at, _) in good
            .char_indices()
            .skip(1)
            .filter(|(at, _)| *at < good.len() - 1)
        {
            assert!(Reader::new("TEST", &good[..at]).is_err(), "cut at {at}");
        }
        assert!(Reader::new("OTHER", &good).is_err());
    }
}
