//! PEM (RFC 7468): any number of blocks in a text, whatever stands between them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// What follows `BEGIN `, such as `CERTIFICATE`.
    pub label: String,
    /// The decoded content.
    pub der: Vec<u8>,
}

/// All blocks of a text, in order.
pub fn blocks(text: &str) -> Result<Vec<Block>, PemError> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        loop {
            match lines.next() {
                None => return Err(PemError::NoEnd(label.to_owned())),
                Some(line) if line == end => break,
                Some(line) if line.contains(':') => {
                    return Err(PemError::Headers(label.to_owned()));
                }
                Some(line) => body.push_str(line),
            }
        }
        let der = STANDARD
            .decode(body)
            .map_err(|_| PemError::NotBase64(label.to_owned()))?;
        blocks.push(Block {
            label: label.to_owned(),
            der,
        });
    }
    Ok(blocks)
}

/// The first block with this label.
pub fn decode(text: &str, label: &str) -> Result<Vec<u8>, PemError> {
    blocks(text)?
        .into_iter()
        .find(|block| block.label == label)
        .map(|block| block.der)
        .ok_or_else(|| PemError::Missing(label.to_owned()))
}

/// A block with lines of 64 characters and a newline at the end.
pub fn encode(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for start in (0..body.len()).step_by(64) {
        out.push_str(&body[start..body.len().min(start + 64)]);
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Why a text is not the PEM that was expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PemError {
    /// Headers inside a block: a key encrypted in OpenSSL's old way.
    #[error(
        "the {0} block has headers (an old form of encryption); rewrite it with `openssl pkey -in OLD -out NEW`"
    )]
    Headers(String),
    /// No block with the label.
    #[error("there is no {0} block in PEM form")]
    Missing(String),
    /// A block without its end line.
    #[error("the {0} block has no END line")]
    NoEnd(String),
    /// A block whose content is not base64.
    #[error("the {0} block is not base64")]
    NotBase64(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_neighbours() {
        let text = format!("text\n{}junk\n{}", encode("A", &[7; 100]), encode("B", &[]));
        assert_eq!(decode(&text, "A"), Ok(vec![7; 100]));
        assert_eq!(decode(&text, "B"), Ok(vec![]));
        assert_eq!(decode(&text, "C"), Err(PemError::Missing("C".into())));
        assert_eq!(
            blocks("-----BEGIN A-----\nAA=="),
            Err(PemError::NoEnd("A".into()))
        );
    }
}
