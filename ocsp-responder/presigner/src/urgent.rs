//! Revocations and new certificates: signed and published at once.

use std::collections::BTreeSet;
use std::time::Instant;

use pki::Serial;

use crate::assemble::assemble;
use crate::pool::{Row, Urgency};
use crate::responder::HASHES;
use crate::sweep::row_of;
use crate::worker::{Failed, Worker};

/// Certificates in one publication; more would make the first of them wait.
const AT_ONCE: usize = 256;

/// What a set of named certificates needs.
#[derive(Debug, Default)]
struct Needed {
    sign: Vec<Row>,
    remove: Vec<Serial>,
    /// Nothing is said about these any more, and nothing is published.
    over: Vec<Serial>,
}

impl Worker {
    /// Publishes the next certificates that the feed named, revoked ones first; false if there are none.
    pub(crate) async fn publish_urgent(&mut self) -> Result<bool, Failed> {
        if self.pending.is_empty() {
            return Ok(false);
        }
        let (revoked, serials) = self.next_urgent();
        let result = self.publish_these(&serials).await;
        if result.is_err() {
            // In their old place; none is lost.
            for (index, serial) in serials.into_iter().enumerate().rev() {
                if index < revoked {
                    self.pending.revoked.push_front(serial);
                } else {
                    self.pending.others.push_front(serial);
                }
            }
        }
        result.map(|()| true)
    }

    /// The next serial numbers, each once, and how many of them, from the front, are of revoked certificates.
    fn next_urgent(&mut self) -> (usize, Vec<Serial>) {
        let (mut seen, mut serials) = (BTreeSet::new(), Vec::new());
        let mut take = |serials: &mut Vec<Serial>,
                        from: &mut std::collections::VecDeque<Serial>| {
            while serials.len() < AT_ONCE {
                let Some(serial) = from.pop_front() else {
                    break;
                };
                if seen.insert(serial) {
                    serials.push(serial);
                }
            }
        };
        take(&mut serials, &mut self.pending.revoked);
        let revoked = serials.len();
        take(&mut serials, &mut self.pending.others);
        (revoked, serials)
    }

    async fn publish_these(&mut self, serials: &[Serial]) -> Result<(), Failed> {
        let begun = Instant::now();
        let needed = self
            .needed(serials)
            .await
            .map_err(Failed::at("reading the ledger"))?;
        for serial in &needed.over {
            self.unfit.remove(serial);
        }
        // What was looked up for them before is older than what is published now.
        self.chunk.forget(serials);
        if let Some(background) = &mut self.background {
            background.overtaken.extend(serials);
        }
        if needed.sign.is_empty() && needed.remove.is_empty() {
            return self.publish_place().await;
        }
        let Some(responder) = self.care.responder() else {
            return Ok(());
        };
        let signing = self
            .shared
            .pool
            .sign(Urgency::Now, responder, &self.schedule, &needed.sign);
        let signed: Result<Vec<_>, _> = signing.await.into_iter().collect();
        let signed = signed.map_err(|error| Failed::at("signing")(error.into()))?;
        let count = (needed.sign.len() * HASHES.len()) as u64;
        self.shared
            .metrics
            .signatures
            .with_label_values(&[&self.issuer.name])
            .inc_by(count);

        let now = self.shared.clock.now();
        let failed =
            |error: crate::published::PublicationError| Failed::at("publishing")(error.into());
        let rules = self.publication_rules();
        let (set, unfit) =
            assemble(&signed, &needed.remove, &self.ca, rules, now).map_err(failed)?;
        self.note_unfit(unfit);
        let view = self.published.view();
        // What cannot be read may be there.
        let removes = |serial: &Serial| !matches!(view.get(serial.as_bytes()), Ok(None));
        let changes = set.good() + set.revoked() > 0
            || set
                .entries()
                .any(|entry| entry.is_ok_and(|entry| removes(&entry.serial())));
        if !changes {
            return self.publish_place().await;
        }
        let as_of = self.settle_events();
        self.published
            .publish(Some(set), as_of)
            .await
            .map_err(failed)?;
        self.shared
            .metrics
            .publish_seconds
            .observe(begun.elapsed().as_secs_f64());
        self.after_publication();
        tracing::debug!(
            issuer = self.issuer.name,
            signed = needed.sign.len(),
            removed = needed.remove.len(),
            "published after {} ms",
            begun.elapsed().as_millis()
        );
        Ok(())
    }

    /// Nothing is new but the place in the feed; it is published for those who wait for it.
    async fn publish_place(&mut self) -> Result<(), Failed> {
        let as_of = self.settle_events();
        if self.published.as_of() < as_of {
            let published = self.published.publish(None, as_of).await;
            published.map_err(|error| Failed::at("publishing")(error.into()))?;
        }
        Ok(())
    }

    /// What the ledger says about them now, where that is not published yet.
    async fn needed(&self, serials: &[Serial]) -> anyhow::Result<Needed> {
        let now = self.shared.clock.now();
        let mut needed = Needed::default();
        for serial in serials {
            let status = self.shared.ledger.status(&self.issuer.name, serial).await?;
            let published = self.published.view().get(serial.as_bytes())?;
            match (status.and_then(|status| row_of(&status, now)), published) {
                (Some(row), Some(answer)) if answer.status() == row.status => {}
                (Some(row), _) => needed.sign.push(row),
                (None, Some(_)) => needed.remove.push(*serial),
                (None, None) => needed.over.push(*serial),
            }
        }
        Ok(needed)
    }

    /// Remembers certificates whose answers break a rule; the health of the issuer shows them.
    pub(crate) fn note_unfit(&mut self, unfit: Vec<(Serial, String)>) {
        for (serial, why) in unfit {
            if self.unfit.get(&serial) == Some(&why) {
                continue;
            }
            tracing::error!(
                issuer = self.issuer.name,
                "certificate {serial} is not answered any more: {why}"
            );
            self.shared
                .metrics
                .failures
                .with_label_values(&[&self.issuer.name, "verifying"])
                .inc();
            self.unfit.insert(serial, why);
        }
    }
}
