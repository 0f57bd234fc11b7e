//! Two tenants and one operator: what one may not do with the other's providers and Secrets.

use super::operator::{Scene, condition, secret, start_with};
use super::process::own_scene;
use fakecloud::defaults::{
    self, ASCEND_NOTEBOOK_ID, MODELBOX_NOTEBOOK_ID, SEED_LITE_SERVER_ID, SEED_NOTEBOOK_ID,
};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const SYSTEM: &str = "imageref-system";

pub(crate) fn cluster_provider(scene: &Scene, name: &str, rest: &str) -> String {
    format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ClusterImageProvider, metadata: {{name: {name}}},
          spec: {{modelArts: {{region: {}, projectId: {}, endpoint: \"{}\"}}, auth: {{secretRef: {{name: {name}}}}}, {rest}}}}}",
        defaults::REGION,
        defaults::PROJECT_ID,
        scene.cloud.url()
    )
}

pub(crate) fn system_secret(scene: &Scene, name: &str) {
    let manifest = secret(name, defaults::HUAWEI_AK, defaults::HUAWEI_SK);
    scene
        .cluster
        .kubectl_with_stdin(&["apply", "-n", SYSTEM, "-f", "-"], &manifest)
        .unwrap();
}

pub(crate) fn through(kind: &str, name: &str) -> String {
    format!(
        "providerRef: {{kind: {kind}, name: {name}}}, source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}"
    )
}

#[test]
fn another_namespaces_provider_is_out_of_reach() {
    let (Some(owner), Some(other)) = (Scene::new("owner"), Scene::new("other")) else {
        return;
    };
    owner.modelarts("team");
    owner.image_ref("mine", &through("ImageProvider", "team"));
    owner.wait_reason("mine", "Resolved");
    let calls = owner.cloud.calls().total();
    other.image_ref("theirs", &through("ImageProvider", "team"));
    let refused = other.wait_reason("theirs", "Progressing");
    let message = condition(&refused, "Ready")["message"].to_string();
    assert!(
        message.contains(&format!("{}/team does not exist", other.namespace)),
        "{message}"
    );
    // The same provider in the other namespace, naming the owner's Secret, finds none.
    let url = owner.cloud.url();
    other.apply(&format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ImageProvider, metadata: {{name: team}},
          spec: {{modelArts: {{region: cn-north-4, projectId: p, endpoint: \"{url}\"}}, auth: {{secretRef: {{name: huawei}}}}}}}}"
    ));
    other.wait("imageprovider", "team", |o| {
        condition(o, "Ready")["reason"] == "SecretNotFound"
    });
    assert_eq!(owner.cloud.calls().total(), calls);
}

#[test]
fn a_cluster_provider_serves_only_the_namespaces_it_names_and_drops_the_facts_of_others() {
    let (Some(a), Some(b)) = (Scene::new("allowed"), Scene::new("denied")) else {
        return;
    };
    let name = format!("names-{}", a.namespace);
    let both = format!(
        "allowedNamespaces: {{names: [{}, {}]}}",
        a.namespace, b.namespace
    );
    let one = format!("allowedNamespaces: {{names: [{}]}}", a.namespace);
    system_secret(&a, &name);
    a.apply(&cluster_provider(&a, &name, &one));
    a.image_ref("r", &through("ClusterImageProvider", &name));
    b.image_ref("r", &through("ClusterImageProvider", &name));
    a.wait_reason("r", "Resolved");
    let refused = b.wait_reason("r", "ProviderNotAllowed");
    assert!(
        condition(&refused, "Ready")["message"]
            .to_string()
            .contains("allowedNamespaces")
    );
    assert_eq!(
        a.cloud.calls().total(),
        1,
        "nothing is asked for a namespace that is not served"
    );
    a.apply(&cluster_provider(&a, &name, &both));
    assert!(b.wait_reason("r", "Resolved")["status"]["image"].is_string());
    a.apply(&cluster_provider(&a, &name, &one));
    let dropped = b.wait_reason("r", "ProviderNotAllowed");
    assert!(dropped["status"]["image"].is_null() && dropped["status"]["upstream"].is_null());
}

#[test]
fn a_cluster_provider_may_choose_namespaces_by_label() {
    let Some(scene) = Scene::new("labelled") else {
        return;
    };
    let name = format!("label-{}", scene.namespace);
    system_secret(&scene, &name);
    let selector = format!("allowedNamespaces: {{selector: {{matchLabels: {{team: {name}}}}}}}");
    scene.apply(&cluster_provider(&scene, &name, &selector));
    scene.image_ref("before", &through("ClusterImageProvider", &name));
    scene.wait_reason("before", "ProviderNotAllowed");
    let other = super::on_cluster::namespace("labelled-yes");
    scene
        .cluster
        .kubectl(&["label", "namespace", &other, &format!("team={name}")])
        .unwrap();
    let yes = Scene {
        namespace: other,
        ..scene
    };
    yes.image_ref("after", &through("ClusterImageProvider", &name));
    yes.wait_reason("after", "Resolved");
}

#[test]
fn a_cluster_providers_secret_is_read_from_the_operators_namespace_alone() {
    let Some(scene) = Scene::new("secret") else {
        return;
    };
    let name = format!("secret-{}", scene.namespace);
    // The tenant offers a Secret of the right name; the operator's namespace has none.
    scene.apply(&secret(&name, defaults::HUAWEI_AK, defaults::HUAWEI_SK));
    scene.apply(&cluster_provider(
        &scene,
        &name,
        "allowedNamespaces: {selector: {}}",
    ));
    scene.image_ref("r", &through("ClusterImageProvider", &name));
    let provider = scene.wait("clusterimageprovider", &name, |o| {
        condition(o, "Ready")["reason"] == "SecretNotFound"
    });
    let message = condition(&provider, "Ready")["message"].to_string();
    assert!(message.contains(&format!("{SYSTEM}/{name}")), "{message}");
    assert!(scene.wait_reason("r", "Progressing")["status"]["image"].is_null());
    assert_eq!(scene.cloud.calls().total(), 0);
}

#[test]
fn an_image_outside_a_providers_accept_is_never_shown() {
    let Some(scene) = Scene::new("accept") else {
        return;
    };
    let name = format!("accept-{}", scene.namespace);
    system_secret(&scene, &name);
    let accept = "allowedNamespaces: {selector: {}}, accept: {organizations: [other-team]}";
    scene.apply(&cluster_provider(&scene, &name, accept));
    scene.image_ref("r", &through("ClusterImageProvider", &name));
    let refused = scene.wait_reason("r", "ProviderNotAllowed");
    for field in ["image", "swrPath", "imageID", "upstream", "arch"] {
        assert!(refused["status"][field].is_null(), "{field} is shown");
    }
    assert_eq!(condition(&refused, "Stalled")["status"], "True");
}

#[test]
fn an_endpoint_that_the_operator_does_not_allow_is_never_connected_to() {
    let Some(scene) = Scene::new("endpoint") else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    scene.apply(&secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK));
    scene.apply(&format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ImageProvider, metadata: {{name: default}},
          spec: {{modelArts: {{region: cn-north-4, projectId: p, endpoint: \"http://127.0.0.1:{port}\"}}, auth: {{secretRef: {{name: huawei}}}}}}}}"
    ));
    scene.image_ref(
        "r",
        &format!("source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}"),
    );
    scene.wait("imageprovider", "default", |o| {
        condition(o, "Ready")["reason"] == "EndpointNotAllowed"
    });
    let waiting = scene.wait_reason("r", "Progressing");
    let message = condition(&waiting, "Ready")["message"].to_string();
    assert!(message.contains("--allow-endpoint"), "{message}");
    assert!(listener.accept().is_err(), "somebody connected");
}

#[test]
fn the_operators_account_can_read_a_secret_by_name_and_list_none() {
    let Some(scene) = Scene::new("rights") else {
        return;
    };
    let may = |verb: &str, what: &str| {
        let account = "--as=system:serviceaccount:imageref-system:imageref";
        let args = ["auth", "can-i", verb, what, account, "-n", &scene.namespace];
        let output = scene.cluster.kubectl_output(&args, None).unwrap();
        String::from_utf8_lossy(&output.stdout).trim() == "yes"
    };
    assert!(may("get", "secrets"));
    for (verb, what) in [
        ("list", "secrets"),
        ("watch", "secrets"),
        ("list", "namespaces"),
        ("update", "imagerefs.imageref.dev"),
        ("create", "serviceaccounts/token"),
        ("get", "pods"),
    ] {
        assert!(!may(verb, what), "{verb} {what}");
    }
}

#[test]
fn a_tenants_limits_are_cut_to_what_the_operator_grants() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let flags = [
        "--insecure-loopback",
        "--allow-endpoint",
        &scene.cloud.url(),
        "--tenant-max-requests-per-second",
        "1",
        "--tenant-max-burst",
        "1",
    ];
    let flags = flags.map(str::to_owned).to_vec();
    scene.operator = Some(start_with(scene.cluster, "operator", flags, Vec::new()));
    scene.modelarts("default");
    scene.kubectl(&[
        "patch",
        "imageprovider/default",
        "--type=merge",
        "-p",
        "{\"spec\":{\"limits\":{\"requestsPerSecond\":100,\"burst\":200,\"maxConcurrent\":32}}}",
    ]);
    // Few images: each costs a get.
    let images = [
        format!("notebook: {{id: {ASCEND_NOTEBOOK_ID}}}"),
        format!("notebook: {{id: {SEED_NOTEBOOK_ID}}}"),
        format!("notebook: {{id: {MODELBOX_NOTEBOOK_ID}}}"),
        format!("liteServer: {{id: {SEED_LITE_SERVER_ID}}}"),
    ];
    let documents: Vec<String> = images
        .iter()
        .enumerate()
        .map(|(n, image)| {
            format!(
                "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: r{n}}}, spec: {{source: {{{image}}}}}}}"
            )
        })
        .collect();
    let begun = Instant::now();
    scene.apply(&documents.join("\n---\n"));
    for n in 0..images.len() {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
    let took = begun.elapsed();
    assert_eq!(scene.cloud.calls().total(), 4);
    assert!(took >= Duration::from_secs(3), "one a second: {took:?}");
}
