//! What is published for one issuer: the layers of its answer set and the channel they are in.
//!
//! Every publication adds a delta. So that there are always few layers, a delta is folded together with the layers
//! beside it as long as those are not much larger (at once if they are small, else in the background), down into the
//! base in the end. Folding signs nothing. In the background it reads from maps and writes to a file, so the memory that
//! it needs does not grow with the issuer.
//!
//! A large folded set is announced first, in generations that still hold the layers it came from, so that edges can fetch
//! and verify it in their own time; some time later it takes their place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use answers::{
    AnswerSet, AnswerSetError, BuildError, Builder, Damaged, Layered, Removals, merge,
    merge_to_file,
};
use ledger::Issuer;
use pki::Certificate;
use publication::{NewManifest, NewObject, PublishError, Publisher, Source};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::responder::HASHES;

/// Up to that many entries are folded at once, before they are published.
const FOLD_AT_ONCE: usize = 2000;

/// A folded set of that many octets or more is announced before it is used.
const ANNOUNCED: u64 = 8 << 20;
/// How fast edges verify what is announced, in octets per millisecond: a tenth of what a core hashes, and half of that
/// so that slower machines come along.
const VERIFIED_PER_MILLISECOND: u64 = 50_000;

/// The published layers of one issuer.
#[derive(Debug)]
pub struct Published {
    issuer: Issuer,
    ca: Certificate,
    publisher: Arc<Mutex<Publisher>>,
    layers: Vec<Layer>,
    /// What will take the place of some layers.
    announced: Option<Layer>,
    announce_from: u64,
    view: Layered,
    as_of: u64,
    folding: Option<Folding>,
    /// Files made so far, for their names.
    files: u64,
}

/// One answer set, newest first in its list.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    set: Arc<AnswerSet>,
    place: Place,
}

/// Where the octets of a layer are when it is published.
#[derive(Clone, Debug)]
enum Place {
    /// In memory, so they are copied.
    Memory,
    /// In the channel, as the object of that hash.
    Published(String),
    /// In a file, which is moved.
    Staged(PathBuf),
}

/// Layers that are being folded.
#[derive(Debug)]
struct Folding {
    /// Newest first.
    layers: Vec<Arc<AnswerSet>>,
    /// Ends when the folded set is to be published or announced.
    task: JoinHandle<Result<Layer, PublicationError>>,
}

/// Why something was not published. What was published before stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublicationError {
    /// The set cannot be written.
    #[error("the answer set cannot be made: {0}")]
    Build(#[from] BuildError),
    /// A published set cannot be read any more.
    #[error("{0}")]
    Damaged(#[from] Damaged),
    /// A file cannot be written.
    #[error("a folded answer set cannot be written: {0}")]
    File(#[from] io::Error),
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
        let (base, deltas) = parts(&layers);
        let view = Layered::new(base, deltas)?;
        Ok(Self {
            issuer,
            ca,
            publisher,
            layers,
            announced: None,
            announce_from: ANNOUNCED,
            view,
            as_of,
            folding: None,
            files: 0,
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
            layers.insert(0, Layer::in_memory(set));
        }
        let count = foldable(&layers, self.folded_from(&layers), FOLD_AT_ONCE);
        if count > 1 {
            let removals = removals(count, &layers);
            let folded = merge(&sets(&layers[..count]), removals)?;
            let set = AnswerSet::from_bytes(folded, &self.ca)?;
            layers.splice(..count, [Layer::in_memory(set)]);
        }
        self.replace(layers, as_of).await?;
        self.start_folding();
        Ok(())
    }

    /// Waits for the layers that are folded in the background; for ever if there are none.
    pub(crate) async fn folded(&mut self) -> Result<Layer, PublicationError> {
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

    /// Publishes what [`Published::folded`] gave in the place of the layers it came from; announces it first if it is
    /// large.
    pub(crate) async fn publish_folded(
        &mut self,
        layer: Result<Layer, PublicationError>,
    ) -> Result<(), PublicationError> {
        let Some(folding) = self.folding.take() else {
            return Ok(());
        };
        let layer = match layer {
            Ok(layer) => layer,
            Err(error) => {
                self.announced = None;
                return Err(error);
            }
        };
        let Some(first) = position(&self.layers, &folding.layers) else {
            return Ok(());
        };
        if self.announced.is_none() && layer.size() >= self.announce_from {
            return self.announce(layer, folding.layers).await;
        }
        let mut layers = self.layers.clone();
        layers.splice(first..first + folding.layers.len(), [layer]);
        self.announced = None;
        self.replace(layers, self.as_of).await?;
        self.start_folding();
        Ok(())
    }

    /// Publishes a folded set beside the layers that it will take the place of once edges had time to verify it.
    async fn announce(
        &mut self,
        layer: Layer,
        folded: Vec<Arc<AnswerSet>>,
    ) -> Result<(), PublicationError> {
        let time = Duration::from_millis(layer.size() / VERIFIED_PER_MILLISECOND);
        self.announced = Some(layer);
        if let Err(error) = self.replace(self.layers.clone(), self.as_of).await {
            self.announced = None;
            return Err(error);
        }
        if let Some(layer) = self.announced.clone() {
            self.folding = Some(Folding {
                layers: folded,
                task: tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    Ok(layer)
                }),
            });
        }
        Ok(())
    }

    /// Publishes these layers and makes them ours.
    async fn replace(
        &mut self,
        mut layers: Vec<Layer>,
        as_of: u64,
    ) -> Result<(), PublicationError> {
        let (base, deltas) = parts(&layers);
        let view = self.view.changed_to(base, deltas, || {})?;
        let mut announced = self.announced.clone();
        let manifest = loop {
            let new = NewManifest {
                as_of,
                issuer: self.issuer.name.clone(),
                ocsp_paths: ocsp_paths(&self.issuer),
                settings: settings(&self.issuer),
                objects: self.objects(&layers, announced.as_ref(), &view),
            };
            let publisher = Arc::clone(&self.publisher);
            let published = spawn_blocking(move || lock(&publisher).publish(new));
            match published.await.map_err(|_| PublicationError::Stopping)? {
                Ok(manifest) => break manifest,
                Err(PublishError::ObjectGone { sha256, channel }) => {
                    tracing::error!(
                        "object {sha256} of channel {channel} is gone or cut off; it is written again"
                    );
                    let mut found = false;
                    for layer in layers.iter_mut().chain(&mut announced) {
                        let gone = layer.is_published_as(&sha256);
                        found |= gone;
                        // A staged file went with the failure.
                        if gone || matches!(layer.place, Place::Staged(_)) {
                            let path = self.staged_file()?;
                            layer.place = write_again(Arc::clone(&layer.set), path).await?;
                        }
                    }
                    if !found {
                        return Err(PublishError::ObjectGone { sha256, channel }.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        let hashes = manifest
            .objects_of(answers::ROLE)
            .chain(manifest.objects_of(answers::ROLE_AHEAD))
            .map(|object| object.sha256.clone());
        for (layer, sha256) in layers.iter_mut().rev().chain(&mut announced).zip(hashes) {
            layer.place = Place::Published(sha256);
        }
        self.announced = announced;
        self.view = view;
        // A large old set takes its time to be dropped.
        let old = mem::replace(&mut self.layers, layers);
        drop(spawn_blocking(move || drop(old)));
        self.as_of = as_of;
        Ok(())
    }

    fn objects(
        &self,
        layers: &[Layer],
        announced: Option<&Layer>,
        view: &Layered,
    ) -> Vec<NewObject> {
        let certificate = NewObject {
            role: "ca-certificate".to_owned(),
            name: format!("{}.cer", self.issuer.name),
            content_type: "application/pkix-cert".to_owned(),
            paths: Vec::new(),
            this_update: None,
            next_update: None,
            details: BTreeMap::new(),
            tail: None,
            source: Source::Bytes(self.ca.der().to_vec()),
        };
        // In the manifest the base comes first.
        let contributions = view.contributions();
        let parts = layers.iter().zip(&contributions).enumerate().rev();
        let sets = parts.map(|(index, (layer, part))| NewObject {
            this_update: part.oldest_this_update,
            next_update: part.oldest_next_update,
            details: BTreeMap::from([("answers".to_owned(), part.answers.to_string())]),
            ..layer.object(
                answers::ROLE,
                if index + 1 == layers.len() {
                    "base"
                } else {
                    "delta"
                },
            )
        });
        let ahead = announced.map(|layer| layer.object(answers::ROLE_AHEAD, "ahead"));
        [certificate].into_iter().chain(sets).chain(ahead).collect()
    }

    /// The name of a new file that may become an object.
    fn staged_file(&mut self) -> Result<PathBuf, PublicationError> {
        self.files += 1;
        let staging = lock(&self.publisher).staging()?;
        Ok(staging.join(format!("set-{}", self.files)))
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
        let layers = sets(&self.layers[..count]);
        let removals = removals(count, &self.layers);
        let (folded, ca, path) = (layers.clone(), self.ca.clone(), self.staged_file());
        let task = spawn_blocking(move || fold_to_file(&folded, removals, &ca, path?));
        self.folding = Some(Folding { layers, task });
    }
}

impl Layer {
    fn in_memory(set: AnswerSet) -> Self {
        Self {
            set: Arc::new(set),
            place: Place::Memory,
        }
    }

    fn size(&self) -> u64 {
        self.set.as_bytes().len() as u64
    }

    fn is_published_as(&self, hash: &str) -> bool {
        matches!(&self.place, Place::Published(sha256) if sha256 == hash)
    }

    fn object(&self, role: &str, name: &str) -> NewObject {
        NewObject {
            role: role.to_owned(),
            name: name.to_owned(),
            content_type: answers::CONTENT_TYPE.to_owned(),
            paths: Vec::new(),
            this_update: None,
            next_update: None,
            details: BTreeMap::new(),
            tail: Some(self.set.tail_length()),
            source: match &self.place {
                Place::Memory => Source::Bytes(self.set.as_bytes().to_vec()),
                Place::Published(sha256) => Source::Existing(sha256.clone()),
                Place::Staged(path) => Source::File(path.clone()),
            },
        }
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

/// The notes that certificates have left are needed as long as something lies below.
fn removals(count: usize, layers: &[Layer]) -> Removals {
    if count == layers.len() {
        Removals::Drop
    } else {
        Removals::Keep
    }
}

/// Folds into a file, opens it as an edge does, and verifies all of it.
fn fold_to_file(
    layers: &[Arc<AnswerSet>],
    removals: Removals,
    ca: &Certificate,
    path: PathBuf,
) -> Result<Layer, PublicationError> {
    merge_to_file(&path, layers, removals)?;
    open_staged(path, ca)
}

fn open_staged(path: PathBuf, ca: &Certificate) -> Result<Layer, PublicationError> {
    let file = File::open(&path)?;
    // Here nobody waits for it; later the publisher would.
    file.sync_all()?;
    let set = AnswerSet::map(&file, ca)?;
    set.verify_all(|_| {})?;
    Ok(Layer {
        set: Arc::new(set),
        place: Place::Staged(path),
    })
}

/// A map outlives its file's name, so the content is still there.
async fn write_again(set: Arc<AnswerSet>, path: PathBuf) -> Result<Place, PublicationError> {
    let writing = spawn_blocking(move || {
        std::fs::write(&path, set.as_bytes())?;
        Ok(Place::Staged(path))
    });
    writing.await.map_err(|_| PublicationError::Stopping)?
}

fn sets(layers: &[Layer]) -> Vec<Arc<AnswerSet>> {
    layers.iter().map(|layer| Arc::clone(&layer.set)).collect()
}

fn position(layers: &[Layer], folded: &[Arc<AnswerSet>]) -> Option<usize> {
    let first = folded.first()?;
    layers
        .iter()
        .position(|layer| Arc::ptr_eq(&layer.set, first))
}

/// The base, and what lies over it.
fn parts(layers: &[Layer]) -> (Arc<AnswerSet>, Vec<Arc<AnswerSet>>) {
    let mut deltas = sets(layers);
    // Unwrap safety: there is always a base.
    let base = deltas.pop().unwrap();
    (base, deltas)
}

fn empty(ca: &Certificate) -> Result<Layer, PublicationError> {
    let octets = Builder::new(ca, &HASHES)?.finish()?;
    Ok(Layer::in_memory(AnswerSet::from_bytes(octets, ca)?))
}

/// The layers of the live manifest, and its place in the feed.
fn read(publisher: &Publisher, ca: &Certificate) -> anyhow::Result<(Vec<Layer>, u64)> {
    let Some(manifest) = publisher.current() else {
        return Ok((Vec::new(), 0));
    };
    let mut layers = Vec::new();
    for object in manifest.objects_of(answers::ROLE) {
        let set = AnswerSet::map(&publisher.object_file(object)?, ca)?;
        // All of it now: what is damaged must be signed anew, and later nobody would think of that.
        set.verify_all(|_| {})?;
        anyhow::ensure!(
            set.cert_ids().iter().map(|cert_id| cert_id.hash).eq(HASHES),
            "it answers for other CertID hashes"
        );
        // Here the newest comes first.
        let layer = Layer {
            set: Arc::new(set),
            place: Place::Published(object.sha256.clone()),
        };
        layers.insert(0, layer);
    }
    Ok((layers, manifest.as_of))
}

/// What the edge has to know about the issuer besides.
fn settings(issuer: &Issuer) -> BTreeMap<String, String> {
    let nonce = issuer.policy.ocsp.nonce.as_str();
    BTreeMap::from([("nonce".to_owned(), nonce.to_owned())])
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

#[cfg(test)]
mod tests;
