//! Distinguished names (RFC 5280 section 4.1.2.4), kept as the bytes they came in.

use std::fmt;

use const_oid::ObjectIdentifier;

use crate::der_encode::tag;
use crate::der_read::{DerError, Tlv, single};
use crate::oid;

/// A Name: its exact DER, since comparing and hashing go by bytes (CERT-02, CRL-03, OCSP-20).
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Name {
    der: Vec<u8>,
    attributes: Vec<Attribute>,
}

impl Name {
    /// Reads a Name.
    pub fn from_der(der: &[u8]) -> Result<Self, DerError> {
        const WHAT: &str = "Name";
        let mut rdns = single(der, WHAT)?.expect(tag::SEQUENCE, WHAT)?.reader();
        let mut attributes = Vec::new();
        let mut rdn = 0;
        while !rdns.is_empty() {
            let mut set = rdns.expect(tag::SET, "RelativeDistinguishedName")?.reader();
            while !set.is_empty() {
                let mut fields = set.sequence("AttributeTypeAndValue")?;
                let oid = fields.oid("attribute type")?;
                let value = fields.next("attribute value")?;
                fields.finish("AttributeTypeAndValue")?;
                attributes.push(Attribute {
                    oid,
                    tag: value.tag,
                    value: text(value),
                    raw: value.content.to_vec(),
                    rdn,
                });
            }
            rdn += 1;
        }
        Ok(Self {
            der: der.to_vec(),
            attributes,
        })
    }

    /// Its DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Its attributes, in the order of the encoding.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The text of the first attribute of this type.
    pub fn first(&self, oid: ObjectIdentifier) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.oid == oid)?
            .value
            .as_deref()
    }

    /// Whether it has no attributes.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl fmt::Display for Name {
    /// RFC 4514: last attribute first, special characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, attribute) in self.attributes.iter().rev().enumerate() {
            let after = self.attributes.len().checked_sub(position);
            let next = after.and_then(|index| self.attributes.get(index));
            match next {
                None => {}
                Some(next) if next.rdn == attribute.rdn => f.write_str("+")?,
                Some(_) => f.write_str(",")?,
            }
            write!(f, "{attribute}")?;
        }
        Ok(())
    }
}

/// One attribute of a name.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Attribute {
    /// Its type.
    pub oid: ObjectIdentifier,
    /// The tag of its string type.
    pub tag: u8,
    /// Its text; `None` if the bytes are not valid in their string type.
    pub value: Option<String>,
    /// The content octets of its value.
    pub raw: Vec<u8>,
    /// Which relative distinguished name it belongs to, counted from 0.
    pub rdn: usize,
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match short_name(&self.oid) {
            Some(name) => write!(f, "{name}=")?,
            None => write!(f, "{}=", self.oid)?,
        }
        match &self.value {
            Some(value) => f.write_str(&escape(value)),
            None => write!(f, "#{}", hex::encode(&self.raw)),
        }
    }
}

fn short_name(oid: &ObjectIdentifier) -> Option<&'static str> {
    Some(match *oid {
        oid::COMMON_NAME => "CN",
        oid::COUNTRY => "C",
        oid::DOMAIN_COMPONENT => "DC",
        oid::EMAIL_ADDRESS => "emailAddress",
        oid::GIVEN_NAME => "GN",
        oid::LOCALITY => "L",
        oid::ORGANIZATION => "O",
        oid::ORGANIZATIONAL_UNIT => "OU",
        oid::SERIAL_NUMBER => "serialNumber",
        oid::STATE => "ST",
        oid::STREET => "STREET",
        oid::SURNAME => "SN",
        oid::TITLE => "title",
        oid::USER_ID => "UID",
        _ => return None,
    })
}

/// RFC 4514 section 2.4, and control characters as hex pairs so that no terminal obeys a name.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let at_edge =
            (index == 0 && matches!(character, ' ' | '#')) || (index == last && character == ' ');
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', character]),
            _ if at_edge => out.extend(['\\', character]),
            _ if character.is_control() => {
                let mut utf8 = [0; 4];
                for byte in character.encode_utf8(&mut utf8).bytes() {
                    out.push_str(&format!("\\{byte:02X}"));
                }
            }
            _ => out.push(character),
        }
    }
    out
}

/// The text of a string value, as far as it is valid in its type.
fn text(value: Tlv<'_>) -> Option<String> {
    let bytes = value.content;
    match value.tag {
        tag::UTF8_STRING => String::from_utf8(bytes.to_vec()).ok(),
        tag::PRINTABLE_STRING | tag::IA5_STRING | 0x12 | 0x1a => bytes
            .is_ascii()
            .then(|| bytes.iter().map(|&byte| char::from(byte)).collect()),
        // In practice Latin-1, whatever T.61 says.
        tag::T61_STRING => Some(bytes.iter().map(|&byte| char::from(byte)).collect()),
        tag::BMP_STRING if bytes.len().is_multiple_of(2) => {
            let units: Vec<u16> = bytes
                .chunks(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            String::from_utf16(&units).ok()
        }
        tag::UNIVERSAL_STRING if bytes.len().is_multiple_of(4) => bytes
            .chunks(4)
            .map(|four| char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]])))
            .collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der_encode::{oid as oid_der, sequence, set_of, tlv, utf8_string};

    fn name(values: &[(ObjectIdentifier, Vec<u8>)]) -> Name {
        let rdns: Vec<Vec<u8>> = values
            .iter()
            .map(|(oid, value)| set_of(&[&sequence(&[&oid_der(oid), value])]))
            .collect();
        let parts: Vec<&[u8]> = rdns.iter().map(Vec::as_slice).collect();
        Name::from_der(&sequence(&parts)).unwrap()
    }

    #[test]
    fn rfc_4514() {
        let name = name(&[
            (oid::COUNTRY, tlv(tag::PRINTABLE_STRING, b"CZ")),
            (oid::COMMON_NAME, utf8_string("Dvořák, \"A\" \u{7}")),
            (oid::ORGANIZATION, tlv(tag::BMP_STRING, &[4, 0x10])),
        ]);
        assert_eq!(name.to_string(), "O=А,CN=Dvořák\\, \\\"A\\\" \\07,C=CZ");
        assert_eq!(name.first(oid::COUNTRY), Some("CZ"));
    }

    #[test]
    fn bytes_that_are_not_text() {
        let name = name(&[(oid::COMMON_NAME, tlv(tag::UTF8_STRING, &[0xff]))]);
        assert_eq!(name.attributes()[0].value, None);
        assert_eq!(name.to_string(), "CN=#ff");
    }
}
