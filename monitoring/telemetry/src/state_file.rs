//! The file in which a running daemon says where it can be reached.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

/// `{"pid": …, "admin": "http://…/", "listen": "http://…/"}` and what the daemon adds, replaced atomically at each change.
///
/// Nothing is written before [`StateFile::announce`], so that whoever finds the file finds a daemon that serves.
#[derive(Clone, Debug)]
pub struct StateFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: Option<PathBuf>,
    content: Mutex<Content>,
}

#[derive(Debug)]
struct Content {
    announced: bool,
    values: Map<String, Value>,
}

impl StateFile {
    pub(crate) fn new(path: Option<PathBuf>, admin: SocketAddr) -> Self {
        let mut values = Map::new();
        values.insert("pid".to_owned(), json!(std::process::id()));
        values.insert("admin".to_owned(), json!(format!("http://{admin}/")));
        values.insert("listen".to_owned(), Value::Null);
        Self(Arc::new(Inner {
            path,
            content: Mutex::new(Content {
                announced: false,
                values,
            }),
        }))
    }

    /// Says that the daemon serves, and where (`None`: it has no listener of its own).
    pub fn announce(&self, listen: Option<String>) -> io::Result<()> {
        self.change(|content| {
            content.values.insert("listen".to_owned(), json!(listen));
            content.announced = true;
        })
    }

    /// Sets a further member of the object, for example `progress`; written at once if already announced.
    pub fn set(&self, key: &str, value: Value) -> io::Result<()> {
        self.change(|content| {
            content.values.insert(key.to_owned(), value);
        })
    }

    /// Removes the file: the daemon no longer serves. One that never served leaves the file of another alone.
    pub(crate) fn remove(&self) -> io::Result<()> {
        // Unwrap safety: as in `change`.
        let announced = self.0.content.lock().unwrap().announced;
        let Some(path) = self.0.path.as_ref().filter(|_| announced) else {
            return Ok(());
        };
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        // Unwrap safety: a panic while the lock is held aborts the process, so no lock is ever poisoned.
        let mut content = self.0.content.lock().unwrap();
        change(&mut content);
        let Some(path) = self.0.path.as_ref().filter(|_| content.announced) else {
            return Ok(());
        };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut temporary = path.clone().into_os_string();
        temporary.push(format!(".{}.tmp", std::process::id()));
        fs::write(
            &temporary,
            format!("{}\n", Value::Object(content.values.clone())),
        )?;
        fs::rename(&temporary, path)
    }
}
