//! The pages of reasons beside the table of conditions.
//!
//! Owns how both are read. Must not know any reason. The invariant that would break first: the table and
//! the page of a reason name the same kinds, conditions and statuses.

use super::text;
use imageref::api::condition::Reason;
use std::collections::BTreeSet;

/// Kind, condition, status.
type Place = (String, String, String);

fn cells(row: &str) -> Vec<&str> {
    row.trim()
        .trim_matches('|')
        .split('|')
        .map(str::trim)
        .collect()
}

/// A place for each kind and status that a row names in words.
fn places(kinds: &str, condition: &str, statuses: &str) -> Vec<Place> {
    let mut found = Vec::new();
    for kind in kinds
        .split([',', ' '])
        .filter(|word| word.contains("Image"))
    {
        for status in ["True", "False", "Unknown"] {
            let mut words = statuses.split([',', ' ']);
            if words.any(|word| word == status) {
                found.push((kind.to_owned(), condition.to_owned(), status.to_owned()));
            }
        }
    }
    found
}

/// Where the table of conditions has this reason.
fn in_the_table(reason: &str) -> BTreeSet<Place> {
    let mut found = BTreeSet::new();
    let page = text("docs/conditions.md");
    let mut kinds = "";
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            kinds = heading;
        }
        if let [condition, status, reasons] = cells(line)[..]
            && reasons.contains(&format!("(reasons/{reason}.md)"))
        {
            found.extend(places(kinds, condition, status));
        }
    }
    found
}

/// Where its own page says that it is.
fn on_its_page(reason: &str) -> BTreeSet<Place> {
    let page = text(format!("docs/reasons/{reason}.md"));
    let (table, _) = page.split_once("**Meaning.**").unwrap();
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("Image"));
    let rows = rows.flat_map(|row| match cells(row)[..] {
        [kinds, condition, status] => places(kinds, condition, status),
        _ => panic!("{reason}: {row}"),
    });
    rows.collect()
}

#[test]
fn the_page_of_a_reason_and_the_table_of_conditions_name_the_same_places() {
    for reason in Reason::ALL {
        let reason = reason.as_str();
        let (table, mut page) = (in_the_table(reason), on_its_page(reason));
        assert!(!page.is_empty(), "{reason} has no table");
        // Of a reference's Stalled the table says in words that it repeats Ready's.
        page.retain(|(kind, condition, _)| kind != "ImageRef" || condition != "Stalled");
        assert_eq!(
            table, page,
            "{reason}: left: docs/conditions.md, right: its page"
        );
    }
}
