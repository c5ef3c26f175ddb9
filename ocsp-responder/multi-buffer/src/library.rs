//! Finding the library, and asking it whether it can work here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::functions::{Functions, OpenError};

/// By these names the system's loader finds it; the second comes with development packages.
const NAMES: [&str; 2] = ["libcrypto_mb.so.13", "libcrypto_mb.so"];

/// Where to look for the library; in configurations `"auto"`, `"off"` or a path.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Search {
    /// In the system's library directories; none is no error.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// This file.
    File(PathBuf),
}

impl FromStr for Search {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            path if path.contains('/') => Ok(Self::File(path.into())),
            other => Err(format!(
                "{other:?} is none of \"auto\", \"off\" and the path of libcrypto_mb.so"
            )),
        }
    }
}

/// `libcrypto_mb`, loaded and fit to work on this CPU.
pub struct Library {
    pub(crate) functions: Functions,
    version: String,
    fallbacks: AtomicU64,
}

/// Why the library is not used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not to be used.
    #[error("switched off")]
    Off,
    /// It is not there.
    #[error("libcrypto_mb is not in the system's library directories")]
    NotFound,
    /// It cannot be loaded.
    #[error("{name} cannot be loaded: {reason}")]
    Unloadable {
        /// The file.
        name: String,
        /// What the loader says.
        reason: String,
    },
    /// It cannot work here.
    #[error("{0} needs a CPU with AVX512-IFMA, which this one is not")]
    Incapable(String),
}

impl Library {
    /// Loads the library, if it is there and can work here.
    pub fn load(search: &Search) -> Result<Arc<Self>, LoadError> {
        match search {
            Search::Off => Err(LoadError::Off),
            Search::File(path) => open(path),
            Search::Auto => {
                for name in NAMES {
                    match open(Path::new(name)) {
                        Err(LoadError::NotFound) => {}
                        found => return found,
                    }
                }
                Err(LoadError::NotFound)
            }
        }
    }

    /// What it calls itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How many signatures had to be made again, one by one, since a lane failed.
    pub fn fallbacks(&self) -> u64 {
        self.fallbacks.load(Ordering::Relaxed)
    }

    pub(crate) fn count_fallback(&self) {
        self.fallbacks.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

fn open(path: &Path) -> Result<Arc<Library>, LoadError> {
    let name = path.display().to_string();
    let functions = Functions::open(path).map_err(|error| match error {
        OpenError::NotFound => LoadError::NotFound,
        OpenError::Loader(reason) => LoadError::Unloadable {
            name: name.clone(),
            reason,
        },
    })?;
    if !functions.is_applicable() {
        return Err(LoadError::Incapable(name));
    }
    Ok(Arc::new(Library {
        version: functions.version(),
        functions,
        fallbacks: AtomicU64::new(0),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations() {
        assert_eq!("auto".parse(), Ok(Search::Auto));
        assert_eq!("off".parse(), Ok(Search::Off));
        assert_eq!("/a/b.so".parse(), Ok(Search::File("/a/b.so".into())));
        assert!("yes".parse::<Search>().is_err());
    }

    #[test]
    fn what_is_not_there_is_told() {
        let error =
            Library::load(&Search::File("/nonexistent/libcrypto_mb.so".into())).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/"), "{error}");
        assert!(matches!(Library::load(&Search::Off), Err(LoadError::Off)));
    }

    #[test]
    fn another_library_is_refused() {
        // The C library is everywhere, and has none of the functions.
        let error = Library::load(&Search::File("/lib/x86_64-linux-gnu/libc.so.6".into()));
        assert!(matches!(error, Err(LoadError::Unloadable { .. })));
    }
}
