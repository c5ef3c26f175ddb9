//! Certificates of OCSP responders, with which an attacker could say "good" of everything.

use pki::certificate_builder::{GeneralName, extension};
use pki::oid;
use pki::profile::{CertifiedNames, StatusUrls};
use wire::{Operation, Outcome, RefusalCode, Reply};

use crate::attack::Attack;
use crate::certificates::replace;
use crate::common::{Leaf, profile};
use crate::host::now;
use crate::scene::Scene;

const DAY: i64 = 86_400;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        responder(
            "a responder's certificate of 90 days",
            "tbs.validity.notAfter",
            |leaf| {
                leaf.not_after = leaf.not_before.plus_seconds(90 * DAY - 1);
            },
        ),
        responder(
            "a responder's certificate of 8 days",
            "tbs.validity.notAfter",
            |leaf| {
                leaf.not_after = leaf.not_before.plus_seconds(8 * DAY - 1);
            },
        ),
        responder(
            "a responder's certificate of 10 years",
            "tbs.validity.notAfter",
            |leaf| {
                leaf.not_after = leaf.not_before.plus_seconds(3_650 * DAY);
            },
        ),
        responder(
            "a responder's certificate that begins in 29 days",
            "tbs.validity.notBefore",
            |leaf| {
                leaf.not_before = now().plus_seconds(29 * DAY);
                leaf.not_after = leaf.not_before.plus_seconds(6 * DAY);
            },
        ),
        responder(
            "a responder's certificate that began two days ago",
            "tbs",
            |leaf| {
                leaf.not_before = now().plus_seconds(-2 * DAY);
                leaf.not_after = leaf.not_before.plus_seconds(6 * DAY);
            },
        ),
        responder("a responder without nocheck", "tbs.extensions", |leaf| {
            leaf.extensions
                .retain(|found| found.oid != oid::OCSP_NO_CHECK);
        }),
        responder("a responder that is a server as well", "csr", |leaf| {
            replace(
                leaf,
                extension::extended_key_usage(&[oid::OCSP_SIGNING, oid::SERVER_AUTH]),
            );
        }),
        responder("a server that poses as a responder", "csr", |leaf| {
            replace(leaf, extension::extended_key_usage(&[oid::SERVER_AUTH]));
        }),
        responder(
            "a responder that signs CRLs",
            "tbs.extensions.keyUsage",
            |leaf| {
                let usage = extension::key_usage(&[0, 6]);
                replace(leaf, usage);
            },
        ),
        responder("a responder with a host's name", "tbs.extensions", |leaf| {
            let name = GeneralName::Dns("www.example.org".to_owned());
            leaf.extensions
                .push(extension::subject_alt_name(&[name], false));
        }),
        Attack::policy(
            "a server's certificate that begins tomorrow, as a responder's may",
            "tbs.validity.notBefore",
            |scene| scene.issue(|leaf| leaf.not_before = now().plus_seconds(DAY)),
        ),
        Attack::refused(
            "more certificates of responders than a day has",
            RefusalCode::NotAllowed,
            "profile",
            |scene| {
                for turn in 0..3 {
                    let stock = move |leaf: &mut Leaf| {
                        leaf.not_before = now().plus_seconds(turn * 3 * DAY);
                        leaf.not_after = leaf.not_before.plus_seconds(7 * DAY - 1);
                    };
                    assert!(matches!(ask(scene, &stock).outcome, Outcome::Signed { .. }));
                    scene.count_honest();
                }
                ask(scene, &|_| ())
            },
        )
        .with_limits("responders_a_day = 3"),
        Attack::policy(
            "OCSPSigning under the profile of servers",
            "tbs.extensions",
            |scene| {
                let usage = extension::extended_key_usage(&[oid::OCSP_SIGNING]);
                scene.issue(|leaf| {
                    leaf.not_after = leaf.not_before.plus_seconds(6 * DAY);
                    replace(leaf, usage);
                })
            },
        ),
    ]
}

/// A responder's certificate, good but for this change.
fn responder(
    name: &'static str,
    field: &'static str,
    change: impl Fn(&mut Leaf) + 'static,
) -> Attack {
    Attack::policy(name, field, move |scene| ask(scene, &change))
}

fn ask(scene: &mut Scene, change: &impl Fn(&mut Leaf)) -> Reply {
    let mut leaf = scene.leaf();
    let names = CertifiedNames {
        alt_names: &[],
        subject_is_empty: false,
    };
    let urls = StatusUrls::new("http://127.0.0.1:8080", "member");
    leaf.extensions = profile("ocsp-responder")
        .extensions_for(&scene.member, leaf.key.public_key(), names, &urls)
        .unwrap();
    leaf.not_after = leaf.not_before.plus_seconds(6 * DAY);
    change(&mut leaf);
    let mut request = leaf.request();
    request.profile = "ocsp-responder".to_owned();
    request.csr = None;
    scene.host.ask(Operation::IssueCertificate(request))
}
