//! Whether a CRL may be used: by RFC 5280, for its time, and after the one before.

use anyhow::{Result, anyhow, bail};
use pki::crl::Crl;
use pki::crl::verify::{Expected, ImportedRules, Profile, Scope, verify_crl};
use pki::{Certificate, Time, Violation, oid};

pub(super) struct Judge {
    pub(super) authorities: Vec<Certificate>,
    pub(super) accept_sha1: bool,
    /// Whether it is to be a delta CRL. Never one by chance: in the place of a whole CRL it would hide what is revoked.
    pub(super) delta: bool,
    pub(super) url: String,
    pub(super) now: Time,
}

impl Judge {
    /// The CRL, if one of the CAs has signed it and it breaks no rule.
    pub(super) fn verified(&self, der: &[u8]) -> Result<Crl> {
        let crl = Crl::from_der(der).map_err(|violation| anyhow!("it is no CRL: {violation}"))?;
        let scope = self.scope(&crl)?;
        let mut refused: Option<Violation> = None;
        for ca in &self.authorities {
            let expected = Expected {
                ca,
                now: self.now,
                scope,
                previous: None,
                profile: Profile::Imported(ImportedRules {
                    old_algorithms: self.accept_sha1,
                    bare: true,
                }),
            };
            match verify_crl(der, &expected) {
                Ok(verified) => return Ok(verified.crl),
                Err(violation) => refused = refused.or(Some(violation)),
            }
        }
        match refused {
            Some(violation) => bail!("it is refused: {violation}"),
            None => bail!("--ca names no certificate"),
        }
    }

    fn scope<'a>(&'a self, crl: &'a Crl) -> Result<Scope<'a>> {
        match (self.delta, crl.base_number()) {
            (true, Some(base)) => return Ok(Scope::Delta { base }),
            (true, None) => bail!("it is no delta CRL: leave out --delta"),
            (false, Some(_)) => bail!(
                "it is a delta CRL, which alone says nothing of what was revoked earlier: fetch it with --delta, beside \
                 the whole CRL"
            ),
            (false, None) => {}
        }
        let partial = crl
            .extensions()
            .iter()
            .any(|extension| extension.oid == oid::ISSUING_DISTRIBUTION_POINT);
        Ok(match partial {
            true => Scope::Partition { uri: &self.url },
            false => Scope::Complete,
        })
    }

    /// Nobody is served by a CRL that has ended.
    pub(super) fn still_valid(&self, crl: Option<&Crl>) -> Result<()> {
        match crl.and_then(Crl::next_update) {
            Some(end) if end <= self.now => {
                bail!("it has ended at {end}, and there is no newer one")
            }
            _ => Ok(()),
        }
    }

    /// Never back to an older one: somebody between us and the server might try.
    pub(super) fn not_older(&self, new: &Crl, old: Option<&Crl>) -> Result<()> {
        let Some(old) = old else { return Ok(()) };
        if let (Some(number), Some(before)) = (new.number(), old.number())
            && number < before
        {
            bail!("it has number {number}, the one that is there {before}: it is older");
        }
        if new.this_update() < old.this_update() {
            bail!(
                "it is of {}, the one that is there of {}: it is older",
                new.this_update(),
                old.this_update()
            );
        }
        Ok(())
    }
}
