//! The chart's README and schema, whose descriptions of values are made from `values.yaml`.
//!
//! Owns how a value's description is found: the comment above it. The invariant that would break first:
//! no value is without one.

use super::{CHART, check_file, snapshots::leaves, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const BEGIN: &str = "<!-- values: written by the tests -->\n";
const END: &str = "<!-- end of values -->\n";

/// The comment above each key, by its path.
fn descriptions(values: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut comment = String::new();
    for line in values.lines() {
        let content = line.trim_start();
        let depth = line.len() - content.len();
        if let Some(more) = content.strip_prefix("# ") {
            if !comment.is_empty() {
                comment.push(' ');
            }
            comment.push_str(more);
            continue;
        }
        if let Some((key, _)) = content.split_once(':') {
            path.retain(|(of, _)| *of < depth);
            path.push((depth, key.to_owned()));
            let names: Vec<_> = path.iter().map(|(_, name)| name.as_str()).collect();
            found.insert(names.join("."), std::mem::take(&mut comment));
        }
        comment.clear();
    }
    found
}

fn table(values: &str) -> String {
    let defaults: Value = serde_saphyr::from_str(values).unwrap();
    let descriptions = descriptions(values);
    let mut all = Vec::new();
    leaves(&defaults, "", &mut all);
    // In the order of the file, which JSON does not keep.
    let mut table = "| Value | Default | Meaning |\n|---|---|---|\n".to_owned();
    let mut rows: Vec<_> = all
        .iter()
        .map(|(at, default)| {
            let meaning = &descriptions[at];
            assert!(meaning.ends_with('.'), "{at} has no description");
            (
                at,
                format!(
                    "| `{at}` | `{default}` | {} |\n",
                    meaning.replace('|', "\\|")
                ),
            )
        })
        .collect();
    rows.sort();
    for (_, row) in rows {
        let _ = write!(table, "{row}");
    }
    table
}

#[test]
fn the_readme_has_a_row_for_each_value() {
    let readme = text(&format!("{CHART}/README.md"));
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let table = table(&text(&format!("{CHART}/values.yaml")));
    let should = format!("{before}{BEGIN}\n{table}\n{END}{after}");
    let command = "UPDATE_FIXTURES=1 cargo test --test suite -- chart::readme";
    check_file(&format!("{CHART}/README.md"), &should, command);
}

#[test]
fn the_schema_describes_each_value_as_the_file_of_values_does() {
    let values = text(&format!("{CHART}/values.yaml"));
    let descriptions = descriptions(&values);
    let mut all = Vec::new();
    leaves(&serde_saphyr::from_str(&values).unwrap(), "", &mut all);
    let file = format!("{CHART}/values.schema.json");
    let mut schema: Value = serde_json::from_str(&text(&file)).unwrap();
    for (at, _) in &all {
        let pointer = format!("/properties/{}", at.replace('.', "/properties/"));
        let place = schema.pointer_mut(&pointer);
        let place = place.unwrap_or_else(|| panic!("{at} is not in the schema"));
        place["description"] = descriptions[at].as_str().into();
    }
    let should = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    let command = "UPDATE_FIXTURES=1 cargo test --test suite -- chart::readme";
    check_file(&file, &should, command);
}
