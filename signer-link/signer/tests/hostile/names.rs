//! Names that no certificate may have: hosts, people, and what hides in them.

use std::net::{IpAddr, Ipv4Addr};

use pki::certificate_builder::{GeneralName, extension};
use pki::name_rules::{AttributeKind, SubjectAttribute};
use pki::profile::{CertifiedNames, StatusUrls};
use wire::{IssueCertificate, Operation, Reply};

use crate::attack::Attack;
use crate::certificates::replace;
use crate::common::profile;
use crate::scene::Scene;

/// What stands in the certificates that are changed.
const HOST: &[u8] = b"www.example.org";
const PERSON: &str = "Jan Jakub Novak";

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        host("a wildcard in the middle", "www.*.example.org"),
        host("a wildcard in a label", "w*.example.org"),
        host("two wildcards", "*.*.example.org"),
        host("a wildcard over a top-level domain", "*.org"),
        host("Punycode that is none", "xn--99999999.example.com"),
        host("Punycode of plain ASCII", "xn--abc-.example.com"),
        host("Latin and Cyrillic in one label", "xn--pypal-4ve.com"),
        host(
            "hyphens in the third and fourth place",
            "ab--cd.example.org",
        ),
        host("an underscore", "a_b.example.org"),
        host("a dot at the end", "www.example.org."),
        host("two dots", "www..example.org"),
        host(
            "a label of 64",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        host("a number for a top-level domain", "192.0.2.300"),
        host("a port", "www.example.org:443"),
        host("a URL", "http://www.example.org"),
        host("an HTML entity", "&#1234;.example.org"),
        host("a shell's substitution", "$(reboot).example.org"),
        host("a name in Unicode", "bücher.example"),
        name("capitals in the subjectAltName", |scene| {
            patch(scene, 1, b"WWW.example.org")
        }),
        name(
            "a common name that is not among the subjectAltNames",
            |scene| patch(scene, 0, b"ftp.example.org"),
        ),
        name("NUL in the common name", |scene| {
            patch(scene, 0, b"www.example\0org")
        }),
        name("NUL in the subjectAltName", |scene| {
            patch(scene, 1, b"www.example\0org")
        }),
        name("a bell in the common name", |scene| {
            patch(scene, 0, b"www.exam\x07le.org")
        }),
        name("an escape sequence in both names", |scene| {
            patch_both(scene, b"\x1b[2J\x1b[31mxx.org")
        }),
        name("right-to-left override in the common name", |scene| {
            patch(scene, 0, "\u{202e}gro.elpmaxe.".as_bytes())
        }),
        name("octets that are no UTF-8", |scene| {
            patch(scene, 0, b"www.\xff\xfe\xfdmple.org")
        }),
        name("a name twice", |scene| {
            alternatives(scene, &[dns("www.example.org"), dns("www.example.org")])
        }),
        name("a mail address of a server", |scene| {
            let mail = GeneralName::Email("root@example.org".to_owned());
            alternatives(scene, &[dns("www.example.org"), mail])
        }),
        name("a URI", |scene| {
            let uri = GeneralName::Uri("http://www.example.org/".to_owned());
            alternatives(scene, &[dns("www.example.org"), uri])
        }),
        name("101 names", |scene| {
            let more = (0..100).map(|number| dns(&format!("h{number}.example.org")));
            let names: Vec<_> = [dns("www.example.org")].into_iter().chain(more).collect();
            alternatives(scene, &names)
        }),
        name("an IP address for a person", |scene| {
            person(
                scene,
                GeneralName::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                |_| (),
            )
        }),
        name("a person's name that is not NFC", |scene| {
            people(scene, |tbs| {
                exchange(tbs, 0, PERSON.as_bytes(), "Jan Jakub No\u{301}k".as_bytes())
            })
        }),
        name("a person's name as PrintableString", |scene| {
            people(scene, |tbs| {
                exchange(tbs, 1, b"\x55\x04\x03\x0c", b"\x55\x04\x03\x13")
            })
        }),
        name("a person's name with right-to-left marks", |scene| {
            people(scene, |tbs| {
                exchange(tbs, 0, b"Jan Jakub", "Jan\u{200f}\u{200f}".as_bytes())
            })
        }),
        name("a common name of 65 characters", |scene| {
            let mut request =
                person_request(scene, AttributeKind::LocalityName, &"x".repeat(65), mail());
            exchange(
                &mut request.tbs,
                0,
                b"\x55\x04\x07\x0c",
                b"\x55\x04\x03\x0c",
            );
            scene.host.ask(Operation::IssueCertificate(request))
        }),
    ]
}

/// `tbs` is the field of all rules of names.
fn name(name: &'static str, asks: impl Fn(&mut Scene) -> Reply + 'static) -> Attack {
    Attack::policy(name, "tbs", asks)
}

/// A server of this name beside a good one.
fn host(attack: &'static str, host: &'static str) -> Attack {
    name(attack, move |scene| {
        alternatives(scene, &[dns("www.example.org"), dns(host)])
    })
}

fn dns(name: &str) -> GeneralName {
    GeneralName::Dns(name.to_owned())
}

fn mail() -> GeneralName {
    GeneralName::Email("jan@example.org".to_owned())
}

/// One of the places of the name has other octets: 0 is the common name, 1 the subjectAltName.
fn patch(scene: &mut Scene, place: usize, with: &[u8]) -> Reply {
    let mut request = scene.leaf().request();
    exchange(&mut request.tbs, place, HOST, with);
    scene.host.ask(Operation::IssueCertificate(request))
}

fn patch_both(scene: &mut Scene, with: &[u8]) -> Reply {
    let mut request = scene.leaf().request();
    exchange(&mut request.tbs, 1, HOST, with);
    exchange(&mut request.tbs, 0, HOST, with);
    scene.host.ask(Operation::IssueCertificate(request))
}

/// Other octets, as many as before, so that every length stays right.
fn exchange(octets: &mut [u8], place: usize, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut places = octets
        .windows(from.len())
        .enumerate()
        .filter_map(|(at, window)| (window == from).then_some(at));
    let at = places.nth(place).unwrap();
    octets[at..at + to.len()].copy_from_slice(to);
}

fn alternatives(scene: &mut Scene, names: &[GeneralName]) -> Reply {
    let with = extension::subject_alt_name(names, false);
    scene.issue(|leaf| replace(leaf, with))
}

fn people(scene: &mut Scene, change: impl FnOnce(&mut [u8])) -> Reply {
    person(scene, mail(), change)
}

fn person(scene: &mut Scene, name: GeneralName, change: impl FnOnce(&mut [u8])) -> Reply {
    let mut request = person_request(scene, AttributeKind::CommonName, PERSON, name);
    change(&mut request.tbs);
    scene.host.ask(Operation::IssueCertificate(request))
}

/// A request for the certificate of a person, good but for what is told here.
pub(crate) fn person_request(
    scene: &Scene,
    kind: AttributeKind,
    value: &str,
    name: GeneralName,
) -> IssueCertificate {
    let mut leaf = scene.leaf();
    let names = CertifiedNames {
        alt_names: &[name],
        subject_is_empty: false,
    };
    let urls = StatusUrls::new("http://127.0.0.1:8080", "member");
    leaf.subject = vec![SubjectAttribute::new(kind, value).unwrap()];
    leaf.extensions = profile("client")
        .extensions_for(&scene.member, leaf.key.public_key(), names, &urls)
        .unwrap();
    let mut request = leaf.request();
    request.profile = "client".to_owned();
    request
}

/// The same, good altogether.
pub(crate) fn good_person(scene: &Scene) -> IssueCertificate {
    person_request(scene, AttributeKind::CommonName, PERSON, mail())
}
