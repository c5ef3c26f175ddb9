//! Certificates that the signer must not sign: issuer, serial number, times, algorithm, extensions, encoding.

use pki::certificate_builder::extension;
use pki::{Extension, Name, Serial, SignatureAlgorithm, oid};
use wire::{IssueCertificate, Operation, RefusalCode, Reply};

use crate::attack::Attack;
use crate::common::{Leaf, SIGNER_ID};
use crate::host::now;
use crate::scene::Scene;

const DAY: i64 = 86_400;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::policy(
            "an extension that the profile does not have",
            "tbs.extensions",
            |scene| scene.issue(|leaf| leaf.extensions.push(extension::ocsp_no_check())),
        ),
        Attack::policy("an extension left out", "tbs.extensions", |scene| {
            scene.issue(|leaf| drop(leaf.extensions.pop()))
        }),
        Attack::policy("extensions in another order", "tbs.extensions", |scene| {
            scene.issue(|leaf| leaf.extensions.swap(0, 1))
        }),
        Attack::policy("an extension made critical", "tbs.extensions", |scene| {
            scene.issue(|leaf| {
                let usage = oid::EXTENDED_KEY_USAGE;
                let found = leaf
                    .extensions
                    .iter_mut()
                    .find(|extension| extension.oid == usage);
                found.unwrap().critical = true;
            })
        }),
        Attack::policy(
            "status to be asked of the attacker",
            "tbs.extensions",
            |scene| {
                let elsewhere =
                    extension::crl_distribution_points("http://evil.example/crl/member.crl");
                scene.issue(|leaf| replace(leaf, elsewhere))
            },
        ),
        Attack::policy("CA:TRUE", "tbs.extensions.basicConstraints", |scene| {
            scene.issue(|leaf| replace(leaf, extension::basic_constraints_ca(Some(0))))
        }),
        Attack::policy(
            "CA:TRUE as an octet that is not ff",
            "tbs.extensions.basicConstraints",
            |scene| {
                let odd = Extension {
                    oid: oid::BASIC_CONSTRAINTS,
                    critical: true,
                    value: vec![0x30, 3, 1, 1, 1],
                };
                scene.issue(|leaf| replace(leaf, odd))
            },
        ),
        Attack::policy("keyCertSign", "tbs.extensions.keyUsage", |scene| {
            scene.issue(|leaf| replace(leaf, extension::key_usage(&[0, 5])))
        }),
        Attack::policy("cRLSign", "tbs.extensions.keyUsage", |scene| {
            scene.issue(|leaf| replace(leaf, extension::key_usage(&[0, 6])))
        }),
        Attack::policy("the name of another CA as issuer", "tbs.issuer", |scene| {
            let other = scene.member.issuer().clone();
            scene.issue(|leaf| leaf.issuer = other)
        }),
        Attack::policy("the issuer's name in other octets", "tbs.issuer", |scene| {
            let mut name = scene.member.subject().as_der().to_vec();
            let country = name.windows(2).position(|pair| pair == [0x13, 2]).unwrap();
            name[country] = 0x0c;
            scene.issue(|leaf| leaf.issuer = Name::from_der(&name).unwrap())
        }),
        Attack::policy("the key of another CA", "tbs.issuer", |scene| {
            ask(scene, |request| request.issuer = "assured".to_owned())
        }),
        Attack::refused(
            "a key that is not there",
            RefusalCode::UnknownIssuer,
            "issuer",
            |scene| ask(scene, |request| request.issuer = "../root".to_owned()),
        ),
        Attack::refused(
            "a repeated serial number",
            RefusalCode::SerialUsed,
            "tbs.serialNumber",
            |scene| {
                let used = scene.issue_honestly();
                scene.issue(|leaf| leaf.serial = used)
            },
        ),
        Attack::refused(
            "a serial number of another signer",
            RefusalCode::OtherSigner,
            "tbs.serialNumber",
            |scene| {
                scene.issue(|leaf| leaf.serial = Serial::random_of_signer(SIGNER_ID + 1).unwrap())
            },
        ),
        Attack::policy("a short serial number", "tbs.serialNumber", |scene| {
            let octets = [&[SIGNER_ID][..], &[7; 14]].concat();
            scene.issue(|leaf| leaf.serial = Serial::from_be_bytes(&octets).unwrap())
        }),
        Attack::policy("a negative serial number", "tbs", |scene| {
            let leaf = scene.leaf();
            let serial = leaf.serial.as_bytes();
            let mut request = leaf.request();
            let at = request
                .tbs
                .windows(serial.len())
                .position(|octets| octets == serial);
            request.tbs[at.unwrap()] |= 0x80;
            send(scene, request)
        }),
        Attack::policy("backdating by three days", "tbs", |scene| {
            scene.issue(|leaf| leaf.not_before = now().plus_seconds(-3 * DAY))
        }),
        Attack::policy(
            "backdating to before the CA",
            "tbs.validity.notBefore",
            |scene| {
                let early = scene.member.not_before().plus_seconds(-1);
                scene.issue(|leaf| leaf.not_before = early)
            },
        ),
        Attack::policy(
            "post-dating by an hour",
            "tbs.validity.notBefore",
            |scene| scene.issue(|leaf| leaf.not_before = now().plus_seconds(3_600)),
        ),
        Attack::policy("two years and a second", "tbs.validity.notAfter", |scene| {
            scene.issue(|leaf| leaf.not_after = leaf.not_before.plus_seconds(730 * DAY))
        }),
        Attack::policy(
            "an end after the CA's own",
            "tbs.validity.notAfter",
            |scene| {
                let late = scene.member.not_after().plus_seconds(1);
                scene.issue(|leaf| leaf.not_after = late)
            },
        ),
        Attack::policy("an end before the beginning", "tbs", |scene| {
            scene.issue(|leaf| leaf.not_after = leaf.not_before.plus_seconds(-1))
        }),
        Attack::policy(
            "another algorithm than the one asked for",
            "tbs.signature",
            |scene| {
                ask(scene, |request| {
                    request.signature_algorithm = SignatureAlgorithm::EcdsaSha384
                })
            },
        ),
        Attack::policy(
            "an algorithm that the CA's key does not have",
            "signature_algorithm",
            |scene| scene.issue(|leaf| leaf.algorithm = SignatureAlgorithm::RsaSha256),
        ),
        Attack::policy("a profile that does not exist", "profile", |scene| {
            ask(scene, |request| {
                request.profile = "subordinate-ca".to_owned()
            })
        }),
        Attack::policy(
            "a server under the profile of people",
            "tbs.extensions",
            |scene| ask(scene, |request| request.profile = "client".to_owned()),
        ),
        Attack::policy("BER: an indefinite length", "tbs", |scene| {
            ask(scene, |request| {
                // 30 82 LL LL …: the length is replaced by 80, and 00 00 ends it.
                request.tbs.splice(1..4, [0x80]);
                request.tbs.extend([0, 0]);
            })
        }),
        Attack::policy("BER: a length with a zero before it", "tbs", |scene| {
            ask(scene, |request| {
                request.tbs[1] = 0x83;
                request.tbs.insert(2, 0);
            })
        }),
        Attack::policy("an octet after the TBSCertificate", "tbs", |scene| {
            ask(scene, |request| request.tbs.push(0))
        }),
        Attack::policy("two TBSCertificates at once", "tbs", |scene| {
            ask(scene, |request| request.tbs.extend(request.tbs.clone()))
        }),
        Attack::policy("version 2", "tbs.version", |scene| {
            ask(scene, |request| {
                let version = [0xa0, 3, 2, 1, 2];
                let at = request
                    .tbs
                    .windows(5)
                    .position(|octets| octets == version)
                    .unwrap();
                request.tbs[at + 4] = 1;
            })
        }),
        Attack::policy("30,000 SEQUENCEs in each other", "tbs", |scene| {
            ask(scene, |request| request.tbs = [0x30, 0x80].repeat(30_000))
        }),
        Attack::policy("nothing at all", "tbs", |scene| {
            ask(scene, |request| request.tbs.clear())
        }),
    ]
}

/// Puts an extension in the place of the one with its identifier.
pub(crate) fn replace(leaf: &mut Leaf, with: Extension) {
    let mut places = leaf.extensions.iter_mut();
    let place = places.find(|extension| extension.oid == with.oid);
    *place.unwrap() = with;
}

/// A request for a good certificate, changed.
fn ask(scene: &mut Scene, change: impl FnOnce(&mut IssueCertificate)) -> Reply {
    let mut request = scene.leaf().request();
    change(&mut request);
    send(scene, request)
}

fn send(scene: &mut Scene, request: IssueCertificate) -> Reply {
    scene.host.ask(Operation::IssueCertificate(request))
}
