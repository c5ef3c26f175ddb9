//! Checking a set's tables once, so that reading it later needs to check no more than each chunk.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use pki::ocsp::response::Template;
use pki::{Certificate, HashAlgorithm, Time};

use crate::answer::FINGERPRINT;
use crate::batch::Window;
use crate::format::{
    BATCH_LENGTH, HASH_LENGTH, HEADER_LENGTH, Layout, MAGIC, MAX_RECORDS, MAX_SERIAL_WIDTH,
    MAX_SIGNATURE_WIDTH, TRAILER_LENGTH, VERSION, algorithm_from_code, hash_code, hash_from_code,
};
use crate::index::{self, BUCKET_LENGTH, Homes};
use crate::input::{Input, malformed};
use crate::octets::Octets;
use crate::record::YEAR_10000;
use crate::set::AnswerSet;
use crate::signature::Packing;
use crate::tables::{SetTemplate, Signer, Signers, StoredBatch, Tables};
use crate::verified::Verified;
use crate::{AnswerSetError, IssuerHashes, check_delegation};

pub(crate) fn open(octets: Arc<Octets>, ca: &Certificate) -> Result<AnswerSet, AnswerSetError> {
    let tables = read_tables(&octets, ca)?;
    Ok(AnswerSet {
        records: Verified::none_of(tables.record_chunks()),
        index: Verified::none_of(tables.index_chunks()),
        damage: OnceLock::new(),
        tables,
        octets,
    })
}

fn read_tables(octets: &[u8], ca: &Certificate) -> Result<Tables, AnswerSetError> {
    let (layout, hashes) = read_header(octets)?;
    let tail_at = find_tail(octets)?;
    let mut input = Input::new(&octets[..octets.len() - TRAILER_LENGTH], tail_at);
    if input.take(HEADER_LENGTH)? != &octets[..HEADER_LENGTH] {
        return Err(malformed(
            0,
            "the header is not the one that the tail repeats",
        ));
    }

    let counts_at = input.at();
    let len = input.number::<8>()?;
    let (good, revoked, removed) = (
        input.number::<8>()?,
        input.number::<8>()?,
        input.number::<8>()?,
    );
    let (homes, buckets) = (input.number::<8>()?, input.number::<8>()?);
    let sum = good
        .checked_add(revoked)
        .and_then(|sum| sum.checked_add(removed));
    if len > MAX_RECORDS || sum != Some(len) {
        return Err(malformed(
            counts_at,
            "the counts are not those of at most 4,294,967,295 records",
        ));
    }
    let seeded = Homes::for_records(index::seed(ca), len);
    if homes != seeded.count || buckets < homes {
        return Err(malformed(
            counts_at + 32,
            "the index has not one home bucket per ten records",
        ));
    }
    // Lossless on machines that can map it: checked against the object's length now.
    let (len, buckets) = (len as usize, buckets as usize);
    let index_at = layout.index_at(len);
    let index_length = buckets.checked_mul(BUCKET_LENGTH);
    if index_at
        .zip(index_length)
        .and_then(|(at, length)| at.checked_add(length))
        != Some(tail_at)
    {
        return Err(malformed(
            counts_at,
            "records and index do not fill what lies before the tail",
        ));
    }
    // It is there: it ends where the tail begins.
    let index_at = index_at.unwrap_or(tail_at);
    let records_end = HEADER_LENGTH + len * layout.record_length();
    if octets[records_end..index_at]
        .iter()
        .any(|&octet| octet != 0)
    {
        return Err(malformed(
            records_end,
            "what fills up the records is not zero",
        ));
    }

    let cert_ids = read_cert_ids(&mut input, &hashes, ca)?;
    let responders = read_responders(&mut input, ca)?;
    let (batches_at, batches, signers) = read_batches(
        &mut input,
        layout,
        good + revoked,
        &responders,
        ca,
        &cert_ids,
    )?;
    let mut tables = Tables {
        layout,
        len,
        good,
        revoked,
        removed,
        homes: seeded,
        buckets,
        cert_ids,
        responders,
        signers,
        batches,
        index_at,
        tail_at,
        batches_at,
        chunk_heads_at: input.at(),
        index_hashes_at: 0,
    };
    input.skip(tables.record_chunks(), layout.chunk_head_length())?;
    tables.index_hashes_at = input.at();
    input.skip(tables.index_chunks(), HASH_LENGTH)?;
    if !input.is_at_end() {
        return Err(malformed(input.at(), "something follows the hashes"));
    }
    check_chunk_heads(&tables, octets)?;
    Ok(tables)
}

/// Where the tail begins, which the last octets tell.
fn find_tail(octets: &[u8]) -> Result<usize, AnswerSetError> {
    let at = octets.len() - TRAILER_LENGTH;
    let length = Input::new(octets, at).number::<TRAILER_LENGTH>()?;
    usize::try_from(length)
        .ok()
        .and_then(|length| octets.len().checked_sub(length))
        .filter(|&tail_at| tail_at >= HEADER_LENGTH && tail_at <= at)
        .ok_or_else(|| malformed(at, "the tail is longer than the object, or too short"))
}

fn read_header(octets: &[u8]) -> Result<(Layout, Vec<HashAlgorithm>), AnswerSetError> {
    if !octets.starts_with(MAGIC) {
        return Err(AnswerSetError::NotAnAnswerSet);
    }
    if octets.len() < 2 * HEADER_LENGTH + TRAILER_LENGTH {
        return Err(AnswerSetError::TooShort(octets.len()));
    }
    let mut input = Input::new(octets, MAGIC.len());
    // Lossless: 16 bits.
    let version = input.number::<2>()? as u16;
    if version != VERSION {
        return Err(AnswerSetError::Version(version));
    }
    let serial_width = usize::from(input.octet()?);
    if !(1..=MAX_SERIAL_WIDTH).contains(&serial_width) {
        return Err(malformed(10, "the serial width is not 1 to 20"));
    }
    let count = usize::from(input.octet()?);
    let codes = input.take(2)?;
    let hashes: Option<Vec<_>> = match (count, codes) {
        (1, &[only, 0]) => hash_from_code(only).map(|hash| vec![hash]),
        (2, &[1, 2]) => [1, 2].into_iter().map(hash_from_code).collect(),
        _ => None,
    };
    let hashes = hashes.ok_or_else(|| {
        malformed(
            11,
            "the CertID hashes are not SHA-1, SHA-256 or both in this order",
        )
    })?;
    // Lossless: 16 bits.
    let signature_width = input.number::<2>()? as usize;
    if signature_width > MAX_SIGNATURE_WIDTH {
        return Err(malformed(14, "the signature width is above 4096"));
    }
    if input
        .take(HEADER_LENGTH - 16)?
        .iter()
        .any(|&octet| octet != 0)
    {
        return Err(malformed(16, "the rest of the header is not zero"));
    }
    let layout = Layout {
        serial_width,
        hashes: count,
        signature_width,
    };
    Ok((layout, hashes))
}

fn read_cert_ids(
    input: &mut Input<'_>,
    hashes: &[HashAlgorithm],
    ca: &Certificate,
) -> Result<Vec<IssuerHashes>, AnswerSetError> {
    let mut cert_ids = Vec::new();
    for &hash in hashes {
        let expected = IssuerHashes::of(hash, ca);
        let name_hash = input.take(expected.name_hash.len())?;
        let key_hash = input.take(expected.key_hash.len())?;
        if name_hash != expected.name_hash || key_hash != expected.key_hash {
            return Err(AnswerSetError::WrongIssuer(ca.subject().to_string()));
        }
        cert_ids.push(expected);
    }
    Ok(cert_ids)
}

/// The certificates, `None` for the CA itself; each may sign for it (OCSP-51, OCSP-60).
fn read_responders(
    input: &mut Input<'_>,
    ca: &Certificate,
) -> Result<Vec<Option<Certificate>>, AnswerSetError> {
    let count = input.number::<2>()? as usize;
    let mut responders = Vec::new();
    for index in 0..count {
        let length = input.number::<4>()? as usize;
        let der = input.take(length)?;
        let refused = |why: String| AnswerSetError::Responder {
            index,
            issuer: ca.subject().to_string(),
            why,
        };
        if der.is_empty() {
            responders.push(None);
            continue;
        }
        let certificate = Certificate::from_der(der).map_err(|error| refused(error.to_string()))?;
        // Its own window is held against each batch below.
        check_delegation(&certificate, ca).map_err(|violation| refused(violation.to_string()))?;
        responders.push(Some(certificate));
    }
    Ok(responders)
}

/// Checks every batch where it stands: there may be many thousands.
fn read_batches(
    input: &mut Input<'_>,
    layout: Layout,
    answers: u64,
    responders: &[Option<Certificate>],
    ca: &Certificate,
    cert_ids: &[IssuerHashes],
) -> Result<(usize, usize, Signers), AnswerSetError> {
    let count = input.number::<4>()? as usize;
    let batches_at = input.at();
    let windows: Vec<_> = responders
        .iter()
        .map(|responder| {
            responder
                .as_ref()
                .map(|responder| (responder.not_before(), responder.not_after()))
        })
        .collect();
    let mut signers = Signers::of_responders(responders.len());
    let mut sum = 0_u64;
    for (index, octets) in input
        .skip(count, BATCH_LENGTH)?
        .chunks_exact(BATCH_LENGTH)
        .enumerate()
    {
        let error = |what| malformed(batches_at + index * BATCH_LENGTH, what);
        let batch = StoredBatch::read(octets);
        let responder = usize::from(batch.responder);
        let Some(lifetime) = windows.get(responder) else {
            return Err(error("a batch names a responder that is not there"));
        };
        if batch.zero != 0 {
            return Err(error(
                "the octet after the algorithm of a batch is not zero",
            ));
        }
        let refused = |why| AnswerSetError::Window { index, why };
        check_window(&batch.window, *lifetime).map_err(refused)?;
        let sized = sum.checked_add(batch.size).filter(|_| batch.size > 0);
        sum = sized.ok_or_else(|| error("a batch has no answers, or more than there are"))?;
        if signers.number(&batch).is_none() {
            let signer = signer(&batch, &responders[responder], ca, cert_ids)
                .ok_or_else(|| error("its responder's key makes no such signatures"))?;
            if signer.packing.width() > layout.signature_width {
                return Err(error("its signatures are wider than the set holds"));
            }
            signers
                .add(&batch, signer)
                .ok_or_else(|| error("more than 65,535 signers"))?;
        }
    }
    if sum != answers {
        return Err(malformed(
            batches_at,
            "the batches have not as many answers as the set",
        ));
    }
    Ok((batches_at, count, signers))
}

fn check_window(window: &Window, lifetime: Option<(Time, Time)>) -> Result<(), &'static str> {
    if window.this_update < Time::from_unix(0) || window.next_update >= Time::from_unix(YEAR_10000)
    {
        return Err("a time is before 1970 or after 9999");
    }
    if window.this_update >= window.next_update {
        return Err("nextUpdate is not after thisUpdate");
    }
    if window.refresh_at <= window.this_update || window.refresh_at > window.next_update {
        return Err("the planned renewal is not between thisUpdate and nextUpdate");
    }
    let Some((not_before, not_after)) = lifetime else {
        return Ok(());
    };
    if window.this_update < not_before {
        return Err("it was signed before its responder certificate began");
    }
    if window.next_update > not_after {
        return Err("nextUpdate is after the end of its responder certificate (V8, OCSP-38)");
    }
    Ok(())
}

/// `None` if that key makes no signatures of that algorithm.
fn signer(
    batch: &StoredBatch,
    responder: &Option<Certificate>,
    ca: &Certificate,
    cert_ids: &[IssuerHashes],
) -> Option<Signer> {
    let algorithm = algorithm_from_code(batch.algorithm)?;
    let certificate = responder.as_ref().unwrap_or(ca);
    let packing = Packing::new(certificate.public_key(), algorithm)?;
    let der = responder.as_ref().map_or(&[][..], Certificate::der);
    let template = |cert_id: &IssuerHashes| {
        let code = hash_code(cert_id.hash)?;
        let whole = digest(&SHA256, &[&[code, batch.algorithm], der].concat());
        let mut fingerprint = [0; FINGERPRINT];
        fingerprint.copy_from_slice(&whole.as_ref()[..FINGERPRINT]);
        Some(SetTemplate {
            template: Template::new(cert_id.hash, ca, certificate, algorithm),
            signature: packing,
            fingerprint,
        })
    };
    Some(Signer {
        responder: usize::from(batch.responder),
        packing,
        templates: cert_ids.iter().map(template).collect::<Option<_>>()?,
    })
}

/// The first serial numbers of the chunks ascend from above zero; the chunks are held against them when they are read.
fn check_chunk_heads(tables: &Tables, octets: &[u8]) -> Result<(), AnswerSetError> {
    let zeros = [0; MAX_SERIAL_WIDTH];
    let mut before = &zeros[..tables.layout.serial_width];
    for chunk in 0..tables.record_chunks() {
        let (first, _) = tables.chunk_head(octets, chunk);
        if first <= before {
            return Err(malformed(
                tables.chunk_heads_at + chunk * tables.layout.chunk_head_length(),
                "the first serial numbers of the chunks do not ascend",
            ));
        }
        before = first;
    }
    Ok(())
}
