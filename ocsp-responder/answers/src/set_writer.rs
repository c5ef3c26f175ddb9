//! Making a large set as a file.

use std::fs::File;
use std::ops::RangeInclusive;
use std::path::Path;

use pki::ocsp::response::CertStatus;
use pki::{Certificate, HashAlgorithm, PublicKey, Serial, SignatureAlgorithm};

use crate::declared::{BatchId, Declared};
use crate::format::{Layout, MAX_SERIAL_WIDTH, MAX_SIGNATURE_WIDTH};
use crate::signature::Packing;
use crate::writer::{Finished, Writer};
use crate::{Batch, BuildError, index};

/// How much room each record of a set has; settled before the first record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Widths {
    /// Octets of the longest serial number, 1 to 20.
    pub serial: usize,
    /// Octets of the widest signature as it is stored, see [`Widths::of_signature`].
    pub signature: usize,
}

impl Widths {
    /// The octets that a signature of that key takes; `None` if the key makes no such signatures.
    pub fn of_signature(key: &PublicKey, algorithm: SignatureAlgorithm) -> Option<usize> {
        Packing::new(key, algorithm).map(Packing::width)
    }
}

/// Writes answers by ascending serial number into a file; the memory it needs does not grow with their number, but for
/// one hash per 256 records.
pub struct SetWriter {
    declared: Declared,
    /// The number of each declared batch in the object, from its first answer on.
    numbers: Vec<Option<u32>>,
    writer: Writer<File>,
}

impl SetWriter {
    /// Begins the file, which must not be there yet, for the certificates of `ca` and CertIDs of these hashes.
    pub fn create(
        path: &Path,
        ca: &Certificate,
        hashes: &[HashAlgorithm],
        widths: Widths,
    ) -> Result<Self, BuildError> {
        let declared = Declared::new(ca, hashes)?;
        let fits = |what, found, range: RangeInclusive<usize>| {
            let room = *range.end();
            let fits = range.contains(&found).then_some(());
            fits.ok_or(BuildError::TooWide { what, found, room })
        };
        fits("serial number", widths.serial, 1..=MAX_SERIAL_WIDTH)?;
        fits("signature", widths.signature, 0..=MAX_SIGNATURE_WIDTH)?;
        let layout = Layout {
            serial_width: widths.serial,
            hashes: declared.cert_ids.len(),
            signature_width: widths.signature,
        };
        let writer = Writer::new(
            create(path)?,
            layout,
            declared.cert_ids.clone(),
            index::seed(ca),
        )?;
        Ok(Self {
            declared,
            numbers: Vec::new(),
            writer,
        })
    }

    /// The hashes, in the order in which [`SetWriter::answer`] takes the signatures.
    pub fn hashes(&self) -> impl Iterator<Item = HashAlgorithm> + '_ {
        self.declared.hashes()
    }

    /// Declares what the answers that follow share.
    pub fn batch(&mut self, batch: Batch) -> Result<BatchId, BuildError> {
        let id = self.declared.batch(batch)?;
        self.numbers.push(None);
        Ok(id)
    }

    /// Adds an answer with its signatures, one per hash in the order of [`SetWriter::hashes`].
    pub fn answer(
        &mut self,
        serial: Serial,
        status: CertStatus,
        batch: BatchId,
        signatures: &[impl AsRef<[u8]>],
    ) -> Result<(), BuildError> {
        let (status, signatures) = self.declared.pack(serial, status, batch, signatures)?;
        let (declared, packing) = &self.declared.batches[batch.0];
        let number = match self.numbers[batch.0] {
            Some(number) => number,
            None => *self.numbers[batch.0].insert(self.writer.batch(declared)?),
        };
        self.writer
            .answer(&serial, status, number, &signatures, packing.width())
    }

    /// Adds the note that a certificate has left.
    pub fn remove(&mut self, serial: Serial) -> Result<(), BuildError> {
        self.writer.removal(&serial)
    }

    /// Writes index and tables. The file is complete, but not yet forced to disk.
    pub fn finish(self) -> Result<Finished, BuildError> {
        Ok(self.writer.finish()?.1)
    }
}

/// A new file that can be read back while it is written.
pub(crate) fn create(path: &Path) -> Result<File, BuildError> {
    Ok(File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?)
}
