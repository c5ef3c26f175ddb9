//! Which chunks have been verified.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// One bit per chunk; set once, never taken back.
///
/// The octets never change and were there before the bit, so no ordering between threads is needed: whoever does not see
/// a bit yet verifies once more.
#[derive(Debug)]
pub(crate) struct Verified {
    words: Box<[AtomicU64]>,
    missing: AtomicUsize,
}

impl Verified {
    /// None of that many.
    pub(crate) fn none_of(chunks: usize) -> Self {
        Self {
            words: (0..chunks.div_ceil(64))
                .map(|_| AtomicU64::new(0))
                .collect(),
            missing: AtomicUsize::new(chunks),
        }
    }

    pub(crate) fn contains(&self, chunk: usize) -> bool {
        self.words[chunk / 64].load(Ordering::Relaxed) & bit(chunk) != 0
    }

    pub(crate) fn insert(&self, chunk: usize) {
        let before = self.words[chunk / 64].fetch_or(bit(chunk), Ordering::Relaxed);
        if before & bit(chunk) == 0 {
            self.missing.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether no chunk is missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing.load(Ordering::Relaxed) == 0
    }
}

const fn bit(chunk: usize) -> u64 {
    1 << (chunk % 64)
}
