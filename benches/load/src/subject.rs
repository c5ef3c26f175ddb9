//! The certificates that are asked about.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use pki::{Certificate, Serial};
use synthetic::{Population, mix};

/// Where the serial numbers come from.
#[derive(Clone, Debug)]
pub enum Subjects {
    /// From real certificates, or any list.
    Listed(Vec<Serial>),
    /// Computed, as `fill` computed them.
    Synthetic(Population),
}

impl Subjects {
    /// The serial numbers of all certificates of `ca` in a file (PEM, any number; DER, one) or in all files of a
    /// directory.
    pub fn read(path: &Path, ca: &Certificate) -> anyhow::Result<Self> {
        let mut serials = Vec::new();
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                let file = entry?.path();
                if file.is_file() {
                    // A directory holds other things as well.
                    serials.extend(read_file(&file, ca).unwrap_or_default());
                }
            }
        } else {
            serials = read_file(path, ca)?;
        }
        anyhow::ensure!(
            !serials.is_empty(),
            "{} holds no certificate that this CA issued",
            path.display()
        );
        Ok(Self::Listed(serials))
    }

    /// The serial number that the random number `draw` chooses.
    pub(crate) fn choose(&self, draw: u64) -> Serial {
        // The upper half of the product is even over all certificates, and costs no division.
        let place = |count: u64| ((u128::from(mix(draw)) * u128::from(count)) >> 64) as u64;
        match self {
            Self::Listed(serials) => serials[place(serials.len() as u64) as usize],
            Self::Synthetic(population) => population.serial(place(population.count())),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::Listed(serials) => serials.len() as u64,
            Self::Synthetic(population) => population.count(),
        }
    }
}

fn read_file(path: &Path, ca: &Certificate) -> anyhow::Result<Vec<Serial>> {
    let content = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let ders = match std::str::from_utf8(&content) {
        Ok(text) => pki::pem::blocks(text)?
            .into_iter()
            .filter(|block| block.label == "CERTIFICATE")
            .map(|block| block.der)
            .collect(),
        Err(_) => vec![content],
    };
    let mut serials = Vec::new();
    for der in ders {
        let certificate = Certificate::from_der(&der)
            .with_context(|| format!("{} holds a damaged certificate", path.display()))?;
        if certificate.issuer() == ca.subject() && certificate.der() != ca.der() {
            serials.push(*certificate.serial());
        }
    }
    Ok(serials)
}
