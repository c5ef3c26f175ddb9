//! The hostile host (issue of the isolated signer): a program with the host's keys and full control of its side, over a
//! real pseudo-terminal, against a real `signer run`. Each attack of the tables below is refused, dropped, suspends or
//! locks as docs/signer.md says and stands in the journal with its reason; and where it does not lock, the next honest
//! request is served at once.
#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;

mod attack;
mod cable;
mod certificates;
mod clocks;
mod crls;
mod handshakes;
mod hellos;
mod host;
mod keys;
mod logs;
mod messages;
mod names;
mod noise;
mod openpgp;
mod records;
mod responders;
mod restarts;
mod revocations;
mod scene;
mod session;

use std::collections::HashSet;
use std::io::Write as _;

use attack::{Attack, try_all};

/// A topic with its attacks.
type Table = (&'static str, fn() -> Vec<Attack>);

const TABLES: [Table; 14] = [
    ("certificates", certificates::attacks),
    ("names", names::attacks),
    ("keys", keys::attacks),
    ("responders", responders::attacks),
    ("revocations", revocations::attacks),
    ("OpenPGP", openpgp::attacks),
    ("CRLs", crls::attacks),
    ("the log and budgets", logs::attacks),
    ("clocks", clocks::attacks),
    ("hellos", hellos::attacks),
    ("messages", messages::attacks),
    ("records", records::attacks),
    ("handshakes", handshakes::attacks),
    ("the line", noise::attacks),
];

/// All of them, as a list past the capture of the test's output.
#[test]
fn each_attack_has_a_name_of_its_own() {
    let mut list = String::new();
    let mut names = HashSet::new();
    for (table, attacks) in TABLES {
        list.push_str(&format!("{table}\n"));
        for attack in attacks() {
            list.push_str(&format!("  {attack}\n"));
            assert!(names.insert(attack.name), "{} is there twice", attack.name);
        }
    }
    assert!(names.len() >= 40, "{}", names.len());
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{list}{} attacks", names.len()).unwrap();
}

#[test]
fn certificates() {
    try_all(certificates::attacks());
}

#[test]
fn names() {
    try_all(names::attacks());
}

#[test]
fn keys() {
    try_all(keys::attacks());
}

#[test]
fn responders() {
    try_all(responders::attacks());
}

#[test]
fn revocations() {
    try_all(revocations::attacks());
}

#[test]
fn openpgp() {
    try_all(openpgp::attacks());
}

#[test]
fn crls() {
    try_all(crls::attacks());
}

#[test]
fn logs() {
    try_all(logs::attacks());
}

#[test]
fn clocks() {
    try_all(clocks::attacks());
}

#[test]
fn hellos() {
    try_all(hellos::attacks());
}

#[test]
fn messages() {
    try_all(messages::attacks());
}

#[test]
fn records() {
    try_all(records::attacks());
}

#[test]
fn handshakes() {
    try_all(handshakes::attacks());
}

#[test]
fn noise() {
    try_all(noise::attacks());
}
