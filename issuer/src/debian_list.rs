//! The list of Debian's weak keys, from the directory where the operator installed it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use pki::weak_keys::DebianWeakKeys;

/// Reads the list; without one says so loudly and goes on, since every other check still holds.
pub(crate) fn load(directory: Option<&Path>) -> anyhow::Result<Option<DebianWeakKeys>> {
    let Some(directory) = directory else {
        warn_missing("no directory is configured");
        return Ok(None);
    };
    if !directory.exists() {
        warn_missing(&format!("{} is not there", directory.display()));
        return Ok(None);
    }
    let list = read(directory).with_context(|| {
        format!(
            "the list of weak keys in {} cannot be read",
            directory.display()
        )
    })?;
    if list.is_empty() {
        warn_missing(&format!(
            "{} holds no file like blacklist.RSA-2048",
            directory.display()
        ));
        return Ok(None);
    }
    tracing::info!(keys = list.len(), sizes = ?list.sizes(), "Debian weak keys are refused by their list");
    Ok(Some(list))
}

fn read(directory: &Path) -> anyhow::Result<DebianWeakKeys> {
    let mut list = DebianWeakKeys::default();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if DebianWeakKeys::is_list_name(&name) {
            let text = fs::read_to_string(&path).with_context(|| name.clone())?;
            list.add_list(&name, &text)?;
        }
    }
    Ok(list)
}

fn warn_missing(why: &str) {
    tracing::warn!(
        "THE LIST OF DEBIAN WEAK KEYS (CVE-2008-0166) IS MISSING: {why}. RSA keys made by Debian's broken OpenSSL of \
         2006 to 2008 are NOT refused. Get the files blacklist.RSA-2048, blacklist.RSA-4096, … of the package \
         openssl-blacklist (or github.com/cabforum/Debian-weak-keys in its format) and name their directory as \
         debian_weak_keys in the configuration of the issuer"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_every_size_are_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name, text| fs::write(directory.path().join(name), text).expect("written");
        write("blacklist.RSA-2048", "# list\n0123456789abcdef0123\n");
        write(
            "blacklist.RSA-4096",
            "0123456789abcdef4567\n0123456789abcdef4568\n",
        );
        write("blacklist.DSA-2048", "not read\n");
        write("README", "not read\n");
        let list = load(Some(directory.path())).expect("read").expect("a list");
        assert_eq!((list.len(), list.sizes()), (3, &[2048, 4096][..]));

        write("blacklist.RSA-1024", "broken\n");
        assert!(load(Some(directory.path())).is_err());
    }

    #[test]
    fn a_missing_list_is_no_error() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(load(None).expect("none").is_none());
        assert!(load(Some(directory.path())).expect("empty").is_none());
        assert!(
            load(Some(&directory.path().join("absent")))
                .expect("absent")
                .is_none()
        );
    }
}
