//! `ImageCatalog`: what is in one, what is left out, when it is written, and the operator that does it.

mod contents;
mod operator;
mod properties;
mod times;

use imageref::admission::Configuration;
use imageref::admission::catalogue::{Candidate, Gathered, ROOM, Selection, gather};
use imageref::api::{ImageCatalogSpec, ImageCatalogStatus, ImageRef};
use serde_json::{Value, json};

const TORCH: &str = "swr.cn-north-4.myhuaweicloud.com/ai/torch";
const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A usable reference `NAMESPACE/NAME` through a cluster provider; `status` goes over what it says.
fn image_ref(name: &str, image: &str, status: &Value) -> ImageRef {
    let (namespace, name) = name.split_once('/').unwrap();
    let mut object = json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"source": {"notebook": {"name": "torch"}}},
        "status": {
            "provider": {"kind": "ClusterImageProvider", "name": "default"},
            "image": image, "arch": "arm64", "status": "ACTIVE", "accelerators": ["ASCEND"],
            "conditions": [ready("True", "Resolved")],
        },
    });
    for (field, value) in status.as_object().unwrap() {
        object["status"][field] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

fn ready(status: &str, reason: &str) -> Value {
    json!({"type": "Ready", "status": status, "reason": reason, "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

/// What the catalogue of `team-a` has room for.
fn gathered(refs: &[ImageRef], previous: &ImageCatalogStatus, beside: usize) -> Gathered {
    gather(
        "team-a",
        refs.iter().filter_map(Candidate::new),
        previous,
        beside,
    )
}

/// All of them, for want of no room.
fn whole(refs: &[ImageRef]) -> Gathered {
    gathered(refs, &ImageCatalogStatus::default(), 0)
}

/// What a catalogue takes in of these, by name.
fn taken(refs: &[ImageRef], spec: Value, configuration: &str) -> Vec<String> {
    let configuration = Configuration::read(configuration).unwrap();
    let spec: ImageCatalogSpec = serde_json::from_value(spec).unwrap();
    let selection = Selection {
        namespace: "team-a",
        spec: &spec,
        configuration: &configuration,
    };
    let namespaces = selection.namespaces();
    let candidates = refs.iter().filter_map(Candidate::new);
    candidates
        .filter(|candidate| namespaces.contains(&candidate.namespace()))
        .filter(|candidate| selection.takes(candidate))
        .map(|candidate| candidate.entry().ref_.clone())
        .collect()
}

/// So many bytes are left for images.
fn beside(left: usize) -> usize {
    ROOM - 16 * 1024 - left
}
