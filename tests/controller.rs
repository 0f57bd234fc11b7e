//! The operator against a real API server: what users see of an ImageRef's life.

use super::operator::{Scene, condition};
use fakecloud::defaults::{
    self, ASCEND_NOTEBOOK_ID, SEED_LITE_SERVER_ID, SEED_NOTEBOOK_ID, SEED_PAI_ID,
};
use fakecloud::{Fault, FaultKind, ImageApi, Operation};
use serde_json::json;

fn notebook(id: &str) -> String {
    format!("source: {{notebook: {{id: {id}}}}}")
}

#[test]
fn an_image_of_each_api_resolves_and_kubectl_wait_sees_it() {
    let Some(scene) = Scene::new("each-api") else {
        return;
    };
    scene.modelarts("default");
    scene.pai("pai");
    scene.image_ref("notebook", &notebook(ASCEND_NOTEBOOK_ID));
    scene.image_ref(
        "server",
        &format!("source: {{liteServer: {{id: {SEED_LITE_SERVER_ID}}}}}"),
    );
    scene.image_ref(
        "pai",
        &format!("providerRef: {{kind: ImageProvider, name: pai}}, source: {{pai: {{id: {SEED_PAI_ID}}}}}"),
    );
    for name in ["notebook", "server", "pai"] {
        let object = format!("imageref/{name}");
        scene.kubectl(&["wait", "--for=condition=Ready", "--timeout=30s", &object]);
    }
    let notebook = scene.get("imageref", "notebook")["status"].clone();
    let path = scene
        .cloud
        .image(ImageApi::Notebook, ASCEND_NOTEBOOK_ID)
        .unwrap()["swr_path"]
        .clone();
    assert_eq!(notebook["swrPath"], path);
    assert_eq!(notebook["image"], path);
    assert_eq!(notebook["arch"], "arm64");
    assert_eq!(notebook["status"], "ACTIVE");
    assert_eq!(notebook["imageID"], ASCEND_NOTEBOOK_ID);
    assert_eq!(notebook["observedGeneration"], 1);
    assert_eq!(
        notebook["provider"],
        json!({"kind": "ImageProvider", "name": "default"})
    );
    let server = scene.get("imageref", "server")["status"].clone();
    assert_eq!(
        (&server["arch"], &server["swrPath"]),
        (&json!("arm64"), &json!(null))
    );
    assert_eq!(server["upstream"]["serverType"], "BMS");
    let pai = scene.get("imageref", "pai")["status"].clone();
    assert_eq!(pai["arch"], json!(null));
    assert_eq!(
        pai["image"],
        "registry.cn-hangzhou.aliyuncs.******ession/nlp:gpu"
    );
    assert_eq!(pai["accelerators"], json!(["GPU"]));
}

#[test]
fn an_image_is_found_by_exact_name_among_both_types() {
    let Some(scene) = Scene::new("by-name") else {
        return;
    };
    scene.modelarts("default");
    let name = "pytorch1.8-cuda10.2-cudnn7-ubuntu18.04";
    scene.image_ref("preset", &format!("source: {{notebook: {{name: {name}}}}}"));
    scene.wait_reason("preset", "Resolved");
    scene.image_ref("prefix", "source: {notebook: {name: pytorch1.8}}");
    let missing = scene.wait_reason("prefix", "ImageNotFound");
    assert_eq!(missing["status"]["status"], "DELETED");
    let own = scene
        .cloud
        .image(ImageApi::Notebook, ASCEND_NOTEBOOK_ID)
        .unwrap();
    scene.image_ref(
        "own",
        &format!("source: {{notebook: {{name: {}}}}}", own["name"]),
    );
    assert_eq!(
        scene.wait_reason("own", "Resolved")["status"]["imageID"],
        ASCEND_NOTEBOOK_ID
    );
}

#[test]
fn a_name_with_two_images_lists_the_candidates_and_a_tag_decides() {
    let Some(scene) = Scene::new("ambiguous") else {
        return;
    };
    scene.modelarts("default");
    let first = defaults::TWO_TAGS_FIRST_NOTEBOOK_ID;
    let image = scene.cloud.image(ImageApi::Notebook, first).unwrap();
    let (name, tag) = (
        image["name"].as_str().unwrap(),
        image["tag"].as_str().unwrap(),
    );
    scene.image_ref("two", &format!("source: {{notebook: {{name: {name}}}}}"));
    let two = scene.wait_reason("two", "AmbiguousMatch");
    let message = condition(&two, "Ready")["message"].to_string();
    for id in [first, defaults::TWO_TAGS_SECOND_NOTEBOOK_ID] {
        assert!(message.contains(id), "{message}");
    }
    scene.image_ref(
        "two",
        &format!("source: {{notebook: {{name: {name}, tag: \"{tag}\"}}}}"),
    );
    assert_eq!(
        scene.wait_reason("two", "Resolved")["status"]["imageID"],
        first
    );
}

#[test]
fn an_upstream_change_shows_as_drift_with_history_and_the_annotation_acknowledges_it() {
    let Some(scene) = Scene::new("drift") else {
        return;
    };
    scene.modelarts("default");
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    let before = scene.wait_reason("one", "Resolved");
    assert!(
        scene
            .cloud
            .update(ImageApi::Notebook, ASCEND_NOTEBOOK_ID, |image| {
                image["swr_path"] = json!("swr.cn-north-4.myhuaweicloud.com/ai-team/moved:2");
                image["tag"] = json!("2");
            })
    );
    let request = |value: &str| {
        let annotation = format!("imageref.dev/reconcile-requested-at={value}");
        scene.kubectl(&["annotate", "--overwrite", "imageref/one", &annotation]);
    };
    request("first");
    let after = scene.wait("imageref", "one", |o| {
        condition(o, "Drifted")["status"] == "True"
    });
    assert_eq!(condition(&after, "Drifted")["reason"], "PathChanged");
    assert_eq!(after["status"]["lastHandledReconcileAt"], "first");
    assert_eq!(
        after["status"]["history"][0]["from"]["swrPath"],
        before["status"]["swrPath"]
    );
    assert_eq!(after["status"]["upstream"]["tag"], "2");
    request("second");
    let seen = scene.wait("imageref", "one", |o| {
        o["status"]["lastHandledReconcileAt"] == "second"
    });
    assert!(condition(&seen, "Drifted").is_null());
    assert_eq!(seen["status"]["history"].as_array().unwrap().len(), 1);
}

#[test]
fn an_unchanged_answer_is_not_written_again() {
    let Some(scene) = Scene::new("unchanged") else {
        return;
    };
    scene.modelarts("default");
    scene.image_ref("one", &notebook(SEED_NOTEBOOK_ID));
    scene.wait_reason("one", "Resolved");
    let looks = || scene.cloud.calls().of(Operation::ShowImage);
    scene.kubectl(&[
        "annotate",
        "imageref/one",
        "imageref.dev/reconcile-requested-at=a",
    ]);
    scene.wait("imageref", "one", |o| {
        o["status"]["lastHandledReconcileAt"] == "a"
    });
    let (version, before) = (
        scene.get("imageref", "one")["metadata"]["resourceVersion"].clone(),
        looks(),
    );
    // An edited provider that asks the same place has its references considered, and is no reason
    // for a call or a write …
    let same_place = r#"{"spec": {"modelArts": {"workspaceId": "0"}}}"#;
    let patch = [
        "patch",
        "imageprovider/default",
        "--type=merge",
        "-p",
        same_place,
    ];
    scene.kubectl(&patch);
    scene.wait("imageprovider", "default", |o| {
        o["status"]["observedGeneration"] == 2
    });
    // … nor is an event of another object; a marker shows that the operator is past both.
    scene.image_ref("marker", &notebook(ASCEND_NOTEBOOK_ID));
    scene.wait_reason("marker", "Resolved");
    assert_eq!(
        scene.get("imageref", "one")["metadata"]["resourceVersion"],
        version
    );
    assert_eq!(looks(), before + 1, "the marker's look only");
}

#[test]
fn an_edited_source_drops_the_old_answer_before_the_new_one_is_known() {
    let Some(scene) = Scene::new("edited") else {
        return;
    };
    scene.modelarts("default");
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    scene.wait_reason("one", "Resolved");
    let slow = Fault::always(FaultKind::Latency { ms: 4000 }).on(Operation::ShowImage);
    scene.cloud.set_faults(vec![slow]);
    scene.image_ref("one", &notebook(SEED_NOTEBOOK_ID));
    let between = scene.wait_reason("one", "Progressing");
    assert!(between["status"]["image"].is_null() && between["status"]["arch"].is_null());
    assert_eq!(
        condition(&between, "Reconciling")["reason"],
        "NewGeneration"
    );
    let after = scene.wait_reason("one", "Resolved");
    assert_eq!(after["status"]["imageID"], SEED_NOTEBOOK_ID);
    assert_eq!(
        after["status"]["history"],
        json!(null),
        "another image has no history here"
    );
}

#[test]
fn an_expectation_is_judged_on_the_stored_facts_without_a_call() {
    let Some(scene) = Scene::new("expect") else {
        return;
    };
    scene.modelarts("default");
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    scene.wait_reason("one", "Resolved");
    let before = scene.cloud.calls().total();
    scene.image_ref(
        "one",
        &format!(
            "expect: {{arch: [amd64]}}, {}",
            notebook(ASCEND_NOTEBOOK_ID)
        ),
    );
    let failed = scene.wait_reason("one", "ExpectationFailed");
    assert_eq!(condition(&failed, "Compliant")["reason"], "ArchMismatch");
    let message = condition(&failed, "Ready")["message"].to_string();
    assert!(
        message.contains("amd64") && message.contains("arm64"),
        "{message}"
    );
    assert_eq!(scene.cloud.calls().total(), before);
    let events = scene.kubectl(&["get", "events", "-o", "jsonpath={.items[*].reason}"]);
    assert!(events.contains("ExpectationFailed"), "{events}");
}

#[test]
fn a_request_during_a_look_gets_a_look_of_its_own() {
    let Some(scene) = Scene::new("requests") else {
        return;
    };
    scene.modelarts("default");
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    scene.wait_reason("one", "Resolved");
    let slow = Fault::always(FaultKind::Latency { ms: 3000 }).on(Operation::ShowImage);
    scene.cloud.set_faults(vec![slow]);
    let looks = || scene.cloud.calls().of(Operation::ShowImage);
    let request = |value: &str| {
        let annotation = format!("imageref.dev/reconcile-requested-at={value}");
        scene.kubectl(&["annotate", "--overwrite", "imageref/one", &annotation]);
    };
    let before = looks();
    request("first");
    scene.wait("imageref", "one", |_| looks() > before);
    request("second");
    scene.wait("imageref", "one", |o| {
        o["status"]["lastHandledReconcileAt"] == "second"
    });
    assert_eq!(looks(), before + 2);
}

#[test]
fn a_suspended_reference_is_not_looked_up_and_says_so() {
    let Some(scene) = Scene::new("suspended") else {
        return;
    };
    scene.modelarts("default");
    scene.image_ref(
        "one",
        &format!("suspend: true, {}", notebook(ASCEND_NOTEBOOK_ID)),
    );
    scene.wait_reason("one", "Suspended");
    assert_eq!(scene.cloud.calls().total(), 0);
    scene.image_ref(
        "one",
        &format!("suspend: false, {}", notebook(ASCEND_NOTEBOOK_ID)),
    );
    scene.wait_reason("one", "Resolved");
}
