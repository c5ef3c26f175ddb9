//! The Unix socket that edges ask on, be it the presigner's or a forwarder's.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Whoever is in the group of this process may ask: an edge runs as another user.
const MODE: u32 = 0o660;

/// A listening socket; its file goes when this does.
#[derive(Debug)]
pub struct Listener {
    path: PathBuf,
    listener: UnixListener,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process is alive there.
    #[error("another process listens on {0}; stop it, or choose another `socket`")]
    InUse(PathBuf),
    /// The system refuses.
    #[error("cannot listen on {0}: {1}; choose another `socket`")]
    Refused(PathBuf, io::Error),
}

impl Listener {
    /// Listens on `path`, for this user and this group. A socket that a dead process left is replaced.
    pub fn bind(path: &Path) -> Result<Self, ListenError> {
        if StdUnixStream::connect(path).is_ok() {
            return Err(ListenError::InUse(path.to_owned()));
        }
        let listener =
            listen(path).map_err(|error| ListenError::Refused(path.to_owned(), error))?;
        Ok(Self {
            path: path.to_owned(),
            listener,
        })
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // What is left behind is replaced by the next one.
        let _ = remove_if_there(&self.path);
    }
}

/// Bound under another name, its mode set, and only then put into place.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut name = name.to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(name);
    remove_if_there(&temporary)?;
    let listener = UnixListener::bind(&temporary)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(MODE))?;
    fs::rename(&temporary, path)?;
    Ok(listener)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
