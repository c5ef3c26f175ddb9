//! What the host asks to find out where it and the signer differ (F8), and the log.

use journal::Storage;
use pki::Serial;
use wire::{LogRecord, Outcome, RefusalCode, limits};

use super::certificates::unknown_issuer;
use super::{Core, CoreError, refused};
use crate::keys::Keys;
use crate::revoked::Revoked;

/// How much of the log goes into one answer: a few seconds of a slow line, so that nothing urgent waits long.
const LOG_OCTETS: usize = 16 * 1024;

impl<S: Storage, K: Keys> Core<S, K> {
    pub(super) fn revoked(&self, issuer: &str) -> Outcome {
        self.with_revoked(issuer, |revoked| Outcome::Revoked {
            count: revoked.count(),
            buckets: revoked.digest().buckets().to_vec(),
        })
    }

    pub(super) fn bucket(&self, issuer: &str, bucket: u8, after: Option<&[u8]>) -> Outcome {
        let after = match after.map(Serial::from_be_bytes).transpose() {
            Ok(after) => after,
            Err(error) => {
                let refusal = refused(RefusalCode::Malformed, "after", error.to_string());
                return Outcome::Refused(refusal);
            }
        };
        self.with_revoked(issuer, |revoked| {
            let (revocations, more) = revoked.bucket(bucket, after.as_ref(), limits::REVOCATIONS);
            Outcome::Bucket { revocations, more }
        })
    }

    pub(super) fn read_log(&mut self, after: u64, now: u64) -> Result<Outcome, CoreError> {
        self.vouch(now)?;
        let head = self.head();
        let mut records = Vec::new();
        let mut octets = 0;
        for sequence in after.saturating_add(1)..=head.sequence {
            let record = self.log.octets(sequence)?;
            octets += record.len();
            if !records.is_empty() && (octets > LOG_OCTETS || records.len() == limits::LOG_RECORDS)
            {
                break;
            }
            records.push(LogRecord(record));
        }
        Ok(Outcome::Log { records, head })
    }

    fn with_revoked(&self, issuer: &str, answer: impl FnOnce(&Revoked) -> Outcome) -> Outcome {
        let Some(ca) = self.keys.ca(issuer) else {
            return Outcome::Refused(unknown_issuer(issuer));
        };
        let none = Revoked::default();
        let known = self.memory.authority(&ca.authority());
        answer(known.map_or(&none, |known| &known.revoked))
    }
}
