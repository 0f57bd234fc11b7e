//! Processes that make their certificate themselves, with the rights of
//! `deploy/webhook-certificates.yaml`.

use super::scene::{Scene, TORCH, accepted, address, apply_rights, pod, refused};
use crate::on_cluster;
use cluster::{Cluster, Server, Spec};
use std::path::PathBuf;

const NAME: &str = "webhook-own";

fn replica(cluster: &Cluster, name: &'static str) -> Server {
    let token = cluster.service_account_token("imageref-system", "imageref-webhook");
    let kubeconfig = cluster.kubeconfig_with_token(&token.unwrap()).unwrap();
    let rules = format!("imageref-{NAME}");
    let args = [
        "webhook",
        "--address=127.0.0.1:0",
        "--metrics-address=",
        "--tls-names=127.0.0.1",
        "--validating-configurations",
        &rules,
        "--mutating-configurations",
        &rules,
    ];
    let env = [("KUBECONFIG", kubeconfig.display().to_string())];
    let server = Server::spawn(Spec {
        name,
        program: PathBuf::from(env!("CARGO_BIN_EXE_imageref")),
        args: args.map(str::to_owned).into(),
        env: env.map(|(name, value)| (name.to_owned(), value)).into(),
        folder: cluster.folder(),
        removes_folder: false,
    });
    server.unwrap()
}

#[test]
fn replicas_share_the_certificate_that_one_makes_and_the_api_server_trusts_both() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    apply_rights(cluster);
    let rights = include_str!("../../deploy/webhook-certificates.yaml");
    let rights = rights.replace(
        "resourceNames: [imageref-webhook]\n",
        &format!("resourceNames: [imageref-{NAME}]\n"),
    );
    let apply = ["apply", "-f", "-"];
    cluster.kubectl_with_stdin(&apply, &rights).unwrap();
    let mut scene = Scene {
        cluster,
        name: NAME,
        webhook: replica(cluster, "webhook-own-1"),
    };
    scene.until("it is ready", |scene| {
        scene.webhook.log().contains("everything is listed")
    });
    scene.apply_rules(&address(&scene.webhook, "reviews are served"), None);
    let team = scene.namespace("own", &[("admission", "enforce")]);
    let answers = |scene: &Scene| {
        let asked = scene.apply_with(&team, &["--dry-run=server"], &pod("probe", "busybox"));
        // While it is not trusted, pods are refused in other words.
        String::from_utf8_lossy(&asked.stderr).contains("(UnknownImage)")
    };
    scene.until("the API server trusts it", answers);
    let image = format!("{TORCH}:1");
    scene.declare(&team, "torch", &image);

    // Another replica takes the certificate that is there, and is trusted by what was written.
    let second = replica(cluster, "webhook-own-2");
    let first = std::mem::replace(&mut scene.webhook, second);
    scene.until("the second is ready", |scene| {
        scene.webhook.log().contains("everything is listed")
    });
    scene.apply_rules(&address(&scene.webhook, "reviews are served"), None);
    drop(first);
    scene.until("the API server trusts the second", answers);
    accepted(&scene.create(&team, &[], &pod("train", &image)));
    let other = refused(&scene.create(&team, &[], &pod("other", &format!("{TORCH}:2"))));
    assert!(other.contains("(OtherTag)"), "{other}");
}
