//! What the policy lets through, refuses and warns about.

use super::{
    POLICY, TORCH, catalog, cluster_with, namespace, pod, send, stderr, until_passes, until_says,
};
use cluster::Cluster;
use serde_json::{Value, json};
use std::process::Output;

const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const DRY: [&str; 2] = ["create", "--dry-run=server"];

fn images() -> Value {
    let usable = json!({"ref": "team/torch", "usable": true, "arch": "arm64", "digest": A});
    let entry = |reason: &str| json!({"ref": "team/old", "usable": false, "reason": reason});
    json!({
        TORCH: usable, format!("{TORCH}@{A}"): usable,
        "swr.local/retired:1": entry("ImageNotFound"),
        "swr.local/stale:1": entry("StaleTooLong"),
        "swr.local/any:1": {"ref": "shared/any", "usable": true},
    })
}

fn containers(images: &[&str]) -> Value {
    let each = images.iter().enumerate();
    each.map(|(n, image)| json!({"name": format!("c{n}"), "image": image}))
        .collect()
}

fn of(images: &[&str]) -> Value {
    json!({"containers": containers(images)})
}

/// Makes a pod of this spec, for nothing.
fn dry(cluster: &Cluster, namespace: &str, spec: &Value) -> Output {
    send(cluster, &DRY, namespace, &pod("p", spec))
}

/// What is said of a pod that is refused, after the policy's name.
fn refusal(cluster: &Cluster, namespace: &str, spec: &Value) -> String {
    let output = dry(cluster, namespace, spec);
    assert!(!output.status.success(), "{spec}");
    let text = stderr(&output);
    let (_, said) = text
        .split_once("denied request: ")
        .expect("a refusal by a policy");
    said.trim().to_owned()
}

#[test]
fn the_two_policies_say_the_same_and_differ_in_what_a_breakdown_does() {
    let mut documents: Vec<Value> = POLICY
        .split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect();
    documents.retain(|document| document["kind"] == "ValidatingAdmissionPolicy");
    let policies = documents.iter_mut().map(|policy| {
        let failure = policy["spec"]["failurePolicy"].take();
        (failure, policy["spec"].take())
    });
    let [(enforce, first), (observe, second)] = policies.collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(first, second);
    assert_eq!((enforce, observe), (json!("Fail"), json!("Ignore")));
}

#[test]
fn a_pod_runs_what_the_catalogue_lists_and_a_refusal_says_what_to_do() {
    let Some(cluster) = cluster_with(POLICY) else {
        return;
    };
    namespace(&cluster, "team", "enforce");
    let missing = until_says("denied request", || dry(&cluster, "team", &of(&[TORCH])));
    assert!(!missing.status.success());
    let text = stderr(&missing);
    assert!(
        text.contains("no params found for policy binding with `Deny` parameterNotFoundAction"),
        "without a catalogue nothing runs: {text}"
    );
    catalog(&cluster, "team", &images());
    until_passes(|| dry(&cluster, "team", &of(&[TORCH])));

    let pinned = format!("{TORCH}@{A}");
    until_passes(|| dry(&cluster, "team", &of(&[TORCH, &pinned, "swr.local/any:1"])));
    assert_eq!(
        refusal(&cluster, "team", &of(&[TORCH, "busybox", "alpine"])),
        "container c1: image busybox is not in the ImageCatalog team/admission. Write an image letter by letter as \
         status.image of an ImageRef has it (kubectl get imageref -n team -o custom-columns=NAME:.metadata.name,IMAGE:.status.image), \
         or declare this one with an ImageRef (and 1 more)"
    );
    assert_eq!(
        refusal(&cluster, "team", &of(&["swr.local/retired:1"])),
        "container c0: image swr.local/retired:1: ImageRef team/old is not usable (ImageNotFound). Use another image, or see \
         what it says: kubectl describe imageref -n team old"
    );
    let mut amd = of(&[TORCH]);
    amd["nodeSelector"] = json!({"kubernetes.io/arch": "amd64"});
    assert_eq!(
        refusal(&cluster, "team", &amd),
        format!(
            "container c0: image {TORCH}: the image of ImageRef team/torch runs on arm64, and the pod selects nodes with \
             kubernetes.io/arch=amd64. Use other nodes or another image"
        )
    );
    amd["nodeSelector"] = json!({"kubernetes.io/arch": "arm64"});
    until_passes(|| dry(&cluster, "team", &amd));
    let mut unknown = of(&["swr.local/any:1"]);
    unknown["nodeSelector"] = json!({"kubernetes.io/arch": "amd64", "pool": "x"});
    until_passes(|| dry(&cluster, "team", &unknown));
    // Compared as text: a node would read both as the same image.
    for text in [
        TORCH.to_uppercase(),
        format!("{TORCH}@sha256:{}", "b".repeat(64)),
    ] {
        assert!(refusal(&cluster, "team", &of(&[&text])).contains("is not in the ImageCatalog"));
    }
    // Other places of images.
    let places = [
        (
            "initContainers",
            json!([{"name": "i", "image": "x/y:1"}]),
            "init container i",
        ),
        (
            "volumes",
            json!([{"name": "v", "image": {"reference": "x/y:1"}}]),
            "volume v",
        ),
    ];
    for (field, value, at) in places {
        let mut spec = of(&[TORCH]);
        spec[field] = value;
        let said = refusal(&cluster, "team", &spec);
        assert!(
            said.starts_with(&format!("{at}: image x/y:1 is not in")),
            "{said}"
        );
        // The architecture of what is only mounted does not matter.
        spec[field][0]["image"] = match field {
            "volumes" => json!({"reference": TORCH}),
            _ => json!(TORCH),
        };
        until_passes(|| dry(&cluster, "team", &spec));
    }
    healing(&cluster);
    updates(&cluster);
    digests(&cluster);
}

/// What built-in controllers make anew may be stale, and nothing else.
fn healing(cluster: &Cluster) {
    let by = |user: &str, image: &str| {
        let who = format!("--as={user}");
        let verb = [
            "create",
            "--dry-run=server",
            &who,
            "--as-group=system:masters",
        ];
        send(cluster, &verb, "team", &pod("p", &of(&[image])))
    };
    let controller = "system:serviceaccount:kube-system:replicaset-controller";
    until_passes(|| by(controller, "swr.local/stale:1"));
    for (user, image) in [
        (controller, "swr.local/retired:1"),
        (controller, "busybox"),
        (
            "system:serviceaccount:team:replicaset-controller",
            "swr.local/stale:1",
        ),
        ("somebody", "swr.local/stale:1"),
    ] {
        assert!(!by(user, image).status.success(), "{user} {image}");
    }
}

/// A pod that runs may be edited when its image is retired, and gets no other one.
fn updates(cluster: &Cluster) {
    let create = send(cluster, &["create"], "team", &pod("running", &of(&[TORCH])));
    assert!(create.status.success(), "{}", stderr(&create));
    let mut retired = images();
    retired[TORCH]["usable"] = json!(false);
    retired[TORCH]["reason"] = json!("ImageNotFound");
    catalog(cluster, "team", &retired);
    until_says("is not usable", || dry(cluster, "team", &of(&[TORCH])));
    let running = || -> Value {
        let args = ["get", "pod", "running", "-n", "team", "-o", "json"];
        serde_json::from_str(&cluster.kubectl(&args).unwrap()).unwrap()
    };
    let replace = |change: &dyn Fn(&mut Value)| {
        let mut object = running();
        change(&mut object);
        send(cluster, &["replace"], "team", &object)
    };
    let labelled = replace(&|o| o["metadata"]["labels"] = json!({"a": "b"}));
    assert!(labelled.status.success(), "{}", stderr(&labelled));
    let other = replace(&|o| o["spec"]["containers"][0]["image"] = json!("busybox"));
    assert!(stderr(&other).contains("container c0: image busybox is not in"));
    let debug = |image: &str| {
        let mut object = running();
        object["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": image, "terminationMessagePolicy": "File", "imagePullPolicy": "Always"}]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), object.to_string()).unwrap();
        let path = "/api/v1/namespaces/team/pods/running/ephemeralcontainers";
        let args = [
            "replace",
            "--raw",
            path,
            "-f",
            file.path().to_str().unwrap(),
        ];
        cluster.kubectl_output(&args, None).unwrap()
    };
    let refused = debug("busybox");
    assert!(
        stderr(&refused).contains("ephemeral container debug: image busybox is not in"),
        "{}",
        stderr(&refused)
    );
    let allowed = debug("swr.local/any:1");
    assert!(allowed.status.success(), "{}", stderr(&allowed));
    let delete = [
        "delete",
        "pod",
        "running",
        "-n",
        "team",
        "--grace-period=0",
        "--force",
    ];
    cluster.kubectl(&delete).unwrap();
    catalog(cluster, "team", &images());
    until_passes(|| dry(cluster, "team", &of(&[TORCH])));
}

fn digests(cluster: &Cluster) {
    let label = [
        "label",
        "namespace",
        "team",
        "imageref.dev/require-digest=true",
    ];
    cluster.kubectl(&label).unwrap();
    let output = until_says("names no digest", || dry(cluster, "team", &of(&[TORCH])));
    assert!(!output.status.success());
    until_passes(|| dry(cluster, "team", &of(&[&format!("{TORCH}@{A}")])));
}

#[test]
fn modes_warn_or_only_audit_and_a_mistyped_one_enforces() {
    let Some(cluster) = cluster_with(POLICY) else {
        return;
    };
    for (name, mode) in [
        ("warned", "warn"),
        ("audited", "audit"),
        ("mistyped", "enfroce"),
    ] {
        namespace(&cluster, name, mode);
        catalog(&cluster, name, &images());
    }
    namespace(&cluster, "bare", "warn");
    let unlabelled = ["label", "namespace", "bare", "imageref.dev/admission-"];
    let enforced = until_says("is not in the ImageCatalog", || {
        dry(&cluster, "mistyped", &of(&["busybox"]))
    });
    assert!(!enforced.status.success());
    let warned = until_says("Warning: ", || dry(&cluster, "warned", &of(&["busybox"])));
    assert!(warned.status.success());
    assert!(stderr(&warned).contains("container c0: image busybox is not in"));
    until_passes(|| dry(&cluster, "warned", &of(&[TORCH])));
    // Where nothing is refused, nothing that is missing refuses either.
    until_passes(|| dry(&cluster, "audited", &of(&["busybox"])));
    until_passes(|| dry(&cluster, "bare", &of(&["busybox"])));
    cluster.kubectl(&unlabelled).unwrap();
    until_passes(|| dry(&cluster, "bare", &of(&["busybox"])));
    // Break-glass: one command, and pods start again.
    let warn = [
        "label",
        "--overwrite",
        "namespace",
        "mistyped",
        "imageref.dev/admission=warn",
    ];
    cluster.kubectl(&warn).unwrap();
    let opened = until_says("Warning: ", || dry(&cluster, "mistyped", &of(&["busybox"])));
    assert!(opened.status.success());
    // The system and the operator are never judged.
    for name in ["kube-system", "imageref-system"] {
        let _ = cluster.kubectl(&["create", "namespace", name]);
        let _ = cluster.kubectl(&["create", "serviceaccount", "default", "-n", name]);
        let label = ["label", "namespace", name, "imageref.dev/admission=enforce"];
        cluster.kubectl(&label).unwrap();
        until_passes(|| dry(&cluster, name, &of(&["busybox"])));
    }
    // Without the kind of its parameter a policy is broken: that refuses where it enforces, and there alone.
    cluster
        .kubectl(&["delete", "crd", "imagecatalogs.imageref.dev"])
        .unwrap();
    namespace(&cluster, "late", "enforce");
    until_says("denied request", || dry(&cluster, "late", &of(&[TORCH])));
    until_passes(|| dry(&cluster, "warned", &of(&["busybox"])));
}
