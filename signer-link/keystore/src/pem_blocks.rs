//! PEM blocks (RFC 7468) with what older files add: text around them and RFC 1421 headers inside.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::KeyError;

/// One block between `-----BEGIN label-----` and `-----END label-----`.
pub(crate) struct Block<'a> {
    pub(crate) label: &'a str,
    /// RFC 1421 header lines such as `Proc-Type: 4,ENCRYPTED`.
    headers: Vec<&'a str>,
    base64: Zeroizing<String>,
}

impl Block<'_> {
    /// Whether the legacy encryption of openssl's first years was used.
    pub(crate) fn is_legacy_encrypted(&self) -> bool {
        self.headers
            .iter()
            .any(|header| header.starts_with("Proc-Type:") && header.contains("ENCRYPTED"))
    }

    pub(crate) fn der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        STANDARD
            .decode(self.base64.as_bytes())
            .map(Zeroizing::new)
            .map_err(|error| {
                KeyError::Malformed(format!("base64 of the block \"{}\": {error}", self.label))
            })
    }
}

/// All blocks of `text`, in order.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block<'_>>, KeyError> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        let Some(label) = marker(line, "-----BEGIN ") else {
            continue;
        };
        let mut block = Block {
            label,
            headers: Vec::new(),
            base64: Zeroizing::new(String::with_capacity(text.len())),
        };
        loop {
            let Some(line) = lines.next() else {
                return Err(KeyError::Malformed(format!(
                    "the block \"{label}\" has no END line"
                )));
            };
            if let Some(end) = marker(line, "-----END ") {
                if end != label {
                    return Err(KeyError::Malformed(format!(
                        "the block \"{label}\" ends as \"{end}\""
                    )));
                }
                break;
            }
            if line.contains(':') {
                block.headers.push(line);
            } else {
                block.base64.push_str(line.trim());
            }
        }
        found.push(block);
    }
    Ok(found)
}

fn marker<'a>(line: &'a str, begin: &str) -> Option<&'a str> {
    line.strip_prefix(begin)?.strip_suffix("-----")
}
