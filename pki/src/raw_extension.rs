//! Extensions (RFC 5280 section 4.1) as they stand in an object that is to be judged: read leniently, so
//! that a check can name what is wrong.

use crate::der_encode::tag;
use crate::der_read::{DerError, Reader};
use crate::violation::{Judgement, ensure};
use crate::{ObjectIdentifier, oid};

/// One extension, not yet understood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawExtension<'a> {
    pub(crate) id: ObjectIdentifier,
    pub(crate) critical: bool,
    /// FALSE is the DEFAULT and so may not be written in DER.
    pub(crate) false_written: bool,
    /// Content of extnValue.
    pub(crate) value: &'a [u8],
}

impl<'a> RawExtension<'a> {
    /// All extensions in the content of an `Extensions` SEQUENCE.
    pub(crate) fn read_all(content: &'a [u8]) -> Result<Vec<Self>, DerError> {
        let mut list = Reader::new(content);
        let mut extensions = Vec::new();
        while !list.is_empty() {
            extensions.push(Self::read(&mut list)?);
        }
        Ok(extensions)
    }

    fn read(list: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut extension = list.sequence("Extension")?;
        let id = extension.oid("extnID")?;
        let written = extension.peek() == Some(tag::BOOLEAN);
        let critical = written && extension.boolean("critical")?;
        let value = extension.octet_string("extnValue")?;
        extension.finish("Extension")?;
        Ok(Self {
            id,
            critical,
            false_written: written && !critical,
            value,
        })
    }
}

/// The extension with this identifier.
pub(crate) fn find<'e, 'a>(
    extensions: &'e [RawExtension<'a>],
    id: &ObjectIdentifier,
) -> Option<&'e RawExtension<'a>> {
    extensions.iter().find(|extension| extension.id == *id)
}

/// Each extension at most once (RFC 5280 section 4.2).
pub(crate) fn once_each(extensions: &[RawExtension<'_>]) -> Judgement {
    for (at, extension) in extensions.iter().enumerate() {
        let again = extensions[..at]
            .iter()
            .any(|earlier| earlier.id == extension.id);
        ensure(!again, || {
            format!("{} stands there twice", name(&extension.id))
        })?;
    }
    Ok(())
}

/// No DEFAULT FALSE is written out (X.690 section 11.5).
pub(crate) fn no_written_false(extensions: &[RawExtension<'_>]) -> Judgement {
    match extensions.iter().find(|extension| extension.false_written) {
        Some(extension) => Err(format!(
            "{} has `critical FALSE` written out",
            name(&extension.id)
        )),
        None => Ok(()),
    }
}

/// The extension, if present, is not critical.
pub(crate) fn not_critical(extensions: &[RawExtension<'_>], id: &ObjectIdentifier) -> Judgement {
    let critical = find(extensions, id).is_some_and(|extension| extension.critical);
    ensure(!critical, || format!("{} is critical", name(id)))
}

/// An extension's name for people.
pub(crate) fn name(id: &ObjectIdentifier) -> String {
    NAMES
        .iter()
        .find(|(known, _)| known == id)
        .map_or_else(|| format!("extension {id}"), |(_, name)| (*name).to_owned())
}

const NAMES: &[(ObjectIdentifier, &str)] = &[
    (oid::AUTHORITY_INFO_ACCESS, "authorityInfoAccess"),
    (oid::AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier"),
    (oid::BASIC_CONSTRAINTS, "basicConstraints"),
    (oid::CERTIFICATE_ISSUER, "certificateIssuer"),
    (oid::CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints"),
    (oid::CRL_NUMBER, "cRLNumber"),
    (oid::DELTA_CRL_INDICATOR, "deltaCRLIndicator"),
    (oid::EXTENDED_KEY_USAGE, "extKeyUsage"),
    (oid::FRESHEST_CRL, "freshestCRL"),
    (oid::INVALIDITY_DATE, "invalidityDate"),
    (oid::ISSUER_ALT_NAME, "issuerAltName"),
    (oid::ISSUING_DISTRIBUTION_POINT, "issuingDistributionPoint"),
    (oid::KEY_USAGE, "keyUsage"),
    (oid::NAME_CONSTRAINTS, "nameConstraints"),
    (oid::OCSP_ARCHIVE_CUTOFF, "archiveCutoff"),
    (oid::OCSP_NO_CHECK, "id-pkix-ocsp-nocheck"),
    (oid::OCSP_NONCE, "nonce"),
    (oid::REASON_CODE, "reasonCode"),
    (oid::SUBJECT_ALT_NAME, "subjectAltName"),
    (oid::SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier"),
];
