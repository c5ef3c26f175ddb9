//! A running Avouch with CAs that were taken over, each with a long CRL.

use std::cell::Cell;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use e2e::clients::curl;
use e2e::system::{EC, path};
use e2e::{System, program, wait_within};
use pki::crl::Crl;

/// What the serial numbers of a CA are; also which CA it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Serials {
    /// 3 octets, one after the other.
    Sequential,
    /// 16 octets, random.
    Random,
}

impl Serials {
    /// For people.
    pub fn name(self) -> &'static str {
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
            // As good as random, and the same at every run.
            Self::Random => format!(
                "4{:015X}{:016X}",
                mixed(number) >> 4,
                mixed(number ^ 0x8000_0000)
            ),
        }
    }
}

/// A running Avouch, and how many certificates of each CA are revoked.
#[derive(Debug)]
pub struct Site {
    /// The Avouch.
    pub system: System,
    revoked: [Cell<u32>; 2],
}

/// How long a CRL may take to come: a slow cable carries a million revocations in three quarters of an hour.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Certificates that the bench revokes.
const TO_REVOKE: u32 = 400;

impl Site {
    /// Starts one.
    pub fn start() -> Self {
        Self::over(System::start(EC))
    }

    /// Goes on with one that runs.
    pub fn over(system: System) -> Self {
        Self {
            system,
            revoked: Default::default(),
        }
    }

    /// Where the CRL is.
    pub fn url(&self, serials: Serials) -> String {
        format!("{}crl/{}.crl", self.system.status_url(), serials.issuer())
    }

    /// Takes over a CA with that many revoked certificates and waits for its CRL.
    pub fn import(&self, serials: Serials, revoked: u32) -> Result<()> {
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
        self.revoked[serials as usize].set(revoked);
        self.wait_for_all(serials);
        Ok(())
    }

    /// Revokes that many more and waits for the CRL with all of them.
    pub fn revoke(&self, serials: Serials, count: u32) {
        let revoked = &self.revoked[serials as usize];
        for number in revoked.get()..revoked.get() + count {
            let serial = serials.serial(number);
            let mut arguments = vec!["revoke", "--serial", &serial];
            arguments.extend(["--issuer", serials.issuer()]);
            arguments.extend(["--ground", "support", "--case", "s20261122.1"]);
            arguments.extend(["--reason", "keyCompromise"]);
            self.system.avouch(&arguments).ok();
        }
        revoked.set(revoked.get() + count);
        self.wait_for_all(serials);
    }

    /// Revokes one more; gives what `avouch revoke --wait` says of when OCSP and CRL had it.
    pub fn revoke_one(&self, serials: Serials) -> serde_json::Value {
        let revoked = &self.revoked[serials as usize];
        let told = self
            .system
            .revoke_number(&serials.serial(revoked.get()), serials.issuer());
        revoked.set(revoked.get() + 1);
        told
    }

    fn wait_for_all(&self, serials: Serials) {
        let revoked = self.revoked[serials as usize].get() as usize;
        wait_within(PATIENCE, || self.entries(serials) == Some(revoked));
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
