//! What is published beside a CRL so that fetching it is cheap; the edge computes nothing when somebody asks.
//!
//! | role | what | served at |
//! | --- | --- | --- |
//! | `crl` | the CRL | its paths, and `/crl/{issuer}/{number}.crl` |
//! | `crl-delta`, `crl-partition` | a delta, a part of it | their paths |
//! | `variant` | one of these, compressed | where that is, to those who accept the coding |
//! | `crl-difference` | the differences that lead to one of these | its paths with `.diff` for `.crl` |
//! | `crl-earlier` | a CRL that was current before, while it lasts | `/crl/{issuer}/{number}.crl` |

mod compress;
mod differences;
mod earlier;

use std::collections::BTreeMap;
use std::thread;

use codings::Coding;
use pki::crl::Crl;
use publication::{Manifest, NewObject, Object, Publisher, Source};

pub(crate) use earlier::earlier;

use crate::live::{CRL_ROLE, sha256};

/// A variant says of which object (`of`, its SHA-256) and in which coding (`coding`); differences say `of` too.
const OF: &str = "of";
/// A delta or a part with fewer octets travels in two packets. There may be thousands of them, and nothing beside them
/// would save any.
const SMALL: usize = 2048;

/// The path at which a CRL stays the same for ever.
pub(crate) fn numbered_path(issuer: &str, crl: &Crl) -> Option<String> {
    let number = crl.number()?;
    Some(format!("/crl/{issuer}/{number}.crl"))
}

/// What belongs beside a CRL, delta or part that becomes `object`: its variants and differences.
pub(crate) fn beside(
    publisher: &Publisher,
    issuer: &str,
    object: &NewObject,
    crl: &Crl,
) -> Vec<NewObject> {
    if object.role != CRL_ROLE && crl.der().len() < SMALL {
        return Vec::new();
    }
    let listed = Listed {
        object,
        crl,
        sha256: hex::encode(sha256(crl.der())),
        numbered_path: numbered_path(issuer, crl),
    };
    let before = Before::of(publisher, &object.role, &object.name);
    // The one that takes longest does not wait for the others.
    let (gzip, zstd, log) = thread::scope(|scope| {
        let gzip = scope.spawn(|| compress::compressed(Coding::Gzip, crl.der()));
        let log = scope.spawn(|| differences::log(before.as_ref(), &listed));
        let zstd = compress::compressed(Coding::Zstd, crl.der());
        (join(gzip), zstd, join(log))
    });
    let variants = [(Coding::Gzip, gzip), (Coding::Zstd, zstd)];
    let variants = variants
        .into_iter()
        .filter_map(|(coding, octets)| Some(compress::variant(coding, octets?, &listed)));
    let differences = log.map(|log| differences::differences(log, &listed));
    variants.chain(differences).collect()
}

/// What is published beside an object that stays.
pub(crate) fn kept_beside(manifest: &Manifest, sha256: &str) -> Vec<NewObject> {
    let about_it = |object: &&Object| object.details.get(OF).is_some_and(|of| of == sha256);
    manifest
        .objects
        .iter()
        .filter(about_it)
        .map(Object::kept)
        .collect()
}

/// A list to be published.
struct Listed<'a> {
    object: &'a NewObject,
    crl: &'a Crl,
    sha256: String,
    numbered_path: Option<String>,
}

/// What is published now where it will be.
struct Before<'a> {
    publisher: &'a Publisher,
    manifest: &'a Manifest,
    crl: &'a Object,
}

impl<'a> Before<'a> {
    fn of(publisher: &'a Publisher, role: &str, name: &str) -> Option<Self> {
        let manifest = publisher.current()?;
        let mut lists = manifest.objects_of(role);
        Some(Self {
            publisher,
            manifest,
            crl: lists.find(|list| list.name == name)?,
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
