//! Who may change the labels that opt a namespace in and out.

use super::{GUARD, cluster_with, stderr, until_says};
use cluster::Cluster;
use std::process::Output;

/// The tenant may do whatever an editor of namespaces may; the platform team may change the labels
/// too, and the team lead those of one namespace.
const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: namespace-editor}
rules:
- {apiGroups: [''], resources: [namespaces, namespaces/status, namespaces/finalize], verbs: ['*']}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: labels}
rules:
- {apiGroups: [imageref.dev], resources: [admissionlabels], verbs: [update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: labels-of-one}
rules:
- {apiGroups: [imageref.dev], resources: [admissionlabels], verbs: [update], resourceNames: [lead]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: editors}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: namespace-editor}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: tenant}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: platform}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: lead}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: labels}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: labels}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: platform}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: labels-of-one}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: labels-of-one}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: lead}
";

fn run(cluster: &Cluster, user: &str, args: &[&str], stdin: Option<&str>) -> Output {
    let who = format!("--as={user}");
    let args = [args, &[who.as_str()]].concat();
    cluster.kubectl_output(&args, stdin).unwrap()
}

fn label(cluster: &Cluster, user: &str, namespace: &str, label: &str) -> Output {
    let args = ["label", "--overwrite", "namespace", namespace, label];
    run(cluster, user, &args, None)
}

fn passes(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one namespace, one change after the other"
)]
fn a_tenant_who_may_edit_namespaces_cannot_opt_out() {
    let policies = format!("{GUARD}\n---\n{RIGHTS}");
    let Some(cluster) = cluster_with(&policies) else {
        return;
    };
    cluster.kubectl(&["create", "namespace", "team"]).unwrap();
    cluster.kubectl(&["create", "namespace", "lead"]).unwrap();
    let refused = until_says("denied request", || {
        let refused = label(&cluster, "tenant", "team", "imageref.dev/admission=warn");
        // Until the guard is in force the label is set.
        cluster
            .kubectl(&["label", "namespace", "team", "imageref.dev/admission-"])
            .unwrap();
        refused
    });
    let wanted = "the label imageref.dev/admission decides on admission: changing it needs the right to update \
                  admissionlabels.imageref.dev, which tenant does not have; ask the platform team";
    assert!(stderr(&refused).contains(wanted), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("(Forbidden)"),
        "{}",
        stderr(&refused)
    );

    // Who may, may; other labels are everybody's, beside one of ours too.
    passes(&label(
        &cluster,
        "platform",
        "team",
        "imageref.dev/admission=enforce",
    ));
    passes(&label(&cluster, "tenant", "team", "team=a"));
    passes(&label(&cluster, "tenant", "team", "team=b"));
    passes(&label(&cluster, "tenant", "team", "team-"));
    passes(&label(
        &cluster,
        "tenant",
        "team",
        "other.dev/imageref.dev=x",
    ));
    passes(&label(
        &cluster,
        "tenant",
        "team",
        "imageref.dev/admission=enforce",
    ));

    let denied = |output: &Output| {
        assert!(!output.status.success());
        assert!(
            stderr(output).contains("decides on admission"),
            "{}",
            stderr(output)
        );
    };
    for change in [
        "imageref.dev/admission=warn",
        "imageref.dev/admission-",
        "imageref.dev/require-digest=true",
        "imageref.dev/anything=x",
    ] {
        denied(&label(&cluster, "tenant", "team", change));
    }
    // By way of all labels, and of the subresources that write them too.
    let all = [
        "patch",
        "namespace",
        "team",
        "--type=merge",
        "-p",
        r#"{"metadata": {"labels": null}}"#,
    ];
    denied(&run(&cluster, "tenant", &all, None));
    let patch = r#"{"metadata": {"labels": {"imageref.dev/admission": "audit"}}}"#;
    let status = [
        "patch",
        "namespace",
        "team",
        "--subresource=status",
        "--type=merge",
        "-p",
        patch,
    ];
    denied(&run(&cluster, "tenant", &status, None));
    let object = cluster
        .kubectl(&["get", "namespace", "team", "-o", "json"])
        .unwrap();
    let object = object.replace(
        "\"imageref.dev/admission\": \"enforce\"",
        "\"imageref.dev/admission\": \"audit\"",
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), object).unwrap();
    let sent = file.path().to_str().unwrap();
    let finalize = [
        "replace",
        "--raw",
        "/api/v1/namespaces/team/finalize",
        "-f",
        sent,
    ];
    denied(&run(&cluster, "tenant", &finalize, None));
    // A new namespace comes without them.
    let with = "{apiVersion: v1, kind: Namespace, metadata: {name: fresh, labels: {imageref.dev/admission: audit}}}";
    denied(&run(&cluster, "tenant", &["create", "-f", "-"], Some(with)));
    let without = "{apiVersion: v1, kind: Namespace, metadata: {name: fresh, labels: {a: b}}}";
    passes(&run(
        &cluster,
        "tenant",
        &["create", "-f", "-"],
        Some(without),
    ));
    let still = [
        "get",
        "namespace",
        "team",
        "-o",
        "jsonpath={.metadata.labels.imageref\\.dev/admission}",
    ];
    assert_eq!(cluster.kubectl(&still).unwrap(), "enforce");

    // The right may be for one namespace.
    passes(&label(
        &cluster,
        "lead",
        "lead",
        "imageref.dev/admission=warn",
    ));
    denied(&label(
        &cluster,
        "lead",
        "team",
        "imageref.dev/admission=warn",
    ));
    passes(&label(
        &cluster,
        "platform",
        "team",
        "imageref.dev/admission-",
    ));
}
