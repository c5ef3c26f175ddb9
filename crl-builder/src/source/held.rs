//! The CRL of one list that is in use, and the file that a better one appears in.

use std::path::Path;
use std::time::{Duration, Instant};

use pki::Violation;
use pki::crl::Crl;
use tokio::task::block_in_place;

use super::List;
use super::files::{ListFile, Stamp};
use super::judge::{Judge, Place};
use crate::failure::Failure;
use crate::live::sha256;

/// A CRL that is from the future is judged again after this long: the clocks may differ a little.
const FUTURE_AGAIN: Duration = Duration::from_secs(5);
const FUTURE: &str = "CRL-32";

/// One list of one issuer.
#[derive(Debug)]
pub(crate) struct Held {
    list: List,
    file: ListFile,
    /// The file as it was when it was last judged.
    stamp: Option<Stamp>,
    look_again: Option<Instant>,
    crl: Option<Crl>,
    /// Why what the file holds is not used.
    trouble: Option<String>,
}

/// What a look at the file is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) judge: Judge<'a>,
    /// Octets.
    pub(crate) limit: u64,
    /// Whether one that has ended may be taken up though it is new.
    pub(crate) ended_too: bool,
    /// CRLs that were taken up before, by their hash.
    pub(crate) known: &'a [[u8; 32]],
    /// The one before the start of this process.
    pub(crate) before: Option<Place<'a>>,
}

impl Held {
    pub(crate) fn new(directory: &Path, issuer: &str, list: List) -> Self {
        Self {
            list,
            file: ListFile::new(directory, issuer, list),
            stamp: None,
            look_again: None,
            crl: None,
            trouble: None,
        }
    }

    pub(crate) fn crl(&self) -> Option<&Crl> {
        self.crl.as_ref()
    }

    pub(crate) fn file(&self) -> &ListFile {
        &self.file
    }

    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The hash of the CRL in use.
    pub(crate) fn sha256(&self) -> Option<[u8; 32]> {
        self.crl.as_ref().map(|crl| sha256(crl.der()))
    }

    /// Uses what is known to be good from elsewhere, as long as there is nothing better.
    pub(crate) fn keep(&mut self, crl: Crl) {
        self.crl.get_or_insert(crl);
    }

    /// Whether it may follow the one in use (CRL-11).
    pub(crate) fn check_follows(
        &self,
        crl: &Crl,
        before: Option<Place<'_>>,
    ) -> Result<(), Violation> {
        match self.crl.as_ref().map(Place::of).or(before) {
            Some(last) => Place::of(crl).check_follows(&last),
            None => Ok(()),
        }
    }

    /// Looks at the file; true if a CRL in it was taken up, or found unusable.
    pub(crate) fn look(&mut self, look: &Look<'_>) -> Result<bool, Failure> {
        let stamp = self.file.stamp()?;
        let again = self.look_again.is_some_and(|at| at <= Instant::now());
        if stamp == self.stamp && !again {
            return Ok(false);
        }
        let Some(found) = stamp else {
            // A file that was taken away takes nothing down: what is in use stays until it is replaced.
            self.stamp = None;
            self.trouble = None;
            return Ok(false);
        };
        let judged = if found.length > look.limit {
            Err(Violation::new(
                "source.max_megabytes",
                format!("it has {} octets, more than {}", found.length, look.limit),
            ))
        } else {
            let der = self.file.read()?;
            if Some(sha256(&der)) == self.sha256() {
                Ok(None)
            } else {
                block_in_place(|| self.judge(&der, look)).map(Some)
            }
        };
        self.stamp = stamp;
        self.look_again = None;
        match judged {
            Ok(None) => {
                self.trouble = None;
                Ok(false)
            }
            Ok(Some(crl)) => {
                self.crl = Some(crl);
                self.trouble = None;
                Ok(true)
            }
            Err(why) => {
                if why.rule == FUTURE {
                    self.look_again = Some(Instant::now() + FUTURE_AGAIN);
                }
                self.trouble = Some(format!("{} is not used: {why}", self.file.path().display()));
                Ok(true)
            }
        }
    }

    fn judge(&self, der: &[u8], look: &Look<'_>) -> Result<Crl, Violation> {
        let old = look.ended_too || look.known.contains(&sha256(der));
        let judged = if old {
            look.judge.verified(der, self.list)
        } else {
            look.judge.verified_news(der, self.list)
        };
        judged.and_then(|crl| self.check_follows(&crl, look.before).map(|()| crl))
    }
}
