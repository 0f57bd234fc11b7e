//! A backup is restored: `ImageRefs` and catalogues without their statuses, as Velero does it.
//!
//! Owns what is kept of an object in a backup, and what must be the same after it. The invariant that
//! would break first: until an answer is there again nothing is allowed by it, and nothing is asked
//! once for each reference.

use crate::metrics::NOTEBOOKS;
use crate::operator::{Scene, condition};
use crate::plugin::imageref;
use crate::process::own_scene;
use crate::tenants::{cluster_provider, system_secret};
use fakecloud::Operation;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;

/// References to each image.
const EACH: usize = 4;

const REFS: usize = EACH * NOTEBOOKS.len();

/// A page of images of each type.
const ONE_LIST: u64 = 2;

/// The manifest of one of them.
fn reference(n: usize) -> String {
    let id = NOTEBOOKS[n % NOTEBOOKS.len()];
    format!(
        "---\n{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: r{n:02}}},
          spec: {{providerRef: {{kind: ClusterImageProvider, name: prod}}, source: {{notebook: {{id: {id}}}}}}}}}\n"
    )
}

fn scene_with_refs() -> Option<Scene> {
    let mut scene = own_scene(true)?;
    scene.start_operator();
    system_secret(&scene, "prod");
    let everybody = "allowedNamespaces: {selector: {}}";
    scene.apply(&cluster_provider(&scene, "prod", everybody));
    let mut all: String = (0..REFS).map(reference).collect();
    all.push_str("---\n{apiVersion: imageref.dev/v1alpha1, kind: ImageCatalog, metadata: {name: admission}, spec: {}}\n");
    scene.apply(&all);
    scene.kubectl(&[
        "label",
        "namespace",
        "team",
        "imageref.dev/admission=enforce",
    ]);
    Some(scene)
}

fn answered(scene: &Scene) -> Value {
    let all = || -> Value {
        serde_json::from_str(&scene.kubectl(&["get", "imagerefs", "-o", "json"])).unwrap()
    };
    scene.kubectl(&[
        "wait",
        "--for=condition=Ready",
        "--timeout=120s",
        "imagerefs",
        "--all",
    ]);
    let listed = all();
    assert_eq!(listed["items"].as_array().unwrap().len(), REFS);
    listed
}

/// What a status says of the image and the verdict, by name: neither times nor the ids of requests.
fn facts(listed: &Value) -> BTreeMap<String, Value> {
    let one = |object: &Value| {
        let mut status = object["status"].clone();
        let fields = status.as_object_mut().unwrap();
        for time in [
            "lastCheckedTime",
            "lastChangedTime",
            "lastHandledReconcileAt",
        ] {
            fields.remove(time);
        }
        fields["upstream"]
            .as_object_mut()
            .unwrap()
            .remove("requestID");
        for condition in fields["conditions"].as_array_mut().unwrap() {
            condition
                .as_object_mut()
                .unwrap()
                .remove("lastTransitionTime");
        }
        (
            object["metadata"]["name"].as_str().unwrap().to_owned(),
            status,
        )
    };
    listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(one)
        .collect()
}

/// As a backup keeps objects: nothing that the cluster gave them, and no status.
fn backup(listed: &Value) -> String {
    let mut listed = listed.clone();
    for object in listed["items"].as_array_mut().unwrap() {
        object.as_object_mut().unwrap().remove("status");
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| {
            ["name", "namespace", "labels", "annotations"].contains(&key.as_str())
        });
        metadata.insert(
            "labels".into(),
            json!({"velero.io/restore-name": "nightly"}),
        );
    }
    listed["metadata"] = json!({});
    listed.to_string()
}

/// Deletes everything; nothing keeps an object.
fn delete(scene: &Scene, listed: &Value) {
    for object in listed["items"].as_array().unwrap() {
        let metadata = &object["metadata"];
        assert_eq!(metadata["finalizers"], Value::Null);
        assert_eq!(metadata["ownerReferences"], Value::Null);
    }
    scene.kubectl(&[
        "delete",
        "imagerefs,imagecatalogs",
        "--all",
        "--wait=true",
        "--timeout=30s",
    ]);
}

fn catalog(scene: &Scene, wanted: impl Fn(&Value) -> bool) -> Value {
    let found = scene.wait("imagecatalog", "admission", |object| {
        condition(object, "Ready")["status"] == "True" && wanted(&object["status"]["images"])
    });
    found["status"]["images"].clone()
}

/// What admission says of a pod with this image: 0 it passes, 1 it is refused.
fn verdict(scene: &Scene, image: &str) -> (i32, String) {
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "team"},
        "spec": {"containers": [{"name": "main", "image": image}]},
    });
    file.write_all(pod.to_string().as_bytes()).unwrap();
    let arguments = format!("check --cluster -f {}", file.path().display());
    let folder = file.path().parent().unwrap();
    let ran = imageref(scene.cluster.kubeconfig_path(), folder, &arguments);
    (ran.code, ran.stdout)
}

/// A backup of what is there, with everything deleted.
struct Kept {
    refs: String,
    catalogs: String,
    facts: BTreeMap<String, Value>,
    images: Value,
    image: String,
}

fn keep(scene: &Scene) -> Kept {
    let listed = answered(scene);
    let images = catalog(scene, |images| {
        images.as_object().is_some_and(|all| !all.is_empty())
    });
    let catalogs = scene.kubectl(&["get", "imagecatalogs", "-o", "json"]);
    let image = listed["items"][0]["status"]["image"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(verdict(scene, &image).0, 0);
    delete(scene, &listed);
    Kept {
        refs: backup(&listed),
        catalogs: backup(&serde_json::from_str(&catalogs).unwrap()),
        facts: facts(&listed),
        images,
        image,
    }
}

fn assert_back(scene: &Scene, kept: &Kept) {
    let listed = answered(scene);
    assert_eq!(facts(&listed), kept.facts);
    assert_eq!(catalog(scene, |images| *images == kept.images), kept.images);
    assert_eq!(verdict(scene, &kept.image).0, 0);
}

#[test]
fn statuses_that_a_backup_lacks_come_back_equal_and_cost_no_call_a_reference() {
    let Some(mut scene) = scene_with_refs() else {
        return;
    };
    let kept = keep(&scene);

    // With the operator running.
    scene.cloud.reset_calls();
    scene.apply(&kept.refs);
    scene.apply(&kept.catalogs);
    assert_back(&scene, &kept);
    let calls = scene.cloud.calls();
    assert!(calls.of(Operation::ListImage) <= ONE_LIST, "{calls:?}");
    assert_eq!(calls.of(Operation::ShowImage), 0, "{calls:?}");

    // With the operator away, which then starts in a cluster that it has never seen.
    let again = keep(&scene);
    assert_eq!(again.facts, kept.facts);
    scene.operator.take().unwrap().stop().unwrap();
    scene.cloud.reset_calls();
    scene.apply(&kept.refs);
    scene.apply(&kept.catalogs);
    let (code, said) = verdict(&scene, &kept.image);
    assert_eq!(code, 1, "nothing is allowed by what is not known: {said}");
    assert!(
        said.contains("no ImageRef in team names it (UnknownImage)"),
        "{said}"
    );
    let status = imageref(
        scene.cluster.kubeconfig_path(),
        std::path::Path::new("/"),
        "status -n team",
    );
    assert_eq!(status.code, 1);
    assert!(
        status
            .stdout
            .ends_with(&format!("\n{REFS} ImageRefs: 0 ready, {REFS} not\n")),
        "{}",
        status.stdout
    );
    assert_eq!(scene.cloud.calls().total(), 0);
    scene.start_operator();
    assert_back(&scene, &kept);
    let calls = scene.cloud.calls();
    assert_eq!(calls.of(Operation::ListImage), ONE_LIST, "{calls:?}");
    assert_eq!(calls.of(Operation::ShowImage), 0, "{calls:?}");
}
