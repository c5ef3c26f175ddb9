//! Publishing the CRLs and the CA certificate in channel `crl/{issuer}`, with all that makes fetching them cheap.

use std::collections::BTreeMap;

use ledger::Issuer;
use pki::crl::Crl;
use publication::{Manifest, NewManifest, NewObject, Object, PublishError, Publisher, Source};
use tokio::task::block_in_place;

use crate::delivery;
use crate::live::{CRL_ROLE, PARTITION_ROLE, PARTITION_URI, sha256};

/// What an issuer has to publish besides its certificate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lists<'a> {
    /// The CRL of all its certificates.
    pub(crate) complete: Option<&'a Crl>,
    /// The changes since an earlier one.
    pub(crate) delta: Option<&'a Crl>,
    /// The parts by their URIs; `None` keeps the published one.
    pub(crate) partitions: &'a [(&'a str, Option<&'a Crl>)],
}

/// Publishes what an issuer has. Does nothing, and says so with `false`, if exactly that is published already.
pub(crate) fn publish(
    publisher: &mut Publisher,
    issuer: &Issuer,
    lists: Lists<'_>,
    as_of: u64,
) -> Result<bool, PublishError> {
    let all = listed(publisher.current(), issuer, lists);
    let unchanged = publisher
        .current()
        .is_some_and(|manifest| holds(manifest, &all));
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
        let beside = beside(publisher, issuer, &all);
        let objects = all.into_iter().map(|(object, _)| object);
        match publisher.publish(manifest(objects.chain(beside).collect())) {
            // An earlier CRL is lost: that never keeps a new one back.
            Err(error @ PublishError::ObjectGone { .. }) => {
                tracing::warn!("{error}; the CRL is published without anything beside it");
                let all = listed(publisher.current(), issuer, lists).into_iter();
                publisher.publish(manifest(all.map(|(object, _)| object).collect()))
            }
            other => other,
        }
    })?;
    Ok(true)
}

/// An object to be published; if it is a list that is new, what it lists.
type Published<'a> = (NewObject, Option<&'a Crl>);

/// The certificate, then every list, the complete one first.
fn listed<'a>(
    published: Option<&Manifest>,
    issuer: &Issuer,
    lists: Lists<'a>,
) -> Vec<Published<'a>> {
    let complete = lists
        .complete
        .map(|crl| (crl_object(issuer, crl), Some(crl)));
    let delta = lists
        .delta
        .map(|crl| (delta_object(issuer, crl), Some(crl)));
    let partitions = lists
        .partitions
        .iter()
        .filter_map(|&(uri, crl)| Some((partition_object(published, uri, crl)?, crl)));
    std::iter::once((certificate_object(issuer), None))
        .chain(complete)
        .chain(delta)
        .chain(partitions)
        .collect()
}

/// What makes fetching them cheap.
fn beside(publisher: &Publisher, issuer: &Issuer, all: &[Published<'_>]) -> Vec<NewObject> {
    let name = &issuer.name;
    let mut beside = Vec::new();
    for (object, crl) in all {
        match (crl, &object.source, publisher.current()) {
            (Some(crl), ..) => {
                beside.extend(delivery::beside(publisher, name, object, crl));
                if object.role == CRL_ROLE {
                    beside.extend(delivery::earlier(publisher, name, &object.name, crl));
                }
            }
            (None, Source::Existing(sha256), Some(manifest)) => {
                beside.extend(delivery::kept_beside(manifest, sha256));
            }
            (None, ..) => {}
        }
    }
    beside
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
    let mut paths = crl_paths(issuer);
    paths.extend(delivery::numbered_path(name, crl));
    list_object(CRL_ROLE, format!("{name}.crl"), paths, crl)
}

/// The delta CRL (RFC 5280 section 5.2.4).
fn delta_object(issuer: &Issuer, crl: &Crl) -> NewObject {
    let name = format!("{}.delta.crl", issuer.name);
    let path = format!("/crl/{name}");
    list_object("crl-delta", name, vec![path], crl)
}

/// A part of the CRL (RFC 5280 section 5.2.5); `None` if it is neither new nor published.
fn partition_object(
    manifest: Option<&Manifest>,
    uri: &str,
    crl: Option<&Crl>,
) -> Option<NewObject> {
    let detail = |object: &Object| {
        object
            .details
            .get(PARTITION_URI)
            .is_some_and(|of| of == uri)
    };
    let path = path_of(uri)?;
    let Some(crl) = crl else {
        let mut published = manifest?.objects_of(PARTITION_ROLE);
        return published.find(|object| detail(object)).map(Object::kept);
    };
    let mut object = list_object(PARTITION_ROLE, uri.to_owned(), vec![path.to_owned()], crl);
    object
        .details
        .insert(PARTITION_URI.to_owned(), uri.to_owned());
    Some(object)
}

/// The path of an http URI.
fn path_of(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("http://")?;
    rest.find('/').map(|at| &rest[at..])
}

fn list_object(role: &str, name: String, paths: Vec<String>, crl: &Crl) -> NewObject {
    NewObject {
        paths,
        details: details(crl),
        ..delivery::object(role, name, crl, Source::Bytes(crl.der().to_vec()))
    }
}

fn details(crl: &Crl) -> BTreeMap<String, String> {
    let number = crl
        .number()
        .map(|number| ("number".to_owned(), number.to_string()));
    let entries = ("entries".to_owned(), crl.len().to_string());
    number.into_iter().chain([entries]).collect()
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
fn holds(manifest: &Manifest, all: &[Published<'_>]) -> bool {
    let has_crl = all.iter().any(|(object, _)| object.role == CRL_ROLE);
    manifest.objects.len() >= all.len()
        && manifest.object(CRL_ROLE).is_some() == has_crl
        && manifest
            .objects
            .iter()
            .zip(all)
            .all(|(published, (new, _))| {
                let has_content = || match &new.source {
                    Source::Bytes(bytes) => hex::encode(sha256(bytes)) == published.sha256,
                    Source::Existing(sha256) => *sha256 == published.sha256,
                    Source::File(_) => false,
                };
                // Its path has the number of a CRL: nearly always that tells, and nothing need be hashed.
                published.role == new.role && published.paths == new.paths && has_content()
            })
}
