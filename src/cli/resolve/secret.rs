//! A Secret in a file: its values, and what is wrong with them.
//!
//! Owns `data` and `stringData`. The invariant that would break first: a problem never shows a value,
//! and shows a key only if it is one that providers read.

use crate::cli::input::Candidate;
use crate::cli::input::document::{Node, Tree};
use crate::cli::input::problem::{Problem, nearest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

const FIELDS: [&str; 7] = [
    "apiVersion",
    "kind",
    "metadata",
    "data",
    "stringData",
    "type",
    "immutable",
];

/// The keys that providers read.
const KEYS: [&str; 7] = [
    "accessKeyId",
    "accessKeySecret",
    "securityToken",
    "authToken",
    "domainName",
    "userName",
    "password",
];

/// Reads the values; those of `stringData` win, as in a cluster.
pub(super) fn data(
    candidate: &Candidate<'_>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Vec<u8>> {
    let mut complain = |path: &str, line: u64, message: String| {
        let mut problem = candidate.problem(path, message);
        problem.line = Some(line);
        problems.push(problem);
    };
    for (name, node) in candidate.object.node.entries() {
        if !FIELDS.contains(&name.as_str()) {
            let message = match nearest(name, &FIELDS) {
                Some(meant) => format!("unknown field: did you mean {meant}?"),
                None => "unknown field: credentials go below stringData or data".into(),
            };
            complain("", node.line, message);
        }
    }
    let mut values = BTreeMap::new();
    for field in ["data", "stringData"] {
        let Some(node) = candidate.object.node.get(field) else {
            continue;
        };
        if !matches!(node.tree, Tree::Map(_) | Tree::Null) {
            complain(field, node.line, "must be a map of keys and values".into());
        }
        for (key, value) in node.entries() {
            let path = if KEYS.contains(&key.as_str()) {
                format!("{field}.{key}")
            } else {
                field.to_owned()
            };
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if key.is_empty() || !key.bytes().all(plain) {
                let message = "a key must consist of letters, digits, '-', '_' and '.'; after it come a colon and a space";
                complain(&path, value.line, message.into());
                continue;
            }
            match read(field, value) {
                Ok(Some(value)) => {
                    values.insert(key.clone(), value);
                }
                Ok(None) => {}
                Err(message) => complain(&path, value.line, message.into()),
            }
        }
    }
    values
}

fn read(field: &str, value: &Node) -> Result<Option<Vec<u8>>, &'static str> {
    match &value.tree {
        Tree::Null => Ok(None),
        Tree::Text(text) if field == "stringData" => Ok(Some(text.clone().into_bytes())),
        Tree::Text(text) => {
            let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            STANDARD
                .decode(text)
                .map(Some)
                .map_err(|_| "must be base64; stringData takes the value as it is")
        }
        _ => Err("must be a text: put it in quotes"),
    }
}
