//! From a verified manifest to a channel that can be served: every object is judged here (V9, OPS-07, CRL-31).

mod beside;
mod sets;

use std::collections::BTreeMap;
use std::sync::Arc;

use answers::{AnswerSet, Layered};
use anyhow::{Context as _, bail, ensure};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use pki::crl::Crl;
use pki::crl::verify::{ImportedRules, Profile, Scope, verify_crl};
use pki::{Certificate, Time};
use publication::{Candidate, CandidateObject, Content, Manifest, Object};

use crate::cells::Cells;
use crate::freshness::Freshness;
use crate::live::{Answers, Channel, EARLIER_CRL, StaticObject};
use crate::pace::Pace;

use beside::Beside;

/// Judges the objects of a candidate; objects that stayed are taken over from the channel's `previous` generation, and
/// answer sets from those that were `opened` for it before.
///
/// Takes the contents out of the candidate, and rests as `pace` says.
pub(crate) fn load(
    candidate: &mut Candidate,
    previous: Option<&Channel>,
    opened: &BTreeMap<String, Arc<AnswerSet>>,
    cells: &Cells,
    now: Time,
    pace: &Pace,
) -> anyhow::Result<Channel> {
    let objects = std::mem::take(&mut candidate.objects);
    let manifest = candidate.manifest.clone();
    let kind = kind_of(&manifest)?;
    let loader = Loader {
        ca: find_ca(&objects, previous)?,
        cells,
        manifest: &manifest,
        now,
        opened,
        pace,
        previous,
    };
    let mut sets = BTreeMap::new();
    let mut layers: Vec<Arc<AnswerSet>> = Vec::new();
    let mut as_they_are = Vec::new();
    let mut beside = Beside::default();
    for CandidateObject { object, content } in objects {
        let what = object.name.clone();
        if object.role == answers::ROLE || object.role == answers::ROLE_AHEAD {
            ensure!(
                kind == Kind::Ocsp,
                "{what}: answers belong into an ocsp/ channel"
            );
            let set = loader.answer_set(&object, content).context(what)?;
            if object.role == answers::ROLE {
                layers.push(Arc::clone(&set));
            }
            sets.insert(object.sha256, set);
        } else {
            ensure!(
                kind == Kind::Crl || !is_crl(&object),
                "{what}: a CRL belongs into a crl/ channel"
            );
            if let Some((object, content)) = beside.take_in(object, content)? {
                as_they_are.push((object, content));
            }
        }
    }
    let mut served = Vec::new();
    for (object, content) in as_they_are {
        let (what, sha256) = (object.name.clone(), object.sha256.clone());
        let object = loader.served(object, content, &mut beside).context(what)?;
        served.push((sha256, object));
    }
    let differences = loader.differences(&mut beside, &served)?;
    beside.all_used()?;
    let layered = layered(layers, previous, pace)?;
    Ok(Channel {
        ca: loader.ca,
        answers: layered.map(|layered| {
            Arc::new(Answers {
                layered,
                cells: cells.issuer(&manifest.issuer),
                ignores_nonces: manifest
                    .settings
                    .get("nonce")
                    .is_some_and(|nonce| nonce == "ignore"),
                budget: cells.budget(&manifest.issuer),
            })
        }),
        sets,
        objects: served,
        differences,
        manifest,
    })
}

/// Whether it is a CRL or about one.
fn is_crl(object: &Object) -> bool {
    object.role == "crl" || object.role.starts_with("crl-")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Crl,
    Ocsp,
}

fn kind_of(manifest: &Manifest) -> anyhow::Result<Kind> {
    let (kind, issuer) = manifest.channel.split_once('/').unwrap_or_default();
    ensure!(
        issuer == manifest.issuer,
        "the manifest of {} is about issuer {:?}",
        manifest.channel,
        manifest.issuer
    );
    match kind {
        "crl" => Ok(Kind::Crl),
        "ocsp" => Ok(Kind::Ocsp),
        _ => bail!("channels of kind {kind:?} are not served here"),
    }
}

/// The CA certificate against which everything else of the channel is verified.
fn find_ca(objects: &[CandidateObject], previous: Option<&Channel>) -> anyhow::Result<Certificate> {
    let mut found = objects
        .iter()
        .filter(|found| found.object.role == "ca-certificate");
    let (Some(only), None) = (found.next(), found.next()) else {
        bail!("the manifest does not name exactly one object of role ca-certificate");
    };
    match &only.content {
        Content::Fresh(der) => {
            let ca = Certificate::from_der(der).context("the CA certificate is not one")?;
            ensure!(
                !ca.subject().is_empty(),
                "the CA certificate has no subject"
            );
            Ok(ca)
        }
        Content::Known => Ok(previous.context(LOST)?.ca.clone()),
        Content::File(_) => bail!("the CA certificate is not one: it is named by its tail"),
    }
}

/// Said when the follower and this program disagree on what was taken.
const LOST: &str = "an object of the generation before is needed but not at hand; publish again";

/// The first set is the base, each later one lies over those before. What the generation before had at the bottom need
/// not be looked at again.
fn layered(
    mut sets: Vec<Arc<AnswerSet>>,
    previous: Option<&Channel>,
    pace: &Pace,
) -> anyhow::Result<Option<Layered>> {
    if sets.is_empty() {
        return Ok(None);
    }
    let base = sets.remove(0);
    sets.reverse();
    let layered = match previous.and_then(|previous| previous.answers.as_ref()) {
        Some(answers) => answers
            .layered
            .changed_to(base, sets, || pace.part_done())?,
        None => Layered::new(base, sets)?,
    };
    Ok(Some(layered))
}

struct Loader<'a> {
    ca: Certificate,
    cells: &'a Cells,
    manifest: &'a Manifest,
    now: Time,
    opened: &'a BTreeMap<String, Arc<AnswerSet>>,
    pace: &'a Pace,
    previous: Option<&'a Channel>,
}

impl Loader<'_> {
    /// Whether what was verified for the generation before need not be verified again.
    fn same_ca(&self) -> bool {
        self.previous
            .is_none_or(|previous| previous.ca.der() == self.ca.der())
    }

    fn served(
        &self,
        object: Object,
        content: Content,
        beside: &mut Beside,
    ) -> anyhow::Result<Arc<StaticObject>> {
        let previous = self.previous.and_then(|previous| {
            previous
                .objects
                .iter()
                .find(|(sha256, _)| *sha256 == object.sha256)
                .map(|(_, object)| object)
        });
        let known = matches!(content, Content::Known);
        let bytes = match content {
            Content::Fresh(octets) => Bytes::from(octets),
            Content::Known => previous.context(LOST)?.bytes.clone(),
            Content::File(_) => bail!("only answer sets are named by their tails"),
        };
        let content_type = HeaderValue::from_str(&object.content_type)
            .with_context(|| format!("content type {:?} cannot be sent", object.content_type))?;
        let etag = HeaderValue::from_str(&format!("\"{}\"", object.sha256))
            .context("its hash cannot be sent")?;
        let variants = beside.variants_of(&object.sha256, &bytes, previous)?;
        let (last_modified, freshness, crl_number) = match object.role.as_str() {
            // It was verified when it was the current one.
            EARLIER_CRL
                if known
                    && self.same_ca()
                    && previous.is_some_and(|it| it.crl_number.is_some()) =>
            {
                let previous = previous.context(LOST)?;
                (
                    previous.last_modified,
                    previous.freshness,
                    previous.crl_number.clone(),
                )
            }
            "crl" | "crl-delta" | "crl-partition" | EARLIER_CRL => {
                let crl = self.crl(&object, &bytes)?;
                let freshness = crl_freshness(&crl, &object)?;
                (
                    Some(crl.this_update()),
                    Some(freshness),
                    crl.number().cloned(),
                )
            }
            "ca-certificate" => (Some(self.ca.not_before()), None, None),
            _ => (object.this_update, None, None),
        };
        Ok(Arc::new(StaticObject {
            cells: self.cells.objects(&self.manifest.issuer, &object.role),
            name: object.name,
            role: object.role,
            paths: object.paths,
            bytes,
            content_type,
            etag,
            variants,
            last_modified,
            freshness,
            crl_number,
        }))
    }

    /// Verifies a CRL against the channel's CA; its number never goes back.
    fn crl(&self, object: &Object, der: &[u8]) -> anyhow::Result<Crl> {
        // Whose CRL it is, only the builder knows; it held our own rules already.
        let rules = ImportedRules {
            old_algorithms: true,
            bare: true,
        };
        let crl = Crl::from_der(der)?;
        let scope = match (crl.base_number(), object.details.get("uri")) {
            (Some(base), _) => Scope::Delta { base },
            (None, Some(uri)) => Scope::Partition { uri },
            (None, None) => Scope::Complete,
        };
        let expected = pki::crl::verify::Expected {
            ca: &self.ca,
            // Whether it is current is decided at each request; a slow clock must not refuse it for ever.
            now: self.now.max(crl.this_update()),
            scope,
            previous: None,
            profile: Profile::Imported(rules),
        };
        let crl = verify_crl(der, &expected)?.crl;
        if object.role == EARLIER_CRL {
            return Ok(crl);
        }
        let before = self.previous.and_then(|previous| {
            previous
                .objects
                .iter()
                .map(|(_, served)| served)
                .find(|served| served.role == object.role && served.name == object.name)
        });
        if let Some(before) = before {
            let (new, old) = (crl.number(), before.crl_number.as_ref());
            ensure!(
                new >= old,
                "its number goes back; never publish an older CRL (CRL-11)"
            );
            ensure!(
                new.is_none() || new != old || before.bytes == der,
                "it has the number of the CRL before but other content (CRL-10)"
            );
        }
        Ok(crl)
    }
}

fn crl_freshness(crl: &Crl, object: &Object) -> anyhow::Result<Freshness> {
    let this_update = crl.this_update();
    let next_update = crl.next_update().context("it has no nextUpdate")?;
    let refresh_at = match (
        object.details.get("refresh_at"),
        object.details.get("refresh_hours"),
    ) {
        (Some(time), _) => time
            .parse()
            .with_context(|| format!("its refresh_at {time:?} is no RFC 3339 time"))?,
        (None, Some(hours)) => {
            let hours: u32 = hours
                .parse()
                .with_context(|| format!("its refresh_hours {hours:?} is no number"))?;
            this_update.plus_seconds(i64::from(hours) * 3600)
        }
        (None, None) => next_update,
    };
    Ok(Freshness {
        this_update,
        next_update,
        refresh_at,
    })
}
