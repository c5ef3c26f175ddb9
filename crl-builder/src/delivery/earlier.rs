//! CRLs that were current before, for those who were told their numbered URL.

use pki::crl::Crl;
use publication::{NewObject, Object, Publisher};

use super::Before;
use crate::live::CRL_ROLE;

const ROLE: &str = "crl-earlier";
/// So many at most …
const KEPT: usize = 16;
/// … and together so many octets: every edge has them in memory.
const KEPT_OCTETS: u64 = 64 << 20;

/// The CRL that `crl`, the new one named `name`, replaces, and those before it, newest first, as long as they last. They
/// are in the store already and are not read.
pub(crate) fn earlier(
    publisher: &Publisher,
    issuer: &str,
    name: &str,
    crl: &Crl,
) -> Vec<NewObject> {
    let Some(before) = Before::of(publisher, CRL_ROLE, name) else {
        return Vec::new();
    };
    let current = crl.number().map(ToString::to_string);
    let mut room = KEPT_OCTETS;
    std::iter::once(before.crl)
        .chain(before.manifest.objects_of(ROLE))
        .filter(|object| object.details.get("number") != current.as_ref())
        .filter(|object| {
            object
                .next_update
                .is_some_and(|end| end > crl.this_update())
        })
        .take(KEPT)
        .take_while(|object| {
            let left = room.checked_sub(object.size);
            room = left.unwrap_or_default();
            left.is_some()
        })
        .filter_map(|object| kept(issuer, object))
        .collect()
}

fn kept(issuer: &str, object: &Object) -> Option<NewObject> {
    let number = object.details.get("number")?;
    Some(NewObject {
        role: ROLE.to_owned(),
        name: format!("{issuer}.crl number {number}"),
        paths: vec![format!("/crl/{issuer}/{number}.crl")],
        ..object.kept()
    })
}
