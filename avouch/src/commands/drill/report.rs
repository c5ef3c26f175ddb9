//! What the drill found.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use ledger::Counts;
use pki::der_encode::tag;
use pki::{KeyKind, der_read};
use serde_json::json;

use super::book::Revoked;
use super::machine::Measured;
use crate::human;
use crate::outcome::Outcome;

/// Octets per second over a serial cable at 115200 baud: ten bits carry eight (one start bit, one stop bit).
const CABLE: f64 = 11_520.0;

/// Whose certificates were revoked.
#[derive(Debug)]
pub(super) struct IssuerKey {
    pub(super) name: String,
    pub(super) key: KeyKind,
    /// Whether its key is in the signer here.
    pub(super) signs: bool,
}

/// Everything that was found out.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) issuer: IssuerKey,
    /// Before the drill.
    pub(super) counts: Counts,
    pub(super) revoked: Revoked,
    pub(super) measured: Measured,
}

impl Report {
    pub(super) fn outcome(&self) -> Outcome {
        let Measured {
            crl,
            ocsp,
            edge,
            answers,
            crl_der,
            crl_entries,
        } = &self.measured;
        let tbs = tbs_octets(crl_der);
        let gzip = gzip_octets(crl_der);
        let link = Duration::from_secs_f64(tbs as f64 / CABLE);
        let total = self.revoked.took + *crl + *ocsp + *edge;
        // One for each hash of a CertID.
        let signatures = answers * 2;
        let per_second = signatures as f64 / ocsp.as_secs_f64().max(0.001);
        let IssuerKey { name, key, signs } = &self.issuer;
        let object = json!({
            "issuer": name,
            "key": key.to_string(),
            "certificates": self.counts.issued,
            "expired": self.counts.expired,
            "revoked_before": self.counts.revoked,
            "revoked_now": self.revoked.number,
            "record_ms": millis(self.revoked.took),
            "crl": {
                "entries": crl_entries,
                "octets": crl_der.len(),
                "gzip_octets": gzip,
                "made_ms": millis(*crl),
            },
            "ocsp": {
                "signatures": signatures,
                "signatures_per_second": per_second.round(),
                "signed_ms": millis(*ocsp),
            },
            "link": {
                "octets": tbs,
                "baud": 115_200,
                "seconds": link.as_secs_f64(),
            },
            "edge_ms": millis(*edge),
            "total_ms": millis(total),
        });
        let rows = [
            (
                "certificates",
                format!(
                    "{} ({} expired, {} revoked before)",
                    human::count(self.counts.issued),
                    human::count(self.counts.expired),
                    human::count(self.counts.revoked)
                ),
            ),
            (
                "revoked in the drill",
                format!(
                    "{}, recorded in {}",
                    human::count(self.revoked.number),
                    human::took(self.revoked.took)
                ),
            ),
            (
                "CRL",
                format!(
                    "{} entries, {} octets, about {} with gzip",
                    human::count(*crl_entries as u64),
                    human::count(crl_der.len() as u64),
                    human::count(gzip)
                ),
            ),
            (
                "CRL made in",
                format!(
                    "{}: read, built, signed ({key}), verified, published",
                    human::took(*crl)
                ),
            ),
            (
                "OCSP answers",
                format!(
                    "{} signatures in {}, {} a second on this machine",
                    human::count(signatures),
                    human::took(*ocsp),
                    human::count(per_second.round() as u64)
                ),
            ),
            (
                "over the cable",
                format!(
                    "{} octets, {} at 115200 baud (the whole TBSCertList; answers are not signed there)",
                    human::count(tbs),
                    human::span(link.as_secs() as i64)
                ),
            ),
            (
                "at the edge after",
                format!(
                    "{} more: it says revoked about the last certificate",
                    human::took(*edge)
                ),
            ),
            (
                "all in all",
                format!(
                    "{} on this machine, one after the other, without the cable",
                    human::took(total)
                ),
            ),
        ];
        let mut text = format!("every unexpired certificate of {name}, revoked on a copy:\n");
        for (what, value) in rows {
            text.push_str(&format!("  {what:<22}{value}\n"));
        }
        if !signs {
            text.push_str(&format!(
                "  the key of {name} is elsewhere: its real CRL would be made there\n"
            ));
        }
        text.push_str("nothing real was touched; the copy is removed");
        Outcome::new(object, text)
    }
}

/// What a signature request carries: the whole TBSCertList. Its frame and the signature that comes back are less than a
/// thousand octets more.
fn tbs_octets(crl: &[u8]) -> u64 {
    let tbs = der_read::single(crl, "CRL").and_then(|list| {
        let mut list = list.expect(tag::SEQUENCE, "CRL")?.reader();
        Ok(list.expect(tag::SEQUENCE, "tbsCertList")?.whole.len())
    });
    tbs.unwrap_or(crl.len()) as u64
}

fn gzip_octets(crl: &[u8]) -> u64 {
    let mut encoder = GzEncoder::new(Counter(0), Compression::default());
    // A counter takes everything.
    let counted = encoder.write_all(crl).and_then(|()| encoder.finish());
    counted.map_or(crl.len() as u64, |counter| counter.0)
}

/// Counts what is written.
struct Counter(u64);

impl std::io::Write for Counter {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0 += octets.len() as u64;
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
