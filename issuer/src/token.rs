//! The bearer token of the API: whoever can read its file may use the API.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use pki::{HashAlgorithm, Serial};

/// A token that requests must carry. Only its hash is kept.
#[derive(Clone)]
pub(crate) struct Token {
    sha256: Vec<u8>,
}

impl Token {
    /// Reads the token, or makes one for its owner's eyes alone.
    pub(crate) fn load_or_create(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path),
            other => other.map_err(anyhow::Error::from),
        }
        .with_context(|| format!("the API token {} cannot be used", path.display()))?;
        let token = text.trim();
        anyhow::ensure!(
            token.len() >= 16,
            "the API token {} is shorter than 16 characters; delete the file and start again",
            path.display()
        );
        Ok(Self::new(token))
    }

    pub(crate) fn new(token: &str) -> Self {
        Self {
            sha256: HashAlgorithm::Sha256.digest(token.as_bytes()),
        }
    }

    /// Whether `candidate` is the token. Hashes are compared, so that the time it takes tells nothing.
    pub(crate) fn is(&self, candidate: &str) -> bool {
        HashAlgorithm::Sha256.digest(candidate.as_bytes()) == self.sha256
    }
}

fn create(path: &Path) -> anyhow::Result<String> {
    let token = format!("{}{}", Serial::random()?, Serial::random()?).to_ascii_lowercase();
    // Complete before it has its name: another process may read it at any time.
    let unfinished = path.with_extension("new");
    if let Err(error) = fs::remove_file(&unfinished)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error.into());
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(format!("{token}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_new_token_is_secret_and_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("api-token");
        Token::load_or_create(&path).expect("made");
        let text = fs::read_to_string(&path).expect("the file");
        assert_eq!(
            fs::metadata(&path).expect("the file").permissions().mode() & 0o777,
            0o600
        );

        let again = Token::load_or_create(&path).expect("read");
        assert!(again.is(text.trim()));
        assert!(!again.is(""));
        assert!(!again.is("another"));
    }

    #[test]
    fn a_short_token_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("api-token");
        fs::write(&path, "short\n").expect("written");
        assert!(Token::load_or_create(&path).is_err());
    }
}
