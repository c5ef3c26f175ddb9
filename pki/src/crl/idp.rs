//! issuingDistributionPoint (RFC 5280 section 5.2.5).
//!
//! ```asn1
//! IssuingDistributionPoint ::= SEQUENCE {
//!     distributionPoint          [0] DistributionPointName OPTIONAL,
//!     onlyContainsUserCerts      [1] BOOLEAN DEFAULT FALSE,
//!     onlyContainsCACerts        [2] BOOLEAN DEFAULT FALSE,
//!     onlySomeReasons            [3] ReasonFlags OPTIONAL,
//!     indirectCRL                [4] BOOLEAN DEFAULT FALSE,
//!     onlyContainsAttributeCerts [5] BOOLEAN DEFAULT FALSE }
//! DistributionPointName ::= CHOICE {
//!     fullName                   [0] GeneralNames,
//!     nameRelativeToCRLIssuer    [1] RelativeDistinguishedName }
//! ```

use crate::der_encode::tag;
use crate::der_read::{DerError, Reader, Tlv, single};

/// The extension, read leniently: a flag is `Some(false)` where FALSE is written out.
#[derive(Clone, Debug, Default)]
pub(crate) struct IssuingDistributionPoint<'a> {
    /// GeneralNames of fullName.
    pub(crate) full_name: Vec<Tlv<'a>>,
    pub(crate) relative_name: bool,
    pub(crate) only_user: Option<bool>,
    pub(crate) only_ca: Option<bool>,
    pub(crate) some_reasons: bool,
    pub(crate) indirect: Option<bool>,
    pub(crate) only_attribute: Option<bool>,
}

impl<'a> IssuingDistributionPoint<'a> {
    pub(crate) fn read(value: &'a [u8]) -> Result<Self, DerError> {
        const WHAT: &str = "issuingDistributionPoint";
        let mut fields = single(value, WHAT)?.expect(tag::SEQUENCE, WHAT)?.reader();
        let mut idp = Self::default();
        if let Some(mut point) = fields.optional_context(0, "distributionPoint")? {
            idp.read_name(&mut point)?;
        }
        idp.only_user = flag(&mut fields, 1)?;
        idp.only_ca = flag(&mut fields, 2)?;
        idp.some_reasons = fields
            .optional(tag::context_primitive(3), "onlySomeReasons")?
            .is_some();
        idp.indirect = flag(&mut fields, 4)?;
        idp.only_attribute = flag(&mut fields, 5)?;
        fields.finish(WHAT)?;
        Ok(idp)
    }

    pub(crate) fn is_empty(&self) -> bool {
        let flags = [
            self.only_user,
            self.only_ca,
            self.indirect,
            self.only_attribute,
        ];
        self.full_name.is_empty() && !self.relative_name && !self.some_reasons && flags == [None; 4]
    }

    fn read_name(&mut self, point: &mut Reader<'a>) -> Result<(), DerError> {
        if let Some(mut names) = point.optional_context(0, "fullName")? {
            while !names.is_empty() {
                self.full_name.push(names.next("fullName")?);
            }
        } else {
            self.relative_name = point
                .optional_context(1, "nameRelativeToCRLIssuer")?
                .is_some();
        }
        point.finish("distributionPoint")
    }
}

fn flag(fields: &mut Reader<'_>, n: u8) -> Result<Option<bool>, DerError> {
    const WHAT: &str = "a flag of issuingDistributionPoint";
    match fields
        .optional(tag::context_primitive(n), WHAT)?
        .map(|value| value.content)
    {
        None => Ok(None),
        Some([0xff]) => Ok(Some(true)),
        Some([0x00]) => Ok(Some(false)),
        Some(_) => Err(DerError::BadValue(WHAT)),
    }
}
