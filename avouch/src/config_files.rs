//! The daemons' configurations, written by `avouch init` with absolute paths; an operator may change them.

use std::path::Path;

use anyhow::Result;
use keystore::Access;

use crate::data_dir::{self, DataDir};

/// What goes into the configurations besides paths.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) base_url: &'a str,
    pub(crate) passphrase_file: &'a Path,
    pub(crate) presigner_public_key: &'a str,
    pub(crate) crl_builder_public_key: &'a str,
}

/// Writes every configuration that is not there yet.
pub(crate) fn write(data: &DataDir, settings: &Settings<'_>) -> Result<()> {
    for (daemon, text) in [
        ("signer", signer(data, settings)),
        ("signer-host", signer_host(data)),
        ("issuer", issuer(data, settings)),
        ("ocsp-presigner", presigner(data)),
        ("crl-builder", crl_builder(data, settings)),
        ("ocsp-responder", responder(data, settings)),
    ] {
        write_if_absent(data, daemon, &text)?;
    }
    add_status_watch(data)
}

/// An installation made before there was a `status-watch` has no configuration for it.
pub(crate) fn add_status_watch(data: &DataDir) -> Result<()> {
    write_if_absent(data, "status-watch", &status_watch(data))
}

fn write_if_absent(data: &DataDir, daemon: &str, text: &str) -> Result<()> {
    let path = data.config(daemon);
    if path.exists() {
        return Ok(());
    }
    let text = format!("{}{text}", header(daemon));
    data_dir::write_atomically(&path, text.as_bytes(), Access::Public)
}

fn header(daemon: &str) -> String {
    format!(
        "# Configuration of {daemon}, written by `avouch init`. `{daemon} --help` tells more.\n\
         # Change what you like: it is never overwritten. A mistake stops the daemon with exit code 64 and says where.\n\n"
    )
}

fn signer(data: &DataDir, settings: &Settings<'_>) -> String {
    format!(
        "# The only one that holds CA keys. Here it runs beside everything else, over a pseudo-terminal; in production it has\n\
         # its own machine, at the end of a serial cable: see docs/signer.md.\n\
         device = {}\n\
         baud = 3000000\n\
         link_keys = {}\n\
         keys = {}\n\
         journal = {}\n\
         # In a demo the passphrase lies beside the keys; elsewhere it does not.\n\
         passphrase_file = {}\n\
         # What it signs, judged by itself; and where certificates must say that their status is.\n\
         profiles = {}\n\
         base_url = {}\n\
         log = \"info\"   # error, warn, info or debug\n\n\
         # When it stops by itself: `ping_seconds`, `silence_seconds`, `strict` and others.\n\
         [limits]\n\
         silence_seconds = 86400\n",
        quoted(&data.signer_line()),
        quoted(&data.signer_link_keys()),
        quoted(&data.signer_keys()),
        quoted(&data.signer_journal()),
        quoted(settings.passphrase_file),
        quoted(&data.profiles()),
        quoted_text(settings.base_url),
    )
}

fn signer_host(data: &DataDir) -> String {
    format!(
        "# The host's end of the cable: it keeps every request until it is answered, and the signer's log for ever.\n\
         # Local processes ask it on a Unix socket, for this user alone.\n\
         socket = {}\n\
         data = {}\n\n\
         [[cables]]\n\
         # A real one: device = \"/dev/ttyUSB0\"\n\
         pty = {}\n\
         baud = 3000000\n\
         keys = {}\n\n{}",
        quoted(&data.signer_socket()),
        quoted(&data.signer_host_dir()),
        quoted(&data.signer_line()),
        quoted(&data.host_link_keys()),
        daemon(data, "signer-host"),
    )
}

fn issuer(data: &DataDir, settings: &Settings<'_>) -> String {
    format!(
        "# The API behind `avouch issue` and `avouch revoke`; requests carry the token.\n\
         listen = \"127.0.0.1:0\"\n\
         token_file = {}\n\
         ledger = {}\n\
         signer_socket = {}\n\
         profiles = {}\n\
         # Goes into every certificate: OCSP, CRL and CA certificate are found below it.\n\
         base_url = {}\n\
         # The lists of weak keys that Debian made in 2008, in the openssl-blacklist format, when you have them:\n\
         # debian_weak_keys = {}\n\n{}",
        quoted(&data.api_token()),
        quoted(&data.ledger()),
        quoted(&data.signer_socket()),
        quoted(&data.profiles()),
        quoted_text(settings.base_url),
        quoted(&data.config_dir().join("openssl-blacklist")),
        daemon(data, "issuer"),
    )
}

fn presigner(data: &DataDir) -> String {
    let own = data.presigner_dir();
    format!(
        "ledger = {}\n\
         publication = {}\n\
         # Signs the manifests (Ed25519); the edge trusts the public half.\n\
         publication_key = {}\n\
         # Responder keys, one directory per issuer; made and renewed by itself.\n\
         keys = {}\n\
         # Where responder certificates are asked for.\n\
         signer_socket = {}\n\
         # Threads that sign; 0 is one per core.\n\
         threads = 0\n\
         # Intel's libcrypto_mb signs RSA and P-256 several times as fast on CPUs with AVX512-IFMA: \"auto\" uses it where it\n\
         # is installed, \"off\" never; or its path.\n\
         multi_buffer = \"auto\"\n\n\
         # Answers that the edge asks for while a client waits: with the client's nonce, or about several certificates.\n\
         [live]\n\
         socket = {}\n\n\
         # For issuers whose policy says responder_key_in = \"pkcs11\":\n\
         # [pkcs11]\n\
         # module = \"/usr/lib/softhsm/libsofthsm2.so\"\n\
         # token = \"avouch\"\n\
         # pin_file = {}\n\n{}",
        quoted(&data.ledger()),
        quoted(&data.publication()),
        quoted(&own.join("publication.key")),
        quoted(&own.join("keys")),
        quoted(&data.signer_socket()),
        quoted(&data.live_socket()),
        quoted(&own.join("pin")),
        daemon(data, "ocsp-presigner"),
    )
}

fn crl_builder(data: &DataDir, settings: &Settings<'_>) -> String {
    let own = data.crl_builder_dir();
    format!(
        "ledger = {}\n\
         publication = {}\n\
         # Signs the manifests (Ed25519); the edge trusts the public half.\n\
         publication_key = {}\n\
         # Signs the manifests of OCSP answers, with which CRLs are compared before they are published.\n\
         ocsp_public_key = \"{}\"\n\
         # CRLs of CAs whose key is elsewhere: put there, or fetched.\n\
         imported = {}\n\
         # As in certificates; delta CRLs are announced below it.\n\
         base_url = \"{}\"\n\
         signer_socket = {}\n\n{}",
        quoted(&data.ledger()),
        quoted(&data.publication()),
        quoted(&own.join("publication.key")),
        settings.presigner_public_key,
        quoted(&data.imported_crls()),
        settings.base_url,
        quoted(&data.signer_socket()),
        daemon(data, "crl-builder"),
    )
}

fn responder(data: &DataDir, settings: &Settings<'_>) -> String {
    format!(
        "# The edge: no key, no database. `avouch up` gives the address with --listen.\n\
         listen = \"127.0.0.1:8080\"\n\
         publication = {}\n\
         # The highest generation of each channel that was ever served: it never goes back.\n\
         state = {}\n\n\
         # Whose manifests count.\n\
         [[trust]]\n\
         prefix = \"ocsp/\"\n\
         public_key = \"{}\"\n\n\
         [[trust]]\n\
         prefix = \"crl/\"\n\
         public_key = \"{}\"\n\n\
         # Answers that the presigner signs while a client waits. Above these rates, what was signed ahead goes out.\n\
         [fresh]\n\
         socket = {}\n\
         per_second = 200               # for each issuer\n\
         per_network_per_second = 50    # for each network of clients, /24 or /56\n\
         deadline_ms = 50\n\n{}",
        quoted(&data.publication()),
        quoted(&data.responder_dir()),
        settings.presigner_public_key,
        settings.crl_builder_public_key,
        quoted(&data.live_socket()),
        daemon(data, "ocsp-responder"),
    )
}

fn status_watch(data: &DataDir) -> String {
    format!(
        "# Compares what the edges serve with the ledger, which it only reads.\n\
         ledger = {}\n\
         # Where the sweeps are and what is open, so that a restart goes on from there.\n\
         memory = {}\n\
         # Base URLs of edges on other machines; `avouch up` adds its own with --edge.\n\
         edges = []\n\
         # OCSP questions per second and edge, two for each certificate: at 500, 1 million certificates take 67 minutes\n\
         # and 10 million 11 hours.\n\
         ocsp_per_second = 500\n\
         # Between the end of a sweep and the next one.\n\
         pause_seconds = 60\n\n\
         # How soon what the ledger says must be seen at every edge; what differs for longer is an alarm.\n\
         [promise]\n\
         ocsp_ms = 5000     # a revocation by OCSP\n\
         crl_ms = 60000     # a revocation in the CRL; more where the CRL goes through a serial cable\n\
         new_ms = 60000     # the first answer about a new certificate\n\n{}",
        quoted(&data.ledger()),
        quoted(&data.status_watch_memory()),
        daemon(data, "status-watch"),
    )
}

/// The table that every daemon has.
fn daemon(data: &DataDir, name: &str) -> String {
    format!(
        "[daemon]\n\
         # /metrics, /healthz, /readyz; port 0 picks a free one, which the state file then names.\n\
         admin = \"127.0.0.1:0\"\n\
         state_file = {}\n\
         log_format = \"text\"   # or \"json\"\n",
        quoted(&data.state_file(name))
    )
}

fn quoted(path: &Path) -> String {
    quoted_text(&path.to_string_lossy())
}

/// As TOML writes a string.
fn quoted_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration_is_toml_whatever_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(&dir.path().join("a \"b\" \\ ř")).unwrap();
        data_dir::private_dir(&data.config_dir()).unwrap();
        let settings = Settings {
            base_url: "http://127.0.0.1:8080",
            passphrase_file: &data.demo_passphrase(),
            presigner_public_key: "00",
            crl_builder_public_key: "01",
        };
        write(&data, &settings).unwrap();
        for daemon in crate::up::build::PROGRAMS {
            let text = std::fs::read_to_string(data.config(daemon)).unwrap();
            let table: toml::Table = toml::from_str(&text).unwrap();
            if daemon == "signer" {
                let keys = table["keys"].as_str().unwrap();
                assert_eq!(Path::new(keys), data.signer_keys());
                continue;
            }
            let state_file = table["daemon"]["state_file"].as_str().unwrap();
            assert_eq!(Path::new(state_file), data.state_file(daemon));
        }
    }

    #[test]
    fn what_an_operator_changed_stays() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path()).unwrap();
        data_dir::private_dir(&data.config_dir()).unwrap();
        std::fs::write(data.config("issuer"), "changed = true\n").unwrap();
        let settings = Settings {
            base_url: "",
            passphrase_file: Path::new("/p"),
            presigner_public_key: "",
            crl_builder_public_key: "",
        };
        write(&data, &settings).unwrap();
        assert_eq!(
            std::fs::read_to_string(data.config("issuer")).unwrap(),
            "changed = true\n"
        );
        assert!(data.config("signer").exists());
    }
}
