//! Checking a set once, so that reading it later needs no check.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use pki::ocsp::response::Template;
use pki::{Certificate, RevocationReason, Time};

use crate::answer::FINGERPRINT;
use crate::format::{
    BATCH_LENGTH, CHECKSUM_LENGTH, COUNT_LENGTH, HEADER_LENGTH, Layout, MAGIC, MAX_SERIAL_WIDTH,
    MAX_SIGNATURE_WIDTH, VERSION, algorithm_code, algorithm_from_code, hash_code, hash_from_code,
};
use crate::record::{GOOD, NO_BATCH, REMOVED, REVOKED, REVOKED_WITH_REASON, Record};
use crate::set::{AnswerSet, SetTemplate};
use crate::signature::Packing;
use crate::{AnswerSetError, Batch, IssuerHashes, check_delegation};

pub(crate) fn open(octets: Vec<u8>, ca: &Certificate) -> Result<AnswerSet, AnswerSetError> {
    let body = checked_body(&octets)?;
    let mut input = Input {
        octets: body,
        at: 8,
    };
    let (layout, hashes) = read_header(&mut input)?;

    let count_at = body.len() - COUNT_LENGTH;
    let len = Input {
        octets: body,
        at: count_at,
    }
    .number::<8>()?;
    let len = usize::try_from(len).map_err(|_| malformed(count_at, "more records than memory"))?;
    let tables_at = len
        .checked_mul(layout.record_length())
        .and_then(|length| length.checked_add(HEADER_LENGTH))
        .filter(|&at| at <= count_at)
        .ok_or_else(|| malformed(count_at, "more records than the object has room for"))?;
    input.at = tables_at;
    input.octets = &body[..count_at];

    let cert_ids = read_cert_ids(&mut input, &hashes, ca)?;
    let responders = read_responders(&mut input, ca)?;
    let batches = read_batches(&mut input, &responders)?;
    if input.at != count_at {
        return Err(malformed(input.at, "something follows the batches"));
    }

    let mut batch_templates = Vec::with_capacity(batches.len());
    let mut templates = Templates {
        ca,
        cert_ids: &cert_ids,
        known: HashMap::new(),
        list: Vec::new(),
    };
    for (index, batch) in batches.iter().enumerate() {
        let at = templates
            .of(batch)
            .filter(|&at| templates.list[at].signature.width() <= layout.signature_width);
        batch_templates.push(at.ok_or(AnswerSetError::Window {
            index,
            why: "its responder's key makes no such signatures, or wider ones than the set holds",
        })?);
    }
    let templates = templates.list;

    let mut set = AnswerSet {
        layout,
        len,
        cert_ids,
        batch_sizes: vec![0; batches.len()],
        batches,
        batch_templates,
        templates,
        good: 0,
        revoked: 0,
        removed: 0,
        octets,
    };
    check_records(&mut set)?;
    Ok(set)
}

/// Everything before the checksum, when magic, version and checksum are right.
fn checked_body(octets: &[u8]) -> Result<&[u8], AnswerSetError> {
    if !octets.starts_with(MAGIC) {
        return Err(AnswerSetError::NotAnAnswerSet);
    }
    if octets.len() < HEADER_LENGTH + COUNT_LENGTH + CHECKSUM_LENGTH {
        return Err(AnswerSetError::TooShort(octets.len()));
    }
    let version = u16::from_be_bytes([octets[8], octets[9]]);
    if version != VERSION {
        return Err(AnswerSetError::Version(version));
    }
    let (body, checksum) = octets.split_at(octets.len() - CHECKSUM_LENGTH);
    if digest(&SHA256, body).as_ref() != checksum {
        return Err(AnswerSetError::Checksum);
    }
    Ok(body)
}

fn read_header(input: &mut Input<'_>) -> Result<(Layout, Vec<pki::HashAlgorithm>), AnswerSetError> {
    input.at = 10;
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
        return Err(malformed(14, "the signature width is above 1024"));
    }
    if input
        .take(HEADER_LENGTH - 16)?
        .iter()
        .any(|&octet| octet != 0)
    {
        return Err(malformed(16, "the rest of the header is not zero"));
    }
    Ok((
        Layout {
            serial_width,
            hashes: count,
            signature_width,
        },
        hashes,
    ))
}

fn read_cert_ids(
    input: &mut Input<'_>,
    hashes: &[pki::HashAlgorithm],
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

fn read_batches(
    input: &mut Input<'_>,
    responders: &[Option<Certificate>],
) -> Result<Vec<Batch>, AnswerSetError> {
    let at = input.at;
    let count = input.number::<4>()? as usize;
    if count.saturating_mul(BATCH_LENGTH) > input.octets.len() - input.at {
        return Err(malformed(at, "more batches than the object has room for"));
    }
    let mut batches = Vec::with_capacity(count);
    for index in 0..count {
        let this_update = input.time()?;
        let next_update = input.time()?;
        let refresh_at = input.time()?;
        let at = input.at;
        let responder = responders
            .get(input.number::<2>()? as usize)
            .ok_or_else(|| malformed(at, "a batch names a responder that is not there"))?;
        let signature_algorithm = algorithm_from_code(input.octet()?)
            .ok_or_else(|| malformed(at + 2, "unknown signature algorithm"))?;
        if input.octet()? != 0 {
            return Err(malformed(at + 3, "the last octet of a batch is not zero"));
        }
        let batch = Batch {
            this_update,
            next_update,
            refresh_at,
            responder: responder.clone(),
            signature_algorithm,
        };
        check_window(&batch).map_err(|why| AnswerSetError::Window { index, why })?;
        batches.push(batch);
    }
    Ok(batches)
}

fn check_window(batch: &Batch) -> Result<(), &'static str> {
    let year_10000 = Time::from_unix(253_402_300_800);
    if batch.this_update < Time::from_unix(0) || batch.next_update >= year_10000 {
        return Err("a time is before 1970 or after 9999");
    }
    if batch.this_update >= batch.next_update {
        return Err("nextUpdate is not after thisUpdate");
    }
    if batch.refresh_at <= batch.this_update || batch.refresh_at > batch.next_update {
        return Err("the planned renewal is not between thisUpdate and nextUpdate");
    }
    let Some(responder) = &batch.responder else {
        return Ok(());
    };
    if batch.this_update < responder.not_before() {
        return Err("it was signed before its responder certificate began");
    }
    if batch.next_update > responder.not_after() {
        return Err("nextUpdate is after the end of its responder certificate (V8, OCSP-38)");
    }
    Ok(())
}

fn check_records(set: &mut AnswerSet) -> Result<(), AnswerSetError> {
    let length = set.layout.record_length();
    let mut previous: Option<usize> = None;
    for index in 0..set.len {
        let record = set.record(index);
        let error = |what| malformed(HEADER_LENGTH + index * length, what);
        let after = match previous {
            Some(previous) => set.record(previous).padded_serial() < record.padded_serial(),
            None => record.padded_serial().iter().any(|&octet| octet != 0),
        };
        if !after {
            return Err(error("the serial numbers do not ascend from above zero"));
        }
        previous = Some(index);
        if record.status_code() == REMOVED {
            if record.batch() != NO_BATCH || !filled_with_zeros(&record, 0) {
                return Err(error("a removal carries more than a serial number"));
            }
            set.removed += 1;
            continue;
        }
        check_status(&record).map_err(error)?;
        let batch = record.batch() as usize;
        let Some(&template) = set.batch_templates.get(batch) else {
            return Err(error("a record names a batch that is not there"));
        };
        if !filled_with_zeros(&record, set.templates[template].signature.width()) {
            return Err(error("a signature is not filled up with zeros"));
        }
        if record.status_code() == GOOD {
            set.good += 1;
        } else {
            set.revoked += 1;
        }
        set.batch_sizes[batch] += 1;
    }
    Ok(())
}

fn check_status(record: &Record<'_>) -> Result<(), &'static str> {
    match record.status_code() {
        GOOD if record.time().unix() != 0 => Err("a good certificate has a revocation time"),
        GOOD | REVOKED => Ok(()),
        code => match code
            .checked_sub(REVOKED_WITH_REASON)
            .and_then(RevocationReason::from_code)
        {
            None | Some(RevocationReason::Unspecified) => Err("unknown status"),
            Some(_) => Ok(()),
        },
    }?;
    let year_10000 = Time::from_unix(253_402_300_800);
    if record.time() >= year_10000 || record.time() < Time::from_unix(-62_167_219_200) {
        return Err("a revocation time that GeneralizedTime cannot write");
    }
    Ok(())
}

/// Whether each signature field holds nothing beyond its first `width` octets.
fn filled_with_zeros(record: &Record<'_>, width: usize) -> bool {
    let fields = record.layout().hashes;
    (0..fields).all(|slot| {
        record.signature(slot)[width..]
            .iter()
            .all(|&octet| octet == 0)
    })
}

/// The templates of a set, each made once.
struct Templates<'a> {
    ca: &'a Certificate,
    cert_ids: &'a [IssuerHashes],
    known: HashMap<(Vec<u8>, u8), Option<usize>>,
    list: Vec<SetTemplate>,
}

impl Templates<'_> {
    /// Where the templates of a batch begin; `None` if its key makes no signatures of its algorithm.
    fn of(&mut self, batch: &Batch) -> Option<usize> {
        let algorithm = algorithm_code(batch.signature_algorithm)?;
        let der = batch
            .responder
            .as_ref()
            .map_or(&[][..], |responder| responder.der());
        let key = (der.to_vec(), algorithm);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let at = self.make(batch, algorithm, der);
        self.known.insert(key, at);
        at
    }

    fn make(&mut self, batch: &Batch, algorithm: u8, der: &[u8]) -> Option<usize> {
        let signer = batch.responder.as_ref().unwrap_or(self.ca);
        let signature = Packing::new(signer.public_key(), batch.signature_algorithm)?;
        let at = self.list.len();
        for cert_id in self.cert_ids {
            let template = Template::new(cert_id.hash, self.ca, signer, batch.signature_algorithm);
            let hash = hash_code(cert_id.hash)?;
            let whole = digest(&SHA256, &[&[hash, algorithm], der].concat());
            let mut fingerprint = [0; FINGERPRINT];
            fingerprint.copy_from_slice(&whole.as_ref()[..FINGERPRINT]);
            self.list.push(SetTemplate {
                template,
                signature,
                fingerprint,
            });
        }
        Some(at)
    }
}

/// Reads from the start to the end, never beyond.
struct Input<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], AnswerSetError> {
        let end = self
            .at
            .checked_add(length)
            .filter(|&end| end <= self.octets.len());
        let end = end.ok_or_else(|| malformed(self.at, "a field reaches beyond its table"))?;
        let taken = &self.octets[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn octet(&mut self) -> Result<u8, AnswerSetError> {
        Ok(self.take(1)?[0])
    }

    /// A big-endian number of N octets, at most 8.
    fn number<const N: usize>(&mut self) -> Result<u64, AnswerSetError> {
        Ok(self
            .take(N)?
            .iter()
            .fold(0, |number, &octet| number << 8 | u64::from(octet)))
    }

    fn time(&mut self) -> Result<Time, AnswerSetError> {
        Ok(Time::from_unix(self.number::<8>()?.cast_signed()))
    }
}

fn malformed(offset: usize, what: &'static str) -> AnswerSetError {
    AnswerSetError::Malformed { offset, what }
}
