//! What the index takes from an ImageRef as the API server has it.

use super::world::{A, B, TORCH, World, pod, pod_with};
use imageref::admission::{KnownRef, Unusable};
use imageref::api::{ImageRef, ProviderKind};
use serde_json::{Value, json};

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
