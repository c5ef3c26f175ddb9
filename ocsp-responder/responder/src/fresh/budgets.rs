//! The budgets of issuers and networks, for all threads together.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use super::bucket::{Bucket, Nanoseconds, Rate};
use super::network::Network;
use crate::FreshConfig;

/// Networks share a bucket when they fall on the same one, which only matters while both are busy. What one may use up is
/// never more than its own budget, and the table never grows.
const BUCKETS: usize = 1 << 16;

/// How much of everything there is, and what is used up of it.
#[derive(Debug)]
pub(crate) struct Budgets {
    start: Instant,
    issuer: Rate,
    network: Rate,
    networks: Box<[Bucket]>,
    /// Nobody can choose networks that fall on another one's bucket.
    hasher: RandomState,
}

impl Budgets {
    pub(crate) fn new(config: &FreshConfig) -> Self {
        let buckets = if config.socket.is_some() { BUCKETS } else { 1 };
        Self {
            start: Instant::now(),
            issuer: Rate::per_second(config.per_second),
            network: Rate::per_second(config.per_network_per_second),
            networks: (0..buckets).map(|_| Bucket::default()).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Whether both the issuer's and the network's have something left.
    pub(super) fn have_room(&self, issuer: &Bucket, network: Network) -> bool {
        let now = self.now();
        self.bucket(network).has_room(self.network, now) && issuer.has_room(self.issuer, now)
    }

    /// Takes one from both; a network that is above its budget takes nothing from the issuer's.
    pub(super) fn take(&self, issuer: &Bucket, network: Network) -> bool {
        let now = self.now();
        issuer.has_room(self.issuer, now)
            && self.bucket(network).take(self.network, now)
            && issuer.take(self.issuer, now)
    }

    fn bucket(&self, network: Network) -> &Bucket {
        // Lossless: a remainder below the length.
        let number = self.hasher.hash_one(network) % self.networks.len() as u64;
        &self.networks[number as usize]
    }

    fn now(&self) -> Nanoseconds {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Network {
        Network::of([10, 0, last, 1].into())
    }

    fn taken(budgets: &Budgets, issuer: &Bucket, network: Network) -> usize {
        (0..1000)
            .take_while(|_| budgets.have_room(issuer, network) && budgets.take(issuer, network))
            .count()
    }

    #[test]
    fn one_network_cannot_use_up_the_issuer_s() {
        // No time passes between two requests that would bring back a whole one.
        let config = FreshConfig {
            socket: Some("/somewhere".into()),
            per_second: 5,
            per_network_per_second: 2,
            ..FreshConfig::default()
        };
        let (budgets, issuer, other) =
            (Budgets::new(&config), Bucket::default(), Bucket::default());
        assert_eq!(taken(&budgets, &issuer, network(1)), 2);
        assert!(!budgets.take(&issuer, network(1)));
        let distinct: Vec<_> = (2..=255)
            .map(network)
            .filter(|&one| !std::ptr::eq(budgets.bucket(one), budgets.bucket(network(1))))
            .collect();
        assert_eq!(taken(&budgets, &issuer, distinct[0]), 2);
        assert_eq!(
            taken(&budgets, &issuer, distinct[1]),
            1,
            "the issuer's is empty"
        );
        assert_eq!(
            taken(&budgets, &other, distinct[2]),
            2,
            "another issuer's is not"
        );
    }
}
