//! What is published for one issuer: the layers of its answer set and the channel they are in.
//!
//! Every publication adds a delta. So that there are always few layers, a delta is folded together with the layers
//! beside it as long as those are not much larger (at once if they are small, else in the background), down into the
//! base in the end. Folding signs nothing.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex};

use answers::{AnswerSet, AnswerSetError, BuildError, Builder, Layered, Removals, merge};
use ledger::Issuer;
use pki::Certificate;
use publication::{NewManifest, NewObject, PublishError, Publisher, Source};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::responder::HASHES;

/// Up to that many entries are folded at once, before they are published.
const FOLD_AT_ONCE: usize = 2000;

/// The published layers of one issuer.
#[derive(Debug)]
pub struct Published {
    issuer: Issuer,
    ca: Certificate,
    publisher: Arc<Mutex<Publisher>>,
    layers: Vec<Layer>,
    view: Layered,
    as_of: u64,
    folding: Option<Folding>,
}

/// One answer set, newest first in its list.
#[derive(Clone, Debug)]
struct Layer {
    set: Arc<AnswerSet>,
    /// Its hash, once it is an object of the channel.
    sha256: Option<String>,
}

/// Layers that are being folded: all from `first` (the newest of them) to `last`.
#[derive(Debug)]
struct Folding {
    layers: Vec<Arc<AnswerSet>>,
    task: JoinHandle<Result<AnswerSet, PublicationError>>,
}

/// Why something was not published. What was published before stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublicationError {
    /// The set cannot be written.
    #[error("the answer set cannot be made: {0}")]
    Build(#[from] BuildError),
    /// The set that was just written is not good.
    #[error("the answer set that was just made is refused: {0}")]
    Refused(#[from] AnswerSetError),
    /// An answer in it is not good (V9).
    #[error("an answer breaks a rule and is not published: {0}")]
    Unfit(String),
    /// The directory does not take it.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A task was cancelled.
    #[error("the presigner is stopping")]
    Stopping,
}

impl Published {
    /// Takes up what the channel holds; what does not verify counts as nothing and is signed anew.
    pub(crate) async fn open(
        issuer: Issuer,
        ca: Certificate,
        publisher: Publisher,
    ) -> Result<Self, PublicationError> {
        let publisher = Arc::new(Mutex::new(publisher));
        let (reading, issuing) = (Arc::clone(&publisher), ca.clone());
        let found = spawn_blocking(move || read(&lock(&reading), &issuing));
        let (layers, as_of) = match found.await.map_err(|_| PublicationError::Stopping)? {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!(
                    issuer = issuer.name,
                    "what is published is not used and will be signed anew: {reason}"
                );
                (Vec::new(), 0)
            }
        };
        let layers = if layers.is_empty() {
            vec![empty(&ca)?]
        } else {
            layers
        };
        let view = view(&layers);
        Ok(Self {
            issuer,
            ca,
            publisher,
            layers,
            view,
            as_of,
            folding: None,
        })
    }

    /// What is published.
    pub fn view(&self) -> &Layered {
        &self.view
    }

    /// The event up to which the last manifest reflects the ledger.
    pub fn as_of(&self) -> u64 {
        self.as_of
    }

    /// Takes over a changed issuer; it shows with the next publication.
    pub(crate) fn set_issuer(&mut self, issuer: Issuer, ca: Certificate) {
        self.issuer = issuer;
        self.ca = ca;
    }

    /// Publishes a new generation, with `delta` on top if there is one.
    pub(crate) async fn publish(
        &mut self,
        delta: Option<AnswerSet>,
        as_of: u64,
    ) -> Result<(), PublicationError> {
        let mut layers = self.layers.clone();
        if let Some(set) = delta.filter(|set| !set.is_empty()) {
            layers.insert(
                0,
                Layer {
                    set: Arc::new(set),
                    sha256: None,
                },
            );
        }
        let count = foldable(&layers, self.folded_from(&layers), FOLD_AT_ONCE);
        if count > 1 {
            let folded: Vec<_> = layers[..count]
                .iter()
                .map(|layer| Arc::clone(&layer.set))
                .collect();
            let set = fold(&folded, count == layers.len(), &self.ca)?;
            layers.splice(
                ..count,
                [Layer {
                    set: Arc::new(set),
                    sha256: None,
                }],
            );
        }
        self.replace(layers, as_of).await?;
        self.start_folding();
        Ok(())
    }

    /// Waits for the layers that are folded in the background; for ever if there are none.
    pub(crate) async fn folded(&mut self) -> Result<AnswerSet, PublicationError> {
        match &mut self.folding {
            Some(folding) => (&mut folding.task)
                .await
                .unwrap_or(Err(PublicationError::Stopping)),
            None => std::future::pending().await,
        }
    }

    /// Whether layers are being folded in the background.
    pub(crate) fn is_folding(&self) -> bool {
        self.folding.is_some()
    }

    /// Publishes what [`Published::folded`] gave in the place of the layers it came from.
    pub(crate) async fn publish_folded(
        &mut self,
        set: Result<AnswerSet, PublicationError>,
    ) -> Result<(), PublicationError> {
        let Some(folding) = self.folding.take() else {
            return Ok(());
        };
        let set = set?;
        let mut layers = self.layers.clone();
        let first = position(&layers, &folding.layers);
        if let Some(first) = first {
            layers.splice(
                first..first + folding.layers.len(),
                [Layer {
                    set: Arc::new(set),
                    sha256: None,
                }],
            );
            self.replace(layers, self.as_of).await?;
        }
        self.start_folding();
        Ok(())
    }

    /// Publishes these layers and makes them ours.
    async fn replace(
        &mut self,
        mut layers: Vec<Layer>,
        as_of: u64,
    ) -> Result<(), PublicationError> {
        let view = view(&layers);
        let new = NewManifest {
            as_of,
            issuer: self.issuer.name.clone(),
            ocsp_paths: ocsp_paths(&self.issuer),
            objects: self.objects(&layers, &view),
        };
        let publisher = Arc::clone(&self.publisher);
        let published = spawn_blocking(move || lock(&publisher).publish(new));
        let manifest = published.await.map_err(|_| PublicationError::Stopping)??;
        let hashes = manifest
            .objects_of(answers::ROLE)
            .map(|object| object.sha256.clone());
        for (layer, sha256) in layers.iter_mut().rev().zip(hashes) {
            layer.sha256 = Some(sha256);
        }
        self.view = view;
        // A large old set takes its time to be dropped.
        let old = mem::replace(&mut self.layers, layers);
        drop(spawn_blocking(move || drop(old)));
        self.as_of = as_of;
        Ok(())
    }

    fn objects(&self, layers: &[Layer], view: &Layered) -> Vec<NewObject> {
        let certificate = NewObject {
            role: "ca-certificate".to_owned(),
            name: format!("{}.cer", self.issuer.name),
            content_type: "application/pkix-cert".to_owned(),
            paths: Vec::new(),
            this_update: None,
            next_update: None,
            details: BTreeMap::new(),
            source: Source::Bytes(self.ca.der().to_vec()),
        };
        // In the manifest the base comes first.
        let contributions = view.contributions();
        let parts = layers.iter().zip(&contributions).enumerate().rev();
        let sets = parts.map(|(index, (layer, part))| NewObject {
            role: answers::ROLE.to_owned(),
            name: if index + 1 == layers.len() {
                "base".to_owned()
            } else {
                "delta".to_owned()
            },
            content_type: answers::CONTENT_TYPE.to_owned(),
            paths: Vec::new(),
            this_update: part.oldest_this_update,
            next_update: part.oldest_next_update,
            details: BTreeMap::from([("answers".to_owned(), part.answers.to_string())]),
            source: match &layer.sha256 {
                Some(sha256) => Source::Existing(sha256.clone()),
                None => Source::Bytes(layer.set.as_bytes().to_vec()),
            },
        });
        [certificate].into_iter().chain(sets).collect()
    }

    /// Where the layers begin that are being folded in the background.
    fn folded_from(&self, layers: &[Layer]) -> usize {
        let folding = self
            .folding
            .as_ref()
            .and_then(|folding| position(layers, &folding.layers));
        folding.unwrap_or(layers.len())
    }

    fn start_folding(&mut self) {
        if self.folding.is_some() {
            return;
        }
        let count = foldable(&self.layers, self.layers.len(), usize::MAX);
        if count < 2 {
            return;
        }
        let layers: Vec<_> = self.layers[..count]
            .iter()
            .map(|layer| Arc::clone(&layer.set))
            .collect();
        let (folded, ca, whole) = (layers.clone(), self.ca.clone(), count == self.layers.len());
        let task = spawn_blocking(move || fold(&folded, whole, &ca));
        self.folding = Some(Folding { layers, task });
    }
}

/// How many of the newest layers to fold into one: each next one that has at most twice as many entries as all newer
/// ones together, which keeps the number of layers logarithmic and the work too.
fn foldable(layers: &[Layer], end: usize, most: usize) -> usize {
    let (mut count, mut newer) = (0, 0);
    for (index, layer) in layers[..end].iter().enumerate() {
        let entries = layer.set.len();
        if index == 0 || entries <= 2 * newer {
            count = index + 1;
        }
        newer += entries;
        if newer > most {
            return if index < count { index } else { count };
        }
    }
    count
}

fn fold(
    layers: &[Arc<AnswerSet>],
    whole: bool,
    ca: &Certificate,
) -> Result<AnswerSet, PublicationError> {
    let removals = if whole {
        Removals::Drop
    } else {
        Removals::Keep
    };
    Ok(AnswerSet::from_bytes(merge(layers, removals)?, ca)?)
}

fn position(layers: &[Layer], folded: &[Arc<AnswerSet>]) -> Option<usize> {
    let first = folded.first()?;
    layers
        .iter()
        .position(|layer| Arc::ptr_eq(&layer.set, first))
}

fn view(layers: &[Layer]) -> Layered {
    let mut sets: Vec<_> = layers.iter().map(|layer| Arc::clone(&layer.set)).collect();
    // Unwrap safety: there is always a base.
    let base = sets.pop().unwrap();
    Layered::new(base, sets)
}

fn empty(ca: &Certificate) -> Result<Layer, PublicationError> {
    let set = AnswerSet::from_bytes(Builder::new(ca, &HASHES)?.finish()?, ca)?;
    Ok(Layer {
        set: Arc::new(set),
        sha256: None,
    })
}

/// The layers of the live manifest, and its place in the feed.
fn read(publisher: &Publisher, ca: &Certificate) -> anyhow::Result<(Vec<Layer>, u64)> {
    let Some(manifest) = publisher.current() else {
        return Ok((Vec::new(), 0));
    };
    let mut layers = Vec::new();
    for object in manifest.objects_of(answers::ROLE) {
        let set = AnswerSet::from_bytes(publisher.object_bytes(object)?, ca)?;
        anyhow::ensure!(
            set.cert_ids().iter().map(|cert_id| cert_id.hash).eq(HASHES),
            "it answers for other CertID hashes"
        );
        // Here the newest comes first.
        let layer = Layer {
            set: Arc::new(set),
            sha256: Some(object.sha256.clone()),
        };
        layers.insert(0, layer);
    }
    Ok((layers, manifest.as_of))
}

/// Every path at which the issuer's certificates are asked about.
fn ocsp_paths(issuer: &Issuer) -> Vec<String> {
    let mut paths = vec!["/".to_owned()];
    paths.extend(
        issuer
            .ocsp_paths
            .iter()
            .filter(|path| *path != "/")
            .cloned(),
    );
    paths
}

fn lock(publisher: &Mutex<Publisher>) -> std::sync::MutexGuard<'_, Publisher> {
    // Unwrap safety: a panic aborts the daemon, so no lock is ever poisoned.
    publisher.lock().unwrap()
}
