//! What speaks to the cable cannot speak to anything else: no I/O, no runtime, no clock, no random numbers below it.

use std::process::Command;

#[test]
fn nothing_below_does_io() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            "wire",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(
        names.contains(&"snow") && names.contains(&"pki"),
        "{names:?}"
    );
    for doer in [
        "async-io",
        "getrandom",
        "hyper",
        "libc",
        "mio",
        "nix",
        "rand",
        "rustix",
        "serialport",
        "socket2",
        "tokio",
    ] {
        assert!(!names.contains(&doer), "wire depends on {doer}");
    }
}
