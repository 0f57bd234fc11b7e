//! What is in a catalogue, and under which texts.

use super::{A, TORCH, gathered, image_ref, ready, taken, whole};
use crate::verdict::world::{World, pod};
use imageref::admission::KnownRef;
use imageref::api::ImageRef;
use serde_json::{Value, json};

fn keys(refs: &[ImageRef]) -> Vec<String> {
    whole(refs).images.into_keys().collect()
}

fn one(image: &str, status: &Value) -> Vec<String> {
    keys(&[image_ref("team-a/one", image, status)])
}

#[test]
fn an_image_is_known_by_tag_by_digest_and_by_both() {
    let all = [
        format!("{TORCH}:1"),
        format!("{TORCH}:1@{A}"),
        format!("{TORCH}@{A}"),
    ];
    assert_eq!(one(&format!("{TORCH}:1@{A}"), &json!({})), all);
    assert_eq!(
        one(&format!("{TORCH}:1"), &json!({"digest": A})),
        all,
        "the digest beside the image"
    );
    assert_eq!(one(&format!("{TORCH}:1"), &json!({})), all[..1]);
    assert_eq!(one(&format!("{TORCH}@{A}"), &json!({})), all[2..]);
    assert_eq!(one(TORCH, &json!({})), [TORCH]);
}

#[test]
fn a_port_is_no_tag_and_letters_stay_as_they_are() {
    assert_eq!(
        one(&format!("Registry.Local:5000/ai/x@{A}"), &json!({})),
        [format!("Registry.Local:5000/ai/x@{A}")]
    );
    assert_eq!(
        one("registry.local:5000/ai/x:V1", &json!({})),
        ["registry.local:5000/ai/x:V1"]
    );
}

#[test]
fn what_is_no_image_for_pods_is_not_in_it() {
    for image in ["", "no image", "swr.local/UPPER/x:1", "swr.local/x:1\n"] {
        assert_eq!(one(image, &json!({})), [""; 0], "{image:?}");
    }
    let machine = json!({"image": null, "swrPath": null});
    assert_eq!(one("x", &machine), [""; 0]);
    assert_eq!(one("swr.local/x:1", &json!({"provider": null})), [""; 0]);
}

#[test]
fn an_entry_says_what_a_policy_asks() {
    let says = |status: Value| {
        let refs = [image_ref("team-a/one", &format!("{TORCH}:1"), &status)];
        let images = whole(&refs).images;
        serde_json::to_value(&images[&format!("{TORCH}:1")]).unwrap()
    };
    assert_eq!(
        says(json!({"digest": A, "accelerators": ["GPU", "CPU", "GPU"]})),
        json!({"ref": "team-a/one", "usable": true, "arch": "arm64", "status": "ACTIVE",
            "accelerators": ["CPU", "GPU"], "digest": A})
    );
    let inactive = json!({"status": "INACTIVE", "conditions": [ready("False", "ImageNotActive")]});
    let entry = says(inactive);
    assert_eq!(
        (&entry["usable"], &entry["reason"], &entry["status"]),
        (&json!(false), &json!("ImageNotActive"), &json!("INACTIVE"))
    );
    let arch = |platforms: Value| says(json!({"platforms": platforms}))["arch"].clone();
    assert_eq!(arch(json!(["linux/amd64"])), "amd64", "the registry's word");
    let index = json!(["linux/amd64", "linux/arm64/v8", "unknown/unknown"]);
    assert_eq!(arch(index), Value::Null, "several");
    assert_eq!(arch(json!(["linux/arm64", "unknown/unknown"])), "arm64");
    let long = "x".repeat(5000);
    let words = vec![long.clone(); 100];
    let entry = says(json!({"arch": long, "status": long, "accelerators": words}));
    assert!(entry.to_string().len() < 400, "{entry}");
}

#[test]
fn of_two_that_name_one_text_a_usable_one_goes_first_then_the_own_namespace_then_the_name() {
    let image = format!("{TORCH}:1");
    let broken = json!({"conditions": [ready("False", "ImageNotActive")]});
    let ordered = [
        image_ref("team-a/m", &image, &json!({})),
        image_ref("team-a/n", &image, &json!({})),
        image_ref("shared/a", &image, &json!({})),
        image_ref("team-a/a", &image, &broken),
        image_ref("shared/0", &image, &broken),
    ];
    for first in 0..ordered.len() {
        let mut refs = ordered[first..].to_vec();
        refs.reverse();
        let best = &whole(&refs).images[&image].ref_;
        let metadata = &ordered[first].metadata;
        let expected = [&metadata.namespace, &metadata.name].map(|t| t.clone().unwrap());
        assert_eq!(*best, expected.join("/"));
    }
}

#[test]
fn labels_choose_among_the_own_references_and_shared_ones_come_whatever_theirs() {
    let labelled = |name: &str, labels: Value| {
        let mut object = image_ref(name, &format!("{TORCH}:1"), &json!({}));
        object.metadata.labels = serde_json::from_value(labels).unwrap();
        object
    };
    let refs = [
        labelled("team-a/prod", json!({"stage": "prod"})),
        labelled("team-a/test", json!({"stage": "test"})),
        labelled("team-a/bare", json!(null)),
        labelled("shared/base", json!(null)),
        labelled("team-b/other", json!({"stage": "prod"})),
    ];
    let shared = "sharedNamespaces: [shared]";
    let all = ["team-a/prod", "team-a/test", "team-a/bare", "shared/base"];
    assert_eq!(taken(&refs, json!({}), shared), all);
    assert_eq!(taken(&refs, json!({"selector": {}}), shared), all);
    assert_eq!(
        taken(&refs, json!({"includeShared": false}), shared),
        all[..3]
    );
    assert_eq!(taken(&refs, json!({}), ""), all[..3], "none is shared");
    assert_eq!(
        taken(&refs, json!({}), "sharedNamespaces: [team-a]"),
        all[..3],
        "its own namespace once"
    );
    let by = |selector: Value| {
        taken(
            &refs,
            json!({"selector": selector, "includeShared": false}),
            "",
        )
    };
    let rule = |operator: &str, values: Value| {
        by(json!({"matchExpressions": [{"key": "stage", "operator": operator, "values": values}]}))
    };
    assert_eq!(
        by(json!({"matchLabels": {"stage": "prod"}})),
        ["team-a/prod"]
    );
    assert_eq!(rule("In", json!(["prod", "x"])), ["team-a/prod"]);
    assert_eq!(
        rule("NotIn", json!(["prod"])),
        ["team-a/test", "team-a/bare"]
    );
    assert_eq!(rule("Exists", json!(null)), ["team-a/prod", "team-a/test"]);
    assert_eq!(rule("DoesNotExist", json!(null)), ["team-a/bare"]);
    assert_eq!(rule("Tomorrow", json!(["prod"])), [""; 0]);
    let both = json!({"matchLabels": {"stage": "prod"},
        "matchExpressions": [{"key": "stage", "operator": "NotIn", "values": ["prod"]}]});
    assert_eq!(by(both), [""; 0]);
}

#[test]
fn a_tenants_own_provider_approves_nothing_unless_it_is_trusted() {
    let own = json!({"provider": {"kind": "ImageProvider", "name": "default"}});
    let refs = [
        image_ref("team-a/cluster", &format!("{TORCH}:1"), &json!({})),
        image_ref("team-a/own", &format!("{TORCH}:2"), &own),
    ];
    assert_eq!(taken(&refs, json!({}), ""), ["team-a/cluster"]);
    assert_eq!(
        taken(&refs, json!({}), "trust: any"),
        ["team-a/cluster", "team-a/own"]
    );
}

#[test]
fn a_pod_that_writes_a_text_of_the_catalogue_gets_the_verdict_that_the_catalogue_gives() {
    let broken = json!({"conditions": [ready("Unknown", "StaleTooLong")]});
    let refs = [
        image_ref("team-a/a", &format!("{TORCH}:1@{A}"), &json!({})),
        image_ref("team-a/b", &format!("{TORCH}:2"), &json!({"digest": A})),
        image_ref("team-a/c", &format!("{TORCH}:3"), &broken),
        image_ref("team-a/d", "registry.local:5000/x/y:1", &broken),
        image_ref("team-a/e", "docker.io/library/nginx:1", &json!({})),
        image_ref("team-a/f", &format!("{TORCH}:1"), &broken),
    ];
    let world = World::of(refs.iter().map(KnownRef::from));
    let images = whole(&refs).images;
    assert!(images.len() > refs.len());
    for (text, entry) in images {
        let allowed = world.says(&pod(&text)) == "Allow";
        assert_eq!(allowed, entry.usable, "{text}");
    }
    assert_eq!(
        gathered(&[], &imageref::api::ImageCatalogStatus::default(), 0).refs,
        0
    );
}
