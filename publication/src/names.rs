//! Which names a manifest may use. Channel names and hashes become file names, so nothing else is let through.

/// `ocsp/member`: two components of ASCII letters, digits, `-`, `_` and `.`, neither starting with a dot.
pub(crate) fn is_channel(name: &str) -> bool {
    matches!(name.split_once('/'), Some((kind, issuer)) if is_component(kind) && is_component(issuer))
}

/// SHA-256 in 64 lower-case hexadecimal digits.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An absolute URL path without query, fragment, dot segments or anything that is not visible ASCII.
pub(crate) fn is_url_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= 1024
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\'))
        && path
            .split('/')
            .all(|segment| segment != "." && segment != "..")
}

fn is_component(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels() {
        for good in ["ocsp/member", "crl/class3-2021", "ocsp/a.b_c"] {
            assert!(is_channel(good), "{good}");
        }
        for bad in [
            "",
            "ocsp",
            "ocsp/",
            "/member",
            "ocsp/../x",
            "ocsp/..",
            "../ocsp",
            "ocsp/.hidden",
            "a/b/c",
            "ocsp/ä",
            "ocsp/a b",
            "ocsp/a\0",
            "ocsp\\x",
        ] {
            assert!(!is_channel(bad), "{bad}");
        }
    }

    #[test]
    fn url_paths() {
        for good in ["/", "/crl/member.crl", "/rsa.crl", "/a%20b", "/a..b"] {
            assert!(is_url_path(good), "{good}");
        }
        for bad in [
            "", "x", "/../x", "/a/..", "/a/./b", "/a?b", "/a#b", "/a b", "/ä", "/a\\b", "/a\n",
        ] {
            assert!(!is_url_path(bad), "{bad}");
        }
    }

    #[test]
    fn hashes() {
        assert!(is_hash(&"0a".repeat(32)));
        assert!(!is_hash(&"0A".repeat(32)));
        assert!(!is_hash("../../../etc/passwd"));
    }
}
