//! What the signer remembers: the requests it has seen, the serial numbers it has used, the CRLs it has signed.
//! All of it comes from the journal.

use std::collections::{HashMap, HashSet};

use pki::{CrlNumber, Serial, Time};
use wire::{RefusalCode, Refused, RequestId};

use crate::journal::Entry;
use crate::journal_record::{Act, CrlScope, Hash, Record};

/// The memory.
#[derive(Debug, Default)]
pub struct State {
    requests: HashMap<RequestId, Seen>,
    serials: HashMap<Hash, HashSet<Serial>>,
    crls: HashMap<(Hash, CrlScope), LastCrl>,
    keys_in_use: HashMap<String, Hash>,
    latest: Option<Time>,
}

/// The newest CRL of an issuer and scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCrl {
    /// Its number.
    pub number: CrlNumber,
    /// Its thisUpdate.
    pub this_update: Time,
}

/// What is known about a request when it arrives.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing, or an intent without an answer from before a crash: it may be done now.
    New {
        /// There is an intent on record.
        reopened: bool,
    },
    /// It is being done at this moment.
    InProgress,
    /// It was answered: the record is at this offset of the journal and has this number.
    Answered {
        /// Offset in the journal.
        offset: u64,
        /// Number of the record.
        sequence: u64,
    },
    /// The id belongs to a request of other content.
    OtherContent,
}

#[derive(Debug)]
struct Seen {
    digest: Hash,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Answered {
        offset: u64,
        sequence: u64,
    },
    /// Being done; with an intent on record or not yet.
    InProgress {
        intent: bool,
    },
    Intent,
}

impl State {
    /// Takes over a record of the journal.
    pub fn replay(&mut self, entry: &Entry, record: Record) {
        if let Some(time) = record.time() {
            self.latest = self.latest.max(Some(Time::from_unix(time)));
        }
        match record {
            Record::Created { .. } | Record::Started { .. } => {}
            Record::CaCertificate {
                authority, serial, ..
            } => self.use_serial(authority, &serial),
            Record::KeyInUse {
                name, certificate, ..
            } => {
                self.keys_in_use.insert(name, certificate);
            }
            Record::Intent {
                id, digest, act, ..
            } => {
                self.apply(&act);
                self.requests.insert(
                    id,
                    Seen {
                        digest,
                        stage: Stage::Intent,
                    },
                );
            }
            Record::Signed { id, .. } => self.answered(id, entry),
            Record::Refused { id, digest, .. } => {
                self.requests.insert(
                    id,
                    Seen {
                        digest,
                        stage: Stage::Intent,
                    },
                );
                self.answered(id, entry);
            }
        }
    }

    /// What is known about a request; a new one is in progress from now on, until [`Self::answered`] or
    /// [`Self::abandon`].
    pub fn begin(&mut self, id: RequestId, digest: Hash) -> Known {
        let Some(seen) = self.requests.get_mut(&id) else {
            let stage = Stage::InProgress { intent: false };
            self.requests.insert(id, Seen { digest, stage });
            return Known::New { reopened: false };
        };
        if seen.digest != digest {
            return Known::OtherContent;
        }
        match seen.stage {
            Stage::Answered { offset, sequence } => Known::Answered { offset, sequence },
            Stage::InProgress { .. } => Known::InProgress,
            Stage::Intent => {
                seen.stage = Stage::InProgress { intent: true };
                Known::New { reopened: true }
            }
        }
    }

    /// Whether `act` may be done: its serial number is unused, its CRL number rises. `reopened` acts are on record
    /// themselves. An act that may be done is remembered at once.
    pub fn admit(&mut self, id: RequestId, act: &Act, reopened: bool) -> Result<(), Refused> {
        match act {
            Act::Certificate {
                authority, serial, ..
            } => {
                let used = self.serials.get(authority).is_some_and(|used| {
                    Serial::from_be_bytes(serial).is_ok_and(|serial| used.contains(&serial))
                });
                if used && !reopened {
                    return Err(refused(
                        RefusalCode::SerialUsed,
                        "tbs.serialNumber",
                        "this issuer has used the serial number before (V6)".to_owned(),
                    ));
                }
            }
            Act::Crl {
                authority,
                number,
                this_update,
                scope,
                ..
            } => {
                let this_update = Time::from_unix(*this_update);
                if let Some(last) = self.last_crl(authority, scope) {
                    check_rises(last, number, this_update, reopened)?;
                }
                if let Some(complete) = self.last_crl(authority, &CrlScope::Complete)
                    && *scope == CrlScope::Delta
                {
                    check_goes_with(complete, number, this_update)?;
                }
            }
        }
        self.apply(act);
        if let Some(seen) = self.requests.get_mut(&id) {
            seen.stage = Stage::InProgress { intent: true };
        }
        Ok(())
    }

    /// A request was answered by the record of this entry.
    pub fn answered(&mut self, id: RequestId, entry: &Entry) {
        if let Some(seen) = self.requests.get_mut(&id) {
            seen.stage = Stage::Answered {
                offset: entry.offset,
                sequence: entry.receipt.sequence,
            };
        }
    }

    /// A request could not be answered; it may be tried again.
    pub fn abandon(&mut self, id: RequestId) {
        match self.requests.get_mut(&id) {
            Some(Seen {
                stage: Stage::InProgress { intent: false },
                ..
            }) => {
                self.requests.remove(&id);
            }
            Some(seen) if matches!(seen.stage, Stage::InProgress { .. }) => {
                seen.stage = Stage::Intent
            }
            _ => {}
        }
    }

    /// Where the answer to a request stands, if there is one: offset and number of the record.
    pub fn answer(&self, id: &RequestId) -> Option<(u64, u64)> {
        match self.requests.get(id)?.stage {
            Stage::Answered { offset, sequence } => Some((offset, sequence)),
            Stage::InProgress { .. } | Stage::Intent => None,
        }
    }

    /// The newest CRL of an issuer and scope.
    pub fn last_crl(&self, authority: &Hash, scope: &CrlScope) -> Option<&LastCrl> {
        self.crls.get(&(*authority, scope.clone()))
    }

    /// Whether the journal says that this key, with this certificate, is in use.
    pub fn is_in_use(&self, name: &str, certificate: &Hash) -> bool {
        self.keys_in_use.get(name) == Some(certificate)
    }

    /// The latest time in the journal; the clock must not be before it.
    pub const fn latest(&self) -> Option<Time> {
        self.latest
    }

    fn apply(&mut self, act: &Act) {
        match act {
            Act::Certificate {
                authority, serial, ..
            } => self.use_serial(*authority, serial),
            Act::Crl {
                authority,
                number,
                this_update,
                scope,
                ..
            } => {
                let Ok(number) = CrlNumber::from_be_bytes(number) else {
                    return;
                };
                let crl = LastCrl {
                    number,
                    this_update: Time::from_unix(*this_update),
                };
                match self.last_crl(authority, scope) {
                    Some(last) if last.number >= crl.number => {}
                    _ => drop(self.crls.insert((*authority, scope.clone()), crl)),
                }
            }
        }
    }

    fn use_serial(&mut self, authority: Hash, serial: &[u8]) {
        // What is on record was a serial number when it was written.
        if let Ok(serial) = Serial::from_be_bytes(serial) {
            self.serials.entry(authority).or_default().insert(serial);
        }
    }
}

fn check_rises(
    last: &LastCrl,
    number: &[u8],
    this_update: Time,
    reopened: bool,
) -> Result<(), Refused> {
    let not_newer = |field, message| Err(refused(RefusalCode::CrlNotNewer, field, message));
    let Ok(number) = CrlNumber::from_be_bytes(number) else {
        return not_newer("number", "not a CRL number".to_owned());
    };
    if number < last.number || (number == last.number && !reopened) {
        return not_newer(
            "number",
            format!(
                "CRL number {number} is not above the last one, {} (V5)",
                last.number
            ),
        );
    }
    if this_update < last.this_update {
        return not_newer(
            "tbs.thisUpdate",
            format!(
                "thisUpdate {this_update} is before that of the last CRL, {}",
                last.this_update
            ),
        );
    }
    Ok(())
}

/// A delta comes with the complete CRL of its number, or after the newest one (RFC 5280 section 5.2.3).
fn check_goes_with(complete: &LastCrl, number: &[u8], this_update: Time) -> Result<(), Refused> {
    let fits = CrlNumber::from_be_bytes(number).is_ok_and(|number| {
        number > complete.number || number == complete.number && this_update == complete.this_update
    });
    if fits {
        return Ok(());
    }
    Err(refused(
        RefusalCode::CrlNotNewer,
        "number",
        format!(
            "a delta CRL has number and thisUpdate of the complete CRL {} of {}, or a higher number (CRL-10)",
            complete.number, complete.this_update
        ),
    ))
}

fn refused(code: RefusalCode, field: &str, message: String) -> Refused {
    Refused {
        code,
        field: field.to_owned(),
        message,
    }
}
