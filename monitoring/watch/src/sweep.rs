//! Asking OCSP about every serial number of the ledger, at a steady pace, and about some that were never issued.

use std::sync::Arc;
use std::time::Duration;

use ledger::StatusRow;
use pki::Serial;
use tokio::task::JoinSet;

use crate::difference::Product;
use crate::edge::{Edge, Silence};
use crate::findings::Key;
use crate::judge;
use crate::memory::Cursor;
use crate::subject::{self, Subject};
use crate::which::Which;

const PAGE: u32 = 1000;
/// While an edge is away, it is tried again this often.
const AWAY: Duration = Duration::from_secs(1);
/// After so many refusals in one page the issuer is left for this sweep: the next one is not to wait for it (V12).
const REFUSALS: usize = 10;

/// What became of one certificate.
enum Asked {
    Answered,
    Away,
    Refused(String),
}

impl Edge {
    /// One sweep, from where the last one was left. `told` hears how many certificates of how many are done. Returns
    /// whether every certificate could be asked about.
    pub(crate) async fn sweep(
        self: &Arc<Self>,
        mut told: impl FnMut(u64, u64),
    ) -> anyhow::Result<bool> {
        let mut subjects = subject::all(&self.shared.ledger).await?;
        let mut total = 0;
        for subject in &subjects {
            total += self.shared.ledger.counts(subject.name()).await?.issued;
        }
        let mut cursor = None;
        self.shared
            .remember(&self.url, |memory| cursor = memory.cursor.take());
        let (mut after, mut done, mut gaps) = (None, 0, false);
        if let Some(cursor) = cursor
            && let Some(at) = subjects
                .iter()
                .position(|subject| subject.name() == cursor.issuer)
        {
            subjects.drain(..at);
            (after, done, gaps) = (cursor.after, cursor.done, cursor.gaps);
        }
        for subject in subjects.into_iter().map(Arc::new) {
            gaps |= !self.ask_never_issued(&subject).await?;
            loop {
                let ledger = &self.shared.ledger;
                let rows = ledger.statuses(subject.name(), after, PAGE).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.serial);
                done += rows.len() as u64;
                let is_last = rows.len() < PAGE as usize;
                let refused = self.ask_all(&subject, rows).await;
                gaps |= refused > 0;
                told(done, total);
                self.shared.metrics.progress(&self.url, done, total);
                self.shared.remember(&self.url, |memory| {
                    memory.cursor = Some(Cursor {
                        issuer: subject.name().to_owned(),
                        after,
                        done,
                        gaps,
                    });
                });
                if is_last || refused >= REFUSALS {
                    break;
                }
            }
            after = None;
        }
        self.shared
            .remember(&self.url, |memory| memory.cursor = None);
        Ok(!gaps)
    }

    /// Asks about these certificates over several connections; how many were refused. While the edge is away it waits.
    async fn ask_all(self: &Arc<Self>, subject: &Arc<Subject>, rows: Vec<StatusRow>) -> usize {
        let connections = usize::from(self.shared.config.connections);
        let rows = Arc::new(rows);
        let mut tasks = JoinSet::new();
        for first in 0..connections.min(rows.len()) {
            let (edge, subject, rows) = (Arc::clone(self), Arc::clone(subject), Arc::clone(&rows));
            tasks.spawn(async move {
                let mut refused = 0;
                for row in rows.iter().skip(first).step_by(connections) {
                    if refused >= REFUSALS {
                        break;
                    }
                    refused +=
                        usize::from(!edge.ask_patiently(&subject, row.serial, Some(row)).await);
                }
                refused
            });
        }
        let refused: usize = tasks.join_all().await.into_iter().sum();
        if refused == 0 {
            self.troubles.clear(&ocsp_of(subject.name()));
        }
        refused
    }

    /// Random serial numbers, which nobody ever issued: nothing signed may be said about them.
    async fn ask_never_issued(&self, subject: &Subject) -> anyhow::Result<bool> {
        let mut all = true;
        for _ in 0..self.shared.config.never_issued {
            let serial = Serial::random()?;
            all &= self.ask_patiently(subject, serial, None).await;
        }
        Ok(all)
    }

    /// Waits for an edge that is away; whether it was answered in the end.
    async fn ask_patiently(
        &self,
        subject: &Subject,
        serial: Serial,
        row: Option<&StatusRow>,
    ) -> bool {
        loop {
            match self.compare_answers(subject, serial, row).await {
                Asked::Answered => return true,
                Asked::Refused(why) => {
                    self.troubles.set(&ocsp_of(subject.name()), &why);
                    return false;
                }
                Asked::Away if self.shared.health.is_none() => return false,
                Asked::Away => tokio::time::sleep(AWAY).await,
            }
        }
    }

    /// Asks by both hashes and compares with what the ledger said.
    async fn compare_answers(
        &self,
        subject: &Subject,
        serial: Serial,
        row: Option<&StatusRow>,
    ) -> Asked {
        for hashes in &subject.hashes {
            let said = match self.ocsp(subject, hashes, &serial).await {
                Ok(said) => said,
                Err(Silence::Away(_)) => return Asked::Away,
                Err(Silence::Refusal(why)) => return Asked::Refused(why),
            };
            if let Some(difference) = judge::answer(row, &said, self.shared.clock.now()) {
                let key = self.key(subject, None, Some(serial));
                self.shared.suspect(key, row.copied(), difference);
                break;
            }
        }
        self.shared
            .metrics
            .checked(&self.url, subject.name(), Product::Ocsp, 1);
        Asked::Answered
    }

    /// Looks at one certificate at once: by OCSP, and in the CRL that was fetched last.
    pub(crate) async fn look_at(&self, subject: &Subject, serial: Serial) -> anyhow::Result<()> {
        let row = self.shared.ledger.status(subject.name(), &serial).await?;
        // What cannot be asked about now is asked about by the sweep.
        self.compare_answers(subject, serial, row.as_ref()).await;
        if let Some(list) = self.list(subject.name(), &Which::Complete) {
            let rules = list.rules(subject);
            let now = self.shared.clock.now();
            let entry = list.find(&serial);
            if let Some(difference) = judge::entry(row.as_ref(), entry, &rules, now) {
                let key = self.key(subject, Some(Which::Complete), Some(serial));
                self.shared.suspect(key, row, difference);
            }
        }
        Ok(())
    }

    pub(crate) fn key(
        &self,
        subject: &Subject,
        list: Option<Which>,
        serial: Option<Serial>,
    ) -> Key {
        Key {
            edge: self.url.as_str().into(),
            issuer: subject.name().into(),
            list,
            serial,
        }
    }
}

pub(crate) fn ocsp_of(issuer: &str) -> String {
    format!("OCSP of {issuer}")
}
