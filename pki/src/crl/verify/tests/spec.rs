//! A CRL with every part open to be spoiled, and what it is verified against.

use super::*;
use crate::der_encode::{self as der, tag};
use crate::oid;
use crate::test_ca::{DAY, NOW, TestCa, extension};

pub(super) fn this_update() -> Time {
    NOW.plus_seconds(-120)
}

pub(super) struct CrlSpec {
    pub(super) version: Vec<u8>,
    pub(super) inner_algorithm: Vec<u8>,
    pub(super) outer_algorithm: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) this_update: Vec<u8>,
    pub(super) next_update: Vec<u8>,
    pub(super) revoked: Option<Vec<Vec<u8>>>,
    pub(super) extensions: Option<Vec<Vec<u8>>>,
}

pub(super) struct Bench {
    pub(super) ca: TestCa,
    pub(super) crl: CrlSpec,
    pub(super) profile: Profile,
    pub(super) now: Time,
    pub(super) previous_number: Option<CrlNumber>,
    pub(super) previous_next_update: Option<Time>,
    pub(super) delta_base: Option<CrlNumber>,
    pub(super) partition: bool,
    pub(super) sign: fn(&TestCa, &[u8]) -> Vec<u8>,
}

pub(super) const URI: &str = "http://crl.example.test/7.crl";

impl Bench {
    pub(super) fn new() -> Self {
        Self::of(TestCa::new())
    }

    /// A good CRL of this CA: number 5 after 4, two entries.
    pub(super) fn of(ca: TestCa) -> Self {
        let algorithm = ca.key.algorithm().algorithm_identifier().to_vec();
        let crl = CrlSpec {
            version: der::integer(&[1]),
            inner_algorithm: algorithm.clone(),
            outer_algorithm: algorithm,
            issuer: ca.subject().as_der().to_vec(),
            this_update: utc(this_update()),
            next_update: utc(this_update().plus_seconds(7 * DAY)),
            revoked: Some(vec![
                entry(&[0x11], &revoked_at(), &[]),
                entry(&[0x22, 0x33], &revoked_at(), &[reason(1)]),
            ]),
            extensions: Some(vec![
                authority_key_id(&[&key_id_field(&ca)]),
                number(&der::integer(&[5])),
            ]),
        };
        Self {
            ca,
            crl,
            profile: Profile::Own(OwnRules::default()),
            now: NOW,
            previous_number: Some(CrlNumber::from(4)),
            previous_next_update: Some(this_update().plus_seconds(6 * DAY)),
            delta_base: None,
            partition: false,
            sign: |ca, tbs| ca.key.sign(tbs),
        }
    }

    pub(super) fn der(&self) -> Vec<u8> {
        let crl = &self.crl;
        let list = crl.revoked.as_ref().map_or_else(Vec::new, |entries| {
            der::tlv(tag::SEQUENCE, &entries.concat())
        });
        let extensions = crl.extensions.as_ref().map_or_else(Vec::new, |list| {
            der::explicit(0, &der::tlv(tag::SEQUENCE, &list.concat()))
        });
        let tbs = der::sequence(&[
            &crl.version,
            &crl.inner_algorithm,
            &crl.issuer,
            &crl.this_update,
            &crl.next_update,
            &list,
            &extensions,
        ]);
        let signature = (self.sign)(&self.ca, &tbs);
        der::sequence(&[&tbs, &crl.outer_algorithm, &der::bit_string(&signature)])
    }

    pub(super) fn violations(&self, removed: Option<&str>) -> Result<Vec<Violation>, Violation> {
        violations_without(&self.der(), &self.expected(), removed)
    }

    pub(super) fn verify(&self) -> Result<Verified, Violation> {
        self.verify_der(&self.der())
    }

    pub(super) fn verify_der(&self, der: &[u8]) -> Result<Verified, Violation> {
        verify_crl(der, &self.expected())
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            ca: &self.ca.certificate,
            now: self.now,
            scope: match &self.delta_base {
                Some(base) => Scope::Delta { base },
                None if self.partition => Scope::Partition { uri: URI },
                None => Scope::Complete,
            },
            previous: self.previous_number.as_ref().map(|number| Previous {
                number,
                next_update: self.previous_next_update,
            }),
            profile: self.profile,
        }
    }

    pub(super) fn import(&mut self) {
        self.profile = Profile::Imported(ImportedRules::default());
    }

    pub(super) fn own(&mut self) -> &mut OwnRules {
        match &mut self.profile {
            Profile::Own(rules) => rules,
            Profile::Imported(_) => panic!("not ours"),
        }
    }

    pub(super) fn revoked(&mut self) -> &mut Vec<Vec<u8>> {
        self.crl.revoked.as_mut().unwrap()
    }

    pub(super) fn extensions(&mut self) -> &mut Vec<Vec<u8>> {
        self.crl.extensions.as_mut().unwrap()
    }

    /// Adds an entry; the serial number is the content of its INTEGER.
    pub(super) fn add_entry(&mut self, serial: &[&[u8]], extensions: &[Vec<u8>]) {
        let added = entry(&serial.concat(), &revoked_at(), extensions);
        self.revoked().push(added);
    }

    pub(super) fn add(&mut self, id: crate::ObjectIdentifier, critical: bool, value: &[u8]) {
        self.extensions().push(extension(id, critical, value));
    }

    /// Adds an issuingDistributionPoint with these fields.
    pub(super) fn add_idp(&mut self, fields: &[&[u8]]) {
        self.add(
            oid::ISSUING_DISTRIBUTION_POINT,
            true,
            &der::sequence(fields),
        );
    }

    pub(super) fn make_partition(&mut self) {
        self.partition = true;
        self.add_idp(&[&full_name(&[&uri(URI)])]);
    }

    /// Makes it a delta over `base` where one over `expected` is wanted.
    pub(super) fn make_delta(&mut self, base: u8, expected: u64) {
        self.delta_base = Some(CrlNumber::from(expected));
        self.add(oid::DELTA_CRL_INDICATOR, true, &der::integer(&[base]));
    }
}

pub(super) fn entry(serial: &[u8], date: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let list = if extensions.is_empty() {
        vec![]
    } else {
        der::tlv(tag::SEQUENCE, &extensions.concat())
    };
    der::sequence(&[&der::tlv(tag::INTEGER, serial), date, &list])
}

pub(super) fn revoked_at() -> Vec<u8> {
    utc(NOW.plus_seconds(-DAY))
}

pub(super) fn utc(time: Time) -> Vec<u8> {
    der::utc_or_generalized_time(time)
}

pub(super) fn reason(code: u8) -> Vec<u8> {
    extension(oid::REASON_CODE, false, &der::enumerated(code))
}

pub(super) fn number(value: &[u8]) -> Vec<u8> {
    extension(oid::CRL_NUMBER, false, value)
}

pub(super) fn authority_key_id(fields: &[&[u8]]) -> Vec<u8> {
    extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &der::sequence(fields))
}

pub(super) fn key_id_field(ca: &TestCa) -> Vec<u8> {
    der::tlv(tag::context_primitive(0), &ca.certificate.key_id())
}

/// distributionPoint with fullName.
pub(super) fn full_name(names: &[&[u8]]) -> Vec<u8> {
    der::explicit(0, &der::explicit(0, &names.concat()))
}

pub(super) fn uri(text: &str) -> Vec<u8> {
    der::tlv(tag::context_primitive(6), text.as_bytes())
}
