//! `docs/conformance.md` is true: it has every MUST of the checklist once, and each names a test that
//! exists or the reason why it does not apply.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;

use e2e::repository;

/// Every line that the checklist marks MUST, MUST NOT or PROJ-MUST, sections 1 to 6.
const MUSTS: &[(&str, &[u32])] = &[
    (
        "OCSP",
        &[
            1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 30, 31, 32,
            33, 34, 35, 36, 37, 38, 40, 42, 44, 45, 46, 48, 50, 51, 52, 53, 54, 60, 61, 62, 63, 64,
            65, 66, 67,
        ],
    ),
    ("HTTP", &[1, 2, 3, 4, 5, 6, 7, 8, 13, 15]),
    (
        "CRL",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 25,
            26, 27, 28, 29, 30, 31, 32, 33,
        ],
    ),
    (
        "CERT",
        &[
            1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33, 34,
        ],
    ),
];

/// The faults of the predecessor, F1 and so on.
const PREDECESSOR: u32 = 19;

#[test]
fn every_must_is_held_by_a_test_or_has_a_reason() {
    let page = fs::read_to_string(repository().join("docs/conformance.md")).expect("the page");
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, _, held_by] = cells[..] else {
            panic!("a row has three cells: {line}")
        };
        if id.contains('-') && !id.starts_with('-') || is_fault(id) {
            assert!(
                rows.insert(id.to_owned(), held_by.to_owned()).is_none(),
                "{id} is there twice"
            );
        }
    }
    let mut faults = Vec::new();
    for (family, numbers) in MUSTS {
        for number in *numbers {
            let id = format!("{family}-{number:02}");
            match rows.remove(&id) {
                None => faults.push(format!("{id} is missing")),
                Some(held_by) => faults.extend(fault(&id, &held_by)),
            }
        }
    }
    for number in 1..=PREDECESSOR {
        let id = format!("F{number}");
        if !rows.contains_key(&id) {
            faults.push(format!("{id} is missing"));
        }
    }
    faults.extend(rows.iter().filter_map(|(id, held_by)| fault(id, held_by)));
    assert!(
        faults.is_empty(),
        "docs/conformance.md:\n{}",
        faults.join("\n")
    );
}

/// Whether this is the id of a fault of the predecessor.
fn is_fault(id: &str) -> bool {
    id.strip_prefix('F')
        .is_some_and(|number| number.parse::<u32>().is_ok())
}

/// What is wrong with a row: it must name tests as `folder/file.rs::test`, or say "does not apply: …".
fn fault(id: &str, held_by: &str) -> Option<String> {
    if let Some(reason) = held_by.strip_prefix("does not apply: ") {
        return (reason.len() < 20).then(|| format!("{id}: its reason says too little"));
    }
    let tests: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
    if tests.is_empty() {
        return Some(format!("{id} names neither a test nor a reason"));
    }
    tests.into_iter().find_map(|test| {
        let Some((file, name)) = test.split_once("::") else {
            return Some(format!("{id}: {test} is not of the form file::test"));
        };
        let Ok(source) = fs::read_to_string(repository().join(file)) else {
            return Some(format!("{id}: there is no file {file}"));
        };
        let name = name.rsplit("::").next().unwrap_or(name);
        let exists =
            source.contains(&format!("fn {name}(")) || source.contains(&format!("\"{name}\""));
        (!exists).then(|| format!("{id}: {file} has no test {name}"))
    })
}
