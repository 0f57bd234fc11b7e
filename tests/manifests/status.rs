//! The status: a default that says "not yet seen", and no limit that could lose a write.

use super::rows::KINDS;
use super::schema;
use crate::on_cluster;
use cluster::Cluster;
use imageref::api::{ImageRef, ProviderRef};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn get(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    let args = ["get", "imageref", name, "-n", namespace, "-o", "json"];
    serde_json::from_str(&cluster.kubectl(&args).unwrap()).unwrap()
}

fn create(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    let object = json!({
        "apiVersion": "imageref.dev/v1alpha1",
        "kind": "ImageRef",
        "metadata": {"name": name},
        "spec": {"source": {"notebook": {"name": "pytorch"}}},
        "status": {"arch": "amd64"},
    });
    let args = ["create", "-n", namespace, "-f", "-", "-o", "json"];
    let stored = cluster.kubectl_with_stdin(&args, &object.to_string());
    serde_json::from_str(&stored.unwrap()).unwrap()
}

#[test]
fn a_new_image_ref_says_that_it_has_not_been_seen_and_nothing_else() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("status");
    // As stored, before an operator can have seen it.
    let created = create(cluster, &namespace, "new");
    assert_eq!(created["status"], json!({"observedGeneration": -1}));
}

#[test]
fn no_status_schema_can_refuse_a_value_for_its_content() {
    for kind in KINDS {
        let mut default = None;
        schema::walk(kind, "status", &mut |path, schema| {
            let limits = [
                schema.enum_.is_some(),
                schema.pattern.is_some(),
                schema.min_length.or(schema.max_length).is_some(),
                schema.min_items.or(schema.max_items).is_some(),
                schema.min_properties.or(schema.max_properties).is_some(),
                schema.minimum.or(schema.maximum).is_some(),
                schema.multiple_of.is_some(),
                schema.x_kubernetes_validations.is_some(),
            ];
            assert!(
                !limits.contains(&true),
                "{kind}: {path} has a limit: {limits:?}"
            );
            let format = schema.format.as_deref();
            assert!(
                matches!(format, None | Some("date-time" | "int32" | "int64")),
                "{kind}: {path} has format {format:?}"
            );
            if path == "status" {
                default.clone_from(&schema.default);
            }
        });
        let expected = json!({"observedGeneration": -1});
        assert_eq!(default.map(|default| default.0), Some(expected), "{kind}");
    }
}

/// Sets every field of the status, so that none is forgotten: no `..Default::default()`.
fn odd_status() -> Value {
    let long = "长 text, ".repeat(20 * 1024 / 10);
    let words = vec![long.clone(), String::new(), "a b\n\u{0}".into()];
    let map: BTreeMap<_, _> = (0..1000)
        .map(|n| (format!("odd/key {n} é"), long[..30].to_owned()))
        .collect();
    let condition = |type_: &str| {
        json!({
            "type": type_, "status": "Perhaps", "reason": "no CamelCase: ", "message": long,
            "observedGeneration": -7, "lastTransitionTime": "1970-01-01T00:00:00Z",
        })
    };
    let upstream = |name| (name, json!(long));
    let mut verbatim: BTreeMap<&str, Value> = [
        "api",
        "name",
        "tag",
        "organization",
        "workspaceId",
        "type",
        "origin",
        "arch",
        "status",
        "statusMessage",
        "visibility",
        "serviceType",
        "serverType",
        "flavorType",
        "sourceType",
        "sourceId",
        "requestID",
    ]
    .into_iter()
    .map(upstream)
    .collect();
    verbatim.insert("devServices", json!(words));
    verbatim.insert("labels", json!(map));
    let change = json!({
        "time": "1970-01-01T00:00:00Z", "changed": words, "from": map, "to": map, "cause": long,
    });
    json!({
        "observedGeneration": i64::MAX,
        "provider": ProviderRef { kind: "No Kind".into(), name: format!("NOT/a/name {long}") },
        "resolvedFor": long,
        "arch": "riscv64 (new)",
        "status": "A_WORD_OF_TOMORROW",
        "swrPath": long,
        "image": long,
        "digest": "no digest",
        "platforms": words,
        "accelerators": words,
        "imageID": long,
        "sizeBytes": i64::MIN,
        "upstreamCreatedTime": "yesterday",
        "upstreamUpdatedTime": "",
        "upstream": verbatim,
        "lastChangedTime": "9999-12-30T00:00:00Z",
        "lastCheckedTime": "0001-01-01T00:00:00Z",
        "consecutiveFailures": i32::MIN,
        "lastHandledReconcileAt": long,
        "history": vec![change; 3],
        "conditions": [condition("Ready"), condition("never seen"), condition(&long)],
    })
}

#[test]
fn a_status_of_odd_values_is_written_and_read_back_as_it_was() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("odd");
    create(cluster, &namespace, "odd");
    let status = odd_status();
    let mut fields: Vec<_> = status
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    schema::walk("ImageRef", "status", &mut |path, _| {
        if let Some(name) = path.strip_prefix("status.") {
            fields.retain(|field| *field != name);
            let top = name.split(['.', '[']).next().unwrap();
            assert!(status.get(top).is_some(), "the odd status lacks {top}");
        }
    });
    assert_eq!(fields, [""; 0], "not in the schema");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({"status": status}).to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    let args = [
        "patch",
        "imageref",
        "odd",
        "-n",
        &namespace,
        "--subresource=status",
        "--type=merge",
        "--patch-file",
        path,
    ];
    cluster.kubectl(&args).unwrap();
    let stored = get(cluster, &namespace, "odd");
    assert_eq!(stored["status"], status);
    let read: ImageRef = serde_json::from_value(stored).unwrap();
    assert_eq!(
        read.status.unwrap().status.as_deref(),
        Some("A_WORD_OF_TOMORROW")
    );
}

#[test]
fn the_status_of_a_catalogue_takes_whatever_a_platform_says() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("odd-catalog");
    let object = json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageCatalog",
        "metadata": {"name": "odd"}, "spec": {},
    });
    let args = ["create", "-n", &namespace, "-f", "-"];
    cluster
        .kubectl_with_stdin(&args, &object.to_string())
        .unwrap();
    let long = "长 <text>, ".repeat(10);
    let words = vec![long.clone(), String::new(), "a b\n".into()];
    let image = json!({
        "ref": long, "usable": false, "reason": "no CamelCase: ", "arch": long,
        "status": long, "accelerators": words, "digest": "no digest",
    });
    let images: BTreeMap<_, _> = (0..1000)
        .map(|n| (format!("odd/key {n} é"), image.clone()))
        .collect();
    let status = json!({
        "observedGeneration": i64::MAX,
        "refs": i64::MIN,
        "lastChangedTime": "9999-12-30T00:00:00Z",
        "images": images,
        "overflow": {"refs": -1, "names": words},
        "conditions": [{
            "type": "never seen", "status": "Perhaps", "reason": "no CamelCase: ", "message": long,
            "observedGeneration": -7, "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({"status": status}).to_string()).unwrap();
    let sent = file.path().to_str().unwrap();
    let patch = ["--subresource=status", "--type=merge", "--patch-file", sent];
    cluster
        .kubectl(
            &[
                &["patch", "imagecatalog", "odd", "-n", &namespace],
                &patch[..],
            ]
            .concat(),
        )
        .unwrap();
    let args = ["get", "imgcat", "odd", "-n", &namespace, "-o", "json"];
    let stored: Value = serde_json::from_str(&cluster.kubectl(&args).unwrap()).unwrap();
    assert_eq!(stored["status"], status);
    let read: imageref::api::ImageCatalog = serde_json::from_value(stored).unwrap();
    assert_eq!(read.status.unwrap().images.len(), 1000);
}
