//! The webhook is down: what goes on, what does not, and how a namespace is opened.

use super::scene::{Scene, TORCH, accepted, deployment, pod, refused};

#[test]
fn enforcing_namespaces_refuse_new_pods_and_go_on_otherwise_until_one_label_opens_them() {
    let Some(mut scene) = Scene::start("webhook-down") else {
        return;
    };
    let image = format!("{TORCH}:3");
    let enforce = scene.namespace("down", &[("admission", "enforce")]);
    let strict = scene.namespace(
        "down",
        &[("admission", "enforce"), ("admission-templates", "enforce")],
    );
    let warn = scene.namespace("down", &[("admission", "warn")]);
    let named = scene.namespace("down", &[("mutate", "true")]);
    let audit = scene.namespace("down", &[("admission", "audit")]);
    scene.declare(&enforce, "torch", &image);
    accepted(&scene.apply(&enforce, &pod("running", &image)));
    scene.webhook.stop().unwrap();

    let said = refused(&scene.apply(&enforce, &pod("new", &image)));
    assert!(
        said.contains("failed calling webhook \"enforce.imageref.dev\""),
        "{said}"
    );
    // A namespace that has names replaced waits with them alone.
    let said = refused(&scene.apply(&named, &pod("new", "imageref://torch")));
    assert!(
        said.contains("failed calling webhook \"mutate.imageref.dev\""),
        "{said}"
    );
    accepted(&scene.apply(&named, &pod("new", "busybox")));
    // What runs is kept, changed in what admission does not read, and deleted.
    let finalizer = r#"{"metadata":{"finalizers":["example.com/a"]}}"#;
    let patch = |patch| {
        scene.kubectl(&[
            "patch",
            "pod",
            "running",
            "-n",
            &enforce,
            "--type=merge",
            "-p",
            patch,
        ])
    };
    accepted(&patch(finalizer));
    accepted(&scene.kubectl(&[
        "delete",
        "pod",
        "running",
        "-n",
        &enforce,
        "--wait=false",
        "--grace-period=0",
        "--force",
    ]));
    accepted(&patch(r#"{"metadata":{"finalizers":null}}"#));
    scene.until("the pod is gone", |scene| {
        !scene
            .kubectl(&["get", "pod", "running", "-n", &enforce])
            .status
            .success()
    });
    // Templates, and namespaces that did not ask for more than words.
    accepted(&scene.apply(&enforce, &deployment("web", &image)));
    let said = refused(&scene.apply(&strict, &deployment("web", &image)));
    assert!(
        said.contains("failed calling webhook \"enforce-templates.imageref.dev\""),
        "{said}"
    );
    for namespace in [&warn, &audit] {
        accepted(&scene.apply(namespace, &pod("new", "busybox")));
        accepted(&scene.apply(namespace, &deployment("web", "busybox")));
    }

    let open = |namespace: &str| {
        let label = "imageref.dev/admission=warn";
        accepted(&scene.kubectl(&["label", "namespace", namespace, label, "--overwrite"]));
    };
    open(&enforce);
    open(&strict);
    // API servers read labels of namespaces from a cache of theirs.
    scene.until("pods are let in", |scene| {
        scene
            .apply(&enforce, &pod("new", "busybox"))
            .status
            .success()
    });
    scene.until("templates are let in", |scene| {
        scene
            .apply(&strict, &deployment("web", "busybox"))
            .status
            .success()
    });
}
