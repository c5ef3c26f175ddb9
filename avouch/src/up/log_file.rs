//! What a daemon wrote: kept in `DIR/run/{daemon}.log`, its end shown when something goes wrong.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};

/// Opens the log for appending; a long one is set aside first.
pub(crate) fn open(path: &Path) -> Result<File> {
    let open = || -> io::Result<File> {
        if fs::metadata(path).is_ok_and(|metadata| metadata.len() > SET_ASIDE_ABOVE) {
            fs::rename(path, path.with_extension("log.1"))?;
        }
        File::options().create(true).append(true).open(path)
    };
    open().with_context(|| format!("the log {} cannot be opened", path.display()))
}

/// The last lines, indented; for the eyes of somebody who looks for a cause.
pub(crate) fn tail(path: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_OCTETS)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_OCTETS).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(TAIL_LINES);
            lines[from..]
                .iter()
                .map(|line| format!("    {line}\n"))
                .collect()
        }
        Err(error) => format!("    ({} cannot be read: {error})\n", path.display()),
    }
}

const SET_ASIDE_ABOVE: u64 = 16 << 20;
const TAIL_OCTETS: u64 = 8 << 10;
const TAIL_LINES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let text: String = (0..1_000).map(|line| format!("line {line}\n")).collect();
        fs::write(&path, text).unwrap();
        let tail = tail(&path);
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.ends_with("    line 999\n"), "{tail}");
    }
}
