//! What the operator's account must be allowed for signing in, and what not.

use super::super::operator::{condition, secret};
use super::*;
use crate::process::own_scene;

fn may(cluster: &Cluster, account: &str, verb: &str, what: &str, namespace: &str) -> bool {
    let account = format!("--as=system:serviceaccount:{account}");
    let args = ["auth", "can-i", verb, what, &account, "-n", namespace];
    let output = cluster.kubectl_output(&args, None).unwrap();
    String::from_utf8_lossy(&output.stdout).trim() == "yes"
}

#[test]
fn tokens_of_service_accounts_are_made_only_where_that_is_granted() {
    let Some(scene) = scene("mint") else { return };
    let team = scene.namespace.clone();
    let operator = "imageref-system:imageref";
    let token = "serviceaccounts/token";
    assert!(!may(scene.cluster, operator, "create", token, &team));
    register(&scene.cloud, &team, &team, "reader");
    scene.apply(&service_account("reader", "p"));
    scene.apply(&modelarts(
        &scene,
        "ImageProvider",
        "p",
        &workload("reader", &sts(&team)),
        "",
    ));
    let provider = scene.wait("imageprovider", "p", |o| {
        condition(o, "Ready")["reason"] == "IdentityUnavailable"
    });
    let message = condition(&provider, "Ready")["message"].to_string();
    assert!(
        message.contains("create on serviceaccounts/token"),
        "{message}"
    );
    // The least that does: one ServiceAccount by name.
    scene.apply(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: one}, rules: [
           {apiGroups: [''], resources: [serviceaccounts], resourceNames: [reader], verbs: [get]},
           {apiGroups: [''], resources: [serviceaccounts/token], resourceNames: [reader], verbs: [create]}]}",
    );
    let subject = "--serviceaccount=imageref-system:imageref";
    scene.kubectl(&["create", "rolebinding", "one", "--role=one", subject]);
    assert!(
        !may(scene.cluster, operator, "create", token, &team),
        "not of others"
    );
    scene.image_ref("r", &reference("ImageProvider", "p", false));
    scene.kubectl(&[
        "patch",
        "imageprovider",
        "p",
        "--type=merge",
        "-p",
        r#"{"spec":{"auth":{"workloadIdentity":{"exchange":{"durationSeconds":1800}}}}}"#,
    ]);
    scene.wait_reason("r", "Resolved");
}

#[test]
fn rights_in_one_namespace_are_enough_to_serve_it_and_serve_no_other() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let rights = include_str!("../../deploy/rbac-namespace.yaml");
    scene.apply(rights);
    let token = scene
        .cluster
        .service_account_token("team", "imageref")
        .unwrap();
    let mut args = arguments(&scene.cloud, scene.cluster.folder());
    args.extend(["--namespaces", "team", "--operator-namespace", "team"].map(Into::into));
    scene.operator = Some(operator::start_as(
        scene.cluster,
        "operator",
        &token,
        args,
        Vec::new(),
    ));
    scene.modelarts("default");
    scene.image_ref("r", &reference("ImageProvider", "default", false));
    scene.wait_reason("r", "Resolved");
    assert_eq!(
        condition(&scene.get("imageprovider", "default"), "Ready")["status"],
        "True"
    );
    // A cluster provider is nobody's business here, and its references say why.
    let rest = "allowedNamespaces: {selector: {}},";
    let auth = "{secretRef: {name: huawei}}";
    scene.apply(&modelarts(
        &scene,
        "ClusterImageProvider",
        "shared",
        auth,
        rest,
    ));
    scene.image_ref(
        "shared",
        &reference("ClusterImageProvider", "shared", false),
    );
    let refused = scene.wait_reason("shared", "Progressing");
    let message = condition(&refused, "Ready")["message"].to_string();
    assert!(message.contains("--namespaces"), "{message}");
    assert!(scene.get("clusterimageprovider", "shared")["status"]["conditions"].is_null());
    // Another namespace is neither served nor read.
    scene
        .cluster
        .kubectl(&["create", "namespace", "other"])
        .unwrap();
    for what in ["secrets", "imagerefs.imageref.dev", "serviceaccounts/token"] {
        assert!(
            !may(scene.cluster, "team:imageref", "get", what, "other"),
            "{what}"
        );
    }
    let other = |manifest: &str| {
        let args = ["apply", "-n", "other", "-f", "-"];
        scene.cluster.kubectl_with_stdin(&args, manifest).unwrap();
    };
    other(&secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK));
    other(&modelarts(&scene, "ImageProvider", "default", auth, ""));
    let spec = reference("ImageProvider", "default", false);
    other(&format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: r}}, spec: {{{spec}}}}}"
    ));
    // What came after it is resolved, so it was passed over.
    scene.image_ref("marker", &spec);
    scene.wait_reason("marker", "Resolved");
    let args = [
        "get",
        "imageref",
        "r",
        "-n",
        "other",
        "-o",
        "jsonpath={.status.conditions}",
    ];
    assert_eq!(scene.cluster.kubectl(&args).unwrap(), "");
}

#[test]
fn several_namespaces_are_served_each_with_its_own_rights() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let subject = "--serviceaccount=team:imageref";
    scene.apply(include_str!("../../deploy/rbac-namespace.yaml"));
    scene
        .cluster
        .kubectl(&["create", "namespace", "second"])
        .unwrap();
    let rights = include_str!("../../deploy/rbac-namespace.yaml");
    let role = rights.split("---").nth(1).unwrap();
    let second = ["apply", "-n", "second", "-f", "-"];
    scene.cluster.kubectl_with_stdin(&second, role).unwrap();
    let binding = [
        "create",
        "rolebinding",
        "imageref-operator",
        "-n",
        "second",
        "--role=imageref-operator",
        subject,
    ];
    scene.cluster.kubectl(&binding).unwrap();
    let token = scene
        .cluster
        .service_account_token("team", "imageref")
        .unwrap();
    let mut args = arguments(&scene.cloud, scene.cluster.folder());
    args.extend(
        [
            "--namespaces",
            "team,second",
            "--operator-namespace",
            "team",
        ]
        .map(Into::into),
    );
    scene.operator = Some(operator::start_as(
        scene.cluster,
        "operator",
        &token,
        args,
        Vec::new(),
    ));
    let spec = reference("ImageProvider", "default", false);
    scene.modelarts("default");
    scene.image_ref("r", &spec);
    scene.wait_reason("r", "Resolved");
    let second = Scene {
        namespace: "second".into(),
        ..scene
    };
    second.modelarts("default");
    second.image_ref("r", &spec);
    second.wait_reason("r", "Resolved");
}

#[test]
fn a_namespace_without_rights_and_cluster_providers_without_them_hold_up_no_other() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    scene.apply(include_str!("../../deploy/rbac-namespace.yaml"));
    scene
        .cluster
        .kubectl(&["create", "namespace", "second"])
        .unwrap();
    let token = scene
        .cluster
        .service_account_token("team", "imageref")
        .unwrap();
    let mut args = arguments(&scene.cloud, scene.cluster.folder());
    args.extend(
        [
            "--namespaces",
            "team,second",
            "--operator-namespace",
            "team",
            "--cluster-providers",
        ]
        .map(Into::into),
    );
    scene.operator = Some(operator::start_as(
        scene.cluster,
        "operator",
        &token,
        args,
        Vec::new(),
    ));
    let spec = reference("ImageProvider", "default", false);
    scene.modelarts("default");
    scene.image_ref("r", &spec);
    scene.wait_reason("r", "Resolved");
    // Given the rights, the other one joins.
    let rights = include_str!("../../deploy/rbac-namespace.yaml");
    let role = rights.split("---").nth(1).unwrap();
    let second = ["apply", "-n", "second", "-f", "-"];
    scene.cluster.kubectl_with_stdin(&second, role).unwrap();
    let binding = [
        "create",
        "rolebinding",
        "imageref-operator",
        "-n",
        "second",
        "--role=imageref-operator",
        "--serviceaccount=team:imageref",
    ];
    scene.cluster.kubectl(&binding).unwrap();
    let second = Scene {
        namespace: "second".into(),
        ..scene
    };
    second.modelarts("default");
    second.image_ref("r", &spec);
    second.wait_reason("r", "Resolved");
}
