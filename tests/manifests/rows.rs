//! The tables of manifests, read from YAML.
//!
//! Owns their format: `$a*65` in a text is that many letters, `$[a*5]` a list of that many. Must
//! not know what becomes of a manifest. The invariant that would break first: names are unique,
//! so a failure points at one row.

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) const KINDS: [&str; 4] = [
    "ImageRef",
    "ImageProvider",
    "ClusterImageProvider",
    "ImageCatalog",
];

/// One row for one kind.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) object: Value,
    /// Every violation, as `path: message`; empty for a good manifest.
    pub(crate) says: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    /// Both kinds of provider if left out; the cluster kind then gets `allowedNamespaces`.
    kind: Option<String>,
    /// Left out: the object has no spec.
    spec: Option<Value>,
    #[serde(default)]
    says: Vec<String>,
}

pub(crate) fn good() -> Vec<Row> {
    read(&[
        include_str!("good.yaml"),
        include_str!("good-limits.yaml"),
        include_str!("good-registries.yaml"),
        include_str!("good-catalogs.yaml"),
    ])
}

pub(crate) fn bad() -> Vec<Row> {
    read(&[
        include_str!("bad-sources.yaml"),
        include_str!("bad-image-refs.yaml"),
        include_str!("bad-providers.yaml"),
        include_str!("bad-limits.yaml"),
        include_str!("bad-registries.yaml"),
        include_str!("bad-catalogs.yaml"),
    ])
}

fn read(files: &[&str]) -> Vec<Row> {
    let written = files
        .iter()
        .flat_map(|text| serde_saphyr::from_str::<Vec<Written>>(text).unwrap());
    let mut names = BTreeSet::new();
    let mut rows = Vec::new();
    for row in written {
        assert!(
            names.insert(row.name.clone()),
            "two rows named {}",
            row.name
        );
        let kinds = match &row.kind {
            Some(kind) => vec![kind.as_str()],
            None => vec!["ImageProvider", "ClusterImageProvider"],
        };
        for kind in kinds {
            let mut object = json!({
                "apiVersion": "imageref.dev/v1alpha1",
                "kind": kind,
                "metadata": {"name": row.name.to_lowercase().replace(", ", "-").replace(' ', "-")},
            });
            if let Some(spec) = &row.spec {
                object["spec"] = expand(spec);
            }
            if kind == "ClusterImageProvider" && row.kind.is_none() {
                object["spec"]["allowedNamespaces"] = json!({"selector": {}});
            }
            rows.push(Row {
                name: row.name.clone(),
                kind: kind.to_owned(),
                object,
                says: row.says.clone(),
            });
        }
    }
    rows
}

/// Writes out `$a*65`.
pub(crate) fn expand(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let times = |text: &str| {
                let (unit, count) = text.split_once('*').unwrap();
                vec![unit.to_owned(); count.parse().unwrap()]
            };
            match text.strip_prefix('$') {
                Some(list) if list.starts_with('[') => json!(times(&list[1..list.len() - 1])),
                Some(long) => json!(times(long).concat()),
                None => value.clone(),
            }
        }
        Value::Array(items) => items.iter().map(expand).collect(),
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), expand(v))).collect(),
        other => other.clone(),
    }
}
