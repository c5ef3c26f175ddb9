//! The manifest: what is live in one channel, and the signature over it.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use pki::Time;
use serde::{Deserialize, Serialize};

use crate::names::{is_channel, is_hash, is_url_path};
use crate::{NewObject, Refusal, Source};

/// The version of the format that this program writes and reads.
pub(crate) const VERSION: u32 = 2;
/// A manifest larger than this is refused unread.
pub(crate) const MAX_MANIFEST_OCTETS: u64 = 16 * 1024 * 1024;
const MAX_OBJECTS: usize = 65_536;

/// One generation of a channel.
///
/// *Warning: this type is a stored and signed format. A change needs a new [`Manifest::version`].*
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format, 2.
    pub version: u32,
    /// Whose generation this is, for example `ocsp/member`.
    pub channel: String,
    /// Higher than that of every earlier manifest of the channel.
    pub generation: u64,
    /// When it was signed.
    pub issued_at: Time,
    /// The ledger's sequence number that it reflects.
    pub as_of: u64,
    /// The issuer it is about.
    pub issuer: String,
    /// Further URL paths under which the issuer's OCSP service is reached.
    pub ocsp_paths: Vec<String>,
    /// What else whoever serves the issuer must know, by name.
    pub settings: BTreeMap<String, String>,
    /// Everything live.
    pub objects: Vec<Object>,
}

/// One immutable object.
///
/// *Warning: this type is a stored and signed format.*
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// What it is: `ca-certificate`, `answers`, `crl`.
    pub role: String,
    /// Its name, for people and messages.
    pub name: String,
    /// SHA-256 of its content, or of its tail alone, in hexadecimal; also its file name.
    pub sha256: String,
    /// Octets of its content.
    pub size: u64,
    /// `sha256` is over only that many octets at the end, which hold the hashes of all others; `None`: over everything.
    pub tail: Option<u64>,
    /// Its media type.
    pub content_type: String,
    /// The URL paths at which it is served as it is; none: it is not served itself.
    pub paths: Vec<String>,
    /// From when what it says is valid.
    pub this_update: Option<Time>,
    /// Until when what it says is valid.
    pub next_update: Option<Time>,
    /// Whatever else its reader needs to know.
    pub details: BTreeMap<String, String>,
}

impl Object {
    /// The same object for the next generation; its content stays where it is.
    pub fn kept(&self) -> NewObject {
        NewObject {
            role: self.role.clone(),
            name: self.name.clone(),
            content_type: self.content_type.clone(),
            paths: self.paths.clone(),
            this_update: self.this_update,
            next_update: self.next_update,
            details: self.details.clone(),
            tail: self.tail,
            source: Source::Existing(self.sha256.clone()),
        }
    }
}

/// Whose signature counts for which channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The channels, by the beginning of their name, for example `ocsp/`.
    pub prefix: String,
    /// The Ed25519 public key.
    pub public_key: [u8; 32],
}

impl Manifest {
    /// The object of that role, if there is one.
    pub fn object(&self, role: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.role == role)
    }

    /// The objects of that role, in the manifest's order.
    pub fn objects_of(&self, role: &str) -> impl Iterator<Item = &Object> {
        self.objects
            .iter()
            .filter(move |object| object.role == role)
    }

    /// Reads a manifest file: first its signature, then its content.
    pub(crate) fn verify(file: &[u8], channel: &str, trust: &[Trust]) -> Result<Self, Refusal> {
        let mut keys = trust
            .iter()
            .filter(|trust| channel.starts_with(&trust.prefix))
            .peekable();
        if keys.peek().is_none() {
            return Err(Refusal::Untrusted);
        }
        let (json, signature) = split(file)?;
        let signed = keys.any(|trust| {
            UnparsedPublicKey::new(&ED25519, &trust.public_key)
                .verify(json, &signature)
                .is_ok()
        });
        if !signed {
            return Err(Refusal::BadSignature);
        }
        let manifest: Self =
            serde_json::from_slice(json).map_err(|error| Refusal::Malformed(error.to_string()))?;
        if manifest.version != VERSION {
            return Err(Refusal::Malformed(format!(
                "it has version {}, this program reads version {VERSION}",
                manifest.version
            )));
        }
        if manifest.channel != channel {
            return Err(Refusal::DifferentChannel {
                named: manifest.channel,
            });
        }
        manifest.check_names()?;
        Ok(manifest)
    }

    /// The manifest file: one line of JSON, then the signature over exactly that JSON.
    pub(crate) fn to_file(json: &[u8], signature: &[u8]) -> Vec<u8> {
        [json, b"\n", hex::encode(signature).as_bytes(), b"\n"].concat()
    }

    /// Every name in it must be safe, whoever signed it.
    pub(crate) fn check_names(&self) -> Result<(), Refusal> {
        if !is_channel(&self.channel) {
            return Err(Refusal::UnsafeName(self.channel.clone()));
        }
        if self.objects.len() > MAX_OBJECTS {
            return Err(Refusal::Malformed(format!(
                "it names {} objects; the limit is {MAX_OBJECTS}",
                self.objects.len()
            )));
        }
        for object in &self.objects {
            if !is_hash(&object.sha256) {
                return Err(Refusal::UnsafeName(object.sha256.clone()));
            }
            if object
                .tail
                .is_some_and(|tail| tail == 0 || tail > object.size)
            {
                return Err(Refusal::Malformed(format!(
                    "object {} has a tail that is empty or longer than itself",
                    object.name
                )));
            }
        }
        let mut paths = self
            .objects
            .iter()
            .flat_map(|object| &object.paths)
            .chain(&self.ocsp_paths);
        match paths.find(|path| !is_url_path(path)) {
            Some(path) => Err(Refusal::UnsafeName(path.clone())),
            None => Ok(()),
        }
    }
}

fn split(file: &[u8]) -> Result<(&[u8], Vec<u8>), Refusal> {
    let malformed =
        || Refusal::Malformed("it is not one line of JSON and one of signature".to_owned());
    let file = file.strip_suffix(b"\n").ok_or_else(malformed)?;
    let end = file
        .iter()
        .position(|&byte| byte == b'\n')
        .ok_or_else(malformed)?;
    let signature = hex::decode(&file[end + 1..]).map_err(|_| malformed())?;
    Ok((&file[..end], signature))
}
