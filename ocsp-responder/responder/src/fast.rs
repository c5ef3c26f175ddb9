//! The short way of a common request: from the octets read to the octets sent, without an allocation.
//!
//! Nearly all requests have one shape: OCSP by GET, HEAD or POST in HTTP/1.1, complete in one or two reads. `plain`
//! recognises that shape, `reply` writes the response, and [`Conversation`] does so for one connection: one read, one
//! write for all requests that came together. Whatever has another shape, from a CRL to an attack, goes to hyper with
//! the octets that were read of it, and the connection stays there. Both ways say the same to the octet; a test holds
//! them to it.

mod conversation;
mod plain;
mod reply;

pub(crate) use conversation::{Conversation, End, Scratch};
