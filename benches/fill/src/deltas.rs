//! Deltas as the presigner keeps them: few, each folded with its like.

use crate::Site;
use crate::sets::Small;

/// Deltas over a base. Each time one is added, those that have become of one size are folded, as a binary counter
/// carries: after n of them there are at most log2(n) + 1, and each answer was written as often.
#[derive(Clone, Debug, Default)]
pub struct Deltas {
    /// The oldest first, each with how many were folded into it.
    layers: Vec<(u64, Small)>,
}

/// What a new delta changes.
#[derive(Clone, Debug)]
pub struct Change {
    /// How many of the oldest deltas stay as they are.
    pub kept: usize,
    /// The one that takes the place of all others.
    pub newest: Small,
}

impl Deltas {
    /// Adds a delta that lies over all others.
    pub fn add(&mut self, site: &Site, newest: Small) -> anyhow::Result<Change> {
        let (mut folded, mut group) = (1, vec![newest]);
        while let Some((_, older)) = self.layers.pop_if(|(size, _)| *size == folded) {
            folded *= 2;
            group.push(older);
        }
        let newest = match group.as_slice() {
            [only] => only.clone(),
            several => Small::merge(site, several)?,
        };
        self.layers.push((folded, newest.clone()));
        Ok(Change {
            kept: self.layers.len() - 1,
            newest,
        })
    }
}

#[cfg(test)]
mod tests {
    use pki::{Clock as _, SystemClock};

    use super::*;
    use crate::{Times, revocations, small_site};

    #[test]
    fn few_layers() {
        let folder = tempfile::tempdir().unwrap();
        let site = small_site(folder.path(), 100).unwrap();
        let now = SystemClock.now();
        let mut deltas = Deltas::default();
        let kept = (0..8).map(|draw| {
            let rows = revocations(&site, draw, 3, now);
            let small = Small::sign(&site, Times::from(now), &rows).unwrap();
            deltas.add(&site, small).unwrap().kept
        });
        assert_eq!(kept.collect::<Vec<_>>(), [0, 0, 1, 0, 1, 1, 2, 0]);
    }
}
