//! The rights of the webhook that makes its certificate itself, and what is seen without each.
//!
//! Owns the table of its rights. The invariant that would break first: each start finds no certificate, so
//! that every right is used again.

use super::super::metrics::get;
use super::needs::{Bench, Row, Seen, each_is_needed, until};
use super::release::{HOME, Release, address};
use super::rights;
use cluster::{Cluster, Server};
use serde_json::{Value, json};

const WEBHOOK: &str = "imageref-webhook";
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
    release: Release,
}

impl Webhook {
    fn kubectl(&self, args: &[&str]) -> String {
        self.release.kubectl(args)
    }

    fn empty_secret(&self) {
        self.kubectl(&["create", "secret", "generic", SECRET, "-n", HOME]);
    }

    fn bundles(&self, kind: &str) -> Vec<String> {
        let path = "jsonpath={range .webhooks[*]}{.clientConfig.caBundle}{\"\\n\"}{end}";
        let all = self.kubectl(&["get", kind, WEBHOOK, "-o", path]);
        all.lines().map(str::to_owned).collect()
    }
}

impl Bench for Webhook {
    fn cluster(&self) -> &Cluster {
        &self.release.cluster
    }

    fn declare(&self) {
        self.kubectl(&["delete", "secret", SECRET, "-n", HOME, "--ignore-not-found"]);
    }

    fn start(&self) -> Server {
        self.release.start(WEBHOOK, &[])
    }

    fn get(&self, kind: &str, name: &str) -> Value {
        self.release.get(kind, name, HOME)
    }

    fn all_is_well(&self, process: &Server) {
        let metrics = address(process, "metrics and health are served");
        until(
            "it is ready",
            || process.log(),
            || get(&metrics, "/readyz").0 == 200,
        );
        let secret = self.get("secret", SECRET);
        for kind in [VALIDATING, MUTATING] {
            let bundles = || self.bundles(kind);
            let kept = || {
                let bundles = bundles();
                let ours = |bundle: &String| secret["data"]["ca.crt"] == bundle.as_str();
                !bundles.is_empty() && bundles.iter().all(ours)
            };
            until("its authority is trusted", || bundles().join("\n"), kept);
        }
    }
}

#[test]
fn each_right_of_the_webhook_is_needed() {
    let Some(release) = Release::installed(&json!({})) else {
        return;
    };
    let webhook = Webhook { release };
    let rights = rights::of(&webhook.release.cluster, HOME, WEBHOOK);
    each_is_needed(&webhook, &rights, &rows());
}
