//! The writing side of a channel.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error::Error;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use pki::{Clock, Time};
use thiserror::Error;

use crate::directory::sha256_hex;
use crate::manifest::{Manifest, Object, Trust, VERSION};
use crate::names::is_channel;
use crate::{Directory, Refusal};

/// Objects of that many earlier generations stay, for followers that are still reading them.
const GENERATIONS_KEPT: usize = 2;

/// Signs a manifest's bytes with the publication key (Ed25519).
pub type SignManifest =
    Box<dyn Fn(&[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> + Send + Sync>;

/// The only writer of one channel; a lock file keeps a second one out.
pub struct Publisher {
    channel: String,
    clock: Arc<dyn Clock>,
    current: Option<Manifest>,
    directory: Directory,
    sign: SignManifest,
    trust: [Trust; 1],
    /// File names of the last generations, newest last.
    recent: VecDeque<BTreeSet<String>>,
    _lock: File,
}

/// What the next generation shall hold.
#[derive(Clone, Debug)]
pub struct NewManifest {
    /// The ledger's sequence number that it reflects.
    pub as_of: u64,
    /// The issuer it is about.
    pub issuer: String,
    /// Further URL paths under which the issuer's OCSP service is reached.
    pub ocsp_paths: Vec<String>,
    /// What else whoever serves the issuer must know, by name.
    pub settings: BTreeMap<String, String>,
    /// Everything that shall be live; what is not named here goes.
    pub objects: Vec<NewObject>,
}

/// One object of the next generation.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// What it is: `ca-certificate`, `answers`, `crl`.
    pub role: String,
    /// Its name, for people and messages.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// The URL paths at which it is served as it is.
    pub paths: Vec<String>,
    /// From when what it says is valid.
    pub this_update: Option<Time>,
    /// Until when what it says is valid.
    pub next_update: Option<Time>,
    /// Whatever else its reader needs to know.
    pub details: BTreeMap<String, String>,
    /// Its name is the SHA-256 of only that many octets at its end, which hold the hashes of all others; `None`: of
    /// everything. The same each time that an object is named.
    pub tail: Option<u64>,
    /// Its content.
    pub source: Source,
}

/// Where an object's content comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// From memory.
    Bytes(Vec<u8>),
    /// It was published before and is still there: its SHA-256 in hexadecimal.
    Existing(String),
    /// From a finished file, which is moved into the store, or removed if nothing is published; make it in
    /// [`Publisher::staging`].
    File(PathBuf),
}

/// Why nothing was published. The generation before stays live.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A name that no follower would take.
    #[error("{0}")]
    BadName(Refusal),
    /// The signing closure failed.
    #[error("the manifest of channel {channel} could not be signed: {reason}")]
    CannotSign {
        /// The channel.
        channel: String,
        /// What the signer said.
        reason: String,
    },
    /// Another process publishes to this channel.
    #[error("another process publishes to channel {0}; stop it first")]
    InUse(String),
    /// The directory cannot be written.
    #[error("channel {channel} could not be written: {source}; the generation before stays live")]
    Io {
        /// The channel.
        channel: String,
        /// What the system said.
        source: io::Error,
    },
    /// An object named as existing is not there.
    #[error(
        "object {sha256} of channel {channel} is not there any more; publish its content again"
    )]
    ObjectGone {
        /// The channel.
        channel: String,
        /// The object.
        sha256: String,
    },
    /// The signature does not verify with the public key the publisher was opened with.
    #[error(
        "the signature over the manifest of channel {0} does not verify with the publication key's public half"
    )]
    WrongKey(String),
}

impl Publisher {
    /// Opens a channel for writing. What is published there is verified; what does not verify is logged and counts as
    /// nothing, since everything here is derived and the next generation replaces it.
    pub fn open(
        root: impl Into<PathBuf>,
        channel: &str,
        public_key: [u8; 32],
        sign: SignManifest,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PublishError> {
        if !is_channel(channel) {
            return Err(PublishError::BadName(Refusal::UnsafeName(
                channel.to_owned(),
            )));
        }
        let io = |source| PublishError::Io {
            channel: channel.to_owned(),
            source,
        };
        let directory = Directory::new(root);
        let path = directory.create_channel(channel).map_err(io)?;
        let lock = File::create(path.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PublishError::InUse(channel.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let trust = [Trust {
            prefix: channel.to_owned(),
            public_key,
        }];
        let current = directory
            .manifest(channel, &trust)
            .unwrap_or_else(|refusal| {
                tracing::warn!(
                    "what channel {channel} holds does not count and will be replaced: {refusal}"
                );
                None
            });
        directory.clean_staging(channel).map_err(io)?;
        let found = directory.object_names(channel).map_err(io)?;
        Ok(Self {
            channel: channel.to_owned(),
            clock,
            current,
            directory,
            sign,
            trust,
            recent: VecDeque::from([found.into_iter().collect()]),
            _lock: lock,
        })
    }

    /// The generation that is live, as verified at opening or published since.
    pub fn current(&self) -> Option<&Manifest> {
        self.current.as_ref()
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The content of a live object, verified.
    pub fn object_bytes(&self, object: &Object) -> Result<Vec<u8>, Refusal> {
        self.directory.object(&self.channel, object)
    }

    /// A live object that is named by its tail, as a file; size and tail are verified.
    pub fn object_file(&self, object: &Object) -> Result<File, Refusal> {
        self.directory.object_file(&self.channel, object)
    }

    /// A directory on the same file system, for files that become objects. Followers do not look there.
    pub fn staging(&self) -> io::Result<PathBuf> {
        let staging = self.directory.staging(&self.channel);
        std::fs::create_dir_all(&staging)?;
        Ok(staging)
    }

    /// Publishes the next generation: durable when this returns. On an error the one before stays live, and what was
    /// written for this one is removed again.
    pub fn publish(&mut self, new: NewManifest) -> Result<Manifest, PublishError> {
        let staged: Vec<PathBuf> = new
            .objects
            .iter()
            .filter_map(|object| match &object.source {
                Source::File(path) => Some(path.clone()),
                Source::Bytes(_) | Source::Existing(_) => None,
            })
            .collect();
        let mut written = BTreeSet::new();
        match self.try_publish(new, &mut written) {
            Ok(manifest) => {
                self.current = Some(manifest.clone());
                self.collect(&manifest);
                Ok(manifest)
            }
            Err(error) => {
                for path in staged {
                    // Gone already if it was moved.
                    let _ = std::fs::remove_file(path);
                }
                self.remove_unless_recent(written);
                Err(error)
            }
        }
    }

    /// Notes in `written` what it stores.
    fn try_publish(
        &self,
        new: NewManifest,
        written: &mut BTreeSet<String>,
    ) -> Result<Manifest, PublishError> {
        let now = self.clock.now();
        let mut manifest = Manifest {
            version: VERSION,
            channel: self.channel.clone(),
            generation: self.next_generation(now),
            issued_at: now,
            as_of: new.as_of,
            issuer: new.issuer,
            ocsp_paths: new.ocsp_paths,
            settings: new.settings,
            objects: Vec::with_capacity(new.objects.len()),
        };
        for object in new.objects {
            manifest.objects.push(self.store(object, written)?);
        }
        manifest.check_names().map_err(PublishError::BadName)?;
        let file = self.signed(&manifest)?;
        self.directory
            .write_manifest(&self.channel, &file)
            .map_err(|error| self.io(error))?;
        Ok(manifest)
    }

    /// Forward also when the directory was restored from an old copy: the time is ahead of every old generation.
    fn next_generation(&self, now: Time) -> u64 {
        let after_current = self
            .current
            .as_ref()
            .map_or(1, |manifest| manifest.generation.saturating_add(1));
        let millis = u64::try_from(now.unix()).unwrap_or(0).saturating_mul(1000);
        after_current.max(millis)
    }

    fn store(
        &self,
        new: NewObject,
        written: &mut BTreeSet<String>,
    ) -> Result<Object, PublishError> {
        let io = |error| self.io(error);
        let (sha256, size) = match new.source {
            Source::Bytes(content) => {
                let hashed = new.tail.map_or(content.len(), |tail| {
                    // A tail that is too long is refused by name later on.
                    content.len().min(tail as usize)
                });
                let sha256 = sha256_hex(&content[content.len() - hashed..]);
                written.insert(sha256.clone());
                self.directory
                    .write_object(&self.channel, &sha256, &content)
                    .map_err(io)?;
                (sha256, content.len() as u64)
            }
            Source::Existing(sha256) => {
                let size = self.directory.object_size(&self.channel, &sha256).ok();
                // One that has another size than before is as good as gone.
                let size = size.filter(|size| {
                    let known = self.current.iter().flat_map(|current| &current.objects);
                    known
                        .filter(|object| object.sha256 == sha256)
                        .all(|object| object.size == *size)
                });
                let Some(size) = size else {
                    return Err(PublishError::ObjectGone {
                        channel: self.channel.clone(),
                        sha256,
                    });
                };
                (sha256, size)
            }
            Source::File(path) => {
                let (sha256, size) = self.directory.name_file(&path, new.tail).map_err(io)?;
                written.insert(sha256.clone());
                self.directory
                    .move_object(&self.channel, &path, &sha256)
                    .map_err(io)?;
                (sha256, size)
            }
        };
        Ok(Object {
            role: new.role,
            name: new.name,
            sha256,
            size,
            tail: new.tail,
            content_type: new.content_type,
            paths: new.paths,
            this_update: new.this_update,
            next_update: new.next_update,
            details: new.details,
        })
    }

    /// The manifest file; the signature is verified before anything is written.
    fn signed(&self, manifest: &Manifest) -> Result<Vec<u8>, PublishError> {
        let json = serde_json::to_vec(manifest).map_err(|error| self.io(error.into()))?;
        let signature = (self.sign)(&json).map_err(|error| PublishError::CannotSign {
            channel: self.channel.clone(),
            reason: error.to_string(),
        })?;
        let file = Manifest::to_file(&json, &signature);
        match Manifest::verify(&file, &self.channel, &self.trust) {
            Ok(_) => Ok(file),
            Err(Refusal::BadSignature) => Err(PublishError::WrongKey(self.channel.clone())),
            Err(refusal) => Err(PublishError::BadName(refusal)),
        }
    }

    /// Removes what no recent generation names. A failure costs space, not correctness.
    fn collect(&mut self, live: &Manifest) {
        self.recent.push_back(
            live.objects
                .iter()
                .map(|object| object.sha256.clone())
                .collect(),
        );
        let mut gone = BTreeSet::new();
        while self.recent.len() > GENERATIONS_KEPT + 1 {
            gone.extend(self.recent.pop_front().into_iter().flatten());
        }
        self.remove_unless_recent(gone);
    }

    fn remove_unless_recent(&self, names: BTreeSet<String>) {
        for name in names {
            if self.recent.iter().any(|names| names.contains(&name)) {
                continue;
            }
            if let Err(error) = self.directory.remove_object(&self.channel, &name) {
                tracing::warn!(
                    "object {name} of channel {}, which nobody needs, cannot be removed: {error}",
                    self.channel
                );
            }
        }
    }

    fn io(&self, source: io::Error) -> PublishError {
        PublishError::Io {
            channel: self.channel.clone(),
            source,
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("channel", &self.channel)
            .field(
                "generation",
                &self.current.as_ref().map(|manifest| manifest.generation),
            )
            .finish_non_exhaustive()
    }
}
