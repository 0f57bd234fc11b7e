//! What a catalogue waits for, and what is sent.

use super::*;
use crate::api::{CatalogImage, CatalogOverflow, ImageCatalog, ImageRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn catalog(status: ImageCatalogStatus) -> StoredCatalog {
    let mut object = ImageCatalog::new("admission", crate::api::ImageCatalogSpec::default());
    object.metadata.namespace = Some("team".into());
    object.metadata.generation = Some(1);
    object.status = Some(status);
    object.into()
}

fn written(second: i64) -> StoredCatalog {
    catalog(ImageCatalogStatus {
        last_changed_time: Some(Time(at(second))),
        ..ImageCatalogStatus::default()
    })
}

fn gathered(catalog: &StoredCatalog, due: Option<i64>) -> Remembered {
    Remembered {
        clock: 5,
        generation: Some(1),
        says: [catalog.says(); 2],
        at: due.map(at),
    }
}

fn last(change: u64, loss: u64) -> Last {
    Last { change, loss }
}

#[test]
fn a_catalogue_is_gathered_when_something_went_or_when_a_write_may_be_due() {
    let catalog = written(0);
    let known = gathered(&catalog, None);
    let step = |last, now| known.step(&catalog, last, at(now));
    assert_eq!(step(last(5, 5), 1000), Step::Rest, "seen already");
    assert_eq!(step(last(6, 5), 10), Step::Wait(at(60)));
    assert_eq!(step(last(6, 5), 60), Step::Gather);
    assert_eq!(step(last(6, 6), 10), Step::Gather, "a loss");
    let waits = gathered(&catalog, Some(20));
    assert_eq!(waits.step(&catalog, last(5, 5), at(10)), Step::Wait(at(20)));
    assert_eq!(waits.step(&catalog, last(5, 5), at(20)), Step::Gather);
    assert_eq!(waits.step(&catalog, last(6, 5), at(20)), Step::Gather);
    assert_eq!(waits.step(&catalog, last(6, 6), at(10)), Step::Gather);
}

#[test]
fn an_edit_and_another_writer_are_seen_at_once_and_our_own_write_is_not() {
    let (before, after, forged) = (written(0), written(1), written(2));
    let known = Remembered {
        says: [before.says(), after.says()],
        ..gathered(&before, None)
    };
    let step = |known: Remembered, catalog| known.step(catalog, last(5, 5), at(3));
    assert_eq!(step(known, &before), Step::Rest);
    assert_eq!(step(known, &after), Step::Rest);
    assert_eq!(step(known, &forged), Step::Gather);
    let edited = Remembered {
        generation: Some(0),
        ..known
    };
    assert_eq!(step(edited, &after), Step::Gather);
}

fn held(namespace: &str, status: &Value) -> Held {
    Held::from(
        serde_json::from_value::<ImageRef>(json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
            "metadata": {"name": "r", "namespace": namespace, "labels": status["labels"]},
            "spec": {"source": {"notebook": {"name": "x"}}},
            "status": status,
        }))
        .unwrap(),
    )
}

fn resolved(ready: &str, arch: &str) -> Value {
    json!({"image": "swr.local/x:1", "arch": arch, "lastCheckedTime": "2026-01-01T00:00:00Z",
        "conditions": [{"type": "Ready", "status": ready, "reason": "Resolved", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
}

#[test]
fn only_what_a_catalogue_reads_turns_the_clock_and_only_what_was_usable_is_a_loss() {
    let changes = Changes::default();
    let of = |ready: &str, arch: &str| held("team", &resolved(ready, arch));
    let turned = |before: Option<&Held>, after: Option<&Held>| {
        let clock = changes.clock();
        changes.note(before, after);
        let last = changes.last(&["team"]);
        (last.change > clock, last.loss > clock)
    };
    let (good, bad) = (of("True", "arm64"), of("False", "arm64"));
    let unresolved = held("team", &json!({"observedGeneration": -1}));
    assert_eq!(turned(None, Some(&unresolved)), (false, false));
    assert_eq!(turned(Some(&unresolved), Some(&good)), (true, false));
    let mut looked = resolved("True", "arm64");
    looked["lastCheckedTime"] = json!("2026-01-02T00:00:00Z");
    assert_eq!(
        turned(Some(&good), Some(&held("team", &looked))),
        (false, false)
    );
    assert_eq!(turned(Some(&good), Some(&bad)), (true, true));
    assert_eq!(turned(Some(&bad), Some(&good)), (true, false));
    assert_eq!(
        turned(Some(&good), Some(&of("True", "amd64"))),
        (true, true)
    );
    let mut labelled = resolved("True", "arm64");
    labelled["labels"] = json!({"a": "b"});
    assert_eq!(
        turned(Some(&good), Some(&held("team", &labelled))),
        (true, true)
    );
    assert_eq!(turned(Some(&bad), None), (true, false));
    assert_eq!(turned(Some(&good), None), (true, true));
    assert_eq!(turned(Some(&unresolved), None), (false, false));
    assert_eq!(changes.last(&["other"]), Last::default());
}

#[tokio::test]
async fn changes_are_told_once_and_those_that_nobody_reads_are_forgotten() {
    let changes = Changes::default();
    for namespace in ["read", "unread"] {
        changes.note(None, Some(&held(namespace, &resolved("True", "arm64"))));
    }
    changes.wait().await;
    let told = changes.take(|name| name == "read");
    assert_eq!(told, ["read".into()].into());
    assert!(changes.take(|_| true).is_empty());
    assert_eq!(changes.last(&["unread"]), Last::default());
    assert_ne!(changes.last(&["read"]), Last::default());
}

#[test]
fn what_is_unpacked_is_the_status_that_came() {
    let mut status = ImageCatalogStatus {
        refs: Some(1),
        ..ImageCatalogStatus::default()
    };
    assert_eq!(catalog(status.clone()).status(), Ok(status.clone()));
    let image = CatalogImage {
        ref_: "a/b".into(),
        usable: true,
        ..CatalogImage::default()
    };
    status.images.insert("x/y:1".into(), image);
    let stored = catalog(status.clone());
    assert_eq!(stored.status(), Ok(status));
    assert_ne!(stored.says(), written(0).says());
}

/// RFC 7396.
fn apply(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        let fields = target.as_object_mut().unwrap();
        if value.is_null() {
            fields.remove(&key);
        } else {
            apply(fields.entry(key).or_insert(Value::Null), value);
        }
    }
}

fn status() -> impl Strategy<Value = ImageCatalogStatus> {
    let image = (
        any::<bool>(),
        prop::option::of("[a-c]"),
        prop::collection::vec("[a-c]", 0..3),
    );
    let image = image.prop_map(|(usable, arch, accelerators)| CatalogImage {
        ref_: "a/b".into(),
        usable,
        arch,
        accelerators,
        ..CatalogImage::default()
    });
    let overflow = prop::option::of(prop::collection::vec("[a-c]", 0..3));
    let images = prop::collection::btree_map("[a-d]", image, 0..4);
    (images, overflow, prop::option::of(0..3_i64)).prop_map(|(images, overflow, refs)| {
        ImageCatalogStatus {
            images,
            refs,
            overflow: overflow.map(|names| CatalogOverflow { refs: 1, names }),
            ..ImageCatalogStatus::default()
        }
    })
}

proptest! {
    #[test]
    fn a_patch_leaves_what_comes_after_and_nothing_of_what_was_before(
        before in status(),
        after in status(),
    ) {
        let mut value = serde_json::to_value(&before).unwrap();
        let patch = patch(&before, &after);
        apply(&mut value, patch.clone());
        let read: ImageCatalogStatus = serde_json::from_value(value).unwrap();
        prop_assert_eq!(&read, &after);
        let changed = patch["images"].as_object().map_or(0, Map::len);
        let keys = before.images.keys().chain(after.images.keys());
        let differ: std::collections::BTreeSet<_> =
            keys.filter(|key| before.images.get(*key) != after.images.get(*key)).collect();
        prop_assert_eq!(changed, differ.len(), "only what differs is sent");
    }
}
