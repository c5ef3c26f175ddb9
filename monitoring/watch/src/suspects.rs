//! Looking again at what differed, until it agrees; what lasts longer than is promised is an alarm.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use ledger::{CrlRow, StatusRow};
use pki::Serial;

use crate::deltas::{SinceBase, in_delta};
use crate::difference::{Difference, Product, entry_text};
use crate::edge::{Edge, Fetched};
use crate::findings::{Key, Turn};
use crate::judge::{self, Said, row_text};
use crate::lists::{as_a_whole, in_list};
use crate::parts::in_part;
use crate::subject::Subject;
use crate::which::Which;

/// A CRL that was just fetched.
struct Fresh {
    fetched: Option<Fetched>,
    /// Of a delta: what it must have.
    since: SinceBase,
}

/// A finding was looked at.
struct Look {
    row: Option<StatusRow>,
    difference: Option<Difference>,
}

impl Edge {
    /// Looks again at everything whose time has come.
    pub(crate) async fn look_again(
        &self,
        subjects: &HashMap<String, Arc<Subject>>,
    ) -> anyhow::Result<()> {
        // Each CRL is fetched once for all that is looked at now.
        let mut fetched: HashMap<(Arc<str>, Which), Fresh> = HashMap::new();
        for key in self.shared.findings.due(&self.url) {
            let Some(subject) = subjects.get(&*key.issuer) else {
                // An issuer that is new; it is there the next time.
                self.shared.findings.later(&key);
                continue;
            };
            // The ledger before the edge: what is recorded in between is seen the next time.
            let row = match &key.serial {
                Some(serial) => self.shared.ledger.crl_row(&key.issuer, serial).await?,
                None => None,
            };
            let difference = match &key.list {
                None => self.answers(subject, &key, row.as_ref()).await,
                Some(which) => {
                    let at = (Arc::clone(&key.issuer), which.clone());
                    let fresh = match fetched.entry(at) {
                        Entry::Occupied(fresh) => fresh.into_mut(),
                        Entry::Vacant(place) => place.insert(self.fresh(subject, which).await?),
                    };
                    self.stands(subject, which, key.serial.as_ref(), row.as_ref(), fresh)
                }
            };
            match difference {
                Some(difference) => {
                    let row = row.map(|row| row.status);
                    self.settle(subject, &key, Look { row, difference }).await;
                }
                None => self.shared.findings.later(&key),
            }
        }
        Ok(())
    }

    /// By OCSP; `None` when the edge does not say.
    async fn answers(
        &self,
        subject: &Subject,
        key: &Key,
        row: Option<&CrlRow>,
    ) -> Option<Option<Difference>> {
        let mut difference = None;
        let row = row.map(|row| &row.status);
        for hashes in key.serial.iter().flat_map(|_| &subject.hashes) {
            let said = self
                .ocsp(subject, hashes, key.serial.as_ref()?)
                .await
                .ok()?;
            let found = judge::answer(row, &said, self.shared.clock.now());
            difference = difference.or(found);
        }
        Some(difference)
    }

    async fn fresh(&self, subject: &Subject, which: &Which) -> anyhow::Result<Fresh> {
        // An edge that says nothing is asked again.
        let fetched = self.crl(subject, which).await.ok();
        let since = match &fetched {
            Some(Fetched::New(list) | Fetched::Same(list)) if *which == Which::Delta => {
                SinceBase::of(subject, list, self).await?
            }
            _ => SinceBase::default(),
        };
        Ok(Fresh { fetched, since })
    }

    /// In a CRL; `None` when the edge does not say.
    fn stands(
        &self,
        subject: &Subject,
        which: &Which,
        serial: Option<&Serial>,
        row: Option<&CrlRow>,
        fresh: &Fresh,
    ) -> Option<Option<Difference>> {
        let fetched = fresh.fetched.as_ref()?;
        let Some(serial) = serial else {
            return Some(as_a_whole(subject, Some(fetched)));
        };
        let list = match fetched {
            Fetched::New(list) | Fetched::Same(list) => list,
            Fetched::Absent => return Some(None),
            // The whole of it is a finding of its own.
            Fetched::Lacking(_) | Fetched::Unfit(_) | Fetched::WentBack(_) => return None,
        };
        let (now, status) = (self.shared.clock.now(), row.map(|row| &row.status));
        Some(match which {
            Which::Complete => in_list(subject, list, serial, status, now),
            Which::Delta => in_delta(subject, list, &fresh.since, serial, status, now),
            Which::Part(uri) => in_part(subject, list, uri, serial, row, now),
        })
    }

    async fn settle(&self, subject: &Subject, key: &Key, look: Look) {
        let Look { row, difference } = look;
        let findings = &self.shared.findings;
        match findings.looked(key, row, difference.clone()) {
            Turn::Same => {}
            Turn::Agrees { was_alarm, after } => {
                if was_alarm {
                    tracing::info!(
                        edge = self.url,
                        issuer = &*key.issuer,
                        serial = key.serial.map(|serial| serial.to_string()),
                        "{} agrees with the ledger again",
                        key.what()
                    );
                } else if key.serial.is_some() && matches!(key.list, None | Some(Which::Complete)) {
                    self.shared.metrics.shown(&self.url, key.product(), after);
                }
            }
            Turn::Alarm => {
                if let Some(difference) = difference {
                    self.alarm(subject, key, row, &difference).await;
                }
            }
        }
    }

    /// Says exactly what differs, with the values side by side.
    async fn alarm(
        &self,
        subject: &Subject,
        key: &Key,
        row: Option<StatusRow>,
        difference: &Difference,
    ) {
        self.shared
            .metrics
            .found(&self.url, &key.issuer, key.product(), difference);
        let kind = difference.kind.as_str();
        let Some(serial) = &key.serial else {
            tracing::error!(
                edge = self.url,
                issuer = &*key.issuer,
                kind,
                "the {} as served is not fit: {}",
                key.list.as_ref().unwrap_or(&Which::Complete),
                difference.served
            );
            return;
        };
        let ocsp = match key.product() {
            Product::Ocsp => difference.served.clone(),
            Product::Crl => match self.ocsp(subject, &subject.hashes[0], serial).await {
                Ok(Said::Signed(status)) => crate::difference::status_text(status),
                Ok(Said::Unauthorized) => "unauthorized".to_owned(),
                Ok(Said::Unfit(violation)) => violation.to_string(),
                Err(silence) => silence.to_string(),
            },
        };
        let crl = match key.product() {
            Product::Crl => difference.served.clone(),
            Product::Ocsp => match self.list(&key.issuer, &Which::Complete) {
                Some(list) => entry_text(list.find(serial)),
                None => "no CRL".to_owned(),
            },
        };
        tracing::error!(
            edge = self.url,
            issuer = &*key.issuer,
            serial = %serial,
            kind,
            ledger = row_text(row.as_ref()),
            ocsp,
            crl,
            list = key.list.as_ref().and_then(Which::remembered),
            "{} differs from the ledger",
            key.product().as_str()
        );
    }
}
