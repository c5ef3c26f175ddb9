//! The attributes that a subject may have: their types, bounds and order.
//!
//! Upper bounds are those of RFC 5280 appendix A.1, in characters. The order is that of BR section
//! 7.1.4.2, which goes from the widest to the narrowest. countryName is a PrintableString, everything
//! else a UTF8String (RFC 5280 section 4.1.2.4). emailAddress is missing on purpose: addresses stand
//! in the subjectAltName (I9).

use const_oid::ObjectIdentifier;
use serde::Deserialize;

use super::text;
use crate::refusal::Refusal;
use crate::{der_encode, oid};

/// A type of attribute, in the order in which they stand in a subject.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "camelCase")]
pub enum AttributeKind {
    /// `C`: two letters of ISO 3166-1.
    CountryName,
    /// `ST`.
    StateOrProvinceName,
    /// `L`.
    LocalityName,
    /// `O`.
    OrganizationName,
    /// `SN`.
    Surname,
    /// `GN`.
    GivenName,
    /// `title`.
    Title,
    /// `OU`.
    OrganizationalUnitName,
    /// `serialNumber`: tells apart two subjects of one name.
    SerialNumber,
    /// `CN`.
    CommonName,
}

impl AttributeKind {
    /// Every kind, in the order of a subject.
    pub const ALL: [Self; 10] = [
        Self::CountryName,
        Self::StateOrProvinceName,
        Self::LocalityName,
        Self::OrganizationName,
        Self::Surname,
        Self::GivenName,
        Self::Title,
        Self::OrganizationalUnitName,
        Self::SerialNumber,
        Self::CommonName,
    ];

    /// The kind with this object identifier.
    pub fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.oid() == *oid)
    }

    /// Its object identifier.
    pub const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::CountryName => oid::COUNTRY,
            Self::StateOrProvinceName => oid::STATE,
            Self::LocalityName => oid::LOCALITY,
            Self::OrganizationName => oid::ORGANIZATION,
            Self::Surname => oid::SURNAME,
            Self::GivenName => oid::GIVEN_NAME,
            Self::Title => oid::TITLE,
            Self::OrganizationalUnitName => oid::ORGANIZATIONAL_UNIT,
            Self::SerialNumber => oid::SERIAL_NUMBER,
            Self::CommonName => oid::COMMON_NAME,
        }
    }

    /// Its name in X.520 and in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CountryName => "countryName",
            Self::StateOrProvinceName => "stateOrProvinceName",
            Self::LocalityName => "localityName",
            Self::OrganizationName => "organizationName",
            Self::Surname => "surname",
            Self::GivenName => "givenName",
            Self::Title => "title",
            Self::OrganizationalUnitName => "organizationalUnitName",
            Self::SerialNumber => "serialNumber",
            Self::CommonName => "commonName",
        }
    }

    /// The field that a refusal names.
    pub fn field(self) -> String {
        format!("subject.{}", self.name())
    }

    /// The tag of its string type; X.520 has the first two as PrintableString only.
    pub const fn string_tag(self) -> u8 {
        match self {
            Self::CountryName | Self::SerialNumber => der_encode::tag::PRINTABLE_STRING,
            _ => der_encode::tag::UTF8_STRING,
        }
    }

    /// The most characters that it may have. X.520 has 32,768 for surname and givenName; the 64 here
    /// is what holds for a whole commonName.
    pub const fn upper_bound(self) -> usize {
        match self {
            Self::CountryName => 2,
            Self::StateOrProvinceName | Self::LocalityName => 128,
            _ => 64,
        }
    }
}

/// One checked attribute of a subject.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SubjectAttribute {
    kind: AttributeKind,
    value: String,
}

impl SubjectAttribute {
    /// Checks a value (I9).
    pub fn new(kind: AttributeKind, value: &str) -> Result<Self, Refusal> {
        text::check_text(value).map_err(|refusal| refusal.of_field(kind.field()))?;
        let length = value.chars().count();
        if length > kind.upper_bound() {
            return Err(Refusal::new(
                "I9",
                kind.field(),
                format!(
                    "it has {length} characters; at most {} are allowed",
                    kind.upper_bound()
                ),
                "Use a shorter form.",
            ));
        }
        if kind == AttributeKind::CountryName && !is_country_code(value) {
            return Err(Refusal::new(
                "I9",
                kind.field(),
                format!("{value:?} is not two capital letters"),
                "Use the code of ISO 3166-1, for example CZ.",
            ));
        }
        if kind == AttributeKind::SerialNumber && !value.bytes().all(is_printable) {
            return Err(Refusal::new(
                "I9",
                kind.field(),
                format!("{value:?} is not a PrintableString"),
                "Use letters and digits of ASCII, and the signs ' ( ) + , - . / : = ?.",
            ));
        }
        Ok(Self {
            kind,
            value: value.to_owned(),
        })
    }

    /// Its type.
    pub const fn kind(&self) -> AttributeKind {
        self.kind
    }

    /// Its text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The DER of its RelativeDistinguishedName.
    pub fn to_rdn_der(&self) -> Vec<u8> {
        let value = der_encode::tlv(self.kind.string_tag(), self.value.as_bytes());
        let attribute = der_encode::sequence(&[&der_encode::oid(&self.kind.oid()), &value]);
        der_encode::set_of(&[&attribute])
    }
}

fn is_country_code(value: &str) -> bool {
    value.len() == 2 && value.bytes().all(|octet| octet.is_ascii_uppercase())
}

const fn is_printable(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b' ' | b'\'' | b'(' | b')' | b'+' | b',' | b'-' | b'.' | b'/' | b':' | b'=' | b'?'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_count_characters_not_octets() {
        let name = "Ž".repeat(64);
        assert!(SubjectAttribute::new(AttributeKind::CommonName, &name).is_ok());
        let refusal =
            SubjectAttribute::new(AttributeKind::CommonName, &format!("{name}x")).expect_err("65");
        assert_eq!(
            (&*refusal.rule, &*refusal.field),
            ("I9", "subject.commonName")
        );

        for (kind, bound) in [
            (AttributeKind::OrganizationName, 64),
            (AttributeKind::OrganizationalUnitName, 64),
            (AttributeKind::LocalityName, 128),
            (AttributeKind::StateOrProvinceName, 128),
        ] {
            assert!(
                SubjectAttribute::new(kind, &"王".repeat(bound)).is_ok(),
                "{kind:?}"
            );
            assert!(
                SubjectAttribute::new(kind, &"王".repeat(bound + 1)).is_err(),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn countries_are_two_capital_letters() {
        assert!(SubjectAttribute::new(AttributeKind::CountryName, "CZ").is_ok());
        for value in ["cz", "CZE", "C1", "Č", ""] {
            assert!(
                SubjectAttribute::new(AttributeKind::CountryName, value).is_err(),
                "{value}"
            );
        }
    }

    #[test]
    fn string_types() {
        let rdn = |kind, value| {
            SubjectAttribute::new(kind, value)
                .expect("a valid attribute")
                .to_rdn_der()
        };
        assert_eq!(
            rdn(AttributeKind::CountryName, "GR"),
            b"\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02GR"
        );
        assert_eq!(
            rdn(AttributeKind::CommonName, "Ž"),
            b"\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02\xc5\xbd"
        );
    }
}
