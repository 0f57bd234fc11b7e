//! What people see of each mode, label and kind of request.

use super::scene::{Scene, TORCH, accepted, address, deployment, pod, refused, text};
use crate::metrics::{get, sum};
use serde_json::{Value, json};

fn known() -> String {
    format!("{TORCH}:3")
}

#[test]
fn a_pod_is_refused_in_words_and_let_in_with_the_right_image() {
    let Some(scene) = Scene::shared() else { return };
    let team = scene.namespace("pods", &[("admission", "enforce")]);
    scene.declare(&team, "torch", &known());
    let said = refused(&scene.apply(&team, &pod("a", &format!("{TORCH}:1"))));
    assert_eq!(
        said.trim_end(),
        format!(
            "Error from server (Forbidden): error when creating \"STDIN\": admission webhook \"enforce.imageref.dev\" denied the request: spec.containers[0] \"main\": image {TORCH}:1: ImageRef {team}/torch stands for the tag 3 (OtherTag). Use {TORCH}:3."
        )
    );
    assert_eq!(accepted(&scene.apply(&team, &pod("a", &known()))), "");
    // Once let in, what the webhook does not read may change.
    accepted(&scene.kubectl(&["annotate", "pod", "a", "-n", &team, "a=b"]));
    let mut changed = pod("a", "busybox");
    let said = refused(&scene.apply(&team, &changed));
    assert!(said.contains("image busybox: no ImageRef in"), "{said}");
    changed["metadata"] = json!({"generateName": "train-"});
    let said = refused(&scene.create(&team, &[], &changed));
    assert!(said.contains("(UnknownImage)"), "{said}");
}

#[test]
fn a_deployment_is_warned_about_and_refused_where_the_label_says_so() {
    let Some(scene) = Scene::shared() else { return };
    let bad = deployment("web", "busybox");
    let team = scene.namespace("templates", &[("admission", "enforce")]);
    let said = accepted(&scene.apply(&team, &bad));
    assert!(
        said.starts_with("Warning: spec.template.spec.containers[0] \"main\": image busybox: "),
        "{said}"
    );
    for (value, refuses) in [
        ("enforce", true),
        ("bogus", true),
        ("warn", false),
        ("audit", false),
    ] {
        let labels = [("admission", "enforce"), ("admission-templates", value)];
        let team = scene.namespace("templates", &labels);
        let said = scene.apply(&team, &bad);
        assert_eq!(
            said.status.success(),
            !refuses,
            "{value}: {}",
            text(&said.stderr)
        );
        let warned = text(&said.stderr).contains("Warning: spec.template");
        assert_eq!(warned, value == "warn", "{value}: {}", text(&said.stderr));
    }
}

#[test]
fn a_label_that_nobody_knows_enforces_and_the_other_modes_let_pass() {
    let Some(scene) = Scene::shared() else { return };
    let bad = pod("a", "busybox");
    let bogus = scene.namespace("bogus", &[("admission", "bogus")]);
    assert!(refused(&scene.apply(&bogus, &bad)).contains("(UnknownImage)"));
    let warn = scene.namespace("warn", &[("admission", "warn")]);
    let said = accepted(&scene.apply(&warn, &bad));
    assert!(
        said.starts_with("Warning: spec.containers[0] \"main\": image busybox: "),
        "{said}"
    );
    let unlabelled = scene.namespace("unlabelled", &[]);
    assert_eq!(accepted(&scene.apply(&unlabelled, &bad)), "");

    let metrics = address(&scene.webhook, "metrics and health are served");
    let counted = || {
        let (status, text) = get(&metrics, "/metrics");
        assert_eq!(status, 200);
        let labels = [
            r#"mode="audit""#,
            r#"decision="Allow""#,
            r#"reason="UnknownImage""#,
        ];
        sum(&text, "imageref_admission_reviews_total", &labels)
    };
    let before = counted();
    let audit = scene.namespace("audit", &[("admission", "audit")]);
    assert_eq!(accepted(&scene.apply(&audit, &bad)), "");
    assert!(counted() > before);
}

#[test]
fn digests_are_asked_for_where_the_label_says_so() {
    let Some(scene) = Scene::shared() else { return };
    let team = scene.namespace(
        "digests",
        &[("admission", "enforce"), ("require-digest", "true")],
    );
    let pinned = format!("{TORCH}:3@sha256:{}", "a".repeat(64));
    scene.declare(&team, "torch", &pinned);
    let said = refused(&scene.apply(&team, &pod("a", &known())));
    assert!(
        said.contains("(DigestRequired)") && said.contains(&pinned),
        "{said}"
    );
    accepted(&scene.apply(&team, &pod("a", &pinned)));
}

#[test]
fn a_gated_pod_that_is_given_other_nodes_is_judged_again() {
    let Some(scene) = Scene::shared() else { return };
    let team = scene.namespace("gated", &[("admission", "enforce")]);
    scene.declare(&team, "torch", &known());
    let mut gated = pod("a", &known());
    gated["spec"]["schedulingGates"] = json!([{"name": "example.com/queue"}]);
    accepted(&scene.apply(&team, &gated));
    let select = |arch: &str| {
        let patch = json!({"spec": {"nodeSelector": {"kubernetes.io/arch": arch}}}).to_string();
        scene.kubectl(&[
            "patch",
            "pod",
            "a",
            "-n",
            &team,
            "--type=merge",
            "-p",
            &patch,
        ])
    };
    let said = refused(&select("arm64"));
    assert!(said.contains("(WrongArchitecture)"), "{said}");
    accepted(&select("amd64"));
    let ungate = r#"{"spec":{"schedulingGates":null}}"#;
    accepted(&scene.kubectl(&[
        "patch",
        "pod",
        "a",
        "-n",
        &team,
        "--type=merge",
        "-p",
        ungate,
    ]));
}

#[test]
fn an_ephemeral_container_is_judged() {
    let Some(scene) = Scene::shared() else { return };
    let team = scene.namespace("debug", &[("admission", "enforce")]);
    scene.declare(&team, "torch", &known());
    accepted(&scene.apply(&team, &pod("a", &known())));
    let debug = |image: &str| {
        let path = format!("/api/v1/namespaces/{team}/pods/a");
        let object = scene.cluster.kubectl(&["get", "--raw", &path]).unwrap();
        let mut object: Value = serde_json::from_str(&object).unwrap();
        object["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": image}]);
        let path = format!("{path}/ephemeralcontainers");
        let args = ["replace", "--raw", &path, "-f", "-"];
        scene
            .cluster
            .kubectl_output(&args, Some(&object.to_string()))
            .unwrap()
    };
    let said = refused(&debug("busybox"));
    assert!(
        said.contains("spec.ephemeralContainers[0] \"debug\": image busybox"),
        "{said}"
    );
    accepted(&debug(&known()));
}

#[test]
fn kube_system_and_the_operators_namespace_are_left_alone_whatever_their_labels() {
    let Some(scene) = Scene::shared() else { return };
    // Its rules would be the only ones that select these namespaces.
    for namespace in ["kube-system", "imageref-system"] {
        let labels = [
            "webhook-scene=webhook-shared",
            "imageref.dev/admission=enforce",
        ];
        accepted(&scene.kubectl(&["label", "namespace", namespace, labels[0], labels[1]]));
        // Somebody else's test may have made it.
        scene.kubectl(&["create", "serviceaccount", "default", "-n", namespace]);
        let said = scene.apply_with(namespace, &["--dry-run=server"], &pod("a", "busybox"));
        assert_eq!(accepted(&said), "", "{namespace}");
        accepted(&scene.kubectl(&[
            "label",
            "namespace",
            namespace,
            "webhook-scene-",
            "imageref.dev/admission-",
        ]));
    }
}

#[test]
fn an_image_that_is_declared_and_used_at_once_is_waited_for() {
    let Some(scene) = Scene::shared() else { return };
    let team = scene.namespace("race", &[("admission", "enforce")]);
    for n in 0..5 {
        let (name, image) = (format!("torch-{n}"), format!("{TORCH}:{n}"));
        let made = super::scene::image_ref(&name);
        scene
            .cluster
            .kubectl_with_stdin(&["apply", "-n", &team, "-f", "-"], &made)
            .unwrap();
        scene.resolve(&team, &name, &image);
        accepted(&scene.apply(&team, &pod(&name, &image)));
    }
}
