//! An ImageRef and what uses it in one commit: dry-run together, as Flux and Argo CD do, then
//! applied, and repeated until nothing is missing.

use super::scene::{Scene, TORCH, accepted, deployment, image_ref, pod, refused};
use serde_json::{Value, json};

#[test]
fn a_dry_run_of_a_reference_and_its_deployment_passes_and_applying_them_converges() {
    let Some(scene) = Scene::shared() else { return };
    let team = scene.namespace("gitops", &[("admission", "enforce")]);
    let image = format!("{TORCH}:3");
    let reference: Value = serde_json::from_str(&image_ref("torch")).unwrap();
    let commit = json!({"apiVersion": "v1", "kind": "List", "items": [reference, deployment("train", &image)]});

    // The reference of a dry run is nowhere to be seen, and the Deployment passes all the same.
    let said = accepted(&scene.apply_with(&team, &["--dry-run=server", "--server-side"], &commit));
    assert!(
        said.contains("Warning: spec.template.spec.containers[0]"),
        "{said}"
    );
    accepted(&scene.apply_with(&team, &["--server-side"], &commit));

    // No controllers run here; this is who would make the pods.
    let by = "--as=system:serviceaccount:kube-system:replicaset-controller";
    let made = || scene.create(&team, &[by], &pod("train-1", &image));
    // Not resolved yet: the ReplicaSet tries again and again.
    let said = refused(&made());
    assert!(said.contains("(UnknownImage)"), "{said}");
    scene.resolve(&team, "torch", &image);
    scene.until("the pod is let in", |_| made().status.success());
    // The next round of the GitOps tool has nothing to say any more.
    let again = scene.apply_with(&team, &["--dry-run=server", "--server-side"], &commit);
    assert_eq!(accepted(&again), "");
}
