//! What a real API server, and the programs themselves, make of what is rendered.
//!
//! Owns the dry runs. Must not know how the operator behaves once installed. The invariant that would
//! break first: nothing that helm renders without an error is refused when it is installed.

use super::{Rendered, cases, rendered, snapshots::changed};
use crate::on_cluster;
use crate::operator::Scene;
use crate::process::own_scene;
use cluster::Cluster;
use serde_json::{Value, json};
use std::process::Command;

/// Kinds of others, which the tests' API server does not have.
const FOREIGN: [&str; 2] = ["monitoring.coreos.com/", "cert-manager.io/"];

/// The namespaces that cases name, as a platform team would make them.
fn namespaces(cluster: &Cluster) {
    for name in ["imageref-system", "team-a", "team-b"] {
        // Others share the cluster, and may have made it a moment ago.
        let create = ["create", "namespace", name];
        let output = cluster.kubectl_output(&create, None).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() || said.contains("AlreadyExists"),
            "{said}"
        );
    }
}

#[test]
fn an_api_server_takes_every_object_that_any_value_renders() {
    if !cluster::require_helm() {
        return;
    }
    // Its own: objects of the same names that others applied in another way bring warnings.
    let Some(Scene { cluster, .. }) = own_scene(true) else {
        return;
    };
    namespaces(cluster);
    let defaults = rendered(&[]);
    let mut all = vec![("defaults".to_owned(), defaults.clone())];
    for (name, values) in cases() {
        all.push((name, changed(&defaults, rendered(&[&values])).0));
    }
    for (case, objects) in all {
        let ours = objects.iter().filter(|one| {
            let version = one.object["apiVersion"].as_str().unwrap();
            // CRDs are there already; pods need their accounts, and have a test of their own.
            let elsewhere = matches!(one.kind(), "CustomResourceDefinition" | "Pod");
            !elsewhere && !FOREIGN.iter().any(|group| version.starts_with(group))
        });
        let texts: Vec<_> = ours.map(|one| one.text.as_str()).collect();
        if texts.is_empty() {
            continue;
        }
        let stream = texts.join("---\n");
        let dry = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "-f",
            "-",
        ];
        let output = cluster.kubectl_output(&dry, Some(&stream)).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{case}: {said}");
        assert!(!said.contains("Warning"), "{case}: {said}");
    }
}

/// The pod of a Deployment or of a test, for another namespace.
fn pod(of: &Rendered) -> Option<Value> {
    let spec = match of.kind() {
        "Deployment" => &of.object["spec"]["template"]["spec"],
        "Pod" => &of.object["spec"],
        _ => return None,
    };
    let metadata = json!({"name": format!("{}-pod", of.name())});
    Some(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
}

#[test]
fn all_pods_satisfy_the_level_restricted() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    if !cluster::require_helm() {
        return;
    }
    let namespace = on_cluster::namespace("restricted");
    let label = "pod-security.kubernetes.io/enforce=restricted";
    let enforce = ["label", "namespace", &namespace, label];
    cluster.kubectl(&enforce).unwrap();
    let dry = ["create", "-n", &namespace, "--dry-run=server", "-f", "-"];
    let send = |pod: &Value| {
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap();
        // It may be there already.
        let make = ["create", "serviceaccount", account, "-n", &namespace];
        cluster.kubectl_output(&make, None).unwrap();
        let output = cluster
            .kubectl_output(&dry, Some(&pod.to_string()))
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    let mut seen = Vec::new();
    for (case, values) in cases() {
        for pod in rendered(&[&values]).iter().filter_map(pod) {
            if seen.contains(&pod) {
                continue;
            }
            let (taken, said) = send(&pod);
            // The one value that asks for more.
            let more = pod["spec"]["hostNetwork"] == true;
            assert_eq!(taken, !more, "{case}: {said}");
            seen.push(pod);
        }
    }
    assert!(seen.len() > 10);
    let mut loose = seen.swap_remove(0);
    loose["spec"]["containers"][0]["securityContext"] = json!({});
    let (taken, said) = send(&loose);
    assert!(!taken && said.contains("violates PodSecurity"), "{said}");
}

#[test]
fn the_programs_know_every_argument_that_is_rendered() {
    if !cluster::require_helm() {
        return;
    }
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_imageref"))
            .args(args)
            .env("KUBECONFIG", "/nowhere/kubeconfig")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{args:?} works without a cluster");
        said
    };
    // What is said of an argument that is not known, and only then.
    let usage = "For more information, try '--help'";
    assert!(run(&["controller", "--no-such-argument"]).contains(usage));
    let mut seen = Vec::new();
    for (case, values) in cases() {
        for pod in rendered(&[&values]).iter().filter_map(pod) {
            let args = pod["spec"]["containers"][0]["args"].clone();
            if seen.contains(&args) {
                continue;
            }
            let list: Vec<_> = args
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one.as_str().unwrap())
                .collect();
            let said = run(&list);
            assert!(!said.contains(usage), "{case}: {said}");
            seen.push(args);
        }
    }
    assert!(seen.len() > 10);
}
