//! What the rendered roles grant.
//!
//! Owns reading rules out of roles. The invariant that would break first: a wildcard, or a status that a
//! person may write, is found wherever it stands.

use super::{Rendered, cases, rendered};
use serde_json::Value;
use std::collections::BTreeSet;

/// Each right of a rule by itself: group, resource, verb.
fn rights(role: &Value) -> BTreeSet<(String, String, String)> {
    let list = |value: &Value| -> Vec<String> {
        let all = value.as_array().into_iter().flatten();
        all.map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut found = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                for verb in list(&rule["verbs"]) {
                    found.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    found
}

fn roles(all: &[Rendered]) -> impl Iterator<Item = &Rendered> {
    all.iter()
        .filter(|one| matches!(one.kind(), "Role" | "ClusterRole"))
}

fn aggregated(role: &Value) -> bool {
    let labels = role["metadata"]["labels"].as_object().unwrap();
    labels.keys().any(|key| key.contains("/aggregate-to-"))
}

fn everything() -> Vec<(String, Vec<Rendered>)> {
    let mut all = vec![("defaults".to_owned(), rendered(&[]))];
    all.extend(cases().into_iter().map(|(name, values)| {
        let objects = rendered(&[&values]);
        (name, objects)
    }));
    all
}

#[test]
fn no_role_has_a_wildcard_and_only_the_operator_writes_statuses() {
    if !cluster::require_helm() {
        return;
    }
    for (case, all) in everything() {
        for role in roles(&all) {
            for (group, resource, verb) in rights(&role.object) {
                let what = format!("{case}: {} may {verb} {resource}", role.name());
                assert!(
                    ![&group, &resource, &verb].iter().any(|one| *one == "*"),
                    "{what}"
                );
                assert!(resource != "secrets" || verb != "list", "{what}");
                if !aggregated(&role.object) {
                    continue;
                }
                assert_eq!(group, "imageref.dev", "{what}");
                assert!(!resource.contains('/'), "{what}");
                let reads = matches!(verb.as_str(), "get" | "list" | "watch");
                let theirs = matches!(resource.as_str(), "imagerefs" | "imageproviders");
                assert!(reads || theirs, "{what}");
            }
        }
    }
}

#[test]
fn edit_writes_image_refs_and_nothing_else() {
    if !cluster::require_helm() {
        return;
    }
    let all = rendered(&[]);
    let label = "rbac.authorization.k8s.io/aggregate-to-edit";
    let edit = roles(&all).filter(|role| role.object["metadata"]["labels"][label] == "true");
    let written: BTreeSet<_> = edit
        .flat_map(|role| rights(&role.object))
        .filter(|(_, _, verb)| !matches!(verb.as_str(), "get" | "list" | "watch"))
        .map(|(_, resource, _)| resource)
        .collect();
    assert_eq!(written, BTreeSet::from(["imagerefs".to_owned()]));
}

#[test]
fn tokens_of_service_accounts_are_granted_with_workload_identity_alone() {
    if !cluster::require_helm() {
        return;
    }
    for (case, all) in everything() {
        let mut granted = roles(&all).filter(|role| {
            let rights = rights(&role.object);
            rights
                .iter()
                .any(|(_, resource, _)| resource == "serviceaccounts/token")
        });
        let on = matches!(case.as_str(), "workload-identity" | "namespaces");
        assert_eq!(granted.next().is_some(), on, "{case}");
        // Bound in single namespaces: the right to make tokens in all of them is the cluster.
        let in_all = |one: &&Rendered| {
            one.kind() == "ClusterRoleBinding" && one.name().ends_with("workload-identity")
        };
        assert!(all.iter().all(|one| !in_all(&one)), "{case}");
    }
}

#[test]
fn secrets_are_read_where_values_say_and_nowhere_else() {
    if !cluster::require_helm() {
        return;
    }
    let readers = |more: &[&str]| -> Vec<(String, Value)> {
        let all = rendered(more);
        let controllers = roles(&all).filter(|role| role.template == "controller-rbac");
        let rules = controllers.flat_map(|role| {
            let rules = role.object["rules"].as_array().unwrap().clone();
            let namespace = role.object["metadata"]["namespace"].as_str();
            let namespace = namespace.unwrap_or("everywhere").to_owned();
            rules.into_iter().map(move |rule| (namespace.clone(), rule))
        });
        rules
            .filter(|(_, rule)| rule["resources"].to_string().contains("secrets"))
            .map(|(namespace, rule)| (namespace, rule["resourceNames"].clone()))
            .collect()
    };
    assert_eq!(readers(&[]), [("everywhere".to_owned(), Value::Null)]);
    assert_eq!(readers(&["--set=rbac.secrets=none"]), []);
    let listed = "--values=tests/chart/values/fewer-rights.yaml";
    let names = serde_json::json!(["modelarts", "registry"]);
    let expected = [
        ("imageref-system".to_owned(), names),
        ("team-a".to_owned(), Value::Null),
    ];
    assert_eq!(readers(&[listed]), expected);
}

#[test]
fn without_cluster_resources_everything_is_in_a_namespace() {
    if !cluster::require_helm() {
        return;
    }
    let everything_on =
        "--set=admissionPolicy.enabled=true,flowControl.enabled=true,networkPolicy.enabled=true";
    let all = rendered(&["--values=tests/chart/values/namespaces.yaml", everything_on]);
    assert!(all.len() > 5);
    for one in all {
        let namespace = one.object["metadata"]["namespace"].as_str();
        assert!(namespace.is_some(), "{} {}", one.kind(), one.name());
    }
}
