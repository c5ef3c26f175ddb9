//! Weak keys of every kind, and sound ones right beside the bounds.

use super::*;
use crate::HashAlgorithm;

/// A key of the list in `test-moduli.txt`.
fn modulus(name: &str) -> Vec<u8> {
    let line = include_str!("test-moduli.txt")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .expect(name);
    let even = if line.len() % 2 == 0 {
        line.to_owned()
    } else {
        format!("0{line}")
    };
    hex::decode(even).expect(name)
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> PublicKey {
    let numbers = der_encode::sequence(&[
        &der_encode::integer(modulus),
        &der_encode::integer(exponent),
    ]);
    key(KeyFamily::Rsa, &numbers)
}

fn key(family: KeyFamily, bits: &[u8]) -> PublicKey {
    let spki =
        der_encode::sequence(&[family.algorithm_identifier(), &der_encode::bit_string(bits)]);
    PublicKey::from_spki_der(&spki).expect("well formed")
}

/// The rule that refuses a modulus of the list, with exponent 65537.
fn verdict(name: &str) -> Option<String> {
    let key = rsa_key(&modulus(name), &[1, 0, 1]);
    check(&key, &KeyRules::any(), None)
        .err()
        .map(|refusal| refusal.message)
}

#[test]
fn sound_keys_are_accepted() {
    for name in ["GOOD", "FACTOR_757", "CLOSE_IN_ROUND_101"] {
        assert_eq!(verdict(name), None, "{name}");
    }
}

#[test]
fn roca_keys_are_refused() {
    assert!(verdict("ROCA").expect("refused").contains("ROCA"));
}

#[test]
fn close_primes_are_refused_up_to_round_100() {
    assert!(verdict("CLOSE").expect("refused").contains("round 1)"));
    assert!(
        verdict("CLOSE_IN_ROUND_100")
            .expect("refused")
            .contains("round 100)")
    );
}

#[test]
fn moduli_that_are_no_product_of_two_primes_are_refused() {
    assert!(
        verdict("FACTOR_751")
            .expect("refused")
            .contains("divisible by 751")
    );
    assert!(
        verdict("SQUARE")
            .expect("refused")
            .contains("perfect power (exponent 2)")
    );
    assert!(
        verdict("CUBE")
            .expect("refused")
            .contains("perfect power (exponent 3)")
    );
    assert!(verdict("PRIME").expect("refused").contains("prime"));

    let mut even = modulus("GOOD");
    *even.last_mut().expect("octets") &= 0xFE;
    let refusal = check(&rsa_key(&even, &[1, 0, 1]), &KeyRules::any(), None).expect_err("even");
    assert_eq!(refusal.rule, "CERT-20");
}

#[test]
fn sizes_outside_the_bounds_are_refused() {
    assert!(verdict("GOOD_2047").expect("refused").contains("2047 bits"));
    assert!(
        verdict("BITS_2052")
            .expect("refused")
            .contains("multiple of 8")
    );

    let short = rsa_key(&modulus("GOOD")[..128], &[1, 0, 1]);
    assert_eq!(
        check(&short, &KeyRules::any(), None)
            .expect_err("short")
            .rule,
        "I5"
    );
    let long = rsa_key(&[0xC1; 8200 / 8], &[1, 0, 1]);
    assert_eq!(
        check(&long, &KeyRules::any(), None).expect_err("long").rule,
        "I5"
    );

    let code_signing = KeyRules {
        rsa_min_bits: 3072,
        ..KeyRules::any()
    };
    let refusal = check(&rsa_key(&modulus("GOOD"), &[1, 0, 1]), &code_signing, None);
    assert!(refusal.expect_err("2048 bits").remedy.contains("3072"));
}

#[test]
fn exponents_are_odd_and_neither_small_nor_huge() {
    let verdict = |exponent: &[u8]| {
        check(&rsa_key(&modulus("GOOD"), exponent), &KeyRules::any(), None)
            .err()
            .map(|refusal| refusal.rule)
    };
    assert_eq!(verdict(&[1, 0, 1]), None);
    assert_eq!(verdict(&[1, 0, 0, 1]), None);
    for exponent in [
        &[1][..],
        &[3],
        &[17],
        &[0xFF, 0xFF],
        &[1, 0, 0],
        &[1, 0, 2],
        &[3, 0, 0, 0, 1],
    ] {
        assert_eq!(
            verdict(exponent).as_deref(),
            Some("CERT-20"),
            "{exponent:?}"
        );
    }
    let lenient = KeyRules {
        rsa_min_exponent: 3,
        ..KeyRules::any()
    };
    assert_eq!(
        check(&rsa_key(&modulus("GOOD"), &[3]), &lenient, None),
        Ok(())
    );
}

#[test]
fn keys_on_debians_list_are_refused() {
    let modulus = modulus("GOOD");
    let line = format!("Modulus={}\n", hex::encode_upper(&modulus));
    let digest = hex::encode(HashAlgorithm::Sha1.digest(line.as_bytes()));
    let list = format!(
        "# comment\n\n0123456789abcdef0123\n{}  # the key\n",
        &digest[20..]
    );

    let mut weak = DebianWeakKeys::default();
    assert_eq!(weak.add_list("blacklist.RSA-2048", &list), Ok(()));
    assert_eq!((weak.len(), weak.sizes()), (2, &[2048][..]));
    let refusal = check(
        &rsa_key(&modulus, &[1, 0, 1]),
        &KeyRules::any(),
        Some(&weak),
    )
    .expect_err("listed");
    assert_eq!(refusal.rule, "CERT-21");
    assert!(refusal.message.contains("Debian"));

    let other = rsa_key(&self::modulus("FACTOR_757"), &[1, 0, 1]);
    assert_eq!(check(&other, &KeyRules::any(), Some(&weak)), Ok(()));
}

/// A line of the package's own blacklist.RSA-2048, whose key is public: the one with process id 1 on
/// a little-endian machine of 64 bits is not at hand, so the form is checked with OpenSSL's words.
#[test]
fn fingerprints_are_those_of_openssl() {
    let directory = tempfile::tempdir().expect("a directory");
    let run = |script: &str| {
        let output = std::process::Command::new("sh")
            .current_dir(directory.path())
            .args(["-c", script])
            .output()
            .expect("a shell");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    };
    let digits = run(
        "openssl genrsa -out k.pem 2048 2>/dev/null && openssl rsa -in k.pem -noout -modulus | openssl sha1 -r | cut -c21-40",
    );
    let pem = run("openssl rsa -in k.pem -pubout 2>/dev/null");
    let spki = crate::pem::decode(&pem, "PUBLIC KEY").expect("a key");
    let key = PublicKey::from_spki_der(&spki).expect("a key");

    let mut weak = DebianWeakKeys::default();
    weak.add_list("blacklist.RSA-2048", &digits)
        .expect("a list");
    assert_eq!(
        check(&key, &KeyRules::any(), Some(&weak))
            .expect_err("listed")
            .rule,
        "CERT-21"
    );
}

#[test]
fn lists_that_cannot_be_read_say_where() {
    let mut weak = DebianWeakKeys::default();
    let error = weak
        .add_list("blacklist.RSA-2048", "# ok\nnot hex\n")
        .expect_err("a bad line");
    assert_eq!(
        error.to_string(),
        "blacklist.RSA-2048, line 2: not 20 hex digits; get the list of weak keys again"
    );
    assert!(weak.add_list("blacklist.DSA-1024", "").is_err());
    assert!(!DebianWeakKeys::is_list_name("blacklist.DSA-1024"));
    assert!(DebianWeakKeys::is_list_name("blacklist.RSA-4096"));
}

/// The base points of SP 800-186.
const P256_BASE: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                         4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

#[test]
fn points_lie_on_their_curve() {
    let point = hex::decode(P256_BASE).expect("hex");
    let accepted = |bits: &[u8]| check(&key(KeyFamily::P256, bits), &KeyRules::any(), None);
    assert_eq!(accepted(&point), Ok(()));

    let mut off = point.clone();
    off[64] ^= 1;
    let compressed = [&[3][..], &point[1..33]].concat();
    let hybrid = [&[7][..], &point[1..]].concat();
    let beyond_p = [&[4][..], &[0xFF; 64]].concat();
    for bits in [
        &off[..],
        &compressed,
        &hybrid,
        &beyond_p,
        &[0],
        &[],
        &point[..64],
    ] {
        assert_eq!(
            accepted(bits).expect_err("not a point").rule,
            "CERT-22",
            "{bits:02x?}"
        );
    }
    let other_curve = check(&key(KeyFamily::P384, &point), &KeyRules::any(), None);
    assert_eq!(other_curve.expect_err("a point of P-256").rule, "CERT-22");
}

#[test]
fn ed25519_keys_are_points_of_full_order() {
    let verdict = |hex: &str| {
        let bits = hex::decode(hex).expect("hex");
        check(&key(KeyFamily::Ed25519, &bits), &KeyRules::any(), None)
            .err()
            .map(|it| it.message)
    };
    // RFC 8032 section 7.1, tests 1 and 2.
    for good in [
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    ] {
        assert_eq!(verdict(good), None);
    }
    // The points of small order.
    for small in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ] {
        assert!(
            verdict(small).expect(small).contains("small order"),
            "{small}"
        );
    }
    for no_point in [
        "0200000000000000000000000000000000000000000000000000000000000000",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "d75a98",
    ] {
        assert!(
            verdict(no_point)
                .expect(no_point)
                .contains("not the encoding"),
            "{no_point}"
        );
    }
}

#[test]
fn only_the_kinds_of_the_profile_are_accepted() {
    let rules = KeyRules {
        kinds: vec![KeyFamily::P256, KeyFamily::P384],
        ..KeyRules::any()
    };
    let refusal = check(&rsa_key(&modulus("GOOD"), &[1, 0, 1]), &rules, None).expect_err("RSA");
    assert_eq!(refusal.rule, "I5");
    assert_eq!(
        refusal.remedy,
        "Make a key of one of these kinds: P-256, P-384."
    );
}

#[test]
fn keys_have_the_one_encoding_of_certificates() {
    let good = rsa_key(&modulus("GOOD"), &[1, 0, 1]);
    // The same key without the NULL after rsaEncryption.
    let algorithm = der_encode::sequence(&[&der_encode::oid(&crate::oid::RSA_ENCRYPTION)]);
    let spki = der_encode::sequence(&[&algorithm, &der_encode::bit_string(good.key_bits())]);
    let without_null = PublicKey::from_spki_der(&spki).expect("well formed");
    let refusal = check(&without_null, &KeyRules::any(), None).expect_err("no NULL");
    assert_eq!(refusal.rule, "CERT-30");
}
