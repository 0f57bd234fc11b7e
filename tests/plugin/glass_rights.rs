//! Whose right is missing is told, and the rights that are documented are enough.

use super::glass::{cluster_without_webhook, label, namespace};
use super::imageref;
use cluster::Cluster;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const LIST: &str = "{apiGroups: [''], resources: [namespaces], verbs: [list]}";
const WRITE: &str = "{apiGroups: [''], resources: [namespaces], verbs: [get, patch]}";
const LABELS: &str = "{apiGroups: [imageref.dev], resources: [admissionlabels], verbs: [update]}";

/// A kubeconfig of a new user with these rules.
fn user(cluster: &Cluster, name: &str, rules: &str) -> PathBuf {
    let rights = format!(
        "{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {name}, namespace: default}}}}
---
{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {{name: {name}}}, rules: [{rules}]}}
---
{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {{name: {name}}},
  roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}},
  subjects: [{{kind: ServiceAccount, name: {name}, namespace: default}}]}}"
    );
    cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], &rights)
        .unwrap();
    let token = cluster.service_account_token("default", name).unwrap();
    cluster.kubeconfig_with_token(&token).unwrap()
}

#[test]
fn the_documented_rights_are_enough_and_a_missing_one_is_named() {
    let Some(cluster) = cluster_without_webhook() else {
        return;
    };
    for name in ["one", "two"] {
        namespace(&cluster, name, &[("admission", "enforce")]);
    }
    let folder = tempfile::tempdir().unwrap();
    let refused = |kubeconfig: &PathBuf, arguments: &str, code: i32, says: &[&str]| {
        let ran = imageref(kubeconfig, folder.path(), arguments);
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        for text in says {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
        }
    };
    let nobody = user(&cluster, "nobody", "");
    refused(
        &nobody,
        "break-glass --all",
        2,
        &["cannot list namespaces in the whole cluster: this user has no right to"],
    );
    let reader = user(&cluster, "reader", LIST);
    refused(
        &reader,
        "break-glass --all",
        1,
        &[
            "cannot patch namespace one: this user has no right to",
            "cannot patch namespace two",
        ],
    );
    assert_eq!(label(&cluster, "one"), "enforce");

    // The guard of labels asks for a right of its own.
    let editor = user(&cluster, "editor", &format!("{LIST}, {WRITE}"));
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let dry = imageref(&editor, folder.path(), "break-glass --all --dry-run");
        if dry.code == 1 {
            let right = "needs the right to update admissionlabels.imageref.dev, which system:serviceaccount:default:editor does not have";
            assert!(dry.stderr.contains(right), "{}", dry.stderr);
            break;
        }
        assert!(Instant::now() < deadline, "the guard is not in force");
    }

    // For one namespace, without a list.
    let one = WRITE.replace(
        "resources: [namespaces]",
        "resources: [namespaces], resourceNames: [one]",
    );
    let lead = user(&cluster, "lead", &format!("{one}, {LABELS}"));
    let ran = imageref(&lead, folder.path(), "break-glass -n one");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(label(&cluster, "one"), "warn");
    refused(
        &lead,
        "break-glass -n two",
        1,
        &["cannot get namespace two"],
    );

    let platform = user(&cluster, "platform", &format!("{LIST}, {WRITE}, {LABELS}"));
    let ran = imageref(&platform, folder.path(), "break-glass --all");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(label(&cluster, "two"), "warn");
    let ran = imageref(
        &platform,
        folder.path(),
        "break-glass --restore break-glass.json",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(label(&cluster, "one"), "enforce");
    assert_eq!(label(&cluster, "two"), "enforce");
}
