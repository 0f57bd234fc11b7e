//! Pods that name an ImageRef in place of an image.

use super::scene::{Scene, TORCH, accepted, pod, refused};
use serde_json::{Value, json};

#[test]
fn a_name_becomes_the_image_with_its_digest_or_the_pod_is_refused() {
    let Some(scene) = Scene::shared() else { return };
    let team = scene.namespace("names", &[("mutate", "true"), ("admission", "enforce")]);
    let pinned = format!("{TORCH}:3@sha256:{}", "a".repeat(64));
    scene.declare(&team, "torch", &pinned);
    scene.declare(&team, "moving", &format!("{TORCH}:1"));
    accepted(&scene.apply(&team, &pod("a", "imageref://torch")));
    let get = |path: &str| {
        let path = format!("jsonpath={path}");
        scene
            .cluster
            .kubectl(&["get", "pod", "a", "-n", &team, "-o", &path])
            .unwrap()
    };
    assert_eq!(get("{.spec.containers[0].image}"), pinned);
    let kept = get("{.metadata.annotations.imageref\\.dev/original-images}");
    assert_eq!(
        serde_json::from_str::<Value>(&kept).unwrap(),
        json!({"main": "imageref://torch"})
    );

    let path = format!("/api/v1/namespaces/{team}/pods/a");
    let object = scene.cluster.kubectl(&["get", "--raw", &path]).unwrap();
    let mut object: Value = serde_json::from_str(&object).unwrap();
    object["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "imageref://torch"}]);
    let path = format!("{path}/ephemeralcontainers");
    let args = ["replace", "--raw", &path, "-f", "-"];
    accepted(
        &scene
            .cluster
            .kubectl_output(&args, Some(&object.to_string()))
            .unwrap(),
    );
    assert_eq!(get("{.spec.ephemeralContainers[0].image}"), pinned);

    let said = refused(&scene.apply(&team, &pod("b", "imageref://moving")));
    assert!(
        said.contains("admission webhook \"mutate.imageref.dev\" denied the request: "),
        "{said}"
    );
    assert!(said.contains("(DigestRequired)"), "{said}");
    // Where nobody opted in it is no image.
    let other = scene.namespace("names", &[("admission", "enforce")]);
    let said = refused(&scene.apply(&other, &pod("a", "imageref://torch")));
    assert!(said.contains("(MalformedImage)"), "{said}");
}
