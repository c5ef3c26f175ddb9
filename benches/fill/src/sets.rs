//! Answer sets from signed rows, streamed into files that a [`Channel`] publishes.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use answers::{AnswerSet, Batch, BatchId, Removals, SetWriter, Widths, merge_to_file};
use anyhow::Context as _;
use publication::Source;

use crate::sign::{BATCH, Row, Times, sign};
use crate::{Channel, Site};

/// A set, published or about to be.
#[derive(Clone, Debug)]
pub struct Set {
    /// Where its octets are.
    pub source: Source,
    /// Octets of its tail, which its name is the hash of.
    pub tail: u64,
}

/// Signs the rows 0 to `count`, whose serial numbers must ascend, and makes a set of them. Memory does not grow with
/// `count`.
pub fn make(
    site: &Site,
    channel: &Channel,
    times: Times,
    count: u64,
    row: &(dyn Fn(u64) -> Row + Sync),
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Set> {
    let path = staging_file(channel)?;
    let authority = &site.authority;
    let key = authority.responder.public_key();
    let signature = Widths::of_signature(key, authority.algorithm)
        .context("this key is not for answer sets")?;
    let widths = Widths {
        serial: site.population.serial_width(),
        signature,
    };
    let mut writer = SetWriter::create(&path, &authority.ca, &site.hashes, widths)?;
    let (mut done, mut batch): (u64, Option<BatchId>) = (0, None);
    sign(authority, &site.hashes, times, count, row, &mut |signed| {
        let id = match batch.filter(|_| done % BATCH != 0) {
            Some(batch) => batch,
            None => *batch.insert(writer.batch(declared(site, times.of_row(done)))?),
        };
        writer.answer(signed.row.serial, signed.row.status, id, &signed.signatures)?;
        done += 1;
        progress(done);
        Ok(())
    })?;
    let tail = writer.finish()?.tail;
    Ok(Set {
        source: Source::File(path),
        tail,
    })
}

/// A set in memory, small enough for it.
#[derive(Clone, Debug)]
pub struct Small(Arc<AnswerSet>);

impl Small {
    /// Signs these rows, in ascending order.
    pub fn sign(site: &Site, times: Times, rows: &[Row]) -> anyhow::Result<Self> {
        let authority = &site.authority;
        let mut builder = answers::Builder::new(&authority.ca, &site.hashes)?;
        let batch = builder.batch(declared(site, times.of_row(0)))?;
        let row = |n: u64| rows[n as usize];
        let count = (rows.len() as u64).min(BATCH);
        anyhow::ensure!(
            count == rows.len() as u64,
            "{} rows are more than a small set has",
            rows.len()
        );
        sign(authority, &site.hashes, times, count, &row, &mut |signed| {
            let row = signed.row;
            Ok(builder.answer(row.serial, row.status, batch, &signed.signatures)?)
        })?;
        let set = AnswerSet::from_bytes(builder.finish()?, &authority.ca)?;
        Ok(Self(Arc::new(set)))
    }

    /// One set that says what these say, the newest first.
    pub fn merge(site: &Site, newest_first: &[Self]) -> anyhow::Result<Self> {
        let layers: Vec<_> = newest_first.iter().map(|set| Arc::clone(&set.0)).collect();
        let octets = answers::merge(&layers, Removals::Keep)?;
        let set = AnswerSet::from_bytes(octets, &site.authority.ca)?;
        Ok(Self(Arc::new(set)))
    }

    /// To be published.
    pub fn set(&self) -> Set {
        Set {
            source: Source::Bytes(self.0.as_bytes().to_vec()),
            tail: self.0.tail_length(),
        }
    }
}

/// A new base: the one that is live with these answers folded in, as the presigner folds. Signs nothing.
pub fn fold(site: &Site, channel: &Channel, newer: &Small) -> anyhow::Result<Set> {
    let path = staging_file(channel)?;
    let base = AnswerSet::map(&channel.base_file()?, &site.authority.ca)?;
    let layers = [Arc::clone(&newer.0), Arc::new(base)];
    let finished = merge_to_file(&path, &layers, Removals::Drop)?;
    Ok(Set {
        source: Source::File(path),
        tail: finished.tail,
    })
}

fn declared(site: &Site, times: Times) -> Batch {
    Batch {
        this_update: times.this_update,
        next_update: times.next_update,
        refresh_at: times.refresh_at,
        responder: Some(site.authority.responder.clone()),
        signature_algorithm: site.authority.algorithm,
    }
}

fn staging_file(channel: &Channel) -> anyhow::Result<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let folder = channel.staging()?;
    fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("set-{}", NUMBER.fetch_add(1, Ordering::Relaxed))))
}
