//! The rights of the webhook that makes its certificate itself, and what is seen without each.

use super::super::on_cluster;
use super::needs::{Bench, Row, Seen, each_is_needed, until};
use super::rights;
use cluster::{Cluster, Server, Spec};
use serde_json::Value;
use std::path::PathBuf;

const SYSTEM: &str = "imageref-system";
const SECRET: &str = "imageref-webhook-certificates";

const REFERENCES: Seen = Seen::Log("the watch of ImageRefs failed");
const NAMESPACES: Seen = Seen::Log("the watch of Namespaces failed");
const CERTIFICATE: Seen = Seen::Log("the webhook's certificate cannot be kept");
const VALIDATING: &str = "validatingwebhookconfigurations";
const MUTATING: &str = "mutatingwebhookconfigurations";

fn rows() -> Vec<Row<Webhook>> {
    vec![
        Row::new("list", "imagerefs", REFERENCES),
        Row::new("watch", "imagerefs", REFERENCES),
        Row::new("list", "namespaces", NAMESPACES),
        Row::new("watch", "namespaces", NAMESPACES),
        Row::new("get", "secrets", CERTIFICATE),
        Row::new("create", "secrets", CERTIFICATE),
        // One without a certificate in it.
        Row::new("patch", "secrets", CERTIFICATE).before(Webhook::empty_secret),
        Row::new("get", VALIDATING, CERTIFICATE),
        Row::new("patch", VALIDATING, CERTIFICATE),
        Row::new("get", MUTATING, CERTIFICATE),
        Row::new("patch", MUTATING, CERTIFICATE),
    ]
}

struct Webhook {
    cluster: Cluster,
    args: Vec<String>,
}

impl Webhook {
    fn kubectl(&self, args: &[&str]) -> String {
        self.cluster.kubectl(args).unwrap()
    }

    fn empty_secret(&self) {
        self.kubectl(&["create", "secret", "generic", SECRET, "-n", SYSTEM]);
    }

    fn bundle(&self, kind: &str) -> Vec<String> {
        let path = "jsonpath={range .webhooks[*]}{.clientConfig.caBundle}{\"\\n\"}{end}";
        let all = self.kubectl(&["get", kind, "imageref-webhook", "-o", path]);
        all.lines().map(str::to_owned).collect()
    }
}

impl Bench for Webhook {
    fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn declare(&self) {
        self.kubectl(&[
            "delete",
            "secret",
            SECRET,
            "-n",
            SYSTEM,
            "--ignore-not-found",
        ]);
    }

    fn start(&self) -> Server {
        let token = self
            .cluster
            .service_account_token(SYSTEM, "imageref-webhook")
            .unwrap();
        let kubeconfig = self.cluster.kubeconfig_with_token(&token).unwrap();
        Server::spawn(Spec {
            name: "webhook",
            program: PathBuf::from(env!("CARGO_BIN_EXE_imageref")),
            args: self.args.clone(),
            env: vec![("KUBECONFIG".into(), kubeconfig.display().to_string())],
            folder: self.cluster.folder(),
            removes_folder: false,
        })
        .unwrap()
    }

    fn get(&self, kind: &str, name: &str) -> Value {
        let object = self.kubectl(&["get", kind, name, "-n", SYSTEM, "-o", "json"]);
        serde_json::from_str(&object).unwrap()
    }

    fn all_is_well(&self, process: &Server) {
        let says = |words: &str| process.log().contains(words);
        until(
            "everything is listed",
            || process.log(),
            || says("everything is listed"),
        );
        until(
            "a certificate is served",
            || process.log(),
            || says("another certificate is served"),
        );
        let secret = self.get("secret", SECRET);
        for kind in [VALIDATING, MUTATING] {
            let bundles = || self.bundle(kind);
            until(
                "each webhook is trusted by its authority",
                || bundles().join("\n"),
                || {
                    let bundles = bundles();
                    !bundles.is_empty()
                        && bundles
                            .iter()
                            .all(|one| secret["data"]["ca.crt"] == one.as_str())
                },
            );
        }
    }
}

#[test]
fn each_right_of_the_webhook_is_needed_and_nothing_is_refused() {
    if !cluster::require() {
        return;
    }
    let cluster = Cluster::start().unwrap();
    on_cluster::apply_crds(&cluster);
    cluster.kubectl(&["create", "namespace", SYSTEM]).unwrap();
    for manifest in [
        include_str!("../../deploy/webhook.yaml"),
        include_str!("../../deploy/webhook-certificates.yaml"),
    ] {
        cluster
            .kubectl_with_stdin(&["apply", "-f", "-"], manifest)
            .unwrap();
    }
    let args = [
        "webhook",
        "--address=127.0.0.1:0",
        "--metrics-address=",
        "--tls-names=127.0.0.1",
    ];
    let webhook = Webhook {
        args: args.map(str::to_owned).into(),
        cluster,
    };
    let rights = rights::of(&webhook.cluster, SYSTEM, "imageref-webhook");
    each_is_needed(&webhook, &rights, &rows());
}
