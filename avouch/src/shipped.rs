//! The certificate profiles that come with this program; `avouch init` copies them to `DIR/config/profiles`.

/// File name and content.
pub(crate) const PROFILES: [(&str, &str); 4] = [
    (
        "client.toml",
        include_str!("../../issuer/profiles/client.toml"),
    ),
    (
        "code-signing.toml",
        include_str!("../../issuer/profiles/code-signing.toml"),
    ),
    (
        "ocsp-responder.toml",
        include_str!("../../issuer/profiles/ocsp-responder.toml"),
    ),
    (
        "server.toml",
        include_str!("../../issuer/profiles/server.toml"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_shipped_and_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../issuer/profiles");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".toml"))
            .collect();
        there.sort();
        assert_eq!(there, PROFILES.map(|(name, _)| name));
        for (name, text) in PROFILES {
            let document: pki::profile::ProfileDocument = toml::from_str(text).unwrap();
            assert_eq!(format!("{}.toml", document.name()), name);
        }
    }
}
