//! Encoding and decoding of whole messages, and of the values of the trade inside them.

use minicbor::{Decode, Encode};

use crate::WireError;
use crate::limits::MESSAGE;

/// What every message can check about its own sizes.
pub(crate) trait Bounded {
    fn check(&self) -> Result<(), WireError>;
}

/// The canonical octets of a message.
pub(crate) fn encode<T: Encode<()> + Bounded>(message: &T) -> Result<Vec<u8>, WireError> {
    message.check()?;
    let octets =
        minicbor::to_vec(message).map_err(|error| WireError::Malformed(error.to_string()))?;
    bound("message", octets.len(), MESSAGE)?;
    Ok(octets)
}

/// The message in these octets, which must be exactly its canonical encoding.
pub(crate) fn decode<'a, T: Encode<()> + Decode<'a, ()> + Bounded>(
    octets: &'a [u8],
) -> Result<T, WireError> {
    bound("message", octets.len(), MESSAGE)?;
    let message: T =
        minicbor::decode(octets).map_err(|error| WireError::Malformed(error.to_string()))?;
    message.check()?;
    let again =
        minicbor::to_vec(&message).map_err(|error| WireError::Malformed(error.to_string()))?;
    if again != octets {
        return Err(WireError::NotCanonical);
    }
    Ok(message)
}

pub(crate) fn bound(field: &'static str, size: usize, limit: usize) -> Result<(), WireError> {
    if size > limit {
        return Err(WireError::TooLarge { field, size, limit });
    }
    Ok(())
}

/// [`pki::Time`] as seconds since 1970.
pub(crate) mod time {
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};
    use pki::Time;

    pub(crate) fn encode<C, W: Write>(
        time: &Time,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.i64(time.unix())?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Time, DecodeError> {
        d.i64().map(Time::from_unix)
    }
}

/// A [`pki::Time`] that may be absent.
pub(crate) mod optional_time {
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};
    use pki::Time;

    pub(crate) fn encode<C, W: Write>(
        time: &Option<Time>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.encode(time.map(Time::unix))?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Option<Time>, DecodeError> {
        let seconds: Option<i64> = d.decode()?;
        Ok(seconds.map(Time::from_unix))
    }

    /// An absent field at the end of an array is left out.
    pub(crate) fn is_nil(time: &Option<Time>) -> bool {
        time.is_none()
    }

    pub(crate) fn nil() -> Option<Option<Time>> {
        Some(None)
    }
}

/// A [`pki::CrlNumber`] that may be absent.
pub(crate) mod optional_crl_number {
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};
    use pki::CrlNumber;

    pub(crate) fn encode<C, W: Write>(
        number: &Option<CrlNumber>,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        match number {
            Some(number) => super::crl_number::encode(number, e, context),
            None => e.null()?.ok(),
        }
    }

    pub(crate) fn decode<C>(
        d: &mut Decoder<'_>,
        context: &mut C,
    ) -> Result<Option<CrlNumber>, DecodeError> {
        if d.datatype()? == minicbor::data::Type::Null {
            d.null()?;
            return Ok(None);
        }
        super::crl_number::decode(d, context).map(Some)
    }
}

/// [`pki::CrlNumber`] as its magnitude.
pub(crate) mod crl_number {
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};
    use pki::CrlNumber;

    pub(crate) fn encode<C, W: Write>(
        number: &CrlNumber,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.bytes(&number.to_be_bytes())?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<CrlNumber, DecodeError> {
        CrlNumber::from_be_bytes(d.bytes()?)
            .map_err(|_| DecodeError::message("a CRL number of 2^159 or more"))
    }
}

/// [`pki::SignatureAlgorithm`] by its name.
pub(crate) mod signature_algorithm {
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};
    use pki::SignatureAlgorithm;

    pub(crate) fn encode<C, W: Write>(
        algorithm: &SignatureAlgorithm,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.str(algorithm.name())?.ok()
    }

    pub(crate) fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<SignatureAlgorithm, DecodeError> {
        d.str()?
            .parse()
            .map_err(|_| DecodeError::message("a signature algorithm that is not known"))
    }
}

/// [`pki::KeyKind`] by its name.
pub(crate) mod key_kind {
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};
    use pki::KeyKind;

    pub(crate) fn encode<C, W: Write>(
        kind: &KeyKind,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.str(&kind.to_string())?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<KeyKind, DecodeError> {
        d.str()?
            .parse()
            .map_err(|_| DecodeError::message("a kind of key that is not known"))
    }
}
