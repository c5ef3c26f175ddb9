//! An OCSP response taken apart and not yet understood: every field as it stands, so that each rule about
//! it can be checked by itself.

use crate::der_encode::tag;
use crate::der_read::{self, DerError, Reader, Tlv};
use crate::ocsp::cert_id::CertId;
use crate::raw_extension::RawExtension;
use crate::{ObjectIdentifier, RevocationReason, Violation};

/// OCSPResponse with a BasicOCSPResponse (or another kind) in it; borrows its DER.
#[derive(Clone, Debug)]
pub(crate) struct RawResponse<'a> {
    pub(crate) response_type: ObjectIdentifier,
    /// ResponseData, whole: what is signed.
    pub(crate) tbs: &'a [u8],
    /// Whether version is written out.
    pub(crate) version_written: bool,
    pub(crate) responder_id: Tlv<'a>,
    pub(crate) produced_at: Tlv<'a>,
    pub(crate) singles: Vec<RawSingle<'a>>,
    /// responseExtensions, if the field is there.
    pub(crate) extensions: Option<Vec<RawExtension<'a>>>,
    pub(crate) signature_algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
    /// The certificates in certs, if the field is there.
    pub(crate) certs: Option<Vec<&'a [u8]>>,
}

/// SingleResponse.
#[derive(Clone, Debug)]
pub(crate) struct RawSingle<'a> {
    pub(crate) id: CertId<'a>,
    pub(crate) status: RawStatus<'a>,
    pub(crate) this_update: Tlv<'a>,
    pub(crate) next_update: Option<Tlv<'a>>,
    pub(crate) extensions: Vec<RawExtension<'a>>,
}

/// CertStatus.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RawStatus<'a> {
    Good,
    Revoked { time: Tlv<'a>, reason: Option<u8> },
    Unknown,
}

impl RawStatus<'_> {
    /// The reason that is written, if RFC 5280 knows it.
    pub(crate) fn reason(&self) -> Option<RevocationReason> {
        match self {
            Self::Revoked {
                reason: Some(code), ..
            } => RevocationReason::from_code(*code),
            _ => None,
        }
    }
}

impl<'a> RawResponse<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Violation> {
        let bytes = response_bytes(der)?;
        Self::read_bytes(bytes).map_err(|error| syntax(&error))
    }

    fn read_bytes(mut bytes: Reader<'a>) -> Result<Self, DerError> {
        let response_type = bytes.oid("responseType")?;
        let response = bytes.octet_string("response")?;
        bytes.finish("responseBytes")?;

        const BASIC: &str = "BasicOCSPResponse";
        let mut basic = der_read::single(response, BASIC)?
            .expect(tag::SEQUENCE, BASIC)?
            .reader();
        let tbs = basic.expect(tag::SEQUENCE, "tbsResponseData")?;
        let signature_algorithm = basic.expect(tag::SEQUENCE, "signatureAlgorithm")?.whole;
        let signature = basic.bit_string("signature")?;
        let certs = match basic.optional_context(0, "certs")? {
            Some(explicit) => Some(read_certs(explicit)?),
            None => None,
        };
        basic.finish(BASIC)?;

        let mut data = tbs.reader();
        let version_written = data.optional_context(0, "version")?.is_some();
        let responder_id = data.next("responderID")?;
        let produced_at = data.next("producedAt")?;
        let mut list = data.sequence("responses")?;
        let mut singles = Vec::new();
        while !list.is_empty() {
            singles.push(RawSingle::read(&mut list)?);
        }
        let extensions = match data.optional_context(1, "responseExtensions")? {
            Some(explicit) => Some(read_extensions(explicit, "responseExtensions")?),
            None => None,
        };
        data.finish("tbsResponseData")?;
        Ok(Self {
            response_type,
            tbs: tbs.whole,
            version_written,
            responder_id,
            produced_at,
            singles,
            extensions,
            signature_algorithm,
            signature,
            certs,
        })
    }
}

impl<'a> RawSingle<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut single = list.sequence("SingleResponse")?;
        let id = CertId::read(&mut single)?;
        let status = read_status(single.next("certStatus")?)?;
        let this_update = single.next("thisUpdate")?;
        let next_update = match single.optional_context(0, "nextUpdate")? {
            Some(mut explicit) => {
                let time = explicit.next("nextUpdate")?;
                explicit.finish("nextUpdate")?;
                Some(time)
            }
            None => None,
        };
        let extensions = match single.optional_context(1, "singleExtensions")? {
            Some(explicit) => read_extensions(explicit, "singleExtensions")?,
            None => Vec::new(),
        };
        single.finish("SingleResponse")?;
        Ok(Self {
            id,
            status,
            this_update,
            next_update,
            extensions,
        })
    }
}

/// The inside of responseBytes, which only a successful response has.
fn response_bytes(der: &[u8]) -> Result<Reader<'_>, Violation> {
    const WHAT: &str = "OCSPResponse";
    let read = || {
        let mut outer = der_read::single(der, WHAT)?
            .expect(tag::SEQUENCE, WHAT)?
            .reader();
        let status = outer.expect(tag::ENUMERATED, "responseStatus")?.content;
        let bytes = outer.optional_context(0, "responseBytes")?;
        outer.finish(WHAT)?;
        Ok((status, bytes))
    };
    match read().map_err(|error| syntax(&error))? {
        ([0], Some(mut explicit)) => {
            let bytes = explicit
                .sequence("responseBytes")
                .map_err(|error| syntax(&error))?;
            explicit
                .finish("responseBytes")
                .map_err(|error| syntax(&error))?;
            Ok(bytes)
        }
        ([0], None) => Err(Violation::new(
            "OCSP-02",
            "a successful response has no responseBytes",
        )),
        (status, None) => Err(Violation::new(
            "OCSP-02",
            format!(
                "it is an error response with status {}",
                hex::encode(status)
            ),
        )),
        (status, Some(_)) => Err(Violation::new(
            "OCSP-02",
            format!(
                "an error response with status {} has responseBytes",
                hex::encode(status)
            ),
        )),
    }
}

fn read_certs(mut explicit: Reader<'_>) -> Result<Vec<&[u8]>, DerError> {
    let mut list = explicit.sequence("certs")?;
    explicit.finish("certs")?;
    let mut certs = Vec::new();
    while !list.is_empty() {
        certs.push(list.expect(tag::SEQUENCE, "certs")?.whole);
    }
    Ok(certs)
}

fn read_extensions<'a>(
    mut explicit: Reader<'a>,
    what: &'static str,
) -> Result<Vec<RawExtension<'a>>, DerError> {
    let list = explicit.expect(tag::SEQUENCE, what)?;
    explicit.finish(what)?;
    RawExtension::read_all(list.content)
}

fn read_status(value: Tlv<'_>) -> Result<RawStatus<'_>, DerError> {
    const WHAT: &str = "certStatus";
    match (value.tag, value.content) {
        (0x80, []) => Ok(RawStatus::Good),
        (0x82, []) => Ok(RawStatus::Unknown),
        (0xa1, _) => {
            let mut info = value.reader();
            let time = info.next("revocationTime")?;
            let reason = match info.optional_context(0, "revocationReason")? {
                Some(mut explicit) => {
                    let code = explicit
                        .expect(tag::ENUMERATED, "revocationReason")?
                        .content;
                    explicit.finish("revocationReason")?;
                    let [code] = code else {
                        return Err(DerError::BadValue("revocationReason"));
                    };
                    Some(*code)
                }
                None => None,
            };
            info.finish(WHAT)?;
            Ok(RawStatus::Revoked { time, reason })
        }
        _ => Err(DerError::BadValue(WHAT)),
    }
}

fn syntax(error: &DerError) -> Violation {
    Violation::new("OCSP-30", error.to_string())
}
