//! GeneralName (RFC 5280 section 4.2.1.6), as far as it is used.

use std::fmt;
use std::net::IpAddr;

use crate::der_encode::{self, tag};
use crate::der_read::{DerError, Tlv, single};

const EMAIL: u8 = tag::context_primitive(1);
const DNS: u8 = tag::context_primitive(2);
const URI: u8 = tag::context_primitive(6);
const IP: u8 = tag::context_primitive(7);

/// One name of a subjectAltName.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum GeneralName {
    /// dNSName.
    Dns(String),
    /// iPAddress.
    Ip(IpAddr),
    /// rfc822Name.
    Email(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// Any other kind: its DER.
    Other(Vec<u8>),
}

impl GeneralName {
    /// Reads GeneralNames: a SEQUENCE of at least one.
    ///
    /// Text outside ASCII has no place in an IA5String, but requests do hold it; it is read as UTF-8
    /// so that the rules of names can refuse it with the right remedy.
    pub fn read_all(der: &[u8]) -> Result<Vec<Self>, DerError> {
        const WHAT: &str = "GeneralNames";
        let mut reader = single(der, WHAT)?.expect(tag::SEQUENCE, WHAT)?.reader();
        if reader.is_empty() {
            return Err(DerError::BadValue(WHAT));
        }
        let mut names = Vec::new();
        while !reader.is_empty() {
            names.push(Self::read(reader.next("GeneralName")?));
        }
        Ok(names)
    }

    /// Its DER.
    pub fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Dns(name) => der_encode::tlv(DNS, name.as_bytes()),
            Self::Ip(IpAddr::V4(address)) => der_encode::tlv(IP, &address.octets()),
            Self::Ip(IpAddr::V6(address)) => der_encode::tlv(IP, &address.octets()),
            Self::Email(address) => der_encode::tlv(EMAIL, address.as_bytes()),
            Self::Uri(uri) => der_encode::tlv(URI, uri.as_bytes()),
            Self::Other(der) => der.clone(),
        }
    }

    /// The name of its kind in RFC 5280.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dNSName",
            Self::Ip(_) => "iPAddress",
            Self::Email(_) => "rfc822Name",
            Self::Uri(_) => "uniformResourceIdentifier",
            Self::Other(_) => "name of another kind",
        }
    }

    fn read(value: Tlv<'_>) -> Self {
        let text = || String::from_utf8_lossy(value.content).into_owned();
        let other = || Self::Other(value.whole.to_vec());
        match value.tag {
            DNS => Self::Dns(text()),
            EMAIL => Self::Email(text()),
            URI => Self::Uri(text()),
            IP => address(value.content).map_or_else(other, Self::Ip),
            _ => other(),
        }
    }
}

impl fmt::Display for GeneralName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{}", name.escape_debug()),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Email(address) => write!(f, "email:{}", address.escape_debug()),
            Self::Uri(uri) => write!(f, "URI:{}", uri.escape_debug()),
            Self::Other(der) => write!(f, "other:{}", hex::encode(der)),
        }
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}
