//! Objects that say something of another one: its variants in content codings, and the differences that lead to it. Each
//! is held against what it stands for, once; one that is something else refuses the generation (V9).

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use codings::Coding;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use pki::crl::difference::Log;
use publication::{Content, Object};

use super::{LOST, Loader};
use crate::differences::Differences;
use crate::live::{StaticObject, Variant};

/// What was found so far, by the hash of what it is about.
#[derive(Default)]
pub(super) struct Beside {
    variants: BTreeMap<String, Vec<(Object, Content)>>,
    differences: Vec<(Object, Content)>,
}

impl Beside {
    /// Takes in what is about another object; gives back what is not.
    pub(super) fn take_in(
        &mut self,
        object: Object,
        content: Content,
    ) -> anyhow::Result<Option<(Object, Content)>> {
        match object.role.as_str() {
            "variant" => {
                ensure!(
                    object.paths.is_empty(),
                    "{}: a variant has no path of its own",
                    object.name
                );
                let of = of(&object)?.to_owned();
                self.variants.entry(of).or_default().push((object, content));
                Ok(None)
            }
            "crl-difference" => {
                self.differences.push((object, content));
                Ok(None)
            }
            _ => Ok(Some((object, content))),
        }
    }

    /// The variants of an object; `previous` is the same object as it was in the generation before.
    pub(super) fn variants_of(
        &mut self,
        sha256: &str,
        octets: &[u8],
        previous: Option<&Arc<StaticObject>>,
    ) -> anyhow::Result<Vec<Variant>> {
        let found = self.variants.remove(sha256).unwrap_or_default();
        found
            .into_iter()
            .map(|(object, content)| {
                let what = object.name.clone();
                let known = previous.and_then(|previous| {
                    let mut variants = previous.variants.iter();
                    variants.find(|variant| variant.sha256 == object.sha256)
                });
                match (content, known) {
                    (Content::Known, Some(variant)) => Ok(variant.clone()),
                    (Content::Fresh(encoded), _) => variant(object, encoded, octets),
                    _ => bail!(LOST),
                }
                .context(what)
            })
            .collect()
    }

    /// Nothing may be about an object that is not there.
    pub(super) fn all_used(&self) -> anyhow::Result<()> {
        match self.variants.values().flatten().next() {
            Some((object, _)) => bail!("{}: what it is a variant of is not there", object.name),
            None => Ok(()),
        }
    }
}

impl Loader<'_> {
    /// The differences to the CRLs among `served`.
    pub(super) fn differences(
        &self,
        beside: &mut Beside,
        served: &[(String, Arc<StaticObject>)],
    ) -> anyhow::Result<Vec<Arc<Differences>>> {
        std::mem::take(&mut beside.differences)
            .into_iter()
            .map(|(object, content)| {
                let what = object.name.clone();
                self.difference(object, content, served).context(what)
            })
            .collect()
    }

    fn difference(
        &self,
        object: Object,
        content: Content,
        served: &[(String, Arc<StaticObject>)],
    ) -> anyhow::Result<Arc<Differences>> {
        let of = of(&object)?;
        let (_, crl) = served
            .iter()
            .find(|(sha256, _)| sha256 == of)
            .context("the CRL that it leads to is not there")?;
        let bytes = match content {
            Content::Fresh(octets) => Bytes::from(octets),
            Content::Known => self
                .previous
                .and_then(|previous| {
                    let mut known = previous.differences.iter();
                    known.find(|known| known.sha256 == object.sha256)
                })
                .context(LOST)?
                .bytes
                .clone(),
            Content::File(_) => bail!("only answer sets are named by their tails"),
        };
        let log = Log::read(&bytes)?;
        log.agrees_with(&crl.bytes)?;
        ensure!(
            Some(log.number()) == crl.crl_number.as_ref(),
            "it names another number than its CRL has"
        );
        let prefixes = log
            .prefixes()
            .map(|(number, length)| (number.clone(), length))
            .collect();
        Ok(Arc::new(Differences {
            prefixes,
            content_type: HeaderValue::from_str(&object.content_type)?,
            cells: self.cells.objects(&self.manifest.issuer, &object.role),
            crl: Arc::clone(crl),
            sha256: object.sha256,
            paths: object.paths,
            bytes,
        }))
    }
}

fn variant(object: Object, encoded: Vec<u8>, octets: &[u8]) -> anyhow::Result<Variant> {
    let name = object.details.get("coding").context("it names no coding")?;
    let coding = Coding::from_name(name)
        .with_context(|| format!("content coding {name:?} is not known here"))?;
    ensure!(
        coding.stands_for(&encoded, octets),
        "it is not the object that it stands for"
    );
    Ok(Variant {
        coding,
        etag: HeaderValue::from_str(&format!("\"{}\"", object.sha256))?,
        sha256: object.sha256,
        bytes: Bytes::from(encoded),
    })
}

/// The hash of what an object is about.
fn of(object: &Object) -> anyhow::Result<&str> {
    let of = object.details.get("of");
    of.map(String::as_str)
        .with_context(|| format!("{}: it does not say of which object it is", object.name))
}
