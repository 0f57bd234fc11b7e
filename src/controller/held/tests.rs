//! What is packed and unpacked, and what asks for a reconcile.

use super::*;
use kube::CustomResourceExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};

/// As it stands after a look.
fn resolved_object(name: &str, id: &str) -> ImageRef {
    let time = "2026-03-04T05:06:07Z";
    let path = format!("swr.cn-north-4.myhuaweicloud.com/ai-team/{name}:v1.1");
    serde_json::from_value(json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
        "metadata": {
            "name": name, "namespace": "team", "uid": id, "generation": 3,
            "resourceVersion": "81723", "creationTimestamp": time,
            "annotations": {"imageref.dev/reconcile-requested-at": "now"},
        },
        "spec": {"interval": "30m", "source": {"notebook": {"id": id}}},
        "status": {
            "observedGeneration": 3,
            "provider": {"kind": "ClusterImageProvider", "name": "default"},
            "resolvedFor": "0123456789abcdef0123456789abcdef",
            "arch": "arm64", "status": "ACTIVE", "swrPath": path, "image": path,
            "accelerators": ["ASCEND", "CPU"], "imageID": id, "sizeBytes": 1_234_567,
            "upstreamCreatedTime": "2026-01-02T03:04:05.678Z",
            "upstream": {
                "api": "notebook", "name": name, "tag": "v1.1", "organization": "ai-team",
                "workspaceId": "0", "type": "DEDICATED", "arch": "aarch64", "status": "ACTIVE",
                "visibility": "PRIVATE", "serviceType": "COMMON",
                "devServices": ["NOTEBOOK", "SSH"],
                "requestID": "7d4a0f3be2c15d908f6a1b2c3d4e5f60",
            },
            "lastChangedTime": time, "lastCheckedTime": time,
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Resolved",
                "message": format!("{path} (arm64)"), "observedGeneration": 3,
                "lastTransitionTime": time,
            }],
        },
    }))
    .unwrap()
}

/// Names of all properties of a schema.
fn properties(schema: &Value, found: &mut Vec<String>) {
    for (key, value) in schema.as_object().into_iter().flatten() {
        if let ("properties", Some(named)) = (key.as_str(), value.as_object()) {
            found.extend(named.keys().cloned());
        }
        properties(value, found);
    }
    for value in schema.as_array().into_iter().flatten() {
        properties(value, found);
    }
}

#[test]
fn half_of_max_staleness_counts_from_the_first_look_that_failed_while_age_runs() {
    let held = |spec: Value, reason: &str, ready: &str| {
        let mut object = resolved_object("a", "1");
        let mut json = serde_json::to_value(&object).unwrap();
        json["spec"]
            .as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        let condition = |type_: &str, reason: &str| {
            json!({"type": type_, "status": "True", "reason": reason, "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        json["status"]["conditions"] =
            json!([condition("Ready", ready), condition("Stale", reason)]);
        object = serde_json::from_value(json).unwrap();
        Held::pack(object)
    };
    let at = |hours: i64| Timestamp::from_second(1_767_225_600 + hours * 3600 + 1).unwrap();
    let halves = |held: &Held| [at(4), at(5), at(500)].map(|now| held.is_half_stale(now));
    let ten = json!({"maxStaleness": "10h"});
    let stale = held(ten.clone(), "ProviderError", "ServingStale");
    assert_eq!(halves(&stale), [false, true, true]);
    assert!(stale.checked().is_some());
    let by_default = held(json!({}), "ProviderError", "ServingStale");
    assert_eq!(halves(&by_default), [false, false, true]);
    for (spec, reason, ready) in [
        (
            json!({"maxStaleness": "10h", "suspend": true}),
            "ProviderError",
            "Suspended",
        ),
        (
            json!({"maxStaleness": "10h", "interval": "0s"}),
            "ProviderError",
            "ServingStale",
        ),
        (ten.clone(), "ProviderError", "Suspended"),
        // A digest that cannot be confirmed does not age.
        (ten, "RegistryUnreachable", "Resolved"),
    ] {
        let held = held(spec, reason, ready);
        assert_eq!(halves(&held), [false; 3], "{reason} {ready}");
    }
}

#[test]
fn every_field_of_the_kind_is_among_the_words() {
    let mut names = Vec::new();
    properties(&serde_json::to_value(ImageRef::crd()).unwrap(), &mut names);
    assert!(names.len() > 60, "{names:?}");
    let words = std::str::from_utf8(WORDS).unwrap();
    names.retain(|name| !words.contains(&format!("\"{name}\":")));
    assert_eq!(names, [""; 0], "add them to held/words.txt");
}

#[test]
fn a_resolved_object_takes_a_third_of_its_json() {
    let object = resolved_object("llm-serving", "278e88d1-5b71-4766-8502-b3ba72e824d9");
    let json = serde_json::to_vec(&object).unwrap().len();
    let packed = Held::pack(object).packed.len();
    assert!(packed * 3 < json, "{packed} of {json} bytes");
}

#[test]
fn what_is_unpacked_is_what_was_packed() {
    for object in [
        resolved_object("a", "1"),
        ImageRef::new("b", ImageRefSpec::default()),
    ] {
        assert_eq!(Held::pack(object.clone()).unpack().unwrap(), object);
    }
    let mut unreadable = ImageRef::new("c", ImageRefSpec::default());
    unreadable.spec.unreadable = Some("does not fit".into());
    assert_eq!(Held::pack(unreadable.clone()).unpack().unwrap(), unreadable);
}

#[test]
fn a_damaged_pack_is_told_from_an_object() {
    let mut held = Held::pack(resolved_object("a", "1"));
    held.packed = held.packed[..20].into();
    assert!(held.unpack().is_err());
    held.packed = Box::default();
    assert!(held.unpack().is_err());
}

#[test]
fn a_status_asks_for_no_reconcile_and_anything_else_does() {
    let object = resolved_object("a", "1");
    let revision = |object: &ImageRef| Held::pack(object.clone()).revision();
    let changed = |change: fn(&mut ImageRef)| {
        let mut other = object.clone();
        change(&mut other);
        revision(&other) != revision(&object)
    };
    assert!(!changed(|o| o.status = None));
    assert!(!changed(|o| o.metadata.resource_version = None));
    assert!(changed(|o| o.metadata.generation = Some(4)));
    assert!(changed(|o| o.metadata.annotations = None));
    assert!(changed(|o| o.metadata.uid = Some("another".into())));
}

proptest! {
    #[test]
    fn any_text_comes_out_as_it_went_in(name in ".{0,40}", id in "\\PC{0,300}") {
        let object = resolved_object(&name, &id);
        prop_assert_eq!(Held::pack(object.clone()).unpack().unwrap(), object);
    }
}
