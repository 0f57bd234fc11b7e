//! Updates are judged by what they change.

use super::world::{TORCH, World, declared, pod, pod_with};
use imageref::admission::{
    Configuration, Context, Decision, Known, KnownRef, Operation, extract, verdict,
};
use serde_json::{Value, json};

fn update(old: &Value, new: &Value) -> Decision {
    let arm = KnownRef {
        arch: Some("arm64".into()),
        ..declared("torch", &format!("{TORCH}:1"))
    };
    let world = World {
        update_of: Some(old.clone()),
        ..World::of([arm])
    };
    world.judge(new).decision
}

#[test]
fn an_update_that_changes_nothing_the_verdict_reads_passes() {
    let old = pod("busybox");
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({"a": "b"});
    new["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    new["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "B"}]);
    new["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": 2}});
    assert_eq!(update(&old, &new), Decision::Allow);
}

#[test]
fn an_image_a_resource_or_a_node_selection_that_changes_is_judged() {
    let image = format!("{TORCH}:1");
    let good = pod(&image);
    for (field, value) in [
        ("/spec/containers/0/image", json!("busybox")),
        ("/spec/nodeSelector", json!({"kubernetes.io/arch": "amd64"})),
        (
            "/spec/affinity",
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}),
        ),
    ] {
        let mut new = pod_with(&image, json!({"nodeSelector": null, "affinity": null}));
        *new.pointer_mut(field).unwrap() = value;
        assert_eq!(update(&good, &new), Decision::Deny, "{field}");
    }
    // A gated pod is told its nodes late, without a word about its images.
    let gated = pod_with(&image, json!({"schedulingGates": [{"name": "queue"}]}));
    let placed = |arch| {
        pod_with(
            &image,
            json!({"nodeSelector": {"kubernetes.io/arch": arch}}),
        )
    };
    assert_eq!(update(&gated, &placed("amd64")), Decision::Deny);
    assert_eq!(update(&gated, &placed("arm64")), Decision::Allow);
}

#[test]
fn only_the_containers_that_change_are_judged() {
    let old = pod("busybox");
    let debug = |image: &str| {
        let mut new = old.clone();
        new["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": image}]);
        new
    };
    assert_eq!(update(&old, &debug(&format!("{TORCH}:1"))), Decision::Allow);
    assert_eq!(update(&old, &debug("busybox")), Decision::Deny);
    // The same image under another name is another container.
    let mut renamed = old.clone();
    renamed["spec"]["containers"][0]["name"] = json!("other");
    assert_eq!(update(&old, &renamed), Decision::Deny);
    // Their order means nothing.
    let two = |names: [&str; 2]| {
        let containers = names.map(|name| json!({"name": name, "image": "busybox"}));
        pod_with("", json!({"containers": containers}))
    };
    assert_eq!(update(&two(["a", "b"]), &two(["b", "a"])), Decision::Allow);
}

#[test]
fn templates_are_compared_place_by_place() {
    let job = |images: &[&str]| {
        let tasks: Vec<_> = images
            .iter()
            .map(|image| json!({"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}))
            .collect();
        json!({"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "spec": {"tasks": tasks}})
    };
    let good = format!("{TORCH}:1");
    assert_eq!(
        update(&job(&["busybox"]), &job(&["busybox"])),
        Decision::Allow
    );
    assert_eq!(
        update(&job(&["busybox", &good]), &job(&["busybox", "busybox"])),
        Decision::Warn
    );
}

#[test]
fn deletions_and_connections_pass_and_an_update_without_the_old_object_is_judged() {
    let configuration = Configuration::default();
    let known = Known::new(configuration.mirrors());
    let object = pod("busybox");
    let object = extract(&object, &configuration).unwrap();
    let world = World::of([]);
    for (name, decision) in [
        ("DELETE", Decision::Allow),
        ("CONNECT", Decision::Allow),
        ("CREATE", Decision::Deny),
        ("UPDATE", Decision::Deny),
    ] {
        let context = Context {
            operation: Operation::from_request(name),
            ..Context::of_namespace("team-a", &world.labels)
        };
        let found = verdict(&object, None, &context, &known, &configuration);
        assert_eq!(found.decision, decision, "{name}");
    }
}
