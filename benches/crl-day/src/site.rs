//! A running Avouch with CAs that were taken over, each with a long CRL.

use std::cell::Cell;
use std::fmt::Write as _;

use anyhow::Result;
use e2e::clients::curl;
use e2e::system::{EC, path};
use e2e::{System, program, wait_for};
use pki::crl::Crl;

/// What the serial numbers of a CA are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Serials {
    /// 3 octets, one after the other.
    Sequential,
    /// 16 octets, random.
    Random,
}

impl Serials {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential 3-octet serials",
            Self::Random => "random 16-octet serials",
        }
    }

    fn issuer(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Random => "random",
        }
    }

    fn serial(self, number: u32) -> String {
        match self {
            Self::Sequential => format!("{:06X}", 0x10_0000 + number),
            Self::Random => pki::Serial::random()
                .expect("the system has random numbers")
                .to_string(),
        }
    }
}

pub(crate) struct Site {
    system: System,
    /// The next one to revoke, and how many are.
    next: Cell<u32>,
}

/// Certificates that the bench revokes.
const TO_REVOKE: u32 = 400;

impl Site {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self {
            system: System::start(EC),
            next: Cell::new(0),
        })
    }

    pub(crate) fn url(&self, serials: Serials) -> String {
        format!("{}crl/{}.crl", self.system.status_url(), serials.issuer())
    }

    /// Takes over a CA with that many revoked certificates and waits for its CRL.
    pub(crate) fn import(&self, serials: Serials, revoked: u32) -> Result<()> {
        let name = serials.issuer();
        let file = |extension: &str| self.system.folder().join(format!("{name}.{extension}"));
        let (key, ca, index) = (file("key"), file("pem"), file("txt"));
        let subject = format!("/CN={name}");
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "3650", "-newkey", "ec"];
        arguments.extend(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", &subject]);
        arguments.extend(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
        arguments.extend(["-keyout", path(&key), "-out", path(&ca)]);
        program(self.system.folder(), "openssl", arguments).ok();
        std::fs::write(&index, index_txt(serials, revoked))?;
        let mut arguments = vec!["import", "ca", "--name", name, "--cert", path(&ca)];
        arguments.extend(["--key", path(&key), "--index", path(&index)]);
        self.system.avouch(&arguments).ok();
        if serials == Serials::Sequential {
            self.next.set(revoked);
        }
        wait_for(|| self.entries(serials) == Some(revoked as usize));
        Ok(())
    }

    /// Revokes that many more and waits for the CRL with all of them.
    pub(crate) fn revoke(&self, count: u32) -> Result<()> {
        let first = self.next.get();
        for number in first..first + count {
            let serial = Serials::Sequential.serial(number);
            let issuer = Serials::Sequential.issuer();
            let mut arguments = vec!["revoke", "--serial", &serial, "--issuer", issuer];
            arguments.extend(["--ground", "support", "--case", "s20261122.1"]);
            arguments.extend(["--reason", "keyCompromise"]);
            self.system.avouch(&arguments).ok();
        }
        self.next.set(first + count);
        wait_for(|| self.entries(Serials::Sequential) == Some((first + count) as usize));
        Ok(())
    }

    fn entries(&self, serials: Serials) -> Option<usize> {
        let answer = curl(&self.system, &self.url(serials), &["--compressed"]);
        let crl = Crl::from_der(&answer.body).ok()?;
        Some(crl.len())
    }
}

/// Revoked over three years, within three months of their issuance, at any time of the day.
fn index_txt(serials: Serials, revoked: u32) -> String {
    let mut text = String::new();
    for number in 0..revoked + TO_REVOKE {
        let serial = serials.serial(number);
        let random = mixed(number);
        let seconds = random % 86_400;
        let days = u64::from(number) * 900 / u64::from(revoked + TO_REVOKE) + (random >> 32) % 100;
        let time = format!(
            "{:02}{:02}{:02}{:02}{:02}{:02}Z",
            23 + days / 336,
            1 + days / 28 % 12,
            1 + days % 28,
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        let status = match number < revoked {
            true => format!("R\t361231235959Z\t{time},keyCompromise"),
            false => "V\t361231235959Z\t".to_owned(),
        };
        // Unwrap safety: a String takes everything.
        writeln!(
            text,
            "{status}\t{serial}\tunknown\t/CN=host{number}.example.org"
        )
        .unwrap();
    }
    text
}

/// A number that looks random (SplitMix64); the same at every run.
fn mixed(number: u32) -> u64 {
    let mut mixed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
