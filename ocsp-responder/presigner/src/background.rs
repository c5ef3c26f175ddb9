//! Everything that can wait: sweeps and what they find, signed in chunks.
//!
//! A chunk is signed beside the worker's other steps, while the next one is being looked up. Its results are published
//! only for certificates that nothing urgent has overtaken meanwhile: an older status must never lie over a newer one.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use pki::Serial;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::assemble::assemble;
use crate::pool::{Row, SignError, Signed, Urgency};
use crate::responder::HASHES;
use crate::sweep::Page;
use crate::worker::{Failed, Worker};

/// What a sweep found and nobody has signed yet.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// `None`: to be taken out.
    entries: BTreeMap<Serial, Option<Row>>,
}

impl Chunk {
    pub(crate) fn add(&mut self, page: Page) {
        self.entries
            .extend(page.sign.into_iter().map(|row| (row.serial, Some(row))));
        self.entries
            .extend(page.remove.into_iter().map(|serial| (serial, None)));
    }

    pub(crate) fn forget(&mut self, serials: &[Serial]) {
        for serial in serials {
            self.entries.remove(serial);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// A chunk being signed.
#[derive(Debug)]
pub(crate) struct Background {
    task: JoinHandle<Vec<Result<Signed, SignError>>>,
    removed: Vec<Serial>,
    rows: usize,
    begun: Instant,
    /// Published by something urgent since.
    pub(crate) overtaken: HashSet<Serial>,
}

impl Background {
    /// Waits for the chunk; for ever if there is none.
    pub(crate) async fn signed(background: &mut Option<Self>) -> Vec<Result<Signed, SignError>> {
        match background {
            None => std::future::pending().await,
            Some(background) => (&mut background.task)
                .await
                .unwrap_or_else(|_| vec![Err(SignError::Stopping)]),
        }
    }
}

impl Worker {
    /// Looks at the next page of the sweep, unless enough is waiting to be signed; false if there is nothing to look at.
    pub(crate) async fn sweep_on(&mut self) -> Result<bool, Failed> {
        if self.chunk.len() >= self.rows_at_once {
            return Ok(false);
        }
        let Some((sweep, _)) = &mut self.sweep else {
            return Ok(false);
        };
        let now = self.shared.clock.now();
        let page = sweep
            .next(
                &self.shared.ledger,
                &self.issuer.name,
                self.published.view(),
                now,
            )
            .await;
        match page.map_err(Failed::at("comparing with the ledger"))? {
            None => Ok(false),
            Some(page) => {
                self.chunk.add(page);
                self.tell_progress();
                Ok(true)
            }
        }
    }

    /// Hands the chunk to the pool, if it is full or the sweep is through; false if there is nothing to hand over.
    pub(crate) fn start_background(&mut self) -> bool {
        let Some(responder) = self.care.responder() else {
            return false;
        };
        if self.background.is_some() || self.chunk.len() == 0 {
            return false;
        }
        let entries = std::mem::take(&mut self.chunk.entries);
        let mut removed = Vec::new();
        let mut rows = Vec::new();
        for (serial, row) in entries {
            match row {
                Some(row) => rows.push(row),
                None => removed.push(serial),
            }
        }
        let signing = self
            .shared
            .pool
            .sign(Urgency::Background, responder, &self.schedule, &rows);
        self.background = Some(Background {
            task: tokio::spawn(signing),
            removed,
            rows: rows.len(),
            begun: Instant::now(),
            overtaken: HashSet::new(),
        });
        true
    }

    /// Publishes a chunk that has been signed. What could not be signed or published is found by the next sweep.
    pub(crate) async fn finish_background(&mut self, signed: Vec<Result<Signed, SignError>>) {
        let Some(background) = self.background.take() else {
            return;
        };
        // The next chunk is signed while this one is put together and published: the pool never waits for that.
        self.start_background();
        if let Err(Failed { step, error }) = self.publish_background(background, signed).await {
            self.sweep_wanted = true;
            self.rest();
            self.shared
                .metrics
                .failures
                .with_label_values(&[&self.issuer.name, step])
                .inc();
            tracing::error!(
                issuer = self.issuer.name,
                "{step} failed and is tried again: {error:#}"
            );
            self.trouble = Some(format!("{step} failed and is tried again: {error:#}"));
        }
    }

    async fn publish_background(
        &mut self,
        background: Background,
        signed: Vec<Result<Signed, SignError>>,
    ) -> Result<(), Failed> {
        // What has just arrived is newer than what was signed.
        self.take_news()
            .await
            .map_err(Failed::at("reading the ledger"))?;
        let mut overtaken = background.overtaken;
        overtaken.extend(self.pending.revoked.iter().chain(&self.pending.others));
        let (mut good, mut failure) = (Vec::new(), None);
        for signed in signed {
            match signed {
                Ok(mut signed) => {
                    signed
                        .rows
                        .retain(|(row, _)| !overtaken.contains(&row.serial));
                    good.push(signed);
                }
                Err(error) => failure = Some(error),
            }
        }
        let mut removed = background.removed;
        removed.retain(|serial| !overtaken.contains(serial));
        let count: usize = good.iter().map(|signed| signed.rows.len()).sum();
        self.shared
            .metrics
            .signatures
            .with_label_values(&[&self.issuer.name])
            .inc_by((count * HASHES.len()) as u64);

        let (ca, rules, now) = (
            self.ca.clone(),
            self.publication_rules(),
            self.shared.clock.now(),
        );
        let failed =
            |error: crate::published::PublicationError| Failed::at("publishing")(error.into());
        let assembling = spawn_blocking(move || assemble(&good, &removed, &ca, rules, now));
        let assembled = assembling
            .await
            .map_err(|error| Failed::at("publishing")(error.into()))?;
        let (set, unfit) = assembled.map_err(failed)?;
        self.note_unfit(unfit);
        self.published
            .publish(Some(set), self.settled)
            .await
            .map_err(failed)?;
        self.after_publication();
        self.adapt(background.rows, background.begun.elapsed());
        self.tell_progress();
        match failure {
            None => Ok(()),
            Some(error) => Err(Failed::at("signing")(error.into())),
        }
    }

    /// Ends a sweep when everything that it found is published; false if there is none to end.
    pub(crate) async fn end_sweep(&mut self) -> Result<bool, Failed> {
        if self.background.is_some() || self.chunk.len() > 0 {
            return Ok(false);
        }
        let Some((sweep, from)) = self.sweep.take() else {
            return Ok(false);
        };
        let first = !self.complete;
        if !self.sweep_wanted {
            self.complete = true;
            self.settled = self.settled.max(from);
        }
        let as_of = self.settle_events();
        self.progress(sweep.total, sweep.total);
        if first || sweep.found > 0 || self.published.as_of() < from {
            self.published
                .publish(None, as_of)
                .await
                .map_err(|error| Failed::at("publishing")(error.into()))?;
            self.after_publication();
        }
        if sweep.found > 0 {
            tracing::info!(
                issuer = self.issuer.name,
                "{} of {} certificates needed new answers; all are published",
                sweep.found,
                sweep.total
            );
        }
        Ok(true)
    }

    fn tell_progress(&self) {
        if let Some((sweep, _)) = &self.sweep {
            let waiting = self.chunk.len()
                + self
                    .background
                    .as_ref()
                    .map_or(0, |background| background.rows);
            self.progress(sweep.done.saturating_sub(waiting as u64), sweep.total);
        }
    }

    /// Metrics always; the state file, which people watch, while there is something to see.
    fn progress(&self, done: u64, total: u64) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let name = self.issuer.name.as_str();
        self.shared
            .metrics
            .sweep_done
            .with_label_values(&[name])
            .set(number(done));
        self.shared
            .metrics
            .sweep_total
            .with_label_values(&[name])
            .set(number(total));
        if !self.complete
            || self
                .sweep
                .as_ref()
                .is_some_and(|(sweep, _)| sweep.found > 0)
            || done == total
        {
            self.shared.progress.set(name, done, total);
        }
    }
}
