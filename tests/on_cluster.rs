//! The control plane that the tests of this binary share, with the CRDs in it.
//!
//! Owns when the CRDs are applied, and the names of namespaces. Must not know what the tests store.
//! The invariant that would break first: no two tests get the same namespace, so their order does
//! not matter.

use cluster::Cluster;
use imageref::api::crd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The cluster, with the CRDs established; `None` where there are no binaries (it says so).
pub(crate) fn cluster() -> Option<&'static Cluster> {
    static APPLIED: OnceLock<()> = OnceLock::new();
    if !cluster::require() {
        return None;
    }
    let cluster = Cluster::shared();
    APPLIED.get_or_init(|| apply_crds(cluster));
    Some(cluster)
}

/// Applies the CRDs and waits until they are served.
pub(crate) fn apply_crds(cluster: &Cluster) {
    let names = crd::crds().into_iter().filter_map(|crd| crd.metadata.name);
    let names: Vec<_> = names.map(|name| format!("crd/{name}")).collect();
    let mut wait = vec!["wait", "--for=condition=Established", "--timeout=60s"];
    wait.extend(names.iter().map(String::as_str));
    cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], &crds_yaml())
        .and_then(|_| cluster.kubectl(&wait))
        .unwrap_or_else(|error| panic!("the CRDs cannot be applied: {error:#}"));
}

/// All CRDs as one stream of YAML documents.
pub(crate) fn crds_yaml() -> String {
    let crds = crd::crds();
    let documents = crds
        .iter()
        .map(|crd| crd::to_yaml(crd).expect("a CRD is YAML"));
    documents.collect::<Vec<_>>().join("\n---\n")
}

/// A new namespace of the shared cluster; the name begins with `prefix` and is unique.
pub(crate) fn namespace(prefix: &str) -> String {
    namespace_in(Cluster::shared(), prefix)
}

/// A new namespace of this cluster, with a unique name.
pub(crate) fn namespace_in(cluster: &Cluster, prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    cluster
        .kubectl(&["create", "namespace", &name])
        .unwrap_or_else(|error| panic!("{error:#}"));
    name
}
