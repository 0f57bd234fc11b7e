//! The operator when a platform, a key or a provider fails: what users see, and what the platform sees.

use super::operator::{Scene, condition, secret};
use fakecloud::defaults::{self, ASCEND_NOTEBOOK_ID, SEED_NOTEBOOK_ID, SEED_PAI_ID};
use fakecloud::{Fault, FaultKind, ImageApi, Operation};
use std::time::{Duration, Instant};

fn notebook(id: &str) -> String {
    format!("source: {{notebook: {{id: {id}}}}}")
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

#[test]
fn a_platform_that_hangs_shows_on_every_reference_without_each_waiting_for_it() {
    let Some(scene) = Scene::new("hangs") else {
        return;
    };
    scene.modelarts("default");
    let count = 30;
    let documents: Vec<String> = (0..count)
        .map(|n| {
            format!(
                "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: r{n}}}, spec: {{timeout: 10s, {}}}}}",
                notebook(ASCEND_NOTEBOOK_ID)
            )
        })
        .collect();
    scene.apply(&documents.join("\n---\n"));
    for n in 0..count {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
    scene.cloud.set_faults(vec![
        Fault::always(FaultKind::Latency { ms: 600_000 }).on(Operation::ShowImage),
    ]);
    let before = scene.cloud.calls().total();
    scene.kubectl(&[
        "annotate",
        "imageref",
        "--all",
        "imageref.dev/reconcile-requested-at=a",
    ]);
    for n in 0..count {
        let stale = scene.wait_reason(&format!("r{n}"), "ServingStale");
        assert_eq!(condition(&stale, "Stale")["reason"], "ProviderUnreachable");
    }
    let calls = scene.cloud.calls().total() - before;
    assert!(
        calls < 15,
        "{calls} of {count} waited for an answer of their own"
    );
    scene.cloud.clear_faults();
    // The next caller's success wakes those who are stale, whatever their back-off.
    for n in 0..count {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
}

#[test]
fn an_outage_opens_the_breaker_once_and_an_answer_closes_it() {
    let Some(scene) = Scene::new("breaker") else {
        return;
    };
    scene.modelarts("default");
    scene.wait("imageprovider", "default", |o| {
        o["status"]["breaker"] == "Closed"
    });
    scene
        .cloud
        .set_faults(vec![Fault::always(FaultKind::Internal500)]);
    for n in 0..8 {
        scene.image_ref(&format!("r{n}"), &notebook(ASCEND_NOTEBOOK_ID));
    }
    let open = scene.wait("imageprovider", "default", |o| {
        o["status"]["breaker"] == "Open"
    });
    assert_eq!(condition(&open, "Ready")["reason"], "ProviderError");
    // Another look sees whether it is over, and that writes nothing.
    let asked = scene.cloud.calls().total();
    scene.wait("imageprovider", "default", |_| {
        scene.cloud.calls().total() > asked
    });
    let still = scene.get("imageprovider", "default");
    assert_eq!(
        still["metadata"]["resourceVersion"],
        open["metadata"]["resourceVersion"]
    );
    scene.cloud.clear_faults();
    for n in 0..8 {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
    let closed = scene.wait("imageprovider", "default", |o| {
        o["status"]["breaker"] == "Closed"
    });
    assert_eq!(condition(&closed, "Ready")["status"], "True");
    // A provider that asks nobody has none.
    scene.kubectl(&[
        "patch",
        "imageprovider/default",
        "--type=merge",
        "-p",
        "{\"spec\":{\"suspend\":true}}",
    ]);
    scene.wait("imageprovider", "default", |o| {
        condition(o, "Ready")["reason"] == "Suspended" && o["status"]["breaker"].is_null()
    });
}

#[test]
fn a_platform_that_hangs_does_not_hold_up_another_ones_reference() {
    let (Some(hanging), Some(healthy)) = (Scene::new("bulkhead-a"), Scene::new("bulkhead-b"))
    else {
        return;
    };
    for scene in [&hanging, &healthy] {
        scene.modelarts("default");
        // An unproven key would be tried by one call at a time.
        scene.image_ref("first", &notebook(ASCEND_NOTEBOOK_ID));
        scene.wait_reason("first", "Resolved");
    }
    hanging
        .cloud
        .set_faults(vec![Fault::always(FaultKind::Latency { ms: 600_000 })]);
    let documents: Vec<String> = (0..200)
        .map(|n| {
            let id = format!("00000000-0000-4000-8000-{n:012}");
            format!(
                "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: r{n}}}, spec: {{timeout: 60s, {}}}}}",
                notebook(&id)
            )
        })
        .collect();
    hanging.apply(&documents.join("\n---\n"));
    hanging.wait("imageprovider", "default", |_| {
        hanging.cloud.calls().total() > 1
    });
    let begun = Instant::now();
    healthy.image_ref("new", &notebook(ASCEND_NOTEBOOK_ID));
    healthy.wait_reason("new", "Resolved");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let calls = hanging.cloud.calls().total() - 1;
    assert!(
        (1..=4).contains(&calls),
        "{calls}: spec.limits.maxConcurrent, and all still hang"
    );
}

#[test]
fn a_wrong_key_that_many_providers_name_is_tried_three_times_at_most() {
    let Some(scene) = Scene::new("shared-key") else {
        return;
    };
    let account = scene.cloud.huawei_accounts()[defaults::HUAWEI_AK].clone();
    scene.cloud.add_huawei_account("AKSHARED", account);
    scene.apply(&secret("huawei", "AKSHARED", "wrong"));
    let url = scene.cloud.url();
    let documents: Vec<String> = (0..8)
        .flat_map(|n| {
            let provider = format!(
                "{{apiVersion: imageref.dev/v1alpha1, kind: ImageProvider, metadata: {{name: p{n}}},
                  spec: {{modelArts: {{region: cn-north-4, projectId: p{n}, endpoint: \"{url}\"}}, auth: {{secretRef: {{name: huawei}}}}}}}}"
            );
            let reference = format!(
                "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: r{n}}}, spec: {{providerRef: {{kind: ImageProvider, name: p{n}}}, {}}}}}",
                notebook(ASCEND_NOTEBOOK_ID)
            );
            [provider, reference]
        })
        .collect();
    scene.apply(&documents.join("\n---\n"));
    for n in 0..8 {
        scene.wait_reason(&format!("r{n}"), "AuthenticationFailed");
    }
    let calls = scene.cloud.calls().total();
    assert!(calls <= 3, "{calls}: more than five in a row lock the key");
}
