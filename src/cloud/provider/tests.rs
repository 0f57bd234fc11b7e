//! The rules between namespaces, row by row.

use super::*;
use crate::api::ProviderRef;
use serde_json::json;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).into(), (*v).into()))
        .collect()
}

fn cluster(name: &str, allowed: &serde_json::Value) -> Provider {
    Provider::Cluster(Arc::new(
        serde_json::from_value(json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ClusterImageProvider",
            "metadata": {"name": name},
            "spec": {"allowedNamespaces": allowed, "auth": {"secretRef": {"name": "s"}},
                "pai": {"region": "cn-shanghai"}}
        }))
        .unwrap(),
    ))
}

fn namespaced(namespace: &str, name: &str) -> Provider {
    Provider::Namespaced(Arc::new(
        serde_json::from_value(json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageProvider",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"auth": {"secretRef": {"name": "s"}}, "pai": {"region": "cn-shanghai"}}
        }))
        .unwrap(),
    ))
}

#[test]
fn a_cluster_provider_serves_exactly_the_namespaces_it_names() {
    let rows = [
        (json!({"names": ["a", "b"]}), "b", labels(&[]), true),
        (json!({"names": ["a"]}), "b", labels(&[]), false),
        (json!({"selector": {}}), "x", labels(&[]), true),
        (
            json!({"selector": {"matchLabels": {"t": "1"}}}),
            "x",
            labels(&[("t", "1")]),
            true,
        ),
        (
            json!({"selector": {"matchLabels": {"t": "1"}}}),
            "x",
            labels(&[("t", "2")]),
            false,
        ),
        (
            json!({"names": ["x"], "selector": {"matchLabels": {"t": "1"}}}),
            "x",
            labels(&[]),
            true,
        ),
        (
            json!({"selector": {"matchExpressions": [{"key": "t", "operator": "In", "values": ["1"]}]}}),
            "x",
            labels(&[("t", "1")]),
            true,
        ),
        (
            json!({"selector": {"matchExpressions": [{"key": "t", "operator": "NotIn", "values": ["1"]}]}}),
            "x",
            labels(&[("t", "1")]),
            false,
        ),
        (
            json!({"selector": {"matchExpressions": [{"key": "t", "operator": "DoesNotExist"}]}}),
            "x",
            labels(&[]),
            true,
        ),
        (
            json!({"selector": {"matchExpressions": [{"key": "t", "operator": "Exists"}]}}),
            "x",
            labels(&[]),
            false,
        ),
        (
            json!({"selector": {"matchExpressions": [{"key": "t", "operator": "Gt", "values": ["1"]}]}}),
            "x",
            labels(&[("t", "2")]),
            false,
        ),
        (json!({}), "x", labels(&[]), false),
    ];
    for (allowed, namespace, labels, expected) in rows {
        let provider = cluster("p", &allowed);
        assert_eq!(
            provider.serves(namespace, &labels),
            expected,
            "{allowed} {namespace}"
        );
    }
}

#[test]
fn a_namespaced_provider_serves_and_reads_its_own_namespace_only() {
    let provider = namespaced("a", "p");
    assert!(provider.serves("a", &labels(&[])) && !provider.serves("b", &labels(&[])));
    assert_eq!(provider.secret("operator").unwrap().0, "a");
    assert_eq!(
        cluster("p", &json!({"selector": {}}))
            .secret("operator")
            .unwrap()
            .0,
        "operator"
    );
}

#[test]
fn without_provider_ref_the_namespaces_default_comes_before_the_clusters() {
    let all = [
        namespaced("a", "default"),
        cluster("default", &json!({"selector": {}})),
    ];
    let find = |id: &ProviderId| all.iter().find(|p| p.id() == *id).cloned();
    let spec = ImageRefSpec::default();
    assert_eq!(
        choose(&spec, "a", find).unwrap().id().kind,
        ProviderKind::Namespaced
    );
    assert_eq!(
        choose(&spec, "b", find).unwrap().id().kind,
        ProviderKind::Cluster
    );
    let Provided::Unavailable {
        provider: None,
        failure,
    } = *choose(&spec, "b", |_| None).unwrap_err()
    else {
        panic!()
    };
    assert_eq!(failure.kind, FailureKind::ProviderNotFound);
    let named = ImageRefSpec {
        provider_ref: Some(ProviderRef {
            kind: "ImageProvider".into(),
            name: "default".into(),
        }),
        ..Default::default()
    };
    assert!(
        choose(&named, "b", find).is_err(),
        "another namespace's provider is out of reach"
    );
    assert!(may_use(&named, "a", &all[0].id()) && !may_use(&named, "b", &all[0].id()));
    assert!(may_use(&spec, "b", &all[1].id()));
}
