//! What the edge answers to every combination of request headers.

use std::fs;

use e2e::clients::{Response, curl};
use e2e::system::{EC, path};
use e2e::{System, program, wait_for};
use pki::crl::Crl;
use pki::crl::difference::{Log, apply};

/// A CA whose CRL is long enough to be worth compressing.
struct Site {
    system: System,
    url: String,
}

impl Site {
    fn new() -> Self {
        let system = System::start(EC);
        let certificates: Vec<_> = (0..6)
            .map(|number| system.issue_server("member", &format!("host{number}.example.org")))
            .collect();
        for certificate in &certificates {
            system.revoke(certificate);
        }
        let url = format!("{}crl/member.crl", system.status_url());
        let site = Self { system, url };
        wait_for(|| Crl::from_der(&site.get(&[]).body).is_ok_and(|crl| crl.len() == 6));
        site
    }

    fn get(&self, headers: &[&str]) -> Response {
        self.at(&self.url, headers)
    }

    fn at(&self, url: &str, headers: &[&str]) -> Response {
        let options: Vec<_> = headers.iter().flat_map(|header| ["-H", header]).collect();
        curl(&self.system, url, &options)
    }

    fn below(&self, name: &str) -> String {
        self.url.replace("member.crl", name)
    }

    /// A body as the tool of that name decodes it.
    fn decoded(&self, coding: Option<&str>, body: &[u8]) -> Vec<u8> {
        let Some(tool) = coding else {
            return body.to_vec();
        };
        let (packed, plain) = (
            self.system.folder().join("packed"),
            self.system.folder().join("plain"),
        );
        fs::write(&packed, body).expect("written");
        let command = format!("{tool} -dc < {} > {}", path(&packed), path(&plain));
        program(self.system.folder(), "sh", ["-c", command.as_str()]).ok();
        fs::read(&plain).expect("decoded")
    }
}

#[test]
fn content_codings_tags_and_ranges() {
    let site = Site::new();
    let whole = site.get(&[]);
    let tag = |response: &Response| response.header("etag").expect("a tag").to_owned();
    let modified = whole.header("last-modified").expect("a time").to_owned();
    let identity_tag = tag(&whole);
    let mut tags = vec![identity_tag.clone()];
    for (accept, coding) in [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", Some("gzip")),
        ("x-gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("gzip;q=0.9, zstd;q=0.8", Some("gzip")),
        ("gzip;q=0.8, zstd;q=0.9", Some("zstd")),
        ("gzip;q=0, zstd;q=0", None),
        ("gzip;q=0.1, identity;q=0.2", None),
        ("identity;q=0, gzip", Some("gzip")),
        ("*;q=0, zstd", Some("zstd")),
    ] {
        let header = format!(
            "Accept-Encoding:{}{accept}",
            if accept.is_empty() { "" } else { " " }
        );
        let response = site.get(&[&header]);
        assert_eq!(response.status, 200, "{accept}");
        assert_eq!(response.header("content-encoding"), coding, "{accept}");
        assert_eq!(response.header("vary"), Some("accept-encoding"), "{accept}");
        assert_eq!(
            response.header("content-type"),
            Some("application/pkix-crl")
        );
        assert_eq!(site.decoded(coding, &response.body), whole.body, "{accept}");
        assert!(coding.is_none() || response.body.len() < whole.body.len());
        let head = curl(&site.system, &site.url, &["--head", "-H", &header]);
        for name in ["content-encoding", "content-length", "etag", "vary"] {
            assert_eq!(head.header(name), response.header(name), "{accept}: {name}");
        }
        if !tags.contains(&tag(&response)) {
            tags.push(tag(&response));
        }
    }
    assert_eq!(tags.len(), 3, "one tag for each representation: {tags:?}");

    // 304 for what the client has, if it accepts it in that form.
    for (accept, known) in [
        ("identity", [true, false, false]),
        ("gzip", [true, true, false]),
        ("zstd, gzip", [true, true, true]),
        ("gzip, identity;q=0", [false, true, false]),
    ] {
        for (tag, known) in tags.iter().zip(known) {
            let accept = format!("Accept-Encoding: {accept}");
            let response = site.get(&[&accept, &format!("If-None-Match: \"x\", {tag}")]);
            assert_eq!(
                response.status,
                if known { 304 } else { 200 },
                "{accept} {tag}"
            );
            assert_eq!(response.header("vary"), Some("accept-encoding"));
            if known {
                assert_eq!(response.header("etag"), Some(tag.as_str()), "{accept}");
                assert!(response.body.is_empty());
            }
        }
        let accept = format!("Accept-Encoding: {accept}");
        let since = format!("If-Modified-Since: {modified}");
        assert_eq!(site.get(&[&accept, &since]).status, 304, "{accept}");
        assert_eq!(site.get(&[&accept, "If-None-Match: *"]).status, 304);
        assert_eq!(
            site.get(&[&accept, &since, "If-None-Match: \"x\""]).status,
            200
        );
    }

    // Parts are of the CRL as it is.
    for accept in ["Accept-Encoding: gzip, zstd", "Accept-Encoding: identity"] {
        let part = site.get(&[accept, "Range: bytes=10-19"]);
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[10..20]));
        assert_eq!(part.header("content-encoding"), None);
        assert_eq!(part.header("etag"), Some(identity_tag.as_str()));
        assert_eq!(part.header("vary"), Some("accept-encoding"));
        assert_eq!(site.get(&[accept, "Range: bytes=999999-"]).status, 416);
    }
    let resumed = |tag: &str| {
        let condition = format!("If-Range: {tag}");
        site.get(&["Accept-Encoding: gzip", "Range: bytes=10-19", &condition])
    };
    assert_eq!(resumed(&tags[0]).status, 206);
    let begun_in_gzip = resumed(&tags[1]);
    assert_eq!(
        begun_in_gzip.status, 200,
        "a part of gzip is not gone on with"
    );
    assert_eq!(begun_in_gzip.header("content-encoding"), Some("gzip"));
    let refused = site.get(&["Accept-Encoding: gzip, identity;q=0", "Range: bytes=10-19"]);
    assert_eq!(refused.status, 200);
    assert_eq!(refused.header("content-encoding"), Some("gzip"));

    let none = site.get(&["Accept-Encoding: identity;q=0"]);
    assert_eq!(
        (none.status, none.header("vary")),
        (406, Some("accept-encoding"))
    );
    let certificate = site.url.replace("crl/member.crl", "ca/member.cer");
    let certificate = site.at(&certificate, &["Accept-Encoding: gzip, identity;q=0"]);
    assert_eq!(
        (certificate.status, certificate.header("vary")),
        (200, None)
    );

    // The real thing.
    assert_eq!(
        curl(&site.system, &site.url, &["--compressed"]).body,
        whole.body
    );
}

#[test]
fn numbers_and_differences() {
    let site = Site::new();
    let old = site.get(&[]);
    let number = |der: &[u8]| {
        let crl = Crl::from_der(der).expect("a CRL");
        crl.number().expect("a number").clone()
    };
    let from = number(&old.body);
    let extra = site.system.issue_server("member", "seventh.example.org");
    site.system.revoke(&extra);
    let new = site.get(&[]);
    let to = number(&new.body);
    assert!(to > from);

    for (number, body) in [(&from, &old.body), (&to, &new.body)] {
        let numbered = site.at(&site.below(&format!("member/{number}.crl")), &[]);
        assert_eq!((numbered.status, &numbered.body), (200, body));
        let caching = numbered.header("cache-control").expect("a field");
        assert!(caching.contains("immutable"), "{caching}");
        let max_age: u64 = caching
            .split(['=', ','])
            .nth(1)
            .and_then(|seconds| seconds.parse().ok())
            .expect("max-age");
        assert!(max_age > 6 * 86_400, "until it ends: {caching}");
    }
    assert!(
        !new.header("cache-control")
            .expect("a field")
            .contains("immutable")
    );
    let unknown = site.at(&site.below("member/999999.crl"), &[]);
    assert_eq!(unknown.status, 404);

    let differences = site.below("member.diff");
    for query in [
        "",
        "?",
        "?from=",
        "?from=x",
        "?from=-1",
        "?from=1&from=2",
        "?number=1",
    ] {
        let refused = site.at(&format!("{differences}{query}"), &[]);
        assert_eq!(refused.status, 400, "{query}");
        assert!(
            String::from_utf8_lossy(&refused.body).contains("?from=N"),
            "{query}"
        );
    }
    let difference = site.at(&format!("{differences}?from={from}"), &[]);
    assert_eq!(difference.status, 200);
    assert_eq!(
        difference.header("content-type"),
        Some("application/vnd.avouch.crl-difference")
    );
    let log = Log::read(&difference.body).expect("a difference");
    assert_eq!(apply(&old.body, &from, &log).as_ref(), Ok(&new.body));
    let etag = difference.header("etag").expect("a tag");
    let again = format!("If-None-Match: {etag}");
    assert_eq!(
        site.at(&format!("{differences}?from={from}"), &[&again])
            .status,
        304
    );

    // Whoever is up to date says so with the CRL's own tag.
    let nothing = site.at(&format!("{differences}?from={to}"), &[]);
    assert!(nothing.body.len() < difference.body.len());
    assert_eq!(nothing.header("etag"), new.header("etag"));
    let known = format!("If-None-Match: {}", new.header("etag").expect("a tag"));
    assert_eq!(
        site.at(&format!("{differences}?from={to}"), &[&known])
            .status,
        304
    );
    assert_eq!(
        site.at(&format!("{differences}?from={from}"), &[&known])
            .status,
        200
    );

    // From a number that is not known: the whole CRL, and compressed if that is liked.
    for unknown in ["0", "999999", "7000000000000000000000000000000000000000"] {
        let url = format!("{differences}?from={unknown}");
        let whole = site.at(&url, &[]);
        assert_eq!((whole.status, &whole.body), (200, &new.body), "{unknown}");
        assert_eq!(whole.header("content-type"), Some("application/pkix-crl"));
        let packed = site.at(&url, &["Accept-Encoding: zstd"]);
        assert_eq!(packed.header("content-encoding"), Some("zstd"));
    }
    let post = curl(&site.system, &differences, &["--data", "x"]);
    assert_eq!(post.status, 405);
}
