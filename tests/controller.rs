//! The operator against a real API server: what users see of an ImageRef's life.

use super::operator::{Scene, condition, secret};
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
    // Removing the annotation again makes the last value the one that was handled.
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
    // An edited provider that asks the same place is no reason for a call or a write …
    scene.kubectl(&["label", "imageprovider/default", "touched=yes"]);
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
fn an_outage_keeps_the_answer_and_recovery_is_seen() {
    let Some(scene) = Scene::new("outage") else {
        return;
    };
    scene.modelarts("default");
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    let good = scene.wait_reason("one", "Resolved");
    scene
        .cloud
        .set_faults(vec![Fault::always(FaultKind::Internal500)]);
    scene.kubectl(&[
        "annotate",
        "imageref/one",
        "imageref.dev/reconcile-requested-at=a",
    ]);
    let stale = scene.wait_reason("one", "ServingStale");
    assert_eq!(condition(&stale, "Ready")["status"], "True");
    assert_eq!(condition(&stale, "Stale")["reason"], "ProviderError");
    assert_eq!(stale["status"]["swrPath"], good["status"]["swrPath"]);
    // Its back-off goes on: the third failure is the provider's own.
    scene.wait("imageprovider", "default", |o| {
        condition(o, "Ready")["reason"] == "ProviderError"
    });
    scene.cloud.clear_faults();
    let back = scene.wait_reason("one", "Resolved");
    assert!(condition(&back, "Stale").is_null());
    scene.wait("imageprovider", "default", |o| {
        condition(o, "Ready")["status"] == "True"
    });
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
fn an_image_that_goes_is_still_served_until_a_second_look_confirms_it() {
    let Some(scene) = Scene::new("gone") else {
        return;
    };
    scene.modelarts("default");
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    scene.wait_reason("one", "Resolved");
    scene.cloud.remove(ImageApi::Notebook, ASCEND_NOTEBOOK_ID);
    scene.kubectl(&[
        "annotate",
        "imageref/one",
        "imageref.dev/reconcile-requested-at=a",
    ]);
    let stale = scene.wait("imageref", "one", |o| {
        condition(o, "Stale")["status"] == "True"
    });
    assert_eq!(condition(&stale, "Stale")["reason"], "NotFoundUnconfirmed");
    assert_eq!(condition(&stale, "Ready")["status"], "True");
    scene.image_ref("never", &notebook(ASCEND_NOTEBOOK_ID));
    scene.wait_reason("never", "ImageNotFound");
}

#[test]
fn a_throttling_platform_is_left_alone_for_as_long_as_it_asks() {
    let Some(scene) = Scene::new("throttled") else {
        return;
    };
    scene.modelarts("default");
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    scene.wait_reason("one", "Resolved");
    let fault = FaultKind::ThrottledModelArts {
        retry_after_s: Some(3600),
    };
    scene.cloud.set_faults(vec![Fault::always(fault)]);
    let calls = scene.cloud.calls().total();
    scene.kubectl(&[
        "annotate",
        "imageref/one",
        "imageref.dev/reconcile-requested-at=a",
    ]);
    let waits = scene.wait("imageref", "one", |o| {
        !condition(o, "Reconciling").is_null()
    });
    assert_eq!(
        condition(&waits, "Reconciling")["reason"],
        "ReconcileRequested"
    );
    assert_eq!(condition(&waits, "Ready")["status"], "True");
    scene.wait("imageprovider", "default", |o| {
        condition(o, "Throttled")["status"] == "True"
    });
    scene.image_ref("two", &notebook(SEED_NOTEBOOK_ID));
    scene.wait_reason("two", "Progressing");
    assert_eq!(
        scene.cloud.calls().total(),
        calls + 1,
        "one call learned of the pause"
    );
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
fn a_refused_key_is_tried_once_and_a_mended_secret_heals_every_reference() {
    let Some(scene) = Scene::new("refused") else {
        return;
    };
    scene.apply(&secret("huawei", defaults::HUAWEI_AK, "wrong"));
    scene.modelarts_without_secret("default");
    for n in 0..6 {
        scene.image_ref(&format!("r{n}"), &notebook(ASCEND_NOTEBOOK_ID));
    }
    for n in 0..6 {
        scene.wait_reason(&format!("r{n}"), "AuthenticationFailed");
    }
    assert_eq!(
        scene.cloud.calls().total(),
        1,
        "a key is locked after five failures"
    );
    scene.wait("imageprovider", "default", |o| {
        condition(o, "Ready")["reason"] == "AuthenticationFailed"
    });
    scene.apply(&secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK));
    // The Secret is not watched; an edit of the provider has it read at once.
    scene.kubectl(&[
        "patch",
        "imageprovider/default",
        "--type=merge",
        "-p",
        "{\"spec\":{\"modelArts\":{\"workspaceId\":\"0\"}}}",
    ]);
    for n in 0..6 {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
}

#[test]
fn a_provider_that_comes_later_reaches_the_references_that_wait_for_it() {
    let Some(scene) = Scene::new("later") else {
        return;
    };
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    let waiting = scene.wait_reason("one", "Progressing");
    let message = condition(&waiting, "Ready")["message"].to_string();
    assert!(
        message.contains("default") && message.contains(&scene.namespace),
        "{message}"
    );
    scene.modelarts("default");
    scene.wait_reason("one", "Resolved");
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

#[test]
fn a_broken_reference_does_not_hold_up_its_neighbours() {
    let Some(scene) = Scene::new("neighbours") else {
        return;
    };
    scene.modelarts("default");
    scene.pai("pai");
    scene.cloud.set_faults(vec![
        Fault::always(FaultKind::SlowDrip { ms: 500 }).on(Operation::PaiGetImage),
    ]);
    for n in 0..40 {
        scene.image_ref(
            &format!("slow{n}"),
            &format!("timeout: 60s, providerRef: {{kind: ImageProvider, name: pai}}, source: {{pai: {{id: {SEED_PAI_ID}}}}}"),
        );
    }
    scene.image_ref("wrong", "providerRef: {kind: ImageProvider, name: pai}, source: {notebook: {id: 278e88d1-5b71-4766-8502-b3ba72e824d9}}");
    scene.image_ref("good", &notebook(ASCEND_NOTEBOOK_ID));
    scene.wait_reason("good", "Resolved");
    let wrong = scene.wait_reason("wrong", "InvalidSpec");
    assert!(
        condition(&wrong, "Ready")["message"]
            .to_string()
            .contains("spec.modelArts")
    );
}
