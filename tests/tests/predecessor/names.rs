//! F2, F3, F15: the names that killed the predecessor, that it stored as `&#NNNN;`, and that its shell might have run.

use e2e::system::{EC, path};
use e2e::{System, program, repository};
use pki::certificate_builder::GeneralName;

use crate::certification_request::{BMP, UTF8, request};
use crate::{Answer, issue};

enum Verdict {
    /// Issued with this very name.
    Issued(&'static str),
    /// Refused by this rule.
    Refused(&'static str),
}

use Verdict::{Issued, Refused};

const LONGEST: &str = "ŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽŽ";

/// Type and octets of the common name, and what must come of it.
const NAMES: &[(u8, &[u8], Verdict)] = &[
    (UTF8, "Antonín Dvořák".as_bytes(), Issued("Antonín Dvořák")),
    (UTF8, "李白".as_bytes(), Issued("李白")),
    (
        UTF8,
        "Γιώργος Σεφέρης".as_bytes(),
        Issued("Γιώργος Σεφέρης"),
    ),
    (UTF8, "محمود درويش".as_bytes(), Issued("محمود درويش")),
    (UTF8, "שלום עליכם".as_bytes(), Issued("שלום עליכם")),
    (UTF8, "𠮷野家".as_bytes(), Issued("𠮷野家")),
    // With a combining caron: the same characters, composed.
    (
        UTF8,
        "Antoni\u{301}n Dvor\u{30c}a\u{301}k".as_bytes(),
        Issued("Antonín Dvořák"),
    ),
    (BMP, b"\x01\x0c\x00a\x00p\x00e\x00k", Issued("Čapek")),
    (UTF8, b"# Number 1", Issued("# Number 1")),
    (UTF8, b"C# Sharp", Issued("C# Sharp")),
    (
        UTF8,
        b"Miles \"Tails\" Prower",
        Issued("Miles \"Tails\" Prower"),
    ),
    (UTF8, b"Conan O'Brien", Issued("Conan O'Brien")),
    (
        UTF8,
        b"Robert'); DROP TABLE certificates;--",
        Issued("Robert'); DROP TABLE certificates;--"),
    ),
    (
        UTF8,
        b"$(reboot) `id` ; rm -rf | cat > x",
        Issued("$(reboot) `id` ; rm -rf | cat > x"),
    ),
    (
        UTF8,
        b"/CN=root/O=x, OU=y + C=\\\\",
        Issued("/CN=root/O=x, OU=y + C=\\\\"),
    ),
    (UTF8, b"%s%n %00 \\u0000", Issued("%s%n %00 \\u0000")),
    (UTF8, b"-config /etc/passwd", Issued("-config /etc/passwd")),
    (UTF8, LONGEST.as_bytes(), Issued(LONGEST)),
    (UTF8, b"&#1234;", Refused("I9")),
    (UTF8, b"Anton&iacute;n", Refused("I9")),
    (UTF8, b"Jan\0Novak", Refused("I9")),
    (UTF8, b"\0", Refused("I9")),
    (UTF8, b"Jan\nNovak", Refused("I9")),
    (UTF8, b"Jan\x1b[2JNovak", Refused("I9")),
    (
        UTF8,
        b"1234567890123456789012345678901234567890123456789012345678901234567890",
        Refused("I9"),
    ),
    (UTF8, "\u{202e}kavoN naJ".as_bytes(), Refused("I9")),
    (UTF8, "Jan\u{200b}Novak".as_bytes(), Refused("I9")),
    (UTF8, "Jan \u{fffd}".as_bytes(), Refused("I9")),
    (UTF8, b"Anton\xedn Dvo\xf8\xe1k", Refused("I9")),
    (UTF8, b"\xed\xa0\x80", Refused("I9")),
    (BMP, b"\xd8\x00\x00a", Refused("I9")),
    (UTF8, b" Jan Novak", Refused("I9")),
    (UTF8, b"", Refused("I9")),
];

/// Each is issued as it is, or refused with its rule and field; and the next request is served at once.
#[test]
fn poison_is_issued_or_refused_and_the_next_is_served() {
    let system = System::start(EC);
    let mail = GeneralName::Email("jan@example.org".to_owned());
    let mut issued = Vec::new();
    for (index, (tag, octets, verdict)) in NAMES.iter().enumerate() {
        let name = String::from_utf8_lossy(octets);
        let csr = request(Some((*tag, octets)), &mail);
        match (
            issue(&system, "client", &format!("poison{index}"), &csr),
            verdict,
        ) {
            (Answer::Issued(certificate), Issued(expected)) => {
                issued.push((certificate, *expected))
            }
            (Answer::Refused(rule, field), Refused(expected)) => {
                assert_eq!(
                    (&*rule, &*field),
                    (*expected, "subject.commonName"),
                    "{name:?}"
                );
            }
            (answer, _) => panic!("{name:?}: {answer:?}"),
        }
        system.issue_server("member", &format!("after{index}.example.org"));
    }
    let shown = python(&system, &issued);
    for ((certificate, expected), shown) in issued.iter().zip(shown) {
        assert_eq!(shown, *expected, "as cryptography reads it");
        let openssl = program(
            system.folder(),
            "openssl",
            [
                "x509",
                "-in",
                path(certificate),
                "-noout",
                "-subject",
                "-nameopt",
                "utf8,sep_multiline,lname",
            ],
        );
        let line = format!("commonName={expected}");
        let shown = openssl.ok().stdout;
        assert!(
            shown.lines().any(|shown| shown.trim_start() == line),
            "{line} is not in {shown}"
        );
    }
}

/// The common name of each certificate, as Python's cryptography reads it.
fn python(system: &System, certificates: &[(std::path::PathBuf, &str)]) -> Vec<String> {
    const READ: &str = "import json, sys
from cryptography import x509
from cryptography.x509.oid import NameOID
def name(path):
    certificate = x509.load_pem_x509_certificate(open(path, 'rb').read())
    [name] = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return name.value
print(json.dumps([name(path) for path in sys.argv[1:]]))";
    let files = certificates.iter().map(|(file, _)| path(file));
    let tool = repository().join("target/python/bin/python");
    let shown = program(system.folder(), tool, ["-c", READ].into_iter().chain(files));
    serde_json::from_value(shown.ok().json()).expect("a list of names")
}
