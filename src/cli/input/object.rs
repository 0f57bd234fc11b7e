//! One object of the operator's kinds: its name, its rules, its typed form.
//!
//! Owns the checks of `metadata` and the advice that goes with a violation. The rules of the spec
//! are those of the CRD (`api::validation`). The invariant that would break first: every violation
//! names the line of its field.

use super::Candidate;
use super::document::{Node, Tree};
use super::problem::{Problem, advice, name_only};
use crate::api::{crd, duration, validation};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The label that the API server puts on every namespace.
pub(in crate::cli) const NAME_LABEL: &str = "kubernetes.io/metadata.name";

const METADATA: [&str; 15] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "generateName",
    "finalizers",
    "ownerReferences",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
];

/// Reads the namespace and the name, and checks what `metadata` holds. Only names that can be names
/// are kept, so that nothing else is printed as one.
///
/// `may_be_generated`: `generateName` is a name too, with `*` for what a cluster would add.
pub(in crate::cli) fn identify(
    candidate: &mut Candidate<'_>,
    may_be_generated: bool,
) -> Vec<Problem> {
    let mut found: Vec<(String, String)> = Vec::new();
    let nothing = Node {
        line: candidate.object.node.line,
        tree: Tree::Null,
    };
    let metadata = candidate.object.node.get("metadata").unwrap_or(&nothing);
    let generated = metadata
        .get("generateName")
        .and_then(Node::text)
        .filter(|prefix| is_subdomain(&format!("{prefix}x")))
        .map(|prefix| format!("{prefix}*"));
    if matches!(metadata.tree, Tree::Map(_) | Tree::Null) {
        match metadata.get("name").filter(|name| !name.is_null()) {
            Some(name) => match name.text() {
                Some(name) if is_subdomain(name) => candidate.name = name.into(),
                Some(_) => found.push((
                    "metadata.name".into(),
                    "must be at most 253 lower-case letters, digits, '-' and '.', and begin and end with a letter or digit".into(),
                )),
                None => found.push(("metadata.name".into(), "must be a text: put it in quotes".into())),
            },
            None if may_be_generated && generated.is_some() => {
                candidate.name = generated.unwrap_or_default();
            }
            None if metadata.get("generateName").is_some() && !may_be_generated => found.push((
                "metadata.generateName".into(),
                "a generated name is known to a cluster only: write name".into(),
            )),
            None => found.push(("metadata.name".into(), "is missing: add it".into())),
        }
    } else {
        found.push(("metadata".into(), "must be a map with a name".into()));
    }
    if candidate.namespace.is_some()
        && let Some(namespace) = metadata.get("namespace").filter(|n| !n.is_null())
    {
        match namespace.text() {
            // kubectl takes an empty one for none.
            Some("") => {}
            Some(namespace) if is_label(namespace) => candidate.namespace = Some(namespace.into()),
            _ => found.push((
                "metadata.namespace".into(),
                "must be at most 63 lower-case letters, digits and '-', and begin and end with a letter or digit".into(),
            )),
        }
    }
    for (key, value) in metadata.entries() {
        if !METADATA.contains(&key.as_str()) {
            let path = format!("metadata.{}", name_only(key));
            found.push((path, format!("unknown field{}", advice(key, METADATA))));
        } else if matches!(key.as_str(), "labels" | "annotations") {
            texts(value, key, &mut found);
        }
    }
    let is_secret = candidate.object.kind == "Secret";
    let problems = found.into_iter().map(|(path, message)| {
        let mut problem = candidate.problem(&path, message);
        if is_secret {
            // A key may be a value that slipped: the field of `metadata` is enough with its line.
            let fields = METADATA.map(|field| format!("metadata.{field}"));
            let field = fields
                .into_iter()
                .filter(|field| path.starts_with(field.as_str()))
                .max_by_key(String::len);
            problem.path = field.unwrap_or_else(|| "metadata".into());
        }
        problem
    });
    problems.collect()
}

/// Labels and annotations are maps of texts.
fn texts(map: &Node, name: &str, found: &mut Vec<(String, String)>) {
    if !matches!(map.tree, Tree::Map(_) | Tree::Null) {
        found.push((format!("metadata.{name}"), "must be a map".into()));
    }
    for (key, value) in map.entries() {
        if value.text().is_none() && !value.is_null() {
            let path = format!("metadata.{name}.{key}");
            found.push((path, "must be a text: put it in quotes".into()));
        }
    }
}

/// Checks an object by the rules of its CRD and gives it its type.
pub(in crate::cli) fn read<T: DeserializeOwned>(
    candidate: &Candidate<'_>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let mut value = candidate.object.to_value();
    if let Some(object) = value.as_object_mut() {
        // What an earlier run or a cluster found out is not asked for.
        object.remove("status");
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            match &candidate.namespace {
                Some(namespace) => metadata.insert("namespace".into(), namespace.clone().into()),
                None => metadata.remove("namespace"),
            };
        }
    }
    let violations = validation::validate(candidate.object.kind, &mut value);
    if !violations.is_empty() {
        problems.extend(violations.iter().map(|v| explain(candidate, v)));
        return None;
    }
    if candidate.name.is_empty() {
        return None;
    }
    match serde_path_to_error::deserialize(value) {
        Ok(object) => Some(object),
        Err(error) => {
            let path = error.path().to_string();
            problems.push(candidate.problem(&path, "cannot be read as this field of the kind"));
            None
        }
    }
}

fn explain(candidate: &Candidate<'_>, violation: &validation::Violation) -> Problem {
    let path = violation.path.trim_start_matches('.');
    let message = &violation.message;
    if message == "unknown field" {
        let (parent, name) = candidate.split(path);
        let mut problem = candidate.problem(
            path,
            format!(
                "unknown field{}",
                advice(
                    name,
                    known(candidate.object.kind, parent)
                        .iter()
                        .map(String::as_str)
                )
            ),
        );
        let shown = name_only(name);
        problem.path = if parent.is_empty() {
            shown
        } else {
            format!("{parent}.{shown}")
        };
        return problem;
    }
    if message.contains(duration::PATTERN) {
        let message = "must be a duration in h, m, s and ms, such as 90s or 1h30m; 7d is 168h";
        return candidate.problem(path, message);
    }
    // The API server's words: `must be of type string: "integer"`.
    let types = message
        .strip_prefix("must be of type ")
        .and_then(|rest| rest.split_once(": "));
    let message = match types {
        Some((wanted, is)) => format!("must be of type {wanted}, is {}", is.trim_matches('"')),
        None => message.clone(),
    };
    let fix = match (message.as_str(), types) {
        ("Required value", _) => ": add it",
        (_, Some(("string", "\"integer\"" | "\"number\"" | "\"boolean\""))) => ": put it in quotes",
        (_, Some(("array", "\"string\""))) => ": write it as a list, [like, this]",
        (_, Some(("boolean", "\"string\""))) => ": write true or false without quotes",
        _ => "",
    };
    candidate.problem(path, format!("{message}{fix}"))
}

impl Candidate<'_> {
    /// The path of the parent and the last key, which may hold dots itself.
    fn split<'p>(&self, path: &'p str) -> (&'p str, &'p str) {
        let mut node = self.object.node;
        let mut rest = path;
        loop {
            let next = node
                .entries()
                .iter()
                .filter_map(|(key, child)| {
                    let after = rest.strip_prefix(key.as_str())?.strip_prefix('.')?;
                    Some((child, after))
                })
                .min_by_key(|(_, after)| after.len());
            match next {
                Some((child, after)) => (node, rest) = (child, after),
                // Items of lists in this API are texts, labels' requirements aside.
                None => break,
            }
        }
        let parent = &path[..path.len() - rest.len()];
        match rest.rsplit_once("].") {
            Some((list, name)) => (&path[..=parent.len() + list.len()], name),
            None => (parent.trim_end_matches('.'), rest),
        }
    }
}

/// The fields that the schema knows at `path`.
fn known(kind: &str, path: &str) -> Vec<String> {
    let Some(mut schema) = crd::schema(kind) else {
        return Vec::new();
    };
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (name, index) = step
            .split_once('[')
            .map_or((step, None), |(n, i)| (n, Some(i)));
        let Some(mut next) = schema.properties.and_then(|mut p| p.remove(name)) else {
            return Vec::new();
        };
        if index.is_some() {
            match next.items {
                Some(JSONSchemaPropsOrArray::Schema(each)) => next = *each,
                _ => return Vec::new(),
            }
        }
        schema = next;
    }
    let mut names: Vec<_> = properties(&schema);
    if path.is_empty() {
        names.retain(|name| name != "status");
        names.extend(["apiVersion", "kind", "metadata"].map(String::from));
        names.sort();
        names.dedup();
    }
    names
}

fn properties(schema: &JSONSchemaProps) -> Vec<String> {
    schema
        .properties
        .iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

/// A label of RFC 1123: the name of a namespace.
pub(in crate::cli) fn is_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    text.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// A subdomain of RFC 1123: the name of most objects. Its parts may be longer than a label.
fn is_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|part| {
            let edge =
                |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            edge(part.as_bytes().first())
                && edge(part.as_bytes().last())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_cluster_takes() {
        for name in ["a", "a-b", "a.b-c.d", "0", &"a".repeat(253)] {
            assert!(is_subdomain(name), "{name}");
        }
        for name in [
            "",
            "-a",
            "a-",
            "A",
            "a_b",
            "a..b",
            ".a",
            "a/b",
            "a b",
            &"a".repeat(254),
        ] {
            assert!(!is_subdomain(name), "{name}");
        }
        assert!(is_label("ai-team") && !is_label("a.b") && !is_label(&"a".repeat(64)));
    }

    #[test]
    fn the_fields_of_every_level_are_known() {
        assert_eq!(
            known("ImageRef", ""),
            ["apiVersion", "kind", "metadata", "spec"]
        );
        assert_eq!(
            known("ImageRef", "spec.source"),
            ["liteServer", "notebook", "pai"]
        );
        let path = "spec.allowedNamespaces.selector.matchExpressions[0]";
        assert_eq!(
            known("ClusterImageProvider", path),
            ["key", "operator", "values"]
        );
        assert!(known("ImageRef", "spec.nothing").is_empty());
    }
}
