//! A provider that was stored under an older CRD and does not fit this one.

use super::super::operator::{condition, secret};
use super::*;
use crate::process::own_scene;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The CRD as it was before: it let everything through.
fn loosened() -> String {
    let found = imageref::api::crd::crds()
        .into_iter()
        .find(|crd| crd.spec.names.kind == "ClusterImageProvider");
    let mut crd: Value = serde_json::to_value(found.unwrap()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    crd.to_string()
}

/// A provider for every namespace.
fn offered(scene: &Scene, name: &str) -> String {
    let rest = "allowedNamespaces: {selector: {}},";
    let auth = "{secretRef: {name: huawei}}";
    modelarts(scene, "ClusterImageProvider", name, auth, rest)
}

#[test]
fn a_provider_that_cannot_be_read_takes_no_answer_away_and_is_written_once() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    scene.start_operator();
    let key = secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK);
    let in_system = ["apply", "-n", SYSTEM, "-f", "-"];
    scene.cluster.kubectl_with_stdin(&in_system, &key).unwrap();
    scene.apply(&offered(&scene, "shared"));
    let spec = reference("ClusterImageProvider", "shared", false);
    scene.image_ref("r", &spec);
    let before = scene.wait_reason("r", "Resolved");
    scene.operator.take().unwrap().stop().unwrap();

    let replace = ["replace", "-f", "-"];
    scene
        .cluster
        .kubectl_with_stdin(&replace, &loosened())
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let patch = [
        "patch",
        "clusterimageprovider",
        "shared",
        "--type=merge",
        "-p",
        r#"{"spec":{"suspend":"perhaps"}}"#,
    ];
    // A changed CRD is served a moment after it was accepted.
    while scene.cluster.kubectl(&patch).is_err() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(200));
    }
    let strict = on_cluster::crds_yaml();
    scene.cluster.kubectl_with_stdin(&replace, &strict).unwrap();

    scene.start_operator();
    let unread = scene.wait("clusterimageprovider", "shared", |o| {
        condition(o, "Ready")["reason"] == "InvalidSpec"
    });
    let message = condition(&unread, "Ready")["message"].to_string();
    assert!(message.contains("does not fit the kind"), "{message}");
    // Another start considers it again and finds nothing to write.
    scene.operator.take().unwrap().stop().unwrap();
    scene.start_operator();
    for marker in ["marker-1", "marker-2"] {
        scene.apply(&offered(&scene, marker));
        let reference = reference("ClusterImageProvider", marker, false);
        scene.image_ref(marker, &reference);
        scene.wait_reason(marker, "Resolved");
    }
    let now = scene.get("clusterimageprovider", "shared");
    assert_eq!(
        now["metadata"]["resourceVersion"], unread["metadata"]["resourceVersion"],
        "{now:#}"
    );
    // Its references keep what they know, also when they look again.
    scene.kubectl(&[
        "annotate",
        "imageref/r",
        "imageref.dev/reconcile-requested-at=now",
    ]);
    scene.image_ref("late", &spec);
    let late = scene.wait_reason("late", "Progressing");
    let message = condition(&late, "Ready")["message"].to_string();
    assert!(message.contains("does not fit the kind"), "{message}");
    let after = scene.get("imageref", "r");
    assert_eq!(after["status"]["image"], before["status"]["image"]);
    assert!(!after["status"]["image"].is_null());
}
