//! The good manifests: the API server stores them, `validate()` agrees, defaults included.

use super::rows::{self, KINDS, Row};
use super::schema;
use crate::on_cluster;
use imageref::api::{ClusterImageProvider, ImageCatalog, ImageProvider, ImageRef, validation};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The row as `validate()` leaves it.
fn validated(row: &Row) -> Value {
    let mut object = row.object.clone();
    let violations = validation::validate(&row.kind, &mut object);
    assert_eq!(violations, [], "{}", row.name);
    object
}

/// Reads an object as the operator does, and writes it again.
fn typed(object: &Value) -> Value {
    let object = object.clone();
    let written = match object["kind"].as_str().unwrap() {
        "ImageRef" => serde_json::to_value(serde_json::from_value::<ImageRef>(object).unwrap()),
        "ImageProvider" => {
            serde_json::to_value(serde_json::from_value::<ImageProvider>(object).unwrap())
        }
        "ImageCatalog" => {
            serde_json::to_value(serde_json::from_value::<ImageCatalog>(object).unwrap())
        }
        _ => serde_json::to_value(serde_json::from_value::<ClusterImageProvider>(object).unwrap()),
    };
    written.unwrap()
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[test]
fn good_manifests_pass_without_an_api_server() {
    let rows = rows::good();
    for kind in KINDS {
        assert!(
            rows.iter().any(|row| row.kind == kind),
            "none of kind {kind}"
        );
    }
    for row in &rows {
        validated(row);
    }
}

#[test]
fn the_api_server_stores_good_manifests_with_the_defaults_that_validate_fills_in() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("good");
    let rows = rows::good();
    let items: Vec<_> = rows.iter().map(|row| &row.object).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let args = [
        "create",
        "--dry-run=server",
        "-n",
        &namespace,
        "-o",
        "json",
        "-f",
        "-",
    ];
    let stored = cluster.kubectl_with_stdin(&args, &list).unwrap();
    let stored: Vec<Value> = serde_json::Deserializer::from_str(&stored)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(stored.len(), rows.len());

    for (row, stored) in rows.iter().zip(&stored) {
        let validated = validated(row);
        assert_eq!(
            without_nulls(&stored["spec"]),
            validated["spec"],
            "{}",
            row.name
        );
        // What is null is kept where the schema allows it, and the operator reads it as absent.
        assert_eq!(
            typed(stored)["spec"],
            typed(&validated)["spec"],
            "{}",
            row.name
        );
        if ["ImageRef", "ImageCatalog"].contains(&row.kind.as_str()) {
            assert_eq!(
                stored["status"],
                json!({"observedGeneration": -1}),
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn every_optional_field_may_be_null() {
    let rows = rows::good();
    for kind in KINDS {
        let mut nulls = BTreeSet::new();
        for row in rows.iter().filter(|row| row.kind == kind) {
            collect_nulls(&row.object["spec"], "spec", &mut nulls);
        }
        let mut missing = Vec::new();
        schema::walk(kind, "spec", &mut |path, schema| {
            let required: Vec<_> = schema.required.iter().flatten().collect();
            for name in schema
                .properties
                .iter()
                .flat_map(|properties| properties.keys())
            {
                let path = format!("{path}.{name}");
                if !required.contains(&name) && !nulls.contains(&path) {
                    missing.push(path);
                }
            }
        });
        assert_eq!(
            missing, [""; 0],
            "{kind}: no good manifest has these as null"
        );
    }
}

fn collect_nulls(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Null => {
            found.insert(path.to_owned());
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                collect_nulls(value, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(items) => {
            for item in items {
                collect_nulls(item, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}
