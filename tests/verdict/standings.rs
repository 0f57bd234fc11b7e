//! What each image of an object stands on, and the words for modes and decisions.

use super::world::{TORCH, declared, unusable};
use imageref::admission::verdict::Standing;
use imageref::admission::{Configuration, Context, Decision, Known, Mode, extract, standings};
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn each_image_is_named_with_what_allows_it() {
    let configuration = Configuration::read("exempt: [registry.k8s.io/]").unwrap();
    let mut known = Known::new(configuration.mirrors());
    known.insert(declared("torch", &format!("{TORCH}:1")));
    known.insert(unusable(
        declared("gone", &format!("{TORCH}:2")),
        "ImageNotFound",
        "gone",
    ));
    let images = json!([
        {"name": "a", "image": format!("{TORCH}:1")},
        {"name": "b", "image": "registry.k8s.io/pause:3"},
        {"name": "c", "image": format!("{TORCH}:2")},
        {"name": "d", "image": "Not An Image"},
        {"name": "e"},
    ]);
    let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": images}});
    let workload = extract(&object, &configuration).unwrap();
    let context = Context::of_namespace("team-a", &BTreeMap::new());
    let found = standings(&workload, &context, &known, &configuration);
    let allows = |n: usize| match n {
        0 => Standing::ImageRef("team-a".into(), "torch".into()),
        1 => Standing::Exempt,
        _ => Standing::Nothing,
    };
    let containers = images.as_array().unwrap().iter().enumerate();
    let expected: Vec<_> = containers
        .map(|(n, container)| {
            let text = |field| container[field].as_str().map(str::to_owned);
            let place = format!("spec.containers[{n}]");
            (place, text("name").unwrap(), text("image"), allows(n))
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_mode_is_written_as_the_label_that_sets_it_and_a_decision_as_it_is_printed() {
    for (mode, label) in [
        (Mode::Audit, "audit"),
        (Mode::Warn, "warn"),
        (Mode::Enforce, "enforce"),
    ] {
        assert_eq!(mode.as_str(), label);
        assert_eq!(Mode::from_label(label), mode);
    }
    for decision in [Decision::Allow, Decision::Warn, Decision::Deny] {
        assert_eq!(decision.as_str(), format!("{decision:?}"));
    }
}
