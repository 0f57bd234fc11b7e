//! The operator that keeps catalogues, on a real API server.

use crate::metrics::{NOTEBOOKS, address, get, sum};
use crate::operator::{Scene, condition, start_with};
use crate::process::own_scene;
use crate::tenants::{cluster_provider, system_secret, through};
use fakecloud::ImageApi;
use fakecloud::defaults::{ASCEND_NOTEBOOK_ID, SEED_NOTEBOOK_ID};
use imageref::admission::catalogue::{COALESCED, ROOM};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::Write as _;

/// An operator of the scene's own, with this configuration of admission and further arguments.
fn start(scene: &mut Scene, admission: &str, more: &[&str]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(admission.as_bytes()).unwrap();
    let url = scene.cloud.url();
    let path = file.path().to_str().unwrap().to_owned();
    let mut args = vec!["--insecure-loopback".to_owned()];
    args.extend([
        "--allow-endpoint".into(),
        url,
        "--admission-config".into(),
        path,
    ]);
    args.extend(more.iter().map(ToString::to_string));
    scene.operator = Some(start_with(scene.cluster, "operator", args, Vec::new()));
    file
}

fn provider(scene: &Scene) {
    system_secret(scene, "prod");
    let everybody = "allowedNamespaces: {selector: {}}";
    scene.apply(&cluster_provider(scene, "prod", everybody));
}

fn catalog(scene: &Scene, spec: &str) {
    scene.apply(&format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ImageCatalog, metadata: {{name: admission}}, spec: {{{spec}}}}}"
    ));
}

/// References in a catalogue.
fn refs(catalog: &Value) -> Vec<String> {
    let images = catalog["status"]["images"].as_object();
    let mut refs: Vec<_> = images
        .into_iter()
        .flatten()
        .map(|(_, image)| image["ref"].as_str().unwrap().to_owned())
        .collect();
    refs.sort();
    refs.dedup();
    refs
}

/// Another image than [`through`].
fn seed(kind: &str, name: &str) -> String {
    format!(
        "providerRef: {{kind: {kind}, name: {name}}}, source: {{notebook: {{id: {SEED_NOTEBOOK_ID}}}}}"
    )
}

fn request(scene: &Scene, name: &str, value: &str) {
    let annotation = format!("imageref.dev/reconcile-requested-at={value}");
    let object = format!("imageref/{name}");
    scene.kubectl(&["annotate", "--overwrite", &object, &annotation]);
}

fn changed(catalog: &Value) -> Timestamp {
    let time = catalog["status"]["lastChangedTime"].as_str().unwrap();
    time.parse().unwrap()
}

#[test]
fn a_catalogue_has_what_counts_and_loses_at_once_what_may_not_be_used() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    scene
        .cluster
        .kubectl(&["create", "namespace", "shared"])
        .unwrap();
    let _file = start(&mut scene, "sharedNamespaces: [shared]", &[]);
    provider(&scene);
    scene.modelarts("own");
    scene.image_ref("torch", &through("ClusterImageProvider", "prod"));
    scene.image_ref("mine", &through("ImageProvider", "own"));
    let shared = Scene {
        namespace: "shared".into(),
        cloud: scene.cloud.clone(),
        operator: None,
        shared: None,
        cluster: scene.cluster,
    };
    shared.image_ref("base", &seed("ClusterImageProvider", "prod"));
    let torch = scene.wait_reason("torch", "Resolved");
    scene.wait_reason("mine", "Resolved");
    shared.wait_reason("base", "Resolved");
    catalog(&scene, "");

    scene.kubectl(&[
        "wait",
        "--for=condition=Ready",
        "--timeout=60s",
        "imgcat/admission",
    ]);
    let first = scene.wait("imagecatalog", "admission", |o| refs(o).len() == 2);
    assert_eq!(refs(&first), ["shared/base", "team/torch"]);
    assert_eq!(first["status"]["refs"], 2);
    assert_eq!(first["status"]["observedGeneration"], 1);
    assert_eq!(condition(&first, "Ready")["reason"], "CatalogComplete");
    let image = torch["status"]["image"].as_str().unwrap();
    let entry = &first["status"]["images"][image];
    assert_eq!(
        (&entry["usable"], &entry["arch"], &entry["status"]),
        (&json!(true), &json!("arm64"), &json!("ACTIVE"))
    );

    // The platform retires an image: the catalogue says so before its minute is over.
    assert!(
        scene
            .cloud
            .update(ImageApi::Notebook, ASCEND_NOTEBOOK_ID, |image| {
                image["status"] = json!("INACTIVE");
            })
    );
    request(&scene, "torch", "1");
    let retired = scene.wait("imagecatalog", "admission", |o| {
        o["status"]["images"][image]["usable"] == json!(false)
    });
    let entry = &retired["status"]["images"][image];
    assert_eq!(entry["reason"], "ImageNotActive");
    let gap = changed(&retired).duration_since(changed(&first));
    assert!(gap.unsigned_abs() < COALESCED, "{gap}");

    // What somebody else wrote into the status is corrected.
    let forged =
        json!({"status": {"images": {"docker.io/library/evil:1": {"ref": "a/b", "usable": true}}}});
    scene.kubectl(&[
        "patch",
        "imgcat/admission",
        "--subresource=status",
        "--type=merge",
        "-p",
        &forged.to_string(),
    ]);
    scene.wait("imagecatalog", "admission", |o| {
        refs(o) == ["shared/base", "team/torch"]
    });

    // A reference that goes takes its image along, also one of a shared namespace.
    shared.kubectl(&["delete", "imageref/base"]);
    let left = scene.wait("imagecatalog", "admission", |o| refs(o) == ["team/torch"]);

    // What is no news writes nothing: the marker is resolved later.
    request(&scene, "torch", "2");
    scene.image_ref("marker", &seed("ImageProvider", "own"));
    scene.wait_reason("marker", "Resolved");
    scene.wait("imageref", "torch", |o| {
        o["status"]["lastHandledReconcileAt"] == "2"
    });
    let now = scene.get("imagecatalog", "admission");
    assert_eq!(
        now["metadata"]["resourceVersion"],
        left["metadata"]["resourceVersion"]
    );
    let (_, metrics) = get(&address(&scene), "/metrics");
    let writes = ["kind=\"ImageCatalog\"", "result=\"written\""];
    let writes = sum(&metrics, "imageref_status_writes_total", &writes);
    assert!((4.0..=6.0).contains(&writes), "{writes}");

    // A restart finds everything as it should be.
    scene.operator.take().unwrap().stop().unwrap();
    let _file = start(&mut scene, "sharedNamespaces: [shared]", &[]);
    scene.image_ref("marker2", &seed("ImageProvider", "own"));
    scene.wait_reason("marker2", "Resolved");
    let after = scene.get("imagecatalog", "admission");
    assert_eq!(
        after["metadata"]["resourceVersion"],
        left["metadata"]["resourceVersion"]
    );
}

#[test]
fn a_catalogue_follows_its_selector_and_works_where_only_some_namespaces_are_served() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let _file = start(
        &mut scene,
        "trust: any\nsharedNamespaces: [elsewhere]",
        &["--namespaces", "team"],
    );
    scene.modelarts("default");
    for (name, id) in [("prod", ASCEND_NOTEBOOK_ID), ("test", SEED_NOTEBOOK_ID)] {
        scene.image_ref(name, &format!("source: {{notebook: {{id: {id}}}}}"));
        scene.kubectl(&["label", "imageref", name, &format!("stage={name}")]);
        scene.wait_reason(name, "Resolved");
    }
    catalog(&scene, "selector: {matchLabels: {stage: prod}}");
    scene.wait("imagecatalog", "admission", |o| refs(o) == ["team/prod"]);
    assert!(
        scene.operator_log().contains("elsewhere"),
        "a shared namespace that is not served"
    );
    // Without its label it is of the catalogue no more; that is seen at once.
    scene.kubectl(&["label", "imageref", "prod", "stage-"]);
    scene.wait("imagecatalog", "admission", |o| refs(o).is_empty());
    catalog(&scene, "selector: {}");
    let both = scene.wait("imagecatalog", "admission", |o| {
        o["status"]["observedGeneration"] == 2
    });
    assert_eq!(both["status"]["refs"], 2);
}

/// Most of the room is taken by the spec: what is left is known to the byte.
#[test]
fn a_catalogue_without_room_is_stored_within_a_megabyte_and_says_so() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let values = vec!["x".repeat(97); (ROOM - 16 * 1024 - 1500) / 100];
    let object = json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageCatalog",
        "metadata": {"name": "admission"},
        "spec": {"selector": {"matchExpressions": [{"key": "none", "operator": "NotIn", "values": values}]}},
    });
    let args = ["create", "-n", "team", "-f", "-"];
    scene
        .cluster
        .kubectl_with_stdin(&args, &object.to_string())
        .unwrap();
    let _file = start(&mut scene, "trust: any", &[]);
    scene.modelarts("default");
    for (n, id) in NOTEBOOKS.into_iter().enumerate() {
        scene.image_ref(
            &format!("r{n}"),
            &format!("source: {{notebook: {{id: {id}}}}}"),
        );
    }
    for n in 0..NOTEBOOKS.len() {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
    let full = scene.wait("imagecatalog", "admission", |o| {
        let (inside, out) = counts(o);
        condition(o, "Ready")["reason"] == "CatalogFull" && inside + out == 5
    });
    let (inside, out) = counts(&full);
    assert!(inside > 0 && out > 0, "{inside} and {out}");
    assert_eq!(
        full["status"]["overflow"]["names"].as_array().map(Vec::len),
        usize::try_from(out).ok()
    );
    assert_eq!(condition(&full, "Stalled")["reason"], "CatalogFull");
    let path = "/apis/imageref.dev/v1alpha1/namespaces/team/imagecatalogs/admission";
    let stored = scene.kubectl(&["get", "--raw", path]);
    assert!(stored.len() <= ROOM, "{}", stored.len());
    assert!(stored.len() > ROOM - 24 * 1024, "{}", stored.len());
}

/// References in it, and left out.
fn counts(catalog: &Value) -> (i64, i64) {
    let status = &catalog["status"];
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    (number(&status["refs"]), number(&status["overflow"]["refs"]))
}
