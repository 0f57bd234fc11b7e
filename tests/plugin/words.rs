//! What `why` says of an object, as it is printed.

use super::{imageref, scene_with_operator};
use crate::operator::Scene;
use crate::tenants::through;
use serde_json::json;

fn lines<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let found = text.lines().filter(|line| line.starts_with(label));
    found.collect()
}

fn pod(scene: &Scene, name: &str, image: &str) {
    let object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": image}]},
    });
    scene.apply(&object.to_string());
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one scene, one question after the other"
)]
fn an_image_ref_and_a_pod_are_explained_with_the_next_step() {
    let Some(scene) = scene_with_operator() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let why = |arguments: &str| {
        let arguments = format!("why {arguments} -n team");
        imageref(scene.cluster.kubeconfig_path(), folder.path(), &arguments)
    };
    let good = why("torch");
    assert_eq!((good.code, good.stderr.as_str()), (0, ""));
    let text = &good.stdout;
    assert!(
        text.starts_with("ImageRef team/torch: its image may be used\n\n"),
        "{text}"
    );
    assert!(
        lines(text, "Asked for")[0].starts_with("Asked for  ModelArts notebook image, id "),
        "{text}"
    );
    let provider = "Provider   ClusterImageProvider prod (ModelArts in cn-north-4), ready";
    assert_eq!(lines(text, "Provider"), [provider]);
    assert!(
        lines(text, "Decides")[0].starts_with("Decides    Ready=True, Resolved, for "),
        "{text}"
    );
    assert!(
        lines(text, "Next look")[0].starts_with("Next look  about 20"),
        "{text}"
    );
    assert_eq!(
        lines(text, "Next step"),
        ["Next step  None: use the image."]
    );
    assert_eq!(lines(text, "Read"), ["Read       docs/reasons/Resolved.md"]);

    scene.image_ref(
        "wrong",
        &format!(
            "expect: {{arch: [amd64]}}, {}",
            through("ClusterImageProvider", "prod")
        ),
    );
    scene.wait_reason("wrong", "ExpectationFailed");
    let bad = why("ir/wrong");
    assert_eq!(bad.code, 1);
    let also = lines(&bad.stdout, "Also")[0];
    assert!(
        also.starts_with("Also       Compliant=False, ArchMismatch, for "),
        "{also}"
    );
    assert_eq!(
        lines(&bad.stdout, "Next step"),
        ["Next step  Choose an image for that architecture, or change spec.expect.arch."]
    );
    assert_eq!(
        lines(&bad.stdout, "Read"),
        ["Read       docs/reasons/ArchMismatch.md"]
    );

    // Pods: before the namespace opts in, and after.
    let image = scene.get("imageref", "torch")["status"]["image"].clone();
    let image = image.as_str().unwrap();
    pod(&scene, "torch", image);
    pod(&scene, "other", "busybox");
    let both = why("torch");
    assert_eq!(
        both.stderr,
        "note: there is a pod torch too: imageref why pod/torch\n"
    );
    let free = why("pod/other");
    assert_eq!(free.code, 0);
    let head = "pod team/other: not judged: the namespace has no label imageref.dev/admission. If it were enforced:\n";
    assert!(free.stdout.starts_with(head), "{}", free.stdout);
    scene.kubectl(&[
        "label",
        "namespace",
        "team",
        "imageref.dev/admission=enforce",
    ]);
    let allowed = why("pod/torch");
    assert_eq!(allowed.code, 0);
    let wanted = format!(
        "pod team/torch: allowed (the mode here is enforce)\n\n\
         main (spec.containers[0]): {image}\n  verdict    allowed\n  ImageRef   team/torch stands for it, and is Ready\n\n\
         Read       docs/admission.md#reasons\n"
    );
    assert_eq!(allowed.stdout, wanted);
    let denied = why("other");
    assert_eq!(denied.code, 1);
    let wanted = "pod team/other: refused if it were made now (the mode here is enforce)\n\n\
         main (spec.containers[0]): busybox\n  verdict    denied, UnknownImage: no ImageRef in team names it\n  \
         next step  Use an image that `kubectl -n team get imageref -o wide` lists, or declare this one with an ImageRef.\n\n\
         Read       docs/admission.md#reasons\n";
    assert_eq!(denied.stdout, wanted);

    // A node that cannot pull says so.
    let waits = json!({"status": {"containerStatuses": [{
        "name": "main", "image": image, "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
    }]}});
    let patch = [
        "patch",
        "pod/torch",
        "--subresource=status",
        "--type=merge",
        "-p",
    ];
    scene.kubectl(&[&patch[..], &[&waits.to_string()]].concat());
    let pulled = why("pod/torch").stdout;
    assert!(
        pulled.contains("  node       ImagePullBackOff: the node could not pull it, and tries again later: Back-off pulling image\n  \
                         next step  the platform has the image: give the pod a login"),
        "{pulled}"
    );

    // Templates, and what is not there.
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "main", "image": "busybox"}]},
            },
        },
    });
    scene.apply(&deployment.to_string());
    let web = why("deploy/web");
    assert_eq!(web.code, 1, "{}", web.stderr);
    let head = "deployment team/web: taken with a warning, and the pods made from it are refused (the mode here is warn)\n";
    assert!(web.stdout.starts_with(head), "{}", web.stdout);
    for (target, says) in [
        (
            "pod/none",
            "there is no pod team/none; a pod that was refused was never made",
        ),
        ("none", "there is neither an ImageRef nor a pod team/none"),
        (
            "secret/a",
            "write a name, or KIND/NAME where KIND is one of imageref, pod, ",
        ),
    ] {
        let ran = why(target);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
}
