//! What a cluster offers to whoever disturbs its clients: compaction, an API server that is rolled, and
//! another server in between.
//!
//! Owns the proof that each really happens. The invariant that would break first: a revision that was
//! compacted is answered with 410.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use cluster::Cluster;

#[test]
fn what_was_compacted_is_gone_after_the_next_start_of_the_api_server() {
    if !cluster::require() {
        return;
    }
    let cluster = Cluster::start().unwrap();
    let create = ["create", "configmap", "changed", "--from-literal=a=b"];
    cluster.kubectl(&create).unwrap();
    let version = [
        "get",
        "configmap",
        "changed",
        "-o",
        "jsonpath={.metadata.resourceVersion}",
    ];
    let version = cluster.kubectl(&version).unwrap();
    // A watch that begins there and ends by itself.
    let watch = format!(
        "/api/v1/namespaces/default/configmaps?watch=true&resourceVersion={version}&timeoutSeconds=2"
    );
    let watched = || cluster.kubectl(&["get", "--raw", &watch]).unwrap();
    let label = ["label", "configmap", "changed", "step=two"];
    cluster.kubectl(&label).unwrap();
    assert!(watched().contains("MODIFIED"), "nothing is gone yet");

    let compacted = cluster.compact().unwrap();
    assert!(compacted > version.parse().unwrap(), "{compacted}");
    cluster.roll_apiserver().unwrap();
    let answer = watched();
    assert!(answer.contains("\"code\":410"), "{answer}");
}

#[test]
fn a_kubeconfig_through_another_server_names_it_and_its_authority() {
    if !cluster::require() {
        return;
    }
    let cluster = Cluster::shared();
    let (url, ca) = (cluster.url(), cluster.ca_pem());
    let through = |url: &str, ca: &str| {
        let token = cluster.admin_token();
        let path = cluster.kubeconfig_through(url, ca, token).unwrap();
        let path = path.display().to_string();
        cluster.kubectl(&["--kubeconfig", &path, "get", "namespaces"])
    };
    through(url, ca).unwrap();
    let strangers = Cluster::start().unwrap();
    let error = format!("{:#}", through(url, strangers.ca_pem()).unwrap_err());
    assert!(error.contains("certificate"), "{error}");
    through(strangers.url(), strangers.ca_pem()).unwrap_err();
}
