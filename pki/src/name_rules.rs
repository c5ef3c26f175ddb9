//! What may stand in a name (I9, I10; RFC 5280 section 4.1.2.4, section 4.2.1.6 and its upper bounds).
//!
//! Each rule takes one value and either gives back the value in the one form that enters a
//! certificate or says which rule refused it and what to do. The rules know nothing of requests:
//! the issuer applies them to what a CSR asks for, the lint to what is about to be signed.

mod address;
mod attribute;
mod email;
mod host;
mod idn;
mod text;

pub use address::is_reserved_address;
pub use attribute::{AttributeKind, SubjectAttribute};
pub use email::EmailAddress;
pub use host::HostName;
pub use idn::IdnPolicy;
pub use text::{check_text, normalise};
