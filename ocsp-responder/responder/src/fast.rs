//! The short way of a common request: from the octets read to the octets sent, without an allocation.
//!
//! Nearly all requests have one shape: OCSP by GET, HEAD or POST in HTTP/1.1, complete in one or two reads. `plain`
//! recognises that shape, `reply` writes the response, `conversation` is one connection, and [`ShortWay`] serves all of
//! them: it waits for all at once, and takes those that have something in groups, so that the memory of several answers
//! is waited for together. Whatever has another shape, from a CRL to an attack, leaves for hyper with the octets that
//! were read of it, and comes back for its next request. Both ways say the same to the octet; a test holds them to it.

mod conversation;
mod plain;
mod reply;
mod short_way;

pub(crate) use short_way::{Leaving, ShortWay};
