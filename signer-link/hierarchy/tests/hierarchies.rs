//! The shipped hierarchies are right, and a wrong one is refused with a reason.

use hierarchy::{BaseUrl, Hierarchy};
use pki::{KeyKind, SignatureAlgorithm};

#[test]
fn the_shipped_hierarchies() {
    for (text, root, subordinate, algorithm) in [
        (
            hierarchy::DEMO,
            KeyKind::Rsa(4096),
            KeyKind::Rsa(4096),
            SignatureAlgorithm::RsaSha256,
        ),
        (
            hierarchy::EC,
            KeyKind::P384,
            KeyKind::P256,
            SignatureAlgorithm::EcdsaSha384,
        ),
    ] {
        let hierarchy = Hierarchy::from_toml(text).unwrap();
        assert_eq!(
            hierarchy.names().collect::<Vec<_>>(),
            ["root", "member", "assured", "organisation"]
        );
        let root_ca = hierarchy.ca("root").unwrap();
        assert_eq!((root_ca.key, root_ca.path_len), (root, None));
        assert_eq!(root_ca.signature_algorithm(), Ok(algorithm));
        for name in ["member", "assured", "organisation"] {
            let ca = hierarchy.ca(name).unwrap();
            assert_eq!(
                (ca.key, ca.path_len, ca.issuer.as_deref()),
                (subordinate, Some(0), Some("root"))
            );
        }
        assert_eq!(
            hierarchy
                .chain("member")
                .map(|ca| ca.name.as_str())
                .collect::<Vec<_>>(),
            ["member", "root"]
        );
    }
    let demo = Hierarchy::from_toml(hierarchy::DEMO).unwrap();
    assert_eq!(
        demo.ca("root").unwrap().policy_tables().crl["validity_hours"].as_integer(),
        Some(168)
    );
    assert!(demo.ca("member").unwrap().policy_tables().crl.is_empty());
}

#[test]
fn urls() {
    let url: BaseUrl = "http://status.example.org:8080/pki/".parse().unwrap();
    assert_eq!(url.ocsp(), "http://status.example.org:8080/pki");
    assert_eq!(
        url.crl("root"),
        "http://status.example.org:8080/pki/crl/root.crl"
    );
    assert_eq!(
        url.certificate("root"),
        "http://status.example.org:8080/pki/ca/root.cer"
    );
    assert!("http://[::1]:80".parse::<BaseUrl>().is_ok());
    for bad in [
        "https://a",
        "http://",
        "http:///x",
        "http://a b",
        "http://a?x",
        "http://u@a",
        "http://á",
        "",
    ] {
        assert!(bad.parse::<BaseUrl>().is_err(), "{bad}");
    }
}

#[test]
fn a_subject_is_encoded_country_first() {
    let hierarchy = Hierarchy::from_toml(hierarchy::DEMO).unwrap();
    let name = hierarchy.ca("member").unwrap().subject.name().unwrap();
    assert_eq!(
        name.to_string(),
        "CN=Avouch Demo Member CA,O=Avouch Demo,C=AT"
    );
    assert_eq!(name.attributes()[0].tag, 0x13);
    assert_eq!(name.attributes()[2].tag, 0x0c);
}

#[test]
fn wrong_hierarchies_are_refused_with_a_reason() {
    for (from, to, reason) in [
        (
            "validity_days = 7305",
            "validity_days = 7305\nkolour = 1",
            "kolour",
        ),
        ("key = \"p-384\"", "key = \"p-385\"", "p-385"),
        (
            "hash = \"sha384\"",
            "hash = \"sha256\"",
            "sha256 cannot be used",
        ),
        (
            "validity_days = 7305",
            "validity_days = 100",
            "outlives its issuer",
        ),
        ("validity_days = 7305", "validity_days = 0", "not within"),
        (
            "validity_days = 7305",
            "validity_days = 7305\npath_len = 0",
            "cannot have CAs below it",
        ),
        (
            "issuer = \"root\"\npath_len = 0",
            "issuer = \"later\"\npath_len = 0",
            "no CA \"later\"",
        ),
        (
            "validity_days = 7305",
            "validity_days = 7305\nissuer = \"root\"",
            "no CA \"root\"",
        ),
        ("name = \"member\"", "name = \"root\"", "used twice"),
        ("name = \"member\"", "name = \"../member\"", "1 to 64"),
        (
            "Avouch EC Member CA",
            "Avouch EC Assured CA",
            "same subject",
        ),
        (
            "country = \"AT\"",
            "country = \"at\"",
            "two capital letters",
        ),
        ("Avouch EC Member CA", "\\u202e", "commonName"),
        ("base_url = \"http://", "base_url = \"https://", "http://"),
    ] {
        assert!(hierarchy::EC.contains(from), "{from}");
        let error = Hierarchy::from_toml(&hierarchy::EC.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(reason), "{to}: {error}");
    }
    assert!(Hierarchy::from_toml("base_url = \"http://a\"\nca = []").is_err());
}

#[test]
fn the_commented_example_is_right() {
    let ceremony = Hierarchy::from_toml(hierarchy::CEREMONY).unwrap();
    let shares = ceremony.shares.clone().unwrap();
    assert_eq!(
        (shares.threshold, shares.of, shares.holders.len()),
        (2, 3, 3)
    );
    assert_eq!(ceremony.links.len(), 2);
    // What it shows in comments is right as well: `# name = …`, `# [table]` and what belongs to them.
    let shown: String = hierarchy::CEREMONY
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(prose) if prose.starts_with("---") => String::new(),
            Some(code) if code.starts_with(['[', ']']) || code.contains(" = ") => {
                code.replace("\"4f3a…\"", "\"4f3a\"") + "\n"
            }
            _ => line.to_owned() + "\n",
        })
        .collect();
    let shown = shown.replace("issuer = \"old-root\"", "issuer = \"root\"");
    let shown = Hierarchy::from_toml(&shown).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    assert_eq!(
        (
            shown.certificates.len(),
            shown.responders.len(),
            shown.crls.len()
        ),
        (2, 1, 1)
    );
    assert!(shown.token.is_some() && shown.cas[0].in_token);
}

#[test]
fn a_rehearsal_is_marked_in_every_subject() {
    let text = hierarchy::CEREMONY.replace("rehearsal = false", "rehearsal = true");
    let marked = Hierarchy::from_toml(&text).unwrap();
    for ca in &marked.cas {
        assert_eq!(ca.subject.organizational_unit.as_deref(), Some("REHEARSAL"));
    }
    let user_id = marked.openpgp.unwrap().user_id;
    assert!(user_id.starts_with("REHEARSAL "), "{user_id}");
    // The demo says so by itself.
    let demo = Hierarchy::from_toml(hierarchy::DEMO).unwrap();
    let again = demo.clone().into_rehearsal().unwrap();
    assert_eq!((again.cas, again.openpgp), (demo.cas, demo.openpgp));
}

#[test]
fn wrong_tables_are_refused_with_a_reason() {
    let check = |more: &str, reason: &str| {
        let text = hierarchy::EC.to_owned() + more;
        let error = Hierarchy::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    check("\n[[link]]\nsigner = 128", "128 is not within 1 to 127");
    check(
        "\n[[link]]\nsigner = 1\n[[link]]\nsigner = 1",
        "stands twice",
    );
    check("in_token = true", "[token]: is missing");
    check(
        "\n[[certificate]]\nfile = \"root\"\nca = \"root\"\nvalidity_days = 1",
        "a CA has this name",
    );
    check(
        "\n[[certificate]]\nfile = \"x\"\nca = \"nobody\"\nvalidity_days = 1",
        "no CA \"nobody\"",
    );
    check(
        "\n[[certificate]]\nfile = \"x\"\nca = \"member\"\nissuer = \"member\"\nvalidity_days = 1",
        "does not sign for itself",
    );
    check(
        "\n[[crl]]\nfile = \"x\"\nissuer = \"root\"\nvalidity_days = 367",
        "within 1 to 366",
    );
    check(
        "\n[[crl]]\nfile = \"x\"\nissuer = \"root\"\nvalidity_days = 3\nrevoked = [{ serial = \"0a\", time = \"2026-11-22T12:00:00Z\", reason = \"certificateHold\" }]",
        "on hold",
    );
    let openpgp = |from: &str, to: &str, reason: &str| {
        let text = hierarchy::EC.replacen(from, to, 1);
        assert_ne!(text, hierarchy::EC);
        let error = Hierarchy::from_toml(&text).unwrap_err().to_string();
        assert!(
            error.contains("[openpgp]") && error.contains(reason),
            "{error}"
        );
    };
    let table = |line: &str| format!("[openpgp]\n{line}\n");
    openpgp("[openpgp]\n", &table("name = \"member\""), "a CA has it");
    openpgp("[openpgp]\n", &table("name = \"A b\""), "1 to 64");
    openpgp("[openpgp]\n", &table("in_token = true"), "no [token]");
    openpgp("Avouch EC Demo", "Avouch\u{202e}", "bidirectional");
    openpgp("key = \"p-256\"", "key = \"rsa-2048\"", "choose rsa-3072");
    openpgp("key = \"p-256\"", "key = \"ed25519\"", "choose rsa-3072");
    check(
        "\n[shares]\nthreshold = 2\nof = 3\nholders = [\"A\", \"B\", \"A\"]",
        "a name stands twice",
    );
}
