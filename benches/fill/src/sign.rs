//! Signatures on all cores, handed on in order, with few of them in memory.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use pki::ocsp::response::{CertStatus, Template};
use pki::{HashAlgorithm, Serial, SignatureAlgorithm, Time};
use synthetic::mix;

use crate::Authority;

/// A certificate with what is said about it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its serial number.
    pub serial: Serial,
    /// Its status.
    pub status: CertStatus,
}

/// A row and its signatures, one per hash.
#[derive(Clone, Debug)]
pub struct SignedRow {
    /// The row.
    pub row: Row,
    /// Its signatures.
    pub signatures: Vec<Vec<u8>>,
}

/// The times of answers that are signed at about the same time.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// thisUpdate and producedAt.
    pub this_update: Time,
    /// nextUpdate.
    pub next_update: Time,
    /// When newer ones are planned.
    pub refresh_at: Time,
}

impl Times {
    /// From `now` on for four days, to be renewed after two.
    pub fn from(now: Time) -> Self {
        const DAY: i64 = 86_400;
        Self {
            this_update: now,
            next_update: now.plus_seconds(4 * DAY),
            refresh_at: now.plus_seconds(2 * DAY),
        }
    }

    /// Those of one row: the end is spread over twelve hours, batch by batch, so that renewing is as well.
    pub(crate) fn of_row(self, n: u64) -> Self {
        const SPREAD: u64 = 12 * 3600;
        let earlier = -((mix(n / BATCH) % SPREAD).cast_signed());
        Self {
            next_update: self.next_update.plus_seconds(earlier),
            refresh_at: self.refresh_at.plus_seconds(earlier),
            ..self
        }
    }
}

/// Answers that share their times, as those of one job of the presigner do.
pub(crate) const BATCH: u64 = 4096;

const CHUNK: u64 = 256;
/// Finished chunks that may wait per thread.
const AHEAD: usize = 8;

/// Signs the rows 0 to `count` and hands them to `take` in order. Unlike the presigner it does not verify its
/// signatures: it stands for one that did, and who asks for the answers verifies a sample.
pub fn sign(
    authority: &Authority,
    hashes: &[HashAlgorithm],
    times: Times,
    count: u64,
    row: &(dyn Fn(u64) -> Row + Sync),
    take: &mut dyn FnMut(SignedRow) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let templates: Vec<_> = hashes
        .iter()
        .map(|&hash| {
            Template::new(
                hash,
                &authority.ca,
                &authority.responder,
                authority.algorithm,
            )
        })
        .collect();
    let key = Key::of(authority)?;
    thread::scope(|scope| {
        let mut results: Vec<Receiver<anyhow::Result<Vec<SignedRow>>>> = Vec::new();
        for thread in 0..threads {
            let (send, receive) = sync_channel(AHEAD);
            results.push(receive);
            let (templates, key) = (&templates, &key);
            scope.spawn(move || {
                let mut start = thread * CHUNK;
                while start < count {
                    let rows = start..count.min(start + CHUNK);
                    let signed = rows
                        .map(|n| sign_row(key, templates, times.of_row(n), row(n)))
                        .collect();
                    // Nobody takes any more: there was an error.
                    if send.send(signed).is_err() {
                        return;
                    }
                    start += threads * CHUNK;
                }
            });
        }
        let mut start = 0;
        while start < count {
            // Lossless: below the number of threads.
            let result = &results[(start / CHUNK % threads) as usize];
            for signed in result.recv().context("a signing thread has ended")?? {
                take(signed)?;
            }
            start += CHUNK;
        }
        Ok(())
    })
}

fn sign_row(
    key: &Key,
    templates: &[Template],
    times: Times,
    row: Row,
) -> anyhow::Result<SignedRow> {
    let signatures = templates
        .iter()
        .map(|template| {
            key.sign(&template.response_data(
                &row.serial,
                row.status,
                times.this_update,
                times.next_update,
            ))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(SignedRow { row, signatures })
}

/// The responder's key, bare.
enum Key {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    fn of(authority: &Authority) -> anyhow::Result<Self> {
        let der = authority.responder_key.to_pkcs8_der()?;
        match authority.algorithm {
            SignatureAlgorithm::EcdsaSha256 => Ok(Self::Ecdsa(EcdsaKeyPair::from_pkcs8(
                &ECDSA_P256_SHA256_ASN1_SIGNING,
                &der,
            )?)),
            SignatureAlgorithm::RsaSha256 => Ok(Self::Rsa(RsaKeyPair::from_pkcs8(&der)?)),
            other => anyhow::bail!("{other:?} is not for this bench; use P-256 or RSA"),
        }
    }

    fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Ecdsa(key) => Ok(key.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )?;
                Ok(signature)
            }
        }
    }
}
