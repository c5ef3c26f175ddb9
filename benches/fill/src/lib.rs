//! Answer sets of any size, without a ledger: for benches.
//!
//! A [`Site`] is a directory with a made-up CA, a publication, and an edge's configuration. Its certificates are those
//! of a [`synthetic::Population`], so that a load generator knows them without a list. Every answer is signed by the
//! responder's key ([`sign()`]), as the presigner's are; [`sets`] streams them into a file, a [`Channel`] publishes it, and
//! [`Deltas`] keeps few of what comes on top.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod authority;
mod channel;
mod deltas;
mod live;
pub mod sets;
mod sign;
mod site;

pub use authority::Authority;
pub use channel::Channel;
pub use deltas::{Change, Deltas};
pub use live::answer_live;
pub use sign::{Row, SignedRow, Times, sign};
pub use site::{Filling, Site, revocations};

use std::path::Path;

use pki::{Clock as _, KeyKind, SystemClock};
use synthetic::Population;

/// A new site with P-256 answers for `count` certificates under both hashes, published.
pub fn small_site(root: &Path, count: u64) -> anyhow::Result<Site> {
    let filling = Filling {
        population: Population::random(1, count).to_string(),
        revoked: 0.01,
        hashes: vec!["sha1".to_owned(), "sha256".to_owned()],
    };
    let site = Site::make(root, KeyKind::P256, &filling)?;
    let mut channel = Channel::open(&site)?;
    let base = sets::make(
        &site,
        &channel,
        Times::from(SystemClock.now()),
        count,
        &|n| site.row(n),
        &mut |_| {},
    )?;
    channel.publish_base(base)?;
    Ok(site)
}
