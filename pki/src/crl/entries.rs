//! The entries of a CRL as they are kept between two CRLs: encoded, in order, in pieces that many lists share.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::crl::build::{CrlEntry, append_entry};
use crate::crl::raw::RawEntry;
use crate::der_encode::tag;
use crate::der_read::{Reader, Tlv};
use crate::{Serial, Violation};

/// A change copies that much at most for each entry it touches.
const PIECE: usize = 32 * 1024;

/// Entries in ascending order of their serial numbers, one per serial number, encoded.
///
/// Cheap to clone, and [`Entries::with`] shares with the list before whatever did not change: the cost of a new CRL
/// follows the change, not the size.
///
/// ```
/// use std::collections::BTreeMap;
/// use pki::crl::Entries;
/// use pki::crl::build::CrlEntry;
/// use pki::{RevocationReason, Serial, Time};
///
/// let entry = CrlEntry {
///     serial: Serial::from_be_bytes(&[7]).unwrap(),
///     revocation_date: Time::from_unix(1_800_000_000),
///     reason: Some(RevocationReason::Superseded),
///     invalidity_date: None,
/// };
/// let none = Entries::default();
/// let one = none.with(&BTreeMap::from([(entry.serial, Some(entry))]));
/// assert_eq!((one.len(), one.get(&entry.serial)), (1, Some(entry)));
/// assert_eq!(one.changes_since(&none)[0].after, Some(entry));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Entries {
    pieces: Vec<Arc<Piece>>,
}

/// One difference between two lists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EntryChange {
    /// Whose entry it is.
    pub serial: Serial,
    /// What stood there; `None` if nothing did.
    pub before: Option<CrlEntry>,
    /// What stands there now; `None` if nothing does.
    pub after: Option<CrlEntry>,
}

/// Entries that are never changed again; at least one.
#[derive(Debug)]
struct Piece {
    octets: Box<[u8]>,
    len: usize,
    first: Serial,
}

impl Entries {
    /// Reads the content of revokedCertificates. Refused if it is not in ascending order, or an entry is not encoded as
    /// [`append_entry`] does: it could not be kept as it is.
    pub fn read(octets: &[u8]) -> Result<Self, Violation> {
        let mut writer = Writer::default();
        let mut last = None;
        let mut again = Vec::new();
        for entry in Encoded::all(octets) {
            let entry = entry?;
            let decoded = entry.decode()?;
            again.clear();
            append_entry(&mut again, &decoded);
            if again != entry.whole {
                return Err(Violation::new(
                    "RFC 5280 5.1",
                    format!("entry {} is not encoded as ours are", entry.serial),
                ));
            }
            if last.is_some_and(|last| last >= entry.serial) {
                return Err(Violation::new(
                    "CRL-17",
                    format!("entry {} is out of order or comes twice", entry.serial),
                ));
            }
            last = Some(entry.serial);
            writer.push(entry.serial, entry.whole);
        }
        Ok(writer.finish())
    }

    /// The list with these entries added, replaced, or (`None`) taken out.
    pub fn with(&self, changes: &BTreeMap<Serial, Option<CrlEntry>>) -> Self {
        let mut writer = Writer::default();
        let mut changes = changes.iter().peekable();
        let ends = self.pieces.iter().skip(1).map(|next| Some(next.first));
        for (piece, end) in self.pieces.iter().zip(ends.chain([None])) {
            let within = |serial: &Serial| end.is_none_or(|end| *serial < end);
            if changes.peek().is_none_or(|(serial, _)| !within(serial)) {
                writer.share(piece);
                continue;
            }
            for entry in Encoded::all(&piece.octets).flatten() {
                while let Some((serial, change)) =
                    changes.next_if(|(serial, _)| **serial < entry.serial)
                {
                    writer.change(*serial, change.as_ref());
                }
                match changes.next_if(|(serial, _)| **serial == entry.serial) {
                    Some((serial, change)) => writer.change(*serial, change.as_ref()),
                    None => writer.push(entry.serial, entry.whole),
                }
            }
            while let Some((serial, change)) = changes.next_if(|(serial, _)| within(serial)) {
                writer.change(*serial, change.as_ref());
            }
        }
        for (serial, change) in changes {
            writer.change(*serial, change.as_ref());
        }
        writer.finish()
    }

    /// Every difference from `old`, by ascending serial number. Pieces that both share are not looked at.
    pub fn changes_since(&self, old: &Self) -> Vec<EntryChange> {
        let mut before = old.not_in(self).peekable();
        let mut after = self.not_in(old).peekable();
        let mut changes = Vec::new();
        loop {
            let change = match (before.peek(), after.peek()) {
                (None, None) => return changes,
                (Some(old), Some(new)) if old.serial == new.serial => {
                    let same = old.whole == new.whole;
                    let (old, new) = (before.next(), after.next());
                    if same {
                        continue;
                    }
                    (old, new)
                }
                (Some(old), new) if new.is_none_or(|new| old.serial < new.serial) => {
                    (before.next(), None)
                }
                _ => (None, after.next()),
            };
            let serial = change
                .0
                .as_ref()
                .or(change.1.as_ref())
                .map(|one| one.serial);
            let decode = |entry: Option<Encoded<'_>>| entry.and_then(|entry| entry.decode().ok());
            changes.extend(serial.map(|serial| EntryChange {
                serial,
                before: decode(change.0),
                after: decode(change.1),
            }));
        }
    }

    /// The entry of this serial number.
    pub fn get(&self, serial: &Serial) -> Option<CrlEntry> {
        let after = self.pieces.partition_point(|piece| piece.first <= *serial);
        let piece = &self.pieces[after.checked_sub(1)?];
        Encoded::all(&piece.octets)
            .flatten()
            .find(|entry| entry.serial == *serial)
            .and_then(|entry| entry.decode().ok())
    }

    /// All entries, by ascending serial number.
    pub fn iter(&self) -> impl Iterator<Item = CrlEntry> + '_ {
        self.pieces
            .iter()
            .flat_map(|piece| Encoded::all(&piece.octets).flatten())
            .filter_map(|entry| entry.decode().ok())
    }

    /// The content of revokedCertificates, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &*piece.octets)
    }

    /// How many octets all pieces have.
    pub fn octets(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len).sum()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The entries in pieces that `other` does not share.
    fn not_in(&self, other: &Self) -> impl Iterator<Item = Encoded<'_>> + use<'_> {
        let shared: HashSet<_> = other.pieces.iter().map(Arc::as_ptr).collect();
        self.pieces
            .iter()
            .filter(move |piece| !shared.contains(&Arc::as_ptr(piece)))
            .flat_map(|piece| Encoded::all(&piece.octets).flatten())
    }
}

impl FromIterator<CrlEntry> for Entries {
    /// In whatever order they come; of several with one serial number the last counts.
    fn from_iter<T: IntoIterator<Item = CrlEntry>>(entries: T) -> Self {
        let changes = entries.into_iter().map(|entry| (entry.serial, Some(entry)));
        Self::default().with(&changes.collect())
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.changes_since(other).is_empty()
    }
}

/// Puts pieces together.
#[derive(Default)]
struct Writer {
    pieces: Vec<Arc<Piece>>,
    octets: Vec<u8>,
    len: usize,
    first: Option<Serial>,
}

impl Writer {
    fn push(&mut self, serial: Serial, encoded: &[u8]) {
        if self.octets.len() + encoded.len() > PIECE {
            self.close();
        }
        self.octets.extend_from_slice(encoded);
        self.len += 1;
        self.first.get_or_insert(serial);
    }

    fn change(&mut self, serial: Serial, change: Option<&CrlEntry>) {
        let Some(entry) = change else { return };
        let mut encoded = Vec::new();
        append_entry(&mut encoded, entry);
        self.push(serial, &encoded);
    }

    /// Takes a piece as it is.
    fn share(&mut self, piece: &Arc<Piece>) {
        self.close();
        self.pieces.push(Arc::clone(piece));
    }

    fn close(&mut self) {
        if let Some(first) = self.first.take() {
            self.pieces.push(Arc::new(Piece {
                octets: std::mem::take(&mut self.octets).into(),
                len: std::mem::take(&mut self.len),
                first,
            }));
        }
    }

    fn finish(mut self) -> Entries {
        self.close();
        Entries {
            pieces: self.pieces,
        }
    }
}

/// One entry where it lies.
struct Encoded<'a> {
    serial: Serial,
    whole: &'a [u8],
}

impl<'a> Encoded<'a> {
    fn all(octets: &'a [u8]) -> impl Iterator<Item = Result<Self, Violation>> + use<'a> {
        let mut list = Reader::new(octets);
        std::iter::from_fn(move || {
            (!list.is_empty()).then(|| {
                let entry = list.expect(tag::SEQUENCE, "revokedCertificates");
                let entry = entry.map_err(|error| syntax(&error)).and_then(Self::of);
                if entry.is_err() {
                    list = Reader::new(&[]);
                }
                entry
            })
        })
    }

    fn of(entry: Tlv<'a>) -> Result<Self, Violation> {
        let number = entry.reader().expect(tag::INTEGER, "userCertificate");
        let content = number.map_err(|error| syntax(&error))?.content;
        let serial = Serial::from_integer_content(content)
            .map_err(|error| Violation::new("CRL-17", error.to_string()))?;
        Ok(Self {
            serial,
            whole: entry.whole,
        })
    }

    fn decode(&self) -> Result<CrlEntry, Violation> {
        RawEntry::one(self.whole)?.decode()
    }
}

fn syntax(error: &crate::DerError) -> Violation {
    Violation::new("RFC 5280 5.1", error.to_string())
}

#[cfg(test)]
mod tests;
