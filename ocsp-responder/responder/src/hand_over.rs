//! A new process takes the place of a running edge without a refused connection or a lost request.
//!
//! The running edge listens on a Unix socket in its state directory. The new process (`--take-over`) says [`HELLO`]; the
//! running one stops following the publication, since two may not write down generations in one place, and sends its
//! listening sockets, the lock of the state directory, and what it serves. The new one looks at the publication; if it
//! can serve no less, it begins to accept and says [`SERVING`]. The running one answers [`YOURS`], accepts no more, answers
//! what is open with `Connection: close`, and ends. Whatever goes wrong before that: it goes on as if nobody had asked.

mod give;
mod message;
mod take;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use give::{Giver, Successor};
use serde::{Deserialize, Serialize};
pub use take::{Inherited, take_over};

const HELLO: &[u8] = b"take over, version 1";
const SERVING: &[u8] = b"serving";
const YOURS: &[u8] = b"yours";

/// For an answer that needs no work.
const PROMPT: Duration = Duration::from_secs(10);
/// For the other to look at the publication, or to finish looking at it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What comes with the descriptors: the lock, the admin listener, the status listeners.
#[derive(Debug, Deserialize, Serialize)]
struct Offer {
    /// The generation served in each channel.
    generations: BTreeMap<String, u64>,
}

fn socket_path(state: &Path) -> PathBuf {
    state.join("take-over.sock")
}
