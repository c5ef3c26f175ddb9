//! The extensions of certificates (RFC 5280 section 4.2), each in the one form that is issued.
//!
//! Criticality is part of the form: it follows CERT-07 to CERT-11 and OCSP-60 to OCSP-64.

use const_oid::ObjectIdentifier;

use super::GeneralName;
use crate::certificate::Extension;
use crate::{PublicKey, der_encode, oid};

/// authorityKeyIdentifier: the key identifier alone (CERT-10).
pub fn authority_key_identifier(key_id: &[u8]) -> Extension {
    let key_id = der_encode::tlv(der_encode::tag::context_primitive(0), key_id);
    plain(
        oid::AUTHORITY_KEY_IDENTIFIER,
        der_encode::sequence(&[&key_id]),
    )
}

/// subjectKeyIdentifier: SHA-1 of the key bits (RFC 5280 section 4.2.1.2, method 1).
pub fn subject_key_identifier(key: &PublicKey) -> Extension {
    plain(
        oid::SUBJECT_KEY_IDENTIFIER,
        der_encode::octet_string(&key.key_id()),
    )
}

/// keyUsage with these bits ([`crate::KeyUsage`] has their numbers); critical.
pub fn key_usage(bits: &[u8]) -> Extension {
    critical(oid::KEY_USAGE, der_encode::named_bits(bits))
}

/// extendedKeyUsage.
pub fn extended_key_usage(usages: &[ObjectIdentifier]) -> Extension {
    let usages: Vec<u8> = usages.iter().flat_map(der_encode::oid).collect();
    plain(oid::EXTENDED_KEY_USAGE, der_encode::sequence(&[&usages]))
}

/// basicConstraints of an end entity: cA is FALSE by default, so the SEQUENCE is empty; critical.
pub fn basic_constraints_end_entity() -> Extension {
    critical(oid::BASIC_CONSTRAINTS, der_encode::sequence(&[]))
}

/// basicConstraints of a CA; critical (CERT-11).
pub fn basic_constraints_ca(path_length: Option<u8>) -> Extension {
    let path_length = path_length.map_or_else(Vec::new, |length| der_encode::integer(&[length]));
    critical(
        oid::BASIC_CONSTRAINTS,
        der_encode::sequence(&[&der_encode::boolean_true(), &path_length]),
    )
}

/// subjectAltName; critical exactly if the subject is empty (RFC 5280 section 4.2.1.6).
pub fn subject_alt_name(names: &[GeneralName], subject_is_empty: bool) -> Extension {
    let names: Vec<u8> = names.iter().flat_map(GeneralName::to_der).collect();
    Extension {
        oid: oid::SUBJECT_ALT_NAME,
        critical: subject_is_empty,
        value: der_encode::sequence(&[&names]),
    }
}

/// authorityInfoAccess: where OCSP answers and the issuer's certificate are (RFC 5280 section 4.2.2.1).
pub fn authority_info_access(ocsp: Option<&str>, ca_issuers: Option<&str>) -> Extension {
    let access = |method: ObjectIdentifier, url: &str| {
        der_encode::sequence(&[
            &der_encode::oid(&method),
            &GeneralName::Uri(url.to_owned()).to_der(),
        ])
    };
    let ocsp = ocsp.map_or_else(Vec::new, |url| access(oid::AD_OCSP, url));
    let ca_issuers = ca_issuers.map_or_else(Vec::new, |url| access(oid::AD_CA_ISSUERS, url));
    plain(
        oid::AUTHORITY_INFO_ACCESS,
        der_encode::sequence(&[&ocsp, &ca_issuers]),
    )
}

/// cRLDistributionPoints: one DistributionPoint with one fullName (CERT-08).
pub fn crl_distribution_points(url: &str) -> Extension {
    let full_name = der_encode::explicit(0, &GeneralName::Uri(url.to_owned()).to_der());
    let distribution_point = der_encode::explicit(0, &full_name);
    let point = der_encode::sequence(&[&distribution_point]);
    plain(
        oid::CRL_DISTRIBUTION_POINTS,
        der_encode::sequence(&[&point]),
    )
}

/// certificatePolicies, without qualifiers.
pub fn certificate_policies(policies: &[ObjectIdentifier]) -> Extension {
    let policies: Vec<u8> = policies
        .iter()
        .flat_map(|policy| der_encode::sequence(&[&der_encode::oid(policy)]))
        .collect();
    plain(
        oid::CERTIFICATE_POLICIES,
        der_encode::sequence(&[&policies]),
    )
}

/// id-pkix-ocsp-nocheck: the value is NULL (OCSP-61).
pub fn ocsp_no_check() -> Extension {
    plain(oid::OCSP_NO_CHECK, der_encode::null())
}

/// The DER of one extension; critical FALSE is the default and not written.
pub fn to_der(extension: &Extension) -> Vec<u8> {
    let critical = if extension.critical {
        der_encode::boolean_true()
    } else {
        Vec::new()
    };
    der_encode::sequence(&[
        &der_encode::oid(&extension.oid),
        &critical,
        &der_encode::octet_string(&extension.value),
    ])
}

const fn plain(oid: ObjectIdentifier, value: Vec<u8>) -> Extension {
    Extension {
        oid,
        critical: false,
        value,
    }
}

const fn critical(oid: ObjectIdentifier, value: Vec<u8>) -> Extension {
    Extension {
        oid,
        critical: true,
        value,
    }
}
