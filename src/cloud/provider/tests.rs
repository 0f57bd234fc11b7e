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
fn a_namespaced_provider_serves_its_own_namespace_only() {
    let provider = namespaced("a", "p");
    assert!(provider.serves("a", &labels(&[])) && !provider.serves("b", &labels(&[])));
}

/// Provider `p` in `a`, or the cluster's `p`, with this `spec.auth`, and where it reads.
fn signs_in_at(kind: ProviderKind, auth: &serde_json::Value) -> Result<String, String> {
    let (api, mut metadata) = (kind.as_str(), json!({"name": "p"}));
    let spec = json!({"auth": auth, "modelArts": {"region": "cn-north-4"}});
    let object = |metadata| json!({"apiVersion": "imageref.dev/v1alpha1", "kind": api, "metadata": metadata, "spec": spec});
    let provider = if kind == ProviderKind::Namespaced {
        metadata["namespace"] = "a".into();
        Provider::Namespaced(Arc::new(serde_json::from_value(object(metadata)).unwrap()))
    } else {
        Provider::Cluster(Arc::new(serde_json::from_value(object(metadata)).unwrap()))
    };
    provider.sign_in("operator").map(|sign_in| match sign_in {
        SignIn::Secret {
            secret: (namespace, name),
            ..
        } => format!("secret {namespace}/{name}"),
        SignIn::ServiceAccount {
            account: (namespace, name),
            ..
        } => format!("account {namespace}/{name}"),
        SignIn::Operator(_) => "operator".into(),
    })
}

#[test]
fn a_provider_signs_in_with_objects_of_its_own_namespace_and_only_the_clusters_as_the_operator() {
    let secret = json!({"secretRef": {"name": "s"}});
    let account = json!({"workloadIdentity": {"serviceAccountRef": {"name": "w"}, "exchange": {}}});
    let own = json!({"operatorIdentity": {"metadata": {}}});
    let own_too = json!({"secretRef": {"name": "s"}, "operatorIdentity": {"metadata": {}}});
    let rows = [
        (&secret, "secret a/s", "secret operator/s"),
        (&account, "account a/w", "account operator/w"),
        (&own, "exactly one", "operator"),
        // The namespaced kind has no such field: what is there beside it is read.
        (&own_too, "secret a/s", "exactly one"),
        (&json!({}), "exactly one", "exactly one"),
        (
            &json!({"secretRef": {"name": "../../kube-system/secrets/s"}}),
            "no object is named so",
            "no object is named so",
        ),
        (
            &json!({"workloadIdentity": {"serviceAccountRef": {"name": "w/token"}, "exchange": {}}}),
            "no object is named so",
            "no object is named so",
        ),
    ];
    for (auth, namespaced, cluster) in rows {
        for (kind, expected) in [
            (ProviderKind::Namespaced, namespaced),
            (ProviderKind::Cluster, cluster),
        ] {
            let found = signs_in_at(kind, auth);
            let holds = match &found {
                Ok(place) => place == expected,
                Err(error) => error.contains(expected),
            };
            assert!(holds, "{kind:?} {auth}: {found:?}");
        }
    }
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
        choose(spec.provider_ref.as_ref(), "a", find)
            .unwrap()
            .id()
            .kind,
        ProviderKind::Namespaced
    );
    assert_eq!(
        choose(spec.provider_ref.as_ref(), "b", find)
            .unwrap()
            .id()
            .kind,
        ProviderKind::Cluster
    );
    let Provided::Unavailable {
        provider: None,
        failure,
    } = *choose(spec.provider_ref.as_ref(), "b", |_| None).unwrap_err()
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
        choose(named.provider_ref.as_ref(), "b", find).is_err(),
        "another namespace's provider is out of reach"
    );
    assert!(
        may_use(named.provider_ref.as_ref(), "a", &all[0].id())
            && !may_use(named.provider_ref.as_ref(), "b", &all[0].id())
    );
    assert!(may_use(spec.provider_ref.as_ref(), "b", &all[1].id()));
}

#[test]
fn a_tenants_limits_are_within_what_the_operator_grants_and_a_cluster_providers_are_its_own() {
    let with = |provider: Provider, limits: serde_json::Value| {
        let limits = serde_json::from_value(limits).unwrap();
        match provider {
            Provider::Namespaced(mut p) => {
                Arc::make_mut(&mut p).spec.limits = limits;
                Provider::Namespaced(p)
            }
            Provider::Cluster(mut p) => {
                Arc::make_mut(&mut p).spec.limits = limits;
                Provider::Cluster(p)
            }
        }
    };
    let minute = std::time::Duration::from_secs(60);
    let limits = |requests_per_second, burst, max_concurrent, minutes| Limits {
        requests_per_second,
        burst,
        max_concurrent,
        min_interval: minute * minutes,
    };
    let granted = limits(6, 3, 8, 5);
    let greedy =
        json!({"requestsPerSecond": 50, "burst": 50, "maxConcurrent": 20, "minInterval": "1m"});
    let modest =
        json!({"requestsPerSecond": 1, "burst": 1, "maxConcurrent": 1, "minInterval": "1h"});
    for (spec, tenant, cluster_wide) in [
        (json!(null), limits(5, 3, 4, 5), limits(5, 10, 4, 1)),
        (greedy, granted, limits(50, 50, 20, 1)),
        (modest, limits(1, 1, 1, 60), limits(1, 1, 1, 60)),
    ] {
        let of = |provider| with(provider, spec.clone()).limits(&granted);
        assert_eq!(of(namespaced("a", "default")), tenant, "{spec}");
        assert_eq!(
            of(cluster("default", &json!({"selector": {}}))),
            cluster_wide,
            "{spec}"
        );
    }
}
