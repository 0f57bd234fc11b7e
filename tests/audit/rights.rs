//! Which rights are enough, how a missing one is told, and that a long list is read to its end.

use super::super::on_cluster;
use super::{label, pod, run};
use cluster::Cluster;
use std::path::PathBuf;

/// A kubeconfig of a new user with these rights in the namespace, and with `get` on it.
fn user(cluster: &Cluster, namespace: &str, name: &str, may_list: &[&str]) -> PathBuf {
    let kubectl = |args: &[&str]| cluster.kubectl(args).unwrap();
    kubectl(&["create", "serviceaccount", name, "-n", namespace]);
    let account = format!("--serviceaccount={namespace}:{name}");
    for (n, what) in may_list.iter().enumerate() {
        let role = format!("{name}-{n}");
        let resource = format!("--resource={what}");
        kubectl(&[
            "create",
            "role",
            &role,
            "--verb=list",
            &resource,
            "-n",
            namespace,
        ]);
        let of = format!("--role={role}");
        kubectl(&[
            "create",
            "rolebinding",
            &role,
            &of,
            &account,
            "-n",
            namespace,
        ]);
    }
    let role = format!("{namespace}-{name}");
    let this = format!("--resource-name={namespace}");
    kubectl(&[
        "create",
        "clusterrole",
        &role,
        "--verb=get",
        "--resource=namespaces",
        &this,
    ]);
    let of = format!("--clusterrole={role}");
    kubectl(&["create", "clusterrolebinding", &role, &of, &account]);
    let token = cluster.service_account_token(namespace, name).unwrap();
    cluster.kubeconfig_with_token(&token).unwrap()
}

#[test]
fn the_rights_to_list_pods_and_references_are_enough_and_a_missing_one_is_named() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("audit-rights");
    let folder = tempfile::tempdir().unwrap();
    label(cluster, &namespace, "imageref.dev/admission=enforce");
    let enough = user(
        cluster,
        &namespace,
        "enough",
        &["pods", "imagerefs.imageref.dev"],
    );
    let audit = format!("audit -n {namespace}");
    let ran = run(&enough, folder.path(), &audit, "");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout, "0 pods in 0 namespaces judged: 0 findings\n");

    let lacks = user(cluster, &namespace, "lacks", &["imagerefs.imageref.dev"]);
    let everywhere =
        "cannot list imagerefs.imageref.dev in the whole cluster: this user has no right to: ";
    let here = format!("cannot list pods in namespace {namespace}: this user has no right to: ");
    for (kubeconfig, arguments, said) in [
        (&lacks, audit.as_str(), here.as_str()),
        (
            &enough,
            "audit -A",
            "cannot list namespaces in the whole cluster: this user has no right to: ",
        ),
        (&enough, "check -f - --cluster", everywhere),
        (&enough, "lock --cluster", everywhere),
        (
            &enough,
            "audit -n kube-system",
            "cannot get namespace kube-system: this user has no right to: ",
        ),
    ] {
        let ran = run(kubeconfig, folder.path(), arguments, &pod("p", "busybox"));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments}");
        assert!(
            ran.stderr.starts_with(&format!("error: {said}")),
            "{}",
            ran.stderr
        );
    }
    // And a cluster without the rights to write is left without a lock of nothing.
    let empty = format!("lock --cluster -n {namespace}");
    let ran = run(&enough, folder.path(), &empty, "");
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr
            .contains(&format!("no ImageRef in namespace {namespace}")),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_context_names_the_namespace_and_an_unknown_one_is_told() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("audit-context");
    let folder = tempfile::tempdir().unwrap();
    let text = cluster
        .kubeconfig_yaml()
        .replace("namespace: default", &format!("namespace: {namespace}"));
    let path = folder.path().join("config");
    std::fs::write(&path, text).unwrap();
    cluster
        .kubectl(&["create", "serviceaccount", "default", "-n", &namespace])
        .unwrap();
    let apply = ["apply", "-n", &namespace, "-f", "-"];
    cluster
        .kubectl_with_stdin(&apply, &pod("p", "busybox"))
        .unwrap();
    let ran = run(
        &path,
        folder.path(),
        "audit --mode warn --context imageref-test",
        "",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout
            .contains(&format!("{namespace}  Pod   p     warn  Warn\n")),
        "{}",
        ran.stdout
    );
    let ran = run(&path, folder.path(), "audit --context none", "");
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr
            .starts_with("error: finding the cluster of --context"),
        "{}",
        ran.stderr
    );
}

#[test]
fn more_pods_than_one_answer_holds_are_all_judged() {
    const PODS: usize = 520;
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("audit-pages");
    let folder = tempfile::tempdir().unwrap();
    cluster
        .kubectl(&["create", "serviceaccount", "default", "-n", &namespace])
        .unwrap();
    let pods: String = (0..PODS)
        .map(|n| pod(&format!("p{n}"), "busybox"))
        .collect();
    let create = ["create", "-n", &namespace, "-f", "-"];
    cluster.kubectl_with_stdin(&create, &pods).unwrap();
    let audit = format!("audit -n {namespace} --mode enforce");
    let ran = run(cluster.kubeconfig_path(), folder.path(), &audit, "");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let sentence = format!("\n{PODS} pods in 1 namespace judged: {PODS} findings, {PODS} denied\n");
    assert!(ran.stdout.ends_with(&sentence), "{}", ran.stdout);
}
