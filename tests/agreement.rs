//! The operator and the CLI give the same answer about the same reference.

use super::operator::{Scene, secret};
use fakecloud::defaults::{self, ASCEND_NOTEBOOK_ID, CREATING_NOTEBOOK_ID, SEED_LITE_SERVER_ID};
use serde_json::Value;
use std::process::Command;

/// A status without what differs from run to run: times, request ids, and messages' echoes of them.
fn comparable(mut status: Value) -> Value {
    let Some(fields) = status.as_object_mut() else {
        return status;
    };
    for field in ["lastCheckedTime", "lastChangedTime"] {
        fields.remove(field);
    }
    if let Some(upstream) = fields.get_mut("upstream").and_then(Value::as_object_mut) {
        upstream.remove("requestID");
    }
    for condition in fields["conditions"].as_array_mut().unwrap() {
        condition
            .as_object_mut()
            .unwrap()
            .remove("lastTransitionTime");
    }
    status
}

#[test]
fn resolve_prints_the_status_that_the_operator_writes() {
    let Some(scene) = Scene::new("agreement") else {
        return;
    };
    let namespace = &scene.namespace;
    let reference = |name: &str, spec: &str| {
        format!(
            "apiVersion: imageref.dev/v1alpha1\nkind: ImageRef\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n---\n"
        )
    };
    let two_tags = defaults::TWO_TAGS_FIRST_NOTEBOOK_ID;
    let image = scene
        .cloud
        .image(fakecloud::ImageApi::Notebook, two_tags)
        .unwrap();
    let rows = [
        (
            "good",
            format!("source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}"),
            "Resolved",
        ),
        (
            "server",
            format!("source: {{liteServer: {{id: {SEED_LITE_SERVER_ID}}}}}"),
            "Resolved",
        ),
        (
            "building",
            format!("source: {{notebook: {{id: {CREATING_NOTEBOOK_ID}}}}}"),
            "ImageNotActive",
        ),
        (
            "two",
            format!("source: {{notebook: {{name: {}}}}}", image["name"]),
            "AmbiguousMatch",
        ),
        (
            "missing",
            "source: {notebook: {name: not-there}}".into(),
            "ImageNotFound",
        ),
        (
            "expected",
            format!(
                "expect: {{arch: [amd64]}}, source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}"
            ),
            "ExpectationFailed",
        ),
        (
            "other-cloud",
            "source: {pai: {id: image-x}}".into(),
            "InvalidSpec",
        ),
    ];
    let refs: String = rows
        .iter()
        .map(|(name, spec, _)| reference(name, spec))
        .collect();
    let url = scene.cloud.url();
    let provider = format!(
        "apiVersion: imageref.dev/v1alpha1\nkind: ImageProvider\nmetadata: {{name: default, namespace: {namespace}}}\nspec:\n  modelArts: {{region: {}, projectId: {}, endpoint: \"{url}\"}}\n  auth: {{secretRef: {{name: huawei}}}}\n---\n",
        defaults::REGION,
        defaults::PROJECT_ID,
    );
    let keys = secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK);
    let all = format!("{refs}{provider}{keys}\n");
    scene.apply(&all);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.yaml");
    std::fs::write(&file, &all).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_imageref"))
        .args(["resolve", "-o", "json", "--no-env", "--insecure-loopback"])
        .arg("--no-registries")
        .args(["--allow-endpoint", &url, "-n", namespace, "-f"])
        .arg(&file)
        .output()
        .unwrap();
    let printed: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let printed = printed["items"].as_array().unwrap();
    assert_eq!(printed.len(), rows.len());
    for (name, _, reason) in &rows {
        let written = scene.wait_reason(name, reason)["status"].clone();
        let item = printed
            .iter()
            .find(|item| item["metadata"]["name"] == *name)
            .unwrap();
        assert_eq!(
            comparable(item["status"].clone()),
            comparable(written),
            "{name}"
        );
    }
}
