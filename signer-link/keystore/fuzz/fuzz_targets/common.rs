//! Text that a fuzzer changes and whose checksum is right all the same: otherwise nothing would ever be read behind it.

use aws_lc_rs::digest::{SHA256, digest};

/// Changes octets of `text`, takes some out, puts some in or doubles some: four octets of `changes` for each.
pub(crate) fn change(text: &mut Vec<u8>, changes: &[u8]) {
    for change in changes.chunks_exact(4) {
        let [kind, high, low, value] = *change else {
            return;
        };
        if text.is_empty() {
            return;
        }
        let at = usize::from(u16::from_be_bytes([high, low])) % text.len();
        match kind % 6 {
            0 => text[at] = value,
            1 => text[at] ^= 1 << (value % 8),
            2 => text.insert(at, value),
            3 => drop(text.remove(at)),
            4 => text.truncate(at),
            _ => {
                let end = (at + usize::from(value)).min(text.len());
                let piece = text[at..end].to_vec();
                text.splice(at..at, piece);
            }
        }
    }
}

/// The lines between the markers, without the checksum.
pub(crate) fn lines_of(text: &str) -> Vec<u8> {
    let (_, rest) = text.split_once('\n').expect("a marker");
    let (lines, _) = rest.split_once("Checksum: ").expect("a checksum");
    lines.as_bytes().to_vec()
}

/// The whole text around such lines, if they are text.
pub(crate) fn text_around(label: &str, lines: &[u8]) -> Option<String> {
    let lines = std::str::from_utf8(lines).ok()?;
    let sum = digest(&SHA256, lines.as_bytes());
    let sum: String = sum.as_ref()[..4]
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    Some(format!(
        "-----BEGIN {label}-----\n{lines}Checksum: {sum}\n-----END {label}-----\n"
    ))
}
