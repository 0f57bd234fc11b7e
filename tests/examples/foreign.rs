//! Kinds of other projects that examples name, as far as an API server must know them.
//!
//! Owns their names. Must not know their fields: that an example of theirs is right, their own
//! documentation says; here its shape, its metadata and its place in a cluster are judged. The invariant
//! that would break first: a kind that is misspelt is not served.

use serde_json::{Value, json};

/// Group and version, kind, plural, and whether it is in a namespace.
const KINDS: [(&str, &str, &str, bool); 14] = [
    ("argoproj.io/v1alpha1", "Application", "applications", true),
    (
        "argoproj.io/v1alpha1",
        "ApplicationSet",
        "applicationsets",
        true,
    ),
    ("cert-manager.io/v1", "Certificate", "certificates", true),
    (
        "cert-manager.io/v1",
        "ClusterIssuer",
        "clusterissuers",
        false,
    ),
    ("cert-manager.io/v1", "Issuer", "issuers", true),
    (
        "external-secrets.io/v1",
        "ExternalSecret",
        "externalsecrets",
        true,
    ),
    (
        "helm.toolkit.fluxcd.io/v2",
        "HelmRelease",
        "helmreleases",
        true,
    ),
    (
        "kustomize.toolkit.fluxcd.io/v1",
        "Kustomization",
        "kustomizations",
        true,
    ),
    (
        "monitoring.coreos.com/v1",
        "PodMonitor",
        "podmonitors",
        true,
    ),
    (
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        "prometheusrules",
        true,
    ),
    (
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        "servicemonitors",
        true,
    ),
    (
        "source.toolkit.fluxcd.io/v1",
        "GitRepository",
        "gitrepositories",
        true,
    ),
    (
        "source.toolkit.fluxcd.io/v1",
        "HelmRepository",
        "helmrepositories",
        true,
    ),
    (
        "source.toolkit.fluxcd.io/v1",
        "OCIRepository",
        "ocirepositories",
        true,
    ),
];

/// The CRD of an object's kind, if that is of another project: any `spec` and `status`, nothing else.
pub(crate) fn crd(object: &Value) -> Option<Value> {
    let (version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
    let (_, _, plural, namespaced) = KINDS
        .iter()
        .find(|known| (known.0, known.1) == (version, kind))?;
    let (group, version) = version.split_once('/')?;
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    Some(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "scope": if *namespaced { "Namespaced" } else { "Cluster" },
            "versions": [{
                "name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "required": ["spec"],
                    "properties": {"spec": any, "status": any},
                }},
            }],
        },
    }))
}
