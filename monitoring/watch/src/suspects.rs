//! Looking again at what differed, until it agrees; what lasts longer than is promised is an alarm.

use std::collections::HashMap;
use std::sync::Arc;

use ledger::StatusRow;

use crate::difference::{Difference, Product, entry_text};
use crate::edge::{Edge, Fetched};
use crate::findings::{Key, Turn};
use crate::judge::{self, Said, row_text};
use crate::lists::{as_a_whole, in_list};
use crate::subject::Subject;

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
        let mut fetched: HashMap<Arc<str>, Option<Fetched>> = HashMap::new();
        for key in self.shared.findings.due(&self.url) {
            let Some(subject) = subjects.get(&*key.issuer) else {
                // An issuer that is new; it is there the next time.
                self.shared.findings.later(&key);
                continue;
            };
            // The ledger before the edge: what is recorded in between is seen the next time.
            let row = match &key.serial {
                Some(serial) => self.shared.ledger.status(&key.issuer, serial).await?,
                None => None,
            };
            if key.product == Product::Crl && !fetched.contains_key(&key.issuer) {
                // An edge that says nothing is asked again.
                let fresh = self.crl(subject).await.ok();
                fetched.insert(Arc::clone(&key.issuer), fresh);
            }
            let fresh = fetched.get(&key.issuer).and_then(Option::as_ref);
            match self.look(subject, &key, row, fresh).await {
                Some(look) => self.settle(subject, &key, look).await,
                None => self.shared.findings.later(&key),
            }
        }
        Ok(())
    }

    /// `None` when the edge does not say.
    async fn look(
        &self,
        subject: &Subject,
        key: &Key,
        row: Option<StatusRow>,
        fetched: Option<&Fetched>,
    ) -> Option<Look> {
        let now = self.shared.clock.now();
        let difference = match (key.product, &key.serial) {
            (Product::Ocsp, None) => None,
            (Product::Ocsp, Some(serial)) => {
                let mut difference = None;
                for hashes in &subject.hashes {
                    let said = self.ocsp(subject, hashes, serial).await.ok()?;
                    let found = judge::answer(row.as_ref(), &said, self.shared.clock.now());
                    difference = difference.or(found);
                }
                difference
            }
            (Product::Crl, None) => as_a_whole(subject, Some(fetched?)),
            (Product::Crl, Some(serial)) => match fetched? {
                Fetched::New(list) | Fetched::Same(list) => {
                    in_list(subject, list, serial, row.as_ref(), now)
                }
                Fetched::Absent => None,
                // The whole of it is a finding of its own.
                Fetched::Unfit(_) | Fetched::WentBack(_) => return None,
            },
        };
        Some(Look { row, difference })
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
                        key.product.as_str()
                    );
                } else if key.serial.is_some() {
                    self.shared.metrics.shown(&self.url, key.product, after);
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
            .found(&self.url, &key.issuer, key.product, difference);
        let kind = difference.kind.as_str();
        let Some(serial) = &key.serial else {
            tracing::error!(
                edge = self.url,
                issuer = &*key.issuer,
                kind,
                "the CRL as served is not fit: {}",
                difference.served
            );
            return;
        };
        let ocsp = match key.product {
            Product::Ocsp => difference.served.clone(),
            Product::Crl => match self.ocsp(subject, &subject.hashes[0], serial).await {
                Ok(Said::Signed(status)) => crate::difference::status_text(status),
                Ok(Said::Unauthorized) => "unauthorized".to_owned(),
                Ok(Said::Unfit(violation)) => violation.to_string(),
                Err(silence) => silence.to_string(),
            },
        };
        let crl = match key.product {
            Product::Crl => difference.served.clone(),
            Product::Ocsp => match self.list(&key.issuer) {
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
            "{} differs from the ledger",
            key.product.as_str()
        );
    }
}
