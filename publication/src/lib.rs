//! What the public sees, as signed manifests over immutable objects.
//!
//! A *channel* (`ocsp/member`, `crl/member`) is one stream of generations by one publisher. Each generation is a
//! [`Manifest`] that names every live object by hash and size and is signed with the publication key (Ed25519) that the
//! followers pin. Objects are content-addressed and never change. In a directory store a channel is
//!
//! ```text
//! {root}/{channel}/manifest                 the manifest's JSON in one line, then its signature in hex
//! {root}/{channel}/objects/{sha256 in hex}  the objects
//! ```
//!
//! A [`Publisher`] writes: objects first, then the manifest, each complete and durable before it can be seen. A
//! [`Follower`] reads: it offers a generation only when the signature, the channel's name and every object verify and it
//! is newer than the one it took last; it remembers that one durably ([`Generations`]), so that neither a restart nor a
//! restored old directory leads back. A refusal says why and never disturbs what was taken before.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod directory;
mod follower;
mod generations;
mod manifest;
mod names;
mod publisher;
mod refusal;
mod watch;

pub use directory::Directory;
pub use follower::{Candidate, CandidateObject, Content, Follower, Refused};
pub use generations::{Generations, Taken};
pub use manifest::{Manifest, Object, Trust};
pub use publisher::{NewManifest, NewObject, PublishError, Publisher, SignManifest, Source};
pub use refusal::Refusal;
pub use watch::{POLL_INTERVAL, Watch};
