//! The page about reliability: what it says is tested is tested.
//!
//! Owns how its table of promises is read. Must not know what is promised. The invariant that would break
//! first: a promise without a test, or with one that was renamed or taken away, is no promise.

use super::text;
use std::collections::BTreeMap;

/// The tests of each promise, with their files.
fn promised(page: &str) -> BTreeMap<u32, Vec<(String, String)>> {
    let mut tests: BTreeMap<u32, Vec<(String, String)>> = BTreeMap::new();
    let mut promise = None;
    let section = page
        .split("\n## ")
        .find(|part| part.starts_with("Promises"));
    for line in section.unwrap().lines() {
        if let Some((number, _)) = line.split_once(". **") {
            tests.insert(number.parse().unwrap(), Vec::new());
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, number, test, file, _] = cells[..] else {
            continue;
        };
        let [Some(test), Some(file)] = [test, file].map(|cell| {
            let name = cell.strip_prefix('`')?.strip_suffix('`')?;
            Some(name.to_owned())
        }) else {
            continue;
        };
        promise = number.parse().ok().or(promise);
        let of = tests.get_mut(&promise.unwrap());
        of.expect("a row is of a promise").push((test, file));
    }
    tests
}

#[test]
fn each_promise_has_tests_that_are_there_under_their_names() {
    let page = text("docs/reliability.md");
    let promised = promised(&page);
    assert_eq!(promised.len(), 10);
    for (promise, tests) in promised {
        assert!(!tests.is_empty(), "nothing tests promise {promise}");
        for (test, file) in tests {
            let source = text(&file);
            assert!(
                source.contains(&format!("fn {test}(")),
                "{file} has no test {test}, which is said to test promise {promise}"
            );
        }
    }
}
