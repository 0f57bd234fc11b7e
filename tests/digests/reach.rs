//! An operator that is told to ask no registry.

use super::*;
use crate::process::own_scene;

#[test]
fn without_registries_nothing_is_asked_and_what_was_read_stays() {
    if !cluster::require_registry() {
        return;
    }
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let (guarded, front) = runtime().block_on(async {
        let guarded = guarded(vec![scene.cloud.clone()]).await;
        let front = Front::of(&guarded.registry).await;
        (guarded, front)
    });
    let host = "registry.swr-pro.myhuaweicloud.com";
    let depot = guarded.depot("public/app");
    let digest = runtime().block_on(depot.single("public/app", Some("1"), true, "linux/arm64", ""));
    scene
        .cloud
        .update(ImageApi::Notebook, defaults::ASCEND_NOTEBOOK_ID, |image| {
            image["swr_path"] = format!("{host}/public/app:1").into();
        });
    let args = || flags([&scene.cloud], &guarded, &[(host, front.origin())]);
    let (with, mut without) = (args(), args());
    without.push("--no-registries".to_owned());
    scene.operator = Some(operator::start_with(
        scene.cluster,
        "operator",
        with,
        reading(),
    ));
    scene.modelarts("default");
    scene.image_ref("old", &source(defaults::ASCEND_NOTEBOOK_ID));
    scene.wait("imageref", "old", |o| {
        o["status"]["digest"] == digest.as_str()
    });
    scene.operator.take().unwrap().stop().unwrap();
    front.drain();

    scene.operator = Some(operator::start_with(
        scene.cluster,
        "operator",
        without,
        Vec::new(),
    ));
    scene.image_ref("new", &source(defaults::ASCEND_NOTEBOOK_ID));
    let new = scene.wait_reason("new", "Resolved");
    assert_eq!(new["status"]["digest"], Value::Null);
    scene.kubectl(&[
        "annotate",
        "imageref",
        "old",
        "imageref.dev/reconcile-requested-at=1",
    ]);
    let old = scene.wait("imageref", "old", |o| {
        o["status"]["lastHandledReconcileAt"] == "1"
    });
    assert_eq!(old["status"]["digest"], digest.as_str());
    for object in [&old, &new] {
        assert_eq!(condition(object, "Ready")["status"], "True");
        assert!(condition(object, "Stale").is_null(), "{object:#}");
    }
    assert!(front.drain().is_empty());
}
