//! The CRL as HTTP transfers it to those who accept a content coding.

use std::io::{self, Write};

use codings::Coding;
use flate2::Compression;
use flate2::write::GzEncoder;
use publication::{NewObject, Source};

use super::{Listed, OF, object};

/// Both levels are where more time stops to pay: a CRL of 34 MB takes 0.6 s, one of 5 MB 0.1 s, and higher levels save
/// two percent more for twice the time.
const GZIP_LEVEL: u32 = 5;
const ZSTD_LEVEL: i32 = 5;
/// What saves less than one part in that many is not worth an object.
const WORTH: usize = 16;

/// The octets in this coding; `None` if there is nothing to gain.
pub(super) fn compressed(coding: Coding, octets: &[u8]) -> Option<Vec<u8>> {
    let encoded = match coding {
        Coding::Gzip => gzip(octets),
        Coding::Zstd => zstd::bulk::compress(octets, ZSTD_LEVEL),
    };
    match encoded {
        Ok(encoded) => (encoded.len() + octets.len() / WORTH < octets.len()).then_some(encoded),
        Err(error) => {
            tracing::warn!(
                "a CRL is published without its {} variant: {error}",
                coding.name()
            );
            None
        }
    }
}

/// Without name and time in its header, so that the same CRL gives the same octets.
fn gzip(octets: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(octets)?;
    encoder.finish()
}

pub(super) fn variant(coding: Coding, encoded: Vec<u8>, listed: &Listed<'_>) -> NewObject {
    let name = format!("{} in {}", listed.object.name, coding.name());
    let mut variant = object("variant", name, listed.crl, Source::Bytes(encoded));
    variant.details = [(OF, listed.sha256.as_str()), ("coding", coding.name())]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    variant
}
