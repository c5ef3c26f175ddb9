//! Publishing a CRL and the CA certificate in channel `crl/{issuer}`.

use std::collections::BTreeMap;

use ledger::Issuer;
use pki::crl::Crl;
use publication::{Manifest, NewManifest, NewObject, PublishError, Publisher, Source};
use tokio::task::block_in_place;

use crate::live::{CRL_ROLE, sha256};

/// Publishes what an issuer has: its certificate, and its CRL if there is one. Does nothing, and says so with
/// `false`, if exactly that is published already.
pub(crate) fn publish(
    publisher: &mut Publisher,
    issuer: &Issuer,
    crl: Option<&Crl>,
    as_of: u64,
) -> Result<bool, PublishError> {
    let objects: Vec<NewObject> = [
        Some(certificate_object(issuer)),
        crl.map(|crl| crl_object(issuer, crl)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let unchanged = publisher
        .current()
        .is_some_and(|manifest| holds(manifest, &objects));
    if unchanged {
        return Ok(false);
    }
    let manifest = NewManifest {
        as_of,
        issuer: issuer.name.clone(),
        ocsp_paths: Vec::new(),
        settings: BTreeMap::new(),
        objects,
    };
    block_in_place(|| publisher.publish(manifest))?;
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
        paths: paths(format!("/crl/{name}.crl"), &issuer.crl_paths),
        this_update: Some(crl.this_update()),
        next_update: crl.next_update(),
        details: number.into_iter().chain([entries]).collect(),
        tail: None,
        source: Source::Bytes(crl.der().to_vec()),
    }
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

fn holds(manifest: &Manifest, objects: &[NewObject]) -> bool {
    manifest.objects.len() == objects.len()
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
