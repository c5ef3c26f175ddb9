//! Keys that nobody has proven to have, or that are too weak.

use pki::certificate_builder::{GeneralName, TbsCertificate};
use pki::csr::CertificationRequest;
use pki::profile::{CertifiedNames, StatusUrls};
use wire::{CsrAroundKey, IssueCertificate, Operation, Reply};

use crate::attack::Attack;
use crate::common::{csr, profile};
use crate::scene::Scene;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::policy("no certification request", "csr", |scene| {
            ask(scene, |request| request.csr = None)
        }),
        Attack::policy("the request of another key", "csr", |scene| {
            let other = scene.leaf();
            scene.issue(|leaf| leaf.csr = csr(&other.key))
        }),
        Attack::policy(
            "another key in the certificate than in its request",
            "csr",
            |scene| {
                let other = scene.leaf();
                ask(scene, |request| {
                    let spki = other.key.public_key().spki_der();
                    request.csr = Some(CsrAroundKey::cut(&other.csr, spki));
                })
            },
        ),
        Attack::policy("a request with a bad signature", "csr", |scene| {
            scene.issue(|leaf| *leaf.csr.last_mut().unwrap() ^= 1)
        }),
        Attack::policy("a request that is no DER", "csr", |scene| {
            ask(scene, |request| {
                request.csr = Some(CsrAroundKey::cut(&[0x30, 0x80], &[]))
            })
        }),
        Attack::policy("a point that is not on its curve", "csr", |scene| {
            ask(scene, |request| {
                let point = [0x03, 0x42, 0x00, 0x04];
                let at = request
                    .tbs
                    .windows(4)
                    .position(|octets| octets == point)
                    .unwrap();
                request.tbs[at + 4 + 40] ^= 1;
            })
        }),
        weak(
            "an RSA key of 1024 bits",
            "tbs",
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
        ),
        weak(
            "an RSA key with the exponent 3",
            "tbs",
            &[
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
                "-pkeyopt",
                "rsa_keygen_pubexp:3",
            ],
        ),
        weak(
            "a key on a curve of no profile",
            "csr",
            &[
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:secp256k1",
            ],
        ),
        weak(
            "a curve told by its parameters",
            "csr",
            &[
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-pkeyopt",
                "ec_param_enc:explicit",
            ],
        ),
    ]
}

/// A key made by openssl with these options of `genpkey`, with its own request.
fn weak(name: &'static str, field: &'static str, options: &'static [&'static str]) -> Attack {
    Attack::policy(name, field, move |scene| {
        let der = scene.openssl_csr(options);
        let csr = CertificationRequest::from_der(&der).unwrap();
        let mut leaf = scene.leaf();
        let names = [GeneralName::Dns("www.example.org".to_owned())];
        let names = CertifiedNames {
            alt_names: &names,
            subject_is_empty: false,
        };
        let urls = StatusUrls::new("http://127.0.0.1:8080", "member");
        let of_key =
            profile("server").extensions_for(&scene.member, csr.public_key(), names, &urls);
        // Of a kind of key that no profile knows there are none; the good key's stand in for them.
        leaf.extensions = of_key.unwrap_or(leaf.extensions);
        let mut request = leaf.request();
        request.csr = Some(CsrAroundKey::cut(&der, csr.public_key().spki_der()));
        request.tbs = TbsCertificate {
            serial: leaf.serial,
            signature_algorithm: leaf.algorithm,
            issuer: &leaf.issuer,
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            subject: &leaf.subject,
            public_key: csr.public_key(),
            extensions: &leaf.extensions,
        }
        .to_der();
        scene.host.ask(Operation::IssueCertificate(request))
    })
}

fn ask(scene: &mut Scene, change: impl FnOnce(&mut IssueCertificate)) -> Reply {
    let mut request = scene.leaf().request();
    change(&mut request);
    scene.host.ask(Operation::IssueCertificate(request))
}
