//! Folding layers into one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::BuildError;
use crate::format::Layout;
use crate::layered::Merged;
use crate::record::REMOVED;
use crate::set::AnswerSet;
use crate::writer::Writer;

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
            .map(|layer| layer.layout.serial_width)
            .max()
            .unwrap_or(1),
        hashes: newest.layout.hashes,
        signature_width: layers
            .iter()
            .map(|layer| widest_used(layer))
            .max()
            .unwrap_or(0),
    };
    let expected = layers.iter().map(|layer| layer.len()).sum();
    let mut writer = Writer::new(layout, newest.cert_ids().to_vec(), expected);
    let mut numbers: HashMap<(usize, u32), u32> = HashMap::new();
    for (layer, index) in Merged::new(layers, None) {
        let set = &layers[layer];
        let record = set.record(index);
        let serial = record.serial();
        if record.status_code() == REMOVED {
            if removals == Removals::Keep {
                writer.removal(serial.as_bytes());
            }
            continue;
        }
        let old = record.batch();
        let number = match numbers.get(&(layer, old)) {
            Some(number) => *number,
            None => {
                let number = writer.batch(&set.batches()[old as usize])?;
                numbers.insert((layer, old), number);
                number
            }
        };
        let status = (record.status_code(), record.time().unix());
        writer.answer(
            serial.as_bytes(),
            status,
            number,
            record.signatures(),
            set.layout.signature_width,
        );
    }
    Ok(writer.finish())
}

/// The width of the widest signature that is really there.
fn widest_used(set: &AnswerSet) -> usize {
    let sizes = set.batch_sizes.iter().enumerate();
    let used = sizes.filter(|(_, size)| **size > 0);
    used.map(|(batch, _)| set.template(batch, 0).signature.width())
        .max()
        .unwrap_or(0)
}
