//! Requests that must be refused, each between others that must not suffer from it.

use wire::{IssueCertificate, Operation, Request, Revoke, SerialOctets};

use super::{Caller, Purpose};
use crate::authority::ISSUER;
use crate::host::SIGNER_IDS;

impl Caller {
    /// Somebody asks for what must not be. Whether there was an occasion.
    pub(crate) fn wrong(&mut self, signer: usize, now: u64) -> bool {
        let days = match self.random.u8(0..12) {
            0 => 3_000,
            _ => 90,
        };
        let signer_id = SIGNER_IDS[signer];
        let (mut certificate, mut issue) = self.certificate(signer_id, now, days);
        let not_before = crate::clock::date(now).plus_seconds(-300);
        let why = match self.random.u8(0..10) {
            _ if days > 90 => "a certificate of eight years",
            0 => {
                (_, issue) = self.certificate(99, now, 90);
                "the serial number of no signer"
            }
            1 => {
                let Some(used) = self.certificates.first() else {
                    return false;
                };
                certificate.serial = used.serial;
                certificate.not_after = used.not_after.plus_seconds(-7);
                issue = self.issue_of(&certificate, not_before, 0);
                "a serial number that is used"
            }
            2 => {
                issue.csr = None;
                "no proof of possession"
            }
            3 => {
                let other = self.issue_of(&certificate, not_before, 1);
                issue = IssueCertificate {
                    csr: other.csr,
                    ..self.issue_of(&certificate, not_before, 2)
                };
                "somebody else's key"
            }
            4 => {
                issue.profile = "emperor".to_owned();
                "a profile that is none"
            }
            5 => {
                // Anywhere but in what a subscriber chooses, as the random part of the serial number.
                let name = self.authority.ca.certificate.subject().as_der();
                let mut places = issue.tbs.windows(name.len());
                let Some(at) = places.position(|octets| octets == name) else {
                    return false;
                };
                let at = at + self.random.usize(0..name.len());
                issue.tbs[at] ^= 1 << self.random.u8(0..8);
                "an issuer's name with a wrong bit"
            }
            6 => {
                issue.issuer = "other".to_owned();
                "an issuer that is none"
            }
            7 => return self.wrong_crl(now),
            8 => {
                issue.tbs.clear();
                "nothing"
            }
            _ => return self.wrong_revocation(now),
        };
        self.put(Operation::IssueCertificate(issue), Purpose::Wrong(why), now);
        true
    }

    /// An id that was used, with other content: a second caller asks, and is refused at once.
    pub(crate) fn reuse(&mut self, now: u64) -> Option<Request> {
        let (done, _) = self.done.first()?;
        let id = done.id;
        let (_, issue) = self.certificate(SIGNER_IDS[0], now, 90);
        Some(Request {
            id,
            operation: Operation::IssueCertificate(issue),
        })
    }

    /// Whether something is asked that only a signer refuses which knows all that its predecessor did.
    pub(crate) fn is_wrong_open(&self) -> bool {
        self.asked.values().any(|asked| {
            matches!(asked.purpose, Purpose::Wrong(_))
                && !matches!(asked.request.operation, Operation::IssueCertificate(_))
        })
    }

    fn wrong_crl(&mut self, now: u64) -> bool {
        if self.is_telling() || !self.compare.is_sure() {
            return false;
        }
        let low = self.random.bool();
        let Some(crl) = self.bad_crl(now, low) else {
            return false;
        };
        let why = match low {
            true => "a CRL whose number does not rise",
            false => "a CRL that leaves revocations out",
        };
        self.put(Operation::SignCrl(crl), Purpose::Wrong(why), now);
        true
    }

    /// What is revoked stays so, from the same day on.
    fn wrong_revocation(&mut self, now: u64) -> bool {
        if self.is_telling() || !self.compare.is_sure() {
            return false;
        }
        let Some(mut revocation) = self.ledger.first().cloned() else {
            return false;
        };
        let why = match self.random.u8(0..3) {
            0 => {
                revocation.reason = 8;
                "a revocation taken back"
            }
            1 => {
                revocation.date = revocation.date.plus_seconds(-86_400);
                "a revocation with another date"
            }
            _ => {
                revocation.serial = SerialOctets(Vec::new());
                "a revocation of no serial number"
            }
        };
        let operation = Operation::Revoke(Revoke {
            issuer: ISSUER.to_owned(),
            actor: "simulation".to_owned(),
            ground: "subscriber".to_owned(),
            case: None,
            revocations: vec![revocation],
        });
        self.put(operation, Purpose::Wrong(why), now);
        true
    }
}
