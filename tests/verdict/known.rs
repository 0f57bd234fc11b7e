//! What the index takes from an ImageRef as the API server has it.

use super::world::{A, B, TORCH, World, declared, pod, pod_with};
use imageref::admission::{
    Configuration, Context, Decision, Known, KnownRef, Unusable, extract, verdict,
};
use imageref::api::{ImageRef, ProviderKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn image_ref(status: &Value) -> KnownRef {
    let object: ImageRef = serde_json::from_value(json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
        "metadata": {"namespace": "team-a", "name": "torch"},
        "spec": {"source": {"notebook": {"name": "torch"}}},
        "status": status,
    }))
    .unwrap();
    KnownRef::from(&object)
}

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

#[test]
fn a_ready_reference_brings_its_facts() {
    let known = image_ref(&json!({
        "provider": {"kind": "ClusterImageProvider", "name": "default"},
        "image": format!("{TORCH}:1@{A}"), "swrPath": format!("{TORCH}:1"),
        "digest": B, "platforms": ["linux/amd64", "linux/arm64"],
        "arch": "arm64", "accelerators": ["ASCEND"],
        "conditions": [condition("Ready", "True", "ServingStale", ""), condition("Stale", "True", "RateLimited", "")],
    }));
    let expected = KnownRef {
        namespace: "team-a".into(),
        name: "torch".into(),
        provider: Some(ProviderKind::Cluster),
        image: Some(format!("{TORCH}:1@{A}")),
        digest: Some(B.into()),
        arch: Some("arm64".into()),
        platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
        accelerators: vec!["ASCEND".into()],
        ..KnownRef::default()
    };
    assert_eq!(known, expected);
    assert_eq!(
        World::of([known]).says(&pod(&format!("{TORCH}@{A}"))),
        "Allow",
        "what stands in the image goes before the digest beside it"
    );
}

#[test]
fn the_digest_and_the_platforms_of_the_registry_decide() {
    let known = image_ref(&json!({
        "provider": {"kind": "ClusterImageProvider", "name": "default"},
        "image": format!("{TORCH}:1"), "digest": A, "platforms": ["linux/amd64"], "arch": "arm64",
        "conditions": [condition("Ready", "True", "Resolved", "")],
    }));
    let world = World::of([known]);
    let says = |image: &str, arch: &str| {
        let nodes = json!({"nodeSelector": {"kubernetes.io/arch": arch}});
        world.says(&pod_with(image, nodes))
    };
    assert_eq!(says(&format!("{TORCH}:1@{A}"), "amd64"), "Allow");
    let other = says(&format!("{TORCH}:1@{B}"), "amd64");
    let fix = format!("stands for the digest {A} (OtherDigest). Use {TORCH}:1@{A}.");
    assert!(other.ends_with(&fix), "{other}");
    let arm = says(&format!("{TORCH}:1"), "arm64");
    let what = "the image of ImageRef team-a/torch runs on amd64, and the pod cannot";
    assert!(arm.contains(what), "{arm}");
}

#[test]
fn whatever_is_not_ready_is_unusable_for_its_own_reason() {
    let known = image_ref(&json!({
        "provider": {"kind": "ImageProvider", "name": "default"},
        "swrPath": format!("{TORCH}:1"),
        "conditions": [condition("Ready", "Unknown", "StaleTooLong", &"é".repeat(400)), condition("Stale", "True", "RateLimited", "")],
    }));
    assert_eq!(known.provider, Some(ProviderKind::Namespaced));
    assert_eq!(known.image, Some(format!("{TORCH}:1")));
    let expected = Unusable {
        reason: "StaleTooLong".into(),
        message: "é".repeat(150),
        stale: Some("RateLimited".into()),
    };
    assert_eq!(known.unusable, Some(expected));
}

#[test]
fn a_new_reference_and_one_through_an_unknown_kind_approve_nothing() {
    let new = image_ref(&json!({"observedGeneration": -1}));
    assert_eq!(new.unusable.as_ref().unwrap().reason, "Progressing");
    let odd = image_ref(&json!({
        "provider": {"kind": "Other", "name": "x"}, "image": format!("{TORCH}:1"),
        "conditions": [condition("Ready", "True", "Resolved", "")],
    }));
    assert_eq!(odd.provider, None);
    let world = World::of([new, odd]).configured("trust: any");
    assert!(world.says(&pod(&format!("{TORCH}:1"))).starts_with("Deny"));
}

#[test]
fn a_platform_that_is_not_known_leaves_it_to_the_architecture_that_is_stated() {
    for odd in ["unknown/unknown", "linux/unknown", "linux/", "linux"] {
        let known = KnownRef {
            arch: Some("arm64".into()),
            platforms: vec![odd.into()],
            ..declared("torch", &format!("{TORCH}:1"))
        };
        let world = World::of([known]);
        for (arch, passes) in [("arm64", true), ("amd64", false), ("unknown", false)] {
            let nodes = json!({"nodeSelector": {"kubernetes.io/arch": arch}});
            let says = world.says(&pod_with(&format!("{TORCH}:1"), nodes));
            assert_eq!(says == "Allow", passes, "{odd} {arch}: {says}");
        }
    }
}

#[test]
fn a_reference_that_goes_leaves_its_neighbours_where_they_are() {
    let image = |tag: &str| format!("{TORCH}:{tag}");
    let mut known = Known::default();
    assert!(known.is_empty());
    for name in ["a", "b", "team-b/a"] {
        known.insert(declared(name, &image(name.rsplit('/').next().unwrap())));
    }
    known.remove("team-a", "a");
    known.remove("team-a", "never-there");
    assert_eq!((known.len(), known.is_empty()), (2, false));
    let configuration = Configuration::default();
    let says = |known: &Known, tag: &str| {
        let object = pod(&image(tag));
        let labels = BTreeMap::from([("imageref.dev/admission".into(), "enforce".into())]);
        let context = Context::of_namespace("team-a", &labels);
        let workload = extract(&object, &configuration).unwrap();
        verdict(&workload, None, &context, known, &configuration).decision
    };
    assert_eq!(says(&known, "b"), Decision::Allow);
    assert_eq!(says(&known, "a"), Decision::Deny);
    known.insert(declared("b", &image("c")));
    assert_eq!(says(&known, "b"), Decision::Deny, "replaced");
    assert_eq!(says(&known, "c"), Decision::Allow);
    known.insert(KnownRef {
        image: None,
        ..declared("b", &image("c"))
    });
    known.remove("team-b", "a");
    assert!(known.is_empty(), "one without an image is in no verdict");
}

#[test]
fn only_digests_that_are_read_at_each_look_follow_their_tag() {
    for (policy, follows) in [("Always", true), ("IfNotPresent", false), ("Never", false)] {
        let object: ImageRef = serde_json::from_value(json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
            "metadata": {"namespace": "team-a", "name": "torch"},
            "spec": {"source": {"notebook": {"name": "torch"}}, "digestPolicy": policy},
        }))
        .unwrap();
        assert_eq!(KnownRef::from(&object).follows_tag, follows, "{policy}");
    }
}
