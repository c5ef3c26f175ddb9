//! What a ceremony leaves in writing: names and hashes that witnesses can compare and sign.

use std::fmt::Write as _;

use hierarchy::Hierarchy;
use pki::{Certificate, Time};
use wire::Receipt;

use crate::journal_record::hash;

/// One CA of the ceremony.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// Made now, or kept from an earlier run.
    pub is_new: bool,
}

/// The text.
pub fn text(
    file: &str,
    hierarchy: &Hierarchy,
    made: &[Made],
    journal: &Receipt,
    now: Time,
) -> String {
    let mut text = String::new();
    // Writing into a String does not fail.
    let _ = write_all(&mut text, file, hierarchy, made, journal, now);
    text
}

fn write_all(
    text: &mut String,
    file: &str,
    hierarchy: &Hierarchy,
    made: &[Made],
    journal: &Receipt,
    now: Time,
) -> std::fmt::Result {
    writeln!(text, "Key ceremony, finished {now}")?;
    writeln!(text, "signer {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(
        text,
        "hierarchy file, SHA-256   {}",
        hex::encode(hash(file.as_bytes()))
    )?;
    writeln!(text, "base URL                  {}", hierarchy.base_url)?;
    for ca in made {
        let certificate = &ca.certificate;
        let key = certificate.public_key();
        writeln!(
            text,
            "\n{}{}",
            ca.name,
            if ca.is_new {
                ""
            } else {
                " (kept from an earlier run)"
            }
        )?;
        writeln!(text, "  subject                 {}", certificate.subject())?;
        writeln!(text, "  issuer                  {}", certificate.issuer())?;
        writeln!(text, "  serial number           {}", certificate.serial())?;
        writeln!(
            text,
            "  valid                   {} to {}",
            certificate.not_before(),
            certificate.not_after()
        )?;
        if let (Ok(kind), Ok(algorithm)) = (key.kind(), certificate.signature_algorithm()) {
            writeln!(
                text,
                "  key                     {kind}, signed with {algorithm}"
            )?;
        }
        writeln!(
            text,
            "  key identifier          {}",
            hex::encode(key.key_id())
        )?;
        writeln!(
            text,
            "  public key, SHA-256     {}",
            hex::encode(key.fingerprint())
        )?;
        writeln!(
            text,
            "  certificate, SHA-256    {}",
            hex::encode(hash(certificate.der()))
        )?;
    }
    writeln!(
        text,
        "\njournal, record {}          {}",
        journal.sequence,
        hex::encode(journal.head)
    )?;
    writeln!(
        text,
        "\nCheck with: openssl x509 -in NAME.pem -noout -fingerprint -sha256"
    )
}
