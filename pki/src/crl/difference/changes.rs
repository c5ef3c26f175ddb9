//! What changes from one CRL to the next: the content of a segment.

use crate::Serial;
use crate::crl::difference::{DifferenceError, Parts, ascending, entry};
use crate::der_encode::{self, tag};
use crate::der_read::Reader;

/// One change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change<'a> {
    /// The serial number has no entry any more.
    Remove(Serial),
    /// Its entry is this element of revokedCertificates from now on, whether it had one or not.
    Set(&'a [u8]),
}

impl<'a> Change<'a> {
    /// The serial number that it is about.
    pub fn serial(&self) -> Result<Serial, DifferenceError> {
        match self {
            Self::Remove(serial) => Ok(*serial),
            Self::Set(whole) => {
                let mut reader = Reader::new(whole);
                let (serial, _) = entry(&mut reader)?;
                reader.finish("revokedCertificates")?;
                Ok(serial)
            }
        }
    }

    /// The entry that there is afterwards.
    pub(super) fn entry(&self) -> Option<&'a [u8]> {
        match self {
            Self::Remove(_) => None,
            Self::Set(entry) => Some(entry),
        }
    }

    /// An entry as it stands in the CRL (SEQUENCE), or a serial number alone (INTEGER).
    pub(super) fn append(&self, out: &mut Vec<u8>) {
        match self {
            Self::Remove(serial) => out.extend(der_encode::integer(serial.as_bytes())),
            Self::Set(entry) => out.extend_from_slice(entry),
        }
    }

    fn read(list: &mut Reader<'a>) -> Result<(Serial, Self), DifferenceError> {
        if list.peek() == Some(tag::INTEGER) {
            let serial = list.serial("removed serial number")?;
            return Ok((serial, Self::Remove(serial)));
        }
        let (serial, whole) = entry(list)?;
        Ok((serial, Self::Set(whole)))
    }
}

/// The changes of a segment, ascending.
pub(super) fn read_all(
    content: &[u8],
) -> impl Iterator<Item = Result<(Serial, Change<'_>), DifferenceError>> {
    let mut list = Reader::new(content);
    ascending(std::iter::from_fn(move || {
        (!list.is_empty()).then(|| {
            let read = Change::read(&mut list);
            if read.is_err() {
                list = Reader::new(&[]);
            }
            read
        })
    }))
}

/// What leads from one CRL to another, ascending by serial number. Reads all of both.
pub fn between<'a>(old: &[u8], new: &'a [u8]) -> Result<Vec<Change<'a>>, DifferenceError> {
    let mut old = Parts::of(old)?.entries().peekable();
    let mut changes = Vec::new();
    for item in Parts::of(new)?.entries() {
        let (serial, entry) = item?;
        let mut known = None;
        while let Some((before, old_entry)) = old
            .next_if(|old| !matches!(old, Ok((before, _)) if *before > serial))
            .transpose()?
        {
            if before == serial {
                known = Some(old_entry);
            } else {
                changes.push(Change::Remove(before));
            }
        }
        if known != Some(entry) {
            changes.push(Change::Set(entry));
        }
    }
    for item in old {
        changes.push(Change::Remove(item?.0));
    }
    Ok(changes)
}
