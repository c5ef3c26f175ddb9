//! Publishing a CRL and the CA certificate in channel `crl/{issuer}`, with all that makes fetching it cheap.

use std::collections::BTreeMap;

use ledger::Issuer;
use pki::crl::Crl;
use publication::{Manifest, NewManifest, NewObject, PublishError, Publisher, Source};
use tokio::task::block_in_place;

use crate::delivery;
use crate::live::{CRL_ROLE, sha256};

/// Publishes what an issuer has: its certificate, and its CRL if there is one. Does nothing, and says so with
/// `false`, if exactly that is published already.
pub(crate) fn publish(
    publisher: &mut Publisher,
    issuer: &Issuer,
    crl: Option<&Crl>,
    as_of: u64,
) -> Result<bool, PublishError> {
    let own = || {
        let crl = crl.map(|crl| crl_object(issuer, crl));
        std::iter::once(certificate_object(issuer)).chain(crl)
    };
    let objects: Vec<NewObject> = own().collect();
    let unchanged = publisher
        .current()
        .is_some_and(|manifest| holds(manifest, &objects));
    if unchanged {
        return Ok(false);
    }
    let manifest = |objects| NewManifest {
        as_of,
        issuer: issuer.name.clone(),
        ocsp_paths: Vec::new(),
        settings: BTreeMap::new(),
        objects,
    };
    block_in_place(|| {
        let beside = crl.map_or_else(Vec::new, |crl| {
            let sha256 = hex::encode(sha256(crl.der()));
            let paths = crl_paths(issuer);
            delivery::beside(publisher, &issuer.name, crl, &sha256, &paths)
        });
        match publisher.publish(manifest(objects.into_iter().chain(beside).collect())) {
            // An earlier CRL is lost: that never keeps a new one back.
            Err(error @ PublishError::ObjectGone { .. }) => {
                tracing::warn!("{error}; the CRL is published without anything beside it");
                publisher.publish(manifest(own().collect()))
            }
            other => other,
        }
    })?;
    Ok(true)
}

/// The CA certificate (RFC 5280 section 4.2.2.1).
fn certificate_object(issuer: &Issuer) -> NewObject {
    let name = &issuer.name;
    NewObject {
        role: "ca-certificate".to_owned(),
        name: format!("{name}.cer"),
        content_type: "application/pkix-cert".to_owned(),
        paths: paths(format!("/ca/{name}.cer"), &issuer.certificate_paths),
        this_update: None,
        next_update: None,
        details: BTreeMap::new(),
        tail: None,
        source: Source::Bytes(issuer.certificate.clone()),
    }
}

/// The CRL (RFC 5280 section 4.2.1.13).
fn crl_object(issuer: &Issuer, crl: &Crl) -> NewObject {
    let name = &issuer.name;
    let number = crl
        .number()
        .map(|number| ("number".to_owned(), number.to_string()));
    let entries = ("entries".to_owned(), crl.len().to_string());
    NewObject {
        role: CRL_ROLE.to_owned(),
        name: format!("{name}.crl"),
        content_type: "application/pkix-crl".to_owned(),
        paths: crl_paths(issuer)
            .into_iter()
            .chain(delivery::numbered_path(name, crl))
            .collect(),
        this_update: Some(crl.this_update()),
        next_update: crl.next_update(),
        details: number.into_iter().chain([entries]).collect(),
        tail: None,
        source: Source::Bytes(crl.der().to_vec()),
    }
}

/// Where the current CRL is.
fn crl_paths(issuer: &Issuer) -> Vec<String> {
    paths(format!("/crl/{}.crl", issuer.name), &issuer.crl_paths)
}

/// The standard path, then the issuer's own ones.
fn paths(standard: String, own: &[String]) -> Vec<String> {
    let mut paths = vec![standard];
    for path in own {
        if !paths.contains(path) {
            paths.push(path.clone());
        }
    }
    paths
}

/// Whether a manifest begins with these. What is beside them follows from them.
fn holds(manifest: &Manifest, objects: &[NewObject]) -> bool {
    let has_crl = objects.iter().any(|object| object.role == CRL_ROLE);
    manifest.objects.len() >= objects.len()
        && manifest.object(CRL_ROLE).is_some() == has_crl
        && manifest
            .objects
            .iter()
            .zip(objects)
            .all(|(published, new)| {
                let same_content = match &new.source {
                    Source::Bytes(bytes) => hex::encode(sha256(bytes)) == published.sha256,
                    _ => false,
                };
                same_content && published.role == new.role && published.paths == new.paths
            })
}
