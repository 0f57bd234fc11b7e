//! What the chart's roles let people do who have the cluster's roles `view`, `edit` and `admin`.
//!
//! Owns the table of who may do what. No controller manager runs here, so nobody gathers the roles by
//! their labels: the test binds what has a role's label to a user of that name.

use super::release::Release;
use super::rights::{allowed, review};
use cluster::Cluster;
use serde_json::{Value, json};

const KINDS: [&str; 4] = [
    "imagerefs",
    "imageproviders",
    "clusterimageproviders",
    "imagecatalogs",
];
const READING: [&str; 3] = ["get", "list", "watch"];
const WRITING: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// What each may write; reading is for all.
const WRITES: [(&str, &[&str]); 3] = [
    ("view", &[]),
    ("edit", &["imagerefs"]),
    ("admin", &["imagerefs", "imageproviders"]),
];

/// Binds the roles that would be gathered into this one.
fn bind(cluster: &Cluster, role: &str) {
    let label = format!(
        "rbac.authorization.k8s.io/aggregate-to-{role}=true,app.kubernetes.io/instance=imageref"
    );
    let names = [
        "get",
        "clusterroles",
        "-l",
        &label,
        "-o",
        "jsonpath={.items[*].metadata.name}",
    ];
    let names = cluster.kubectl(&names).unwrap();
    assert!(!names.is_empty(), "nothing is gathered into {role}");
    for name in names.split(' ') {
        let binding = format!("{role}-{name}");
        let (of, user) = (format!("--clusterrole={name}"), format!("--user={role}"));
        cluster
            .kubectl(&["create", "clusterrolebinding", &binding, &of, &user])
            .unwrap();
    }
}

#[test]
fn view_reads_all_edit_writes_image_refs_admin_providers_and_nobody_what_decides() {
    let Some(release) = Release::shared() else {
        return;
    };
    let cluster = &release.cluster;
    let mut questions: Vec<(String, Value, bool)> = Vec::new();
    for (role, writes) in WRITES {
        bind(cluster, role);
        for kind in KINDS {
            let mut ask = |verb: &str, subresource: &str, expected: bool| {
                let asked = json!({
                    "group": "imageref.dev", "resource": kind, "subresource": subresource,
                    "verb": verb, "namespace": "team",
                });
                let question = review(role, &["system:authenticated"], &asked);
                questions.push((
                    format!("{role}: {verb} {kind} {subresource}"),
                    question,
                    expected,
                ));
            };
            for verb in READING {
                ask(verb, "", true);
            }
            for verb in WRITING {
                ask(verb, "", writes.contains(&kind));
                ask(verb, "status", false);
            }
        }
        // Nor Secrets, nor tokens, nor who may change labels of admission.
        for (group, resource, verb) in [
            ("", "secrets", "get"),
            ("", "serviceaccounts", "create"),
            ("imageref.dev", "admissionlabels", "update"),
        ] {
            let asked =
                json!({"group": group, "resource": resource, "verb": verb, "namespace": "team"});
            let question = review(role, &["system:authenticated"], &asked);
            questions.push((format!("{role}: {verb} {resource}"), question, false));
        }
    }
    let reviews: Vec<_> = questions
        .iter()
        .map(|(_, question, _)| question.clone())
        .collect();
    let expected = || questions.iter().map(|(_, _, expected)| *expected);
    // Bindings hold a moment after they were made.
    super::needs::until("the roles hold", String::new, || {
        allowed(cluster, &reviews)
            .iter()
            .zip(expected())
            .all(|(is, should)| *is || !should)
    });
    for ((what, _, expected), is) in questions.iter().zip(allowed(cluster, &reviews)) {
        assert_eq!(is, *expected, "{what}");
    }

    // Not only in answers.
    let manifest = "{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {name: mine, namespace: team}, spec: {source: {notebook: {name: a}}}}";
    let as_editor = ["create", "--as=edit", "-f", "-"];
    cluster.kubectl_with_stdin(&as_editor, manifest).unwrap();
    let approve = r#"{"status": {"image": "example.com/mine:1"}}"#;
    let patch = [
        "patch",
        "imageref",
        "mine",
        "-n",
        "team",
        "--as=admin",
        "--subresource=status",
        "--type=merge",
        "-p",
        approve,
    ];
    let said = cluster.kubectl(&patch).unwrap_err().to_string();
    assert!(
        said.contains("resource \"imagerefs/status\" in API group"),
        "{said}"
    );
}
