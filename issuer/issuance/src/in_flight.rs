//! The request ids on their way in this process, which recovery leaves alone: no crash has left them behind.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Id = [u8; 16];

/// All of them; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Mutex<HashSet<Id>>>);

/// Forgets a request id at the end of its request, also when nobody waits for the answer any more.
pub(crate) struct Flight {
    all: InFlight,
    id: Id,
}

impl InFlight {
    pub(crate) fn enter(&self, id: Id) -> Flight {
        self.ids().insert(id);
        Flight {
            all: self.clone(),
            id,
        }
    }

    pub(crate) fn contains(&self, id: &Id) -> bool {
        self.ids().contains(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.ids().len()
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<Id>> {
        // Nothing panics while it holds the lock, so a poisoned set is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.ids().remove(&self.id);
    }
}
