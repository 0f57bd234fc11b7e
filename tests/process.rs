//! The operator's process: crashes, stops, and an API server that goes away or holds surprises.

use super::on_cluster;
use super::operator::{self, Scene, condition};
use cluster::Cluster;
use fakecloud::defaults::{self, ASCEND_NOTEBOOK_ID, SEED_NOTEBOOK_ID};
use fakecloud::{FakeCloud, Operation};
use serde_json::json;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A cluster of the test's own, with the CRDs, and a cloud.
pub(crate) fn own_scene(crds: bool) -> Option<Scene> {
    if !cluster::require() {
        return None;
    }
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start().unwrap()));
    if crds {
        on_cluster::apply_crds(cluster);
    }
    cluster.kubectl(&["create", "namespace", "team"]).unwrap();
    let cloud = operator::runtime().block_on(FakeCloud::start());
    Some(Scene {
        cluster,
        cloud: cloud.into(),
        namespace: "team".into(),
        operator: None,
        shared: None,
    })
}

fn notebook(id: &str) -> String {
    format!("source: {{notebook: {{id: {id}}}}}")
}

#[test]
fn after_kill_9_and_a_restart_nothing_is_asked_or_written_again() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    scene.start_operator();
    scene.modelarts("default");
    scene.image_ref("good", &notebook(ASCEND_NOTEBOOK_ID));
    scene.image_ref("gone", &notebook("00000000-0000-4000-8000-000000000000"));
    scene.wait_reason("good", "Resolved");
    scene.wait_reason("gone", "ImageNotFound");
    scene.operator.take().unwrap().stop().unwrap();
    let version = |scene: &Scene, name: &str| {
        scene.get("imageref", name)["metadata"]["resourceVersion"].clone()
    };
    let before = (
        version(&scene, "good"),
        version(&scene, "gone"),
        scene.cloud.calls().total(),
    );
    scene.start_operator();
    // The marker is listed with the others, so they have been considered when it is resolved; the
    // edited expectation shows that the old ones are still taken care of.
    scene.image_ref("marker", &notebook(SEED_NOTEBOOK_ID));
    scene.wait_reason("marker", "Resolved");
    assert_eq!(
        (version(&scene, "good"), version(&scene, "gone")),
        (before.0, before.1)
    );
    assert_eq!(
        scene.cloud.calls().total(),
        before.2 + 1,
        "the marker's look"
    );
    scene.image_ref(
        "good",
        &format!(
            "expect: {{arch: [amd64]}}, {}",
            notebook(ASCEND_NOTEBOOK_ID)
        ),
    );
    scene.wait_reason("good", "ExpectationFailed");
}

/// The operator as a child of the test's own, to which signals can be sent.
fn start_child(scene: &mut Scene) -> Child {
    // Only to set up the rights and to have a kubeconfig of the ServiceAccount.
    scene.start_operator();
    scene.operator.take().unwrap().stop().unwrap();
    let token = scene
        .cluster
        .service_account_token("imageref-system", "imageref")
        .unwrap();
    let kubeconfig = scene.cluster.kubeconfig_with_token(&token).unwrap();
    let log = std::fs::File::create(child_log(scene)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_imageref"))
        .args([
            "controller",
            "--insecure-loopback",
            "--no-registries",
            "--allow-endpoint",
            &scene.cloud.url(),
        ])
        .env("KUBECONFIG", kubeconfig)
        .env("IMAGEREF_METRICS_ADDRESS", "")
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Where the child's log is.
fn child_log(scene: &Scene) -> PathBuf {
    scene.cluster.folder().join("child.log")
}

/// Sends SIGTERM and waits for the end; `None` if it had to be killed.
fn terminate(child: &mut Child) -> Option<ExitStatus> {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(sent.success());
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    None
}

#[test]
fn sigterm_finishes_the_look_under_way_and_exits_0() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    scene.modelarts("default");
    let slow = fakecloud::FaultKind::Latency { ms: 2000 };
    scene.cloud.set_faults(vec![fakecloud::Fault::always(slow)]);
    let mut child = start_child(&mut scene);
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    let deadline = Instant::now() + Duration::from_secs(30);
    // The fake counts a call when it arrives, before its latency.
    while scene.cloud.calls().of(Operation::ShowImage) == 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let status = terminate(&mut child);
    assert!(status.is_some_and(|s| s.success()), "{status:?}");
    let object = scene.get("imageref", "one");
    assert_eq!(
        condition(&object, "Ready")["reason"],
        "Resolved",
        "the look was finished"
    );
}

#[test]
fn sigterm_before_the_first_listing_exits_0() {
    let Some(mut scene) = own_scene(false) else {
        return;
    };
    let mut child = start_child(&mut scene);
    // It serves signals by then, and waits for kinds that are not there.
    let waits = || std::fs::read_to_string(child_log(&scene)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !waits().contains("the watch of ImageProviders failed") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = terminate(&mut child);
    assert!(status.is_some_and(|s| s.success()), "{status:?}");
}

#[test]
fn a_missing_crd_and_a_restarted_api_server_are_waited_for() {
    let Some(mut scene) = own_scene(false) else {
        return;
    };
    scene.start_operator();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !scene
        .operator_log()
        .contains("the watch of ImageProviders failed")
    {
        assert!(Instant::now() < deadline, "{}", scene.operator_log());
        std::thread::sleep(Duration::from_millis(50));
    }
    on_cluster::apply_crds(scene.cluster);
    scene.modelarts("default");
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    // The watches back off to half a minute while the CRDs are missing.
    let wait = [
        "wait",
        "--for=condition=Ready",
        "--timeout=90s",
        "imageref/one",
    ];
    scene.kubectl(&wait);
    scene.cluster.restart_apiserver().unwrap();
    scene.image_ref("two", &notebook(SEED_NOTEBOOK_ID));
    scene.kubectl(&[
        "wait",
        "--for=condition=Ready",
        "--timeout=90s",
        "imageref/two",
    ]);
}

#[test]
fn an_object_that_cannot_be_read_says_so_and_stops_nobody_else() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    // What an older CRD let through: a number where this one has text.
    let loosened = on_cluster::crds_yaml();
    let mut crd: serde_json::Value = serde_json::to_value(
        imageref::api::crd::crds()
            .into_iter()
            .find(|c| c.spec.names.kind == "ImageRef")
            .unwrap(),
    )
    .unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    crd["spec"]["versions"][0]
        .as_object_mut()
        .unwrap()
        .remove("selectableFields");
    scene
        .cluster
        .kubectl_with_stdin(&["replace", "-f", "-"], &crd.to_string())
        .unwrap();
    let source = json!({"notebook": {"id": ASCEND_NOTEBOOK_ID}});
    let bad = [
        ("bad", json!({"suspend": "perhaps", "source": source})),
        // The rules about this field make the API server refuse every write onto the object.
        ("worse", json!({"interval": 3600, "source": source})),
    ];
    let deadline = Instant::now() + Duration::from_secs(30);
    for (name, spec) in bad {
        let object = json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
            "metadata": {"name": name, "namespace": "team"}, "spec": spec
        });
        let create = ["create", "--validate=false", "-f", "-"];
        // A changed CRD is served a moment after it was accepted.
        while scene
            .cluster
            .kubectl_with_stdin(&create, &object.to_string())
            .is_err()
        {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    scene
        .cluster
        .kubectl_with_stdin(&["replace", "-f", "-"], &loosened)
        .unwrap();
    scene.modelarts("default");
    scene.image_ref("good", &notebook(ASCEND_NOTEBOOK_ID));
    scene.start_operator();
    scene.wait_reason("good", "Resolved");
    let unread = scene.wait_reason("bad", "InvalidSpec");
    let message = condition(&unread, "Ready")["message"].to_string();
    assert!(message.contains("does not fit the kind"), "{message}");
    assert!(
        !scene.operator_log().contains("could not be written"),
        "a written status counts as written: {}",
        scene.operator_log()
    );
    // Another reconcile finds nothing to write.
    scene.kubectl(&["annotate", "imageref/bad", "touched=yes"]);
    let version = |name: &str| scene.get("imageref", name)["metadata"]["resourceVersion"].clone();
    let written = version("bad");
    scene.image_ref("marker", &notebook(SEED_NOTEBOOK_ID));
    scene.wait_reason("marker", "Resolved");
    assert_eq!(version("bad"), written);
    let events = || {
        let select = "--field-selector=involvedObject.name=worse";
        scene.kubectl(&[
            "get",
            "events",
            select,
            "-o",
            "jsonpath={.items[*].message}",
        ])
    };
    while !events().contains("the status cannot be written") {
        assert!(
            Instant::now() < deadline + Duration::from_secs(30),
            "{}",
            scene.operator_log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_an_older_crd_does_not_keep_is_named_and_no_change_and_comes_with_the_newer_one() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let crds = imageref::api::crd::crds();
    let crd = crds.iter().find(|c| c.spec.names.kind == "ImageRef");
    let newer = serde_json::to_value(crd.unwrap()).unwrap();
    let mut older = newer.clone();
    let schema = &mut older["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let fields = schema["properties"]["status"]["properties"].as_object_mut();
    fields.unwrap().remove("accelerators").unwrap();
    let replace = |crd: &serde_json::Value| {
        let replace = ["replace", "-f", "-"];
        let crd = crd.to_string();
        scene.cluster.kubectl_with_stdin(&replace, &crd).unwrap();
    };
    replace(&older);
    scene.modelarts("default");
    scene.image_ref("one", &notebook(ASCEND_NOTEBOOK_ID));
    scene.start_operator();
    scene.wait_reason("one", "Resolved");
    let deadline = Instant::now() + Duration::from_secs(90);
    // A changed CRD is served a moment after it was accepted.
    let mut looks = 0;
    let mut look_until = |done: &dyn Fn(&serde_json::Value) -> bool| {
        loop {
            looks += 1;
            let value = looks.to_string();
            let request = format!("imageref.dev/reconcile-requested-at={value}");
            scene.kubectl(&["annotate", "--overwrite", "imageref/one", &request]);
            let is_handled = |object: &serde_json::Value| {
                object["status"]["lastHandledReconcileAt"] == value.as_str()
            };
            let mut object = scene.get("imageref", "one");
            while !is_handled(&object) {
                assert!(Instant::now() < deadline, "{}", scene.operator_log());
                std::thread::sleep(Duration::from_millis(100));
                object = scene.get("imageref", "one");
            }
            if done(&object) {
                return object;
            }
        }
    };
    let named = "the installed CRD of ImageRef does not have this field";
    look_until(&|_| scene.operator_log().contains(named));
    assert!(scene.operator_log().contains("status.accelerators"));
    let object = look_until(&|object| object["status"]["accelerators"].is_null());
    assert!(object["status"]["history"].is_null(), "{object}");
    let log = scene.operator_log();
    assert_eq!(log.matches(named).count(), 1, "{log}");
    replace(&newer);
    let object = look_until(&|object| object["status"]["accelerators"].is_array());
    assert!(object["status"]["history"].is_null(), "{object}");
}

#[test]
fn at_level_trace_no_credential_and_no_signature_reaches_the_log() {
    use base64::Engine as _;
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let args = [
        "--insecure-loopback",
        "--allow-endpoint",
        &scene.cloud.url(),
        "--log",
        "trace",
    ];
    let args = args.map(str::to_owned).to_vec();
    scene.operator = Some(operator::start_with(
        scene.cluster,
        "operator",
        args,
        Vec::new(),
    ));
    scene.modelarts("default");
    scene.pai("pai");
    scene.apply(&format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: token}}, stringData: {{authToken: {}}}}}",
        defaults::AUTH_TOKEN
    ));
    scene.apply(&format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ImageProvider, metadata: {{name: token}},
          spec: {{modelArts: {{region: {}, projectId: {}, endpoint: \"{}\"}}, auth: {{secretRef: {{name: token}}}}}}}}",
        defaults::REGION,
        defaults::PROJECT_ID,
        scene.cloud.url()
    ));
    let through = |name: &str, source: &str| {
        format!("providerRef: {{kind: ImageProvider, name: {name}}}, source: {source}")
    };
    let image = format!("{{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}");
    scene.image_ref("keys", &through("default", &image));
    scene.image_ref("token", &through("token", &image));
    let image = format!("{{pai: {{id: {}}}}}", defaults::SEED_PAI_ID);
    scene.image_ref("pai", &through("pai", &image));
    for name in ["keys", "token", "pai"] {
        scene.wait_reason(name, "Resolved");
    }
    let log = scene.operator_log();
    assert!(log.contains("TRACE"), "it is not at level trace");
    let secrets = [
        defaults::HUAWEI_SK,
        defaults::ALIBABA_SECRET,
        defaults::AUTH_TOKEN,
    ];
    for secret in secrets {
        let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!log.contains(&encoded), "{secret} is in the log, in base64");
    }
    for header in ["Signature=", "Bearer ey", "ACS3-HMAC-SHA256 Credential"] {
        assert!(!log.contains(header), "the log has {header}");
    }
}
