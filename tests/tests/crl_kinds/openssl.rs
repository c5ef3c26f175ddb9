//! `openssl verify`: with files, with deltas, and fetching from the URLs in the certificates.

use std::path::Path;

use e2e::clients::{Verdict, fetch_crl};
use e2e::system::path;
use e2e::{System, program, wait_for};

use super::{ISSUER, Kinds};

pub(super) fn takes_all_kinds(kinds: &Kinds) {
    let complete = kinds.file("complete.pem", &kinds.complete());
    let delta = kinds.file("delta.pem", &kinds.delta().expect("a delta"));
    for (certificate, expected) in [
        (&kinds.good, Verdict::Good),
        (&kinds.old, Verdict::Revoked),
        (&kinds.new, Verdict::Revoked),
    ] {
        // The certificates name a part, so openssl wants that part.
        let part = kinds.file("part.pem", &kinds.partition(certificate));
        let root = fetch_crl(&kinds.system, "root");
        let files = [part.as_path(), &root];
        assert_eq!(
            verdict(&kinds.system, &["-crl_check_all"], &files, certificate),
            expected
        );
        wait_for(|| verdict_by_download(&kinds.system, ISSUER, certificate) == expected);
    }
    // A certificate from before there were parts names the complete CRL.
    let plain = plain_certificate(kinds);
    for with in [&["-crl_check"][..], &["-crl_check", "-use_deltas"]] {
        let files = [complete.as_path(), &delta];
        assert_eq!(verdict(&kinds.system, with, &files, &plain), Verdict::Good);
    }
    kinds.system.revoke(&plain);
    // The old complete CRL with the new delta says so; without it, it cannot know.
    wait_for(|| {
        kinds
            .delta()
            .is_some_and(|delta| super::lists(&delta, &plain))
    });
    let delta = kinds.file("delta.pem", &kinds.delta().expect("a delta"));
    let files = [complete.as_path(), &delta];
    let with = ["-crl_check", "-use_deltas"];
    assert_eq!(
        verdict(&kinds.system, &with, &files, &plain),
        Verdict::Revoked
    );
    assert_eq!(
        verdict(&kinds.system, &with[..1], &files[..1], &plain),
        Verdict::Good
    );
}

/// One that names no part.
pub(super) fn plain_certificate(kinds: &Kinds) -> std::path::PathBuf {
    let set = |parts| {
        kinds
            .system
            .avouch(&["policy", ISSUER, "--set", parts])
            .ok();
    };
    set("crl.partitions=0");
    let plain = kinds.system.issue_server(ISSUER, "plain.example.org");
    set("crl.partitions=3");
    plain
}

/// What openssl says with the CRLs that it fetches itself from the URL in the certificate.
pub(super) fn verdict_by_download(system: &System, issuer: &str, certificate: &Path) -> Verdict {
    let chain = system.chain(issuer);
    let arguments = [
        "verify",
        "-crl_check",
        "-crl_download",
        "-CAfile",
        path(&chain),
        path(certificate),
    ];
    of(&program(system.folder(), "openssl", arguments).output())
}

fn verdict(system: &System, options: &[&str], crls: &[&Path], certificate: &Path) -> Verdict {
    let chain = system.chain(ISSUER);
    let mut arguments = vec!["verify", "-CAfile", path(&chain)];
    arguments.extend(options);
    for crl in crls {
        arguments.extend(["-CRLfile", path(crl)]);
    }
    arguments.push(path(certificate));
    of(&program(system.folder(), "openssl", arguments).output())
}

fn of(output: &str) -> Verdict {
    if output.contains("certificate revoked") {
        Verdict::Revoked
    } else if output.contains(": OK") {
        Verdict::Good
    } else {
        Verdict::Other(output.to_owned())
    }
}
