//! `docs/quick-start.md`, in a cluster of its own: what the page shows is applied and typed as it stands.
//!
//! Owns what stands for the reader's account, and for the chart. Must not repeat a command of the page. The
//! invariant that would break first: who follows the page ends with a declared pod that is taken and
//! another that is refused, in the words that the page shows.

use super::blocks::{self, Block};
use super::sorted::{documents, read};
use crate::operator::{self, runtime};
use crate::{on_cluster, webhook_cluster};
use cluster::{Cluster, Server, Spec};
use fakecloud::{FakeCloud, defaults};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PAGE: &str = "docs/quick-start.md";
const SOON: Duration = Duration::from_secs(60);

/// The page's blocks from the second step on: the first one is the chart's.
fn steps() -> Vec<Block> {
    let pages = blocks::pages();
    let (path, page) = pages
        .iter()
        .find(|(path, _)| path == Path::new(PAGE))
        .unwrap();
    let (_, steps) = page.split_once("\n### 2.").unwrap();
    let (steps, _) = steps.split_once("\n### Remove it").unwrap();
    blocks::of(path, steps)
}

/// A cluster in which the chart is installed, as far as the page needs it.
struct Reader {
    cluster: Cluster,
    cloud: FakeCloud,
    /// End with the reader.
    _processes: [Server; 2],
}

impl Reader {
    fn new() -> Self {
        let cluster = Cluster::start().unwrap();
        on_cluster::apply_crds(&cluster);
        let cloud = runtime().block_on(FakeCloud::start());
        let url = cloud.url();
        let flags = [
            "--insecure-loopback",
            "--allow-endpoint",
            &url,
            "--huawei-iam-endpoint",
            &url,
        ];
        let flags = flags.map(str::to_owned).into();
        let controller = operator::start_with(&cluster, "quick-start", flags, Vec::new());
        let webhook = webhook(&cluster);
        Self {
            cluster,
            cloud,
            _processes: [controller, webhook],
        }
    }

    /// Applies what the page shows, with the reader's account in place of the page's words.
    fn apply(&self, block: &Block) {
        for document in documents(&block.text) {
            let mut object = read(&block.place, &document);
            match object["kind"].as_str().unwrap() {
                "Secret" => {
                    object["stringData"]["accessKeyId"] = json!(defaults::HUAWEI_AK);
                    object["stringData"]["accessKeySecret"] = json!(defaults::HUAWEI_SK);
                }
                "ClusterImageProvider" => {
                    object["spec"]["modelArts"]["endpoint"] = json!(self.cloud.url());
                }
                _ => {}
            }
            let namespace = object["kind"] == "Namespace";
            let apply = ["apply", "-f", "-"];
            self.cluster
                .kubectl_with_stdin(&apply, &object.to_string())
                .unwrap();
            if namespace {
                let name = object["metadata"]["name"].as_str().unwrap();
                // Its controller does not run here, and no pod is taken without.
                let account = ["create", "serviceaccount", "default", "-n", name];
                self.cluster.kubectl(&account).unwrap();
            }
        }
    }

    /// Types it into a shell.
    fn types(&self, script: &str) -> Output {
        let tools = Cluster::bin("kubectl");
        let own = PathBuf::from(env!("CARGO_BIN_EXE_imageref"));
        let path = std::env::var("PATH").unwrap();
        let folders = [tools.parent().unwrap(), own.parent().unwrap()];
        let [tools, own] = folders.map(|folder| folder.display().to_string());
        Command::new("timeout")
            .args(["180", "bash", "-euc", script])
            .env("PATH", format!("{tools}:{own}:{path}"))
            .env("KUBECONFIG", self.cluster.kubeconfig_path())
            .env("KUBERC", "off")
            .output()
            .unwrap()
    }

    /// The same until it says what is wanted: API servers learn of rules and labels a moment later.
    fn types_until(&self, script: &str, wanted: impl Fn(&Output) -> bool) -> Output {
        let deadline = Instant::now() + SOON;
        loop {
            let output = self.types(script);
            if wanted(&output) {
                return output;
            }
            assert!(Instant::now() < deadline, "{script}: {output:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The webhook's process with the rights, rules and certificate of `deploy/`.
fn webhook(cluster: &Cluster) -> Server {
    let apply = |text: &str| {
        cluster
            .kubectl_with_stdin(&["apply", "-f", "-"], text)
            .unwrap()
    };
    let rules = include_str!("../../deploy/webhook.yaml");
    apply(rules);
    apply(include_str!("../../deploy/webhook-certificates.yaml"));
    let token = cluster.service_account_token("imageref-system", "imageref-webhook");
    let kubeconfig = cluster.kubeconfig_with_token(&token.unwrap()).unwrap();
    let args = [
        "webhook",
        "--address=127.0.0.1:0",
        "--metrics-address=",
        "--tls-names=127.0.0.1",
    ];
    let process = Server::spawn(Spec {
        name: "quick-start-webhook",
        program: PathBuf::from(env!("CARGO_BIN_EXE_imageref")),
        args: args.map(str::to_owned).into(),
        env: vec![("KUBECONFIG".into(), kubeconfig.display().to_string())],
        folder: cluster.folder(),
        removes_folder: false,
    });
    let process = process.unwrap();
    let address = webhook_cluster::address(&process, "reviews are served");
    // No Service leads anywhere here: the API server calls an address.
    for document in documents(rules) {
        let mut object = read("deploy/webhook.yaml", &document);
        for rule in object["webhooks"].as_array_mut().into_iter().flatten() {
            let path = rule["clientConfig"]["service"]["path"].as_str().unwrap();
            rule["clientConfig"] = json!({"url": format!("https://{address}{path}")});
        }
        if object["webhooks"].is_array() {
            apply(&object.to_string());
        }
    }
    process
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|text| String::from_utf8_lossy(text))
        .concat()
}

#[test]
fn who_follows_the_quick_start_has_a_declared_pod_and_a_refused_one() {
    if !cluster::require() {
        return;
    }
    let reader = Reader::new();
    let mut refused = None;
    for block in steps() {
        match block.language() {
            "yaml" => reader.apply(&block),
            "sh" => {
                let output = reader.types_until(&block.text, |output| output.status.success());
                if block.text.contains(".status.image}{") {
                    assert!(
                        said(&output).contains("\nswr.cn-north-4."),
                        "{}",
                        said(&output)
                    );
                }
            }
            "console" => {
                let (typed, expected) = block.text.split_once('\n').unwrap();
                let typed = typed.strip_prefix("$ ").unwrap();
                // On the way to it pods are made that nobody wants.
                let dry = format!("{typed} --dry-run=server");
                let output = reader.types_until(&dry, |output| !output.status.success());
                assert_eq!(said(&output), expected, "{}", block.place);
                refused = Some(typed.to_owned());
            }
            other => panic!("{}: {other}", block.place),
        }
    }
    let pod = ["get", "pod", "trainer", "-n", "ai-team", "-o", "json"];
    let pod: Value = serde_json::from_str(&reader.cluster.kubectl(&pod).unwrap()).unwrap();
    let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
    assert!(image.starts_with("swr.cn-north-4."), "{image}");
    // The last command opened the namespace: what was refused is taken.
    let refused = refused.expect("the page shows no refusal");
    reader.types_until(&refused, |output| output.status.success());
}
