//! What is published beside a CRL so that fetching it is cheap; the edge computes nothing when somebody asks.
//!
//! | role | what | served at |
//! | --- | --- | --- |
//! | `crl` | the CRL | its paths, and `/crl/{issuer}/{number}.crl` |
//! | `variant` | the CRL, compressed | where the CRL is, to those who accept the coding |
//! | `crl-difference` | the differences that lead to it | the CRL's paths with `.diff` for `.crl` |
//! | `crl-earlier` | a CRL that was current before, while it lasts | `/crl/{issuer}/{number}.crl` |

mod compress;
mod differences;
mod earlier;

use std::collections::BTreeMap;
use std::thread;

use codings::Coding;
use pki::crl::Crl;
use publication::{Manifest, NewObject, Object, Publisher, Source};

use crate::live::CRL_ROLE;

/// A variant says of which object (`of`, its SHA-256) and in which coding (`coding`); differences say `of` too.
const OF: &str = "of";

/// The path at which a CRL stays the same for ever.
pub(crate) fn numbered_path(issuer: &str, crl: &Crl) -> Option<String> {
    let number = crl.number()?;
    Some(format!("/crl/{issuer}/{number}.crl"))
}

/// What belongs beside `crl`, which becomes an object with this hash at these paths.
pub(crate) fn beside(
    publisher: &Publisher,
    issuer: &str,
    crl: &Crl,
    sha256: &str,
    paths: &[String],
) -> Vec<NewObject> {
    let before = Before::of(publisher);
    // The one that takes longest does not wait for the others.
    let (gzip, zstd, log) = thread::scope(|scope| {
        let gzip = scope.spawn(|| compress::compressed(Coding::Gzip, crl.der()));
        let log = scope.spawn(|| differences::log(before.as_ref(), crl, sha256));
        let zstd = compress::compressed(Coding::Zstd, crl.der());
        (join(gzip), zstd, join(log))
    });
    let variants = [(Coding::Gzip, gzip), (Coding::Zstd, zstd)];
    let variants = variants
        .into_iter()
        .filter_map(|(coding, octets)| Some(compress::variant(coding, octets?, crl, sha256)));
    let differences = log.map(|log| differences::differences(log, crl, sha256, paths));
    let earlier = before.as_ref().map(|before| before.earlier(issuer, crl));
    variants
        .chain(differences)
        .chain(earlier.into_iter().flatten())
        .collect()
}

/// What is published now.
struct Before<'a> {
    publisher: &'a Publisher,
    manifest: &'a Manifest,
    crl: &'a Object,
}

impl<'a> Before<'a> {
    fn of(publisher: &'a Publisher) -> Option<Self> {
        let manifest = publisher.current()?;
        Some(Self {
            publisher,
            manifest,
            crl: manifest.object(CRL_ROLE)?,
        })
    }
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// An object about a CRL, without paths.
pub(crate) fn object(role: &str, name: String, crl: &Crl, source: Source) -> NewObject {
    NewObject {
        role: role.to_owned(),
        name,
        content_type: "application/pkix-crl".to_owned(),
        paths: Vec::new(),
        this_update: Some(crl.this_update()),
        next_update: crl.next_update(),
        details: BTreeMap::new(),
        tail: None,
        source,
    }
}
