//! Folding layers into one.

use std::collections::HashMap;
use std::io::{Cursor, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use crate::format::{Layout, algorithm_from_code};
use crate::merged::Merged;
use crate::record::REMOVED;
use crate::set::AnswerSet;
use crate::set_writer::create;
use crate::tables::StoredBatch;
use crate::writer::{Finished, Writer};
use crate::{Batch, BuildError, Damaged};

/// What becomes of the notes that certificates have left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Removals {
    /// The base is among the layers: nothing is below, the notes have done their work.
    Drop,
    /// Older layers stay below: the notes must still hide what those say.
    Keep,
}

/// One object that says what `layers` (newest first) say together. All must be of one issuer and for the same hashes.
///
/// Nothing is signed anew; batches that no answer uses any more are left out.
pub fn merge(layers: &[Arc<AnswerSet>], removals: Removals) -> Result<Vec<u8>, BuildError> {
    let (octets, _) = merge_into(Cursor::new(Vec::new()), layers, removals)?;
    Ok(octets.into_inner())
}

/// Like [`merge()`], into a new file: memory does not grow with the layers. The file is not yet forced to disk.
pub fn merge_to_file(
    path: &Path,
    layers: &[Arc<AnswerSet>],
    removals: Removals,
) -> Result<Finished, BuildError> {
    Ok(merge_into(create(path)?, layers, removals)?.1)
}

fn merge_into<W: Read + Seek + Write>(
    sink: W,
    layers: &[Arc<AnswerSet>],
    removals: Removals,
) -> Result<(W, Finished), BuildError> {
    let Some(newest) = layers.first() else {
        return Err(BuildError::Hashes(Vec::new()));
    };
    if layers
        .iter()
        .any(|layer| layer.cert_ids() != newest.cert_ids())
    {
        let hashes = layers
            .iter()
            .flat_map(|layer| layer.cert_ids())
            .map(|cert_id| cert_id.hash);
        return Err(BuildError::Hashes(hashes.collect()));
    }
    let layout = Layout {
        serial_width: layers
            .iter()
            .map(|layer| layer.tables.layout.serial_width)
            .max()
            .unwrap_or(1),
        hashes: newest.tables.layout.hashes,
        signature_width: layers
            .iter()
            .map(|layer| widest_used(layer))
            .max()
            .unwrap_or(0),
    };
    let cert_ids = newest.cert_ids().to_vec();
    let mut writer = Writer::new(sink, layout, cert_ids, newest.tables.homes.seed())?;
    let mut numbers: HashMap<(usize, u32), u32> = HashMap::new();
    for found in Merged::new(layers, None)? {
        let (layer, index) = found?;
        let set = &layers[layer];
        let record = set.record(index)?;
        let Some(serial) = set.serial_at(index)? else {
            break;
        };
        if record.status_code() == REMOVED {
            if removals == Removals::Keep {
                writer.removal(&serial)?;
            }
            continue;
        }
        let old = record.batch();
        let number = match numbers.get(&(layer, old)) {
            Some(number) => *number,
            None => {
                let number = writer.batch(&batch(set, old)?)?;
                numbers.insert((layer, old), number);
                number
            }
        };
        writer.answer(
            &serial,
            (record.status_code(), record.time().unix()),
            number,
            record.signatures(),
            set.tables.layout.signature_width,
        )?;
    }
    writer.finish()
}

fn batch(set: &AnswerSet, number: u32) -> Result<Batch, Damaged> {
    let stored = set.tables.batch(&set.octets, number as usize);
    let whole = stored.and_then(|stored| {
        let StoredBatch {
            window,
            responder,
            algorithm,
            ..
        } = stored;
        Some(Batch {
            this_update: window.this_update,
            next_update: window.next_update,
            refresh_at: window.refresh_at,
            responder: set.tables.responders.get(usize::from(responder))?.clone(),
            signature_algorithm: algorithm_from_code(algorithm)?,
        })
    });
    whole.ok_or_else(|| {
        set.damaged(
            set.tables.batches_at,
            "a record names a batch that is not there",
        )
    })
}

/// The width of the widest signature that is really there.
fn widest_used(set: &AnswerSet) -> usize {
    let signers = set.tables.signers.list.iter();
    signers
        .map(|signer| signer.packing.width())
        .max()
        .unwrap_or(0)
}
