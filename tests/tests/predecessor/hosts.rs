//! F17: internationalised host names are judged by script and top-level domain, as A-labels.

use e2e::System;
use e2e::system::{EC, path};
use pki::certificate_builder::GeneralName;

use crate::certification_request::request;
use crate::{Answer, issue};

/// Hosts of which certificates are issued.
const ISSUED: [&str; 5] = [
    "xn--jxalpdlp.gr",
    "xn--fsqu00a.xn--0zwm56d",
    "xn--bcher-kva.example",
    // Latin and Cyrillic, under a top-level domain whose registry keeps look-alikes out.
    "xn--pypal-4ve.de",
    "*.xn--bcher-kva.example",
];

/// Hosts that are refused, and the rule.
const REFUSED: [(&str, &str); 8] = [
    ("xn--pypal-4ve.com", "I10"),
    ("www.xn--pypal-4ve.org.example", "I10"),
    ("bücher.example", "I10"),
    ("раураl.com", "I10"),
    ("xn--99999999.example", "I10"),
    ("xn--abc-.example", "I9"),
    ("ab--cd.example", "I9"),
    ("www.*.example", "I9"),
];

#[test]
fn punycode_is_judged() {
    let system = System::start(EC);
    for (index, host) in ISSUED.into_iter().enumerate() {
        let csr = request(None, &GeneralName::Dns(host.to_owned()));
        let answer = issue(&system, "server", &format!("host{index}"), &csr);
        let Answer::Issued(certificate) = answer else {
            panic!("{host}: {answer:?}");
        };
        let shown = e2e::program(
            system.folder(),
            "openssl",
            [
                "x509",
                "-in",
                path(&certificate),
                "-noout",
                "-ext",
                "subjectAltName",
            ],
        );
        let shown = shown.ok().stdout;
        assert!(
            shown
                .lines()
                .any(|line| line.trim() == format!("DNS:{host}")),
            "{shown}"
        );
    }
    for (index, (host, expected)) in REFUSED.into_iter().enumerate() {
        let csr = request(None, &GeneralName::Dns(host.to_owned()));
        let answer = issue(&system, "server", &format!("refused{index}"), &csr);
        let Answer::Refused(rule, field) = answer else {
            panic!("{host}: {answer:?}");
        };
        assert_eq!(rule, expected, "{host}");
        assert!(field.starts_with("subjectAltName"), "{host}: {field}");
        system.issue_server("member", &format!("after{index}.example.org"));
    }
}
