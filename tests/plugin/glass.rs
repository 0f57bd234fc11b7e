//! The webhook is configured as it is shipped, and there is no process behind it.

use super::{Run, imageref};
use crate::on_cluster;
use cluster::Cluster;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

const LONGEST: Duration = Duration::from_secs(60);

/// A cluster with the shipped rules of admission.
pub(super) fn cluster_without_webhook() -> Option<Cluster> {
    if !cluster::require() {
        return None;
    }
    let cluster = Cluster::start().unwrap();
    on_cluster::apply_crds(&cluster);
    cluster
        .kubectl(&["create", "namespace", "imageref-system"])
        .unwrap();
    for text in [
        include_str!("../../deploy/webhook.yaml"),
        include_str!("../../deploy/label-guard.yaml"),
    ] {
        cluster
            .kubectl_with_stdin(&["apply", "-f", "-"], text)
            .unwrap();
    }
    Some(cluster)
}

/// A namespace with these labels (without `imageref.dev/`).
pub(super) fn namespace(cluster: &Cluster, name: &str, labels: &[(&str, &str)]) {
    let mut all = json!({});
    for (key, value) in labels {
        all[format!("imageref.dev/{key}")] = (*value).into();
    }
    let object =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": all}});
    cluster
        .kubectl_with_stdin(&["create", "-f", "-"], &object.to_string())
        .unwrap();
    cluster
        .kubectl(&["create", "serviceaccount", "default", "-n", name])
        .unwrap();
}

pub(super) fn label(cluster: &Cluster, namespace: &str) -> String {
    let path = "jsonpath={.metadata.labels.imageref\\.dev/admission}";
    cluster
        .kubectl(&["get", "namespace", namespace, "-o", path])
        .unwrap()
}

fn set_label(cluster: &Cluster, namespace: &str, label: &str) {
    cluster
        .kubectl(&["label", "--overwrite", "namespace", namespace, label])
        .unwrap();
}

fn create(cluster: &Cluster, namespace: &str, object: &Value) -> Output {
    let args = ["create", "--dry-run=server", "-n", namespace, "-f", "-"];
    cluster
        .kubectl_output(&args, Some(&object.to_string()))
        .unwrap()
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "main", "image": "busybox"}]},
    })
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "main", "image": "busybox"}]},
            },
        },
    })
}

/// API servers read labels and rules from a cache of theirs: until the outcome is this.
fn until(cluster: &Cluster, namespace: &str, object: &Value, accepted: bool, says: &str) {
    let deadline = Instant::now() + LONGEST;
    loop {
        let output = create(cluster, namespace, object);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() == accepted && said.contains(says) {
            return;
        }
        assert!(Instant::now() < deadline, "{namespace}: {said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const NOBODY: &str = "failed calling webhook \"enforce.imageref.dev\"";

#[test]
fn a_pod_that_nobody_can_judge_is_taken_after_one_command_and_refused_after_its_undoing() {
    let Some(cluster) = cluster_without_webhook() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let run =
        |arguments: &str| -> Run { imageref(cluster.kubeconfig_path(), folder.path(), arguments) };
    namespace(&cluster, "closed", &[("admission", "enforce")]);
    namespace(
        &cluster,
        "strict",
        &[
            ("admission", "on"),
            ("admission-templates", "enforce"),
            ("mutate", "true"),
        ],
    );
    for mode in ["warn", "audit"] {
        namespace(&cluster, mode, &[("admission", mode)]);
    }
    namespace(&cluster, "free", &[]);
    until(&cluster, "closed", &pod(), false, NOBODY);
    until(
        &cluster,
        "strict",
        &deployment(),
        false,
        "enforce-templates.imageref.dev",
    );
    // The policy that needs no webhook refuses by the same label.
    let policy = include_str!("../../deploy/admission-policy.yaml");
    cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], policy)
        .unwrap();
    until(&cluster, "closed", &pod(), false, "imageref-admission");

    let dry = run("break-glass --all --dry-run");
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    let said = "namespace closed: imageref.dev/admission enforce -> warn (not changed: --dry-run)\n\
                namespace strict: imageref.dev/admission on -> warn (not changed: --dry-run)\n";
    assert_eq!(dry.stdout, said);
    assert_eq!(label(&cluster, "closed"), "enforce");
    assert!(!folder.path().join("break-glass.json").exists());

    let broken = run("break-glass --all");
    assert_eq!(broken.code, 0, "{}", broken.stderr);
    let said = "namespace closed: imageref.dev/admission enforce -> warn\n\
                namespace strict: imageref.dev/admission on -> warn\n\
                2 namespaces opened; to close: imageref break-glass --restore break-glass.json\n";
    assert_eq!(broken.stdout, said);
    let note = "note: namespace strict has imageref.dev/mutate: ";
    assert!(broken.stderr.starts_with(note), "{}", broken.stderr);
    until(&cluster, "closed", &pod(), true, "");
    until(&cluster, "strict", &pod(), true, "");
    until(&cluster, "strict", &deployment(), true, "");
    assert_eq!(label(&cluster, "audit"), "audit");
    assert_eq!(label(&cluster, "free"), "");

    // Once more changes nothing, and forgets nothing.
    let again = run("break-glass --all");
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (0, "no namespace enforces\n")
    );
    let again = run("break-glass --namespace closed");
    let said = "namespace closed: has imageref.dev/admission: warn already\n";
    assert_eq!((again.code, again.stdout.as_str()), (0, said));

    let restored = run("break-glass --restore break-glass.json");
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    let said = "namespace closed: imageref.dev/admission warn -> enforce\n\
                namespace strict: imageref.dev/admission warn -> on\n";
    assert_eq!(restored.stdout, said);
    until(&cluster, "closed", &pod(), false, "");
    until(
        &cluster,
        "strict",
        &deployment(),
        false,
        "enforce-templates.imageref.dev",
    );
    assert_eq!(label(&cluster, "strict"), "on");
    let again = run("break-glass --restore break-glass.json");
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (0, "nothing is left to close\n")
    );
}

/// As a command that was killed leaves it: written down, and not all changed.
fn half_done(cluster: &Cluster, folder: &Path, names: [&str; 2]) {
    for name in names {
        namespace(cluster, name, &[("admission", "enforce")]);
    }
    let both = format!("break-glass -n {} -n {}", names[0], names[1]);
    let ran = imageref(cluster.kubeconfig_path(), folder, &both);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    set_label(cluster, names[1], "imageref.dev/admission=enforce");
}

#[test]
fn wherever_the_command_was_killed_both_directions_go_on_and_what_others_set_is_left_alone() {
    let Some(cluster) = cluster_without_webhook() else {
        return;
    };
    let run = |folder: &Path, arguments: &str| {
        let ran = imageref(cluster.kubeconfig_path(), folder, arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let labels = |names: [&str; 2]| names.map(|name| label(&cluster, name));
    let onward = tempfile::tempdir().unwrap();
    let names = ["a1", "a2"];
    half_done(&cluster, onward.path(), names);
    run(onward.path(), "break-glass --all");
    assert_eq!(labels(names), ["warn", "warn"]);
    run(onward.path(), "break-glass --restore break-glass.json");
    assert_eq!(labels(names), ["enforce", "enforce"]);

    let back = tempfile::tempdir().unwrap();
    let names = ["b1", "b2"];
    half_done(&cluster, back.path(), names);
    let said = run(back.path(), "break-glass --restore break-glass.json");
    assert_eq!(labels(names), ["enforce", "enforce"]);
    let already = "namespace b2: has imageref.dev/admission: enforce already\n";
    assert!(said.ends_with(already), "{said}");

    let changed = tempfile::tempdir().unwrap();
    for name in ["c1", "c2"] {
        namespace(&cluster, name, &[("admission", "enforce")]);
    }
    run(changed.path(), "break-glass -n c1 -n c2");
    set_label(&cluster, "c1", "imageref.dev/admission=audit");
    set_label(&cluster, "c2", "imageref.dev/admission-");
    let said = run(changed.path(), "break-glass --restore break-glass.json");
    let wanted = "namespace c1: has imageref.dev/admission: audit now, which somebody else set, and is left alone\n\
                  namespace c2: has no imageref.dev/admission now, which somebody else set, and is left alone\n";
    assert_eq!(said, wanted);
    assert_eq!(labels(["c1", "c2"]), ["audit", ""]);
}

#[test]
fn a_record_that_cannot_be_written_or_is_another_file_changes_nothing() {
    let Some(cluster) = cluster_without_webhook() else {
        return;
    };
    namespace(&cluster, "closed", &[("admission", "enforce")]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("package.json"), "{}").unwrap();
    for (record, says) in [
        (
            "nowhere/record.json",
            "nothing was changed: name a file that can be written",
        ),
        (
            "package.json",
            "package.json cannot be read: name another file",
        ),
    ] {
        let arguments = format!("break-glass --all --record {record}");
        let ran = imageref(cluster.kubeconfig_path(), folder.path(), &arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(label(&cluster, "closed"), "enforce");
    }
}
