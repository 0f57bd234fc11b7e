//! A webhook's process beside the shared control plane, and namespaces that it is asked about.
//!
//! Owns how the process is started and how the API server finds it. The invariant that would break
//! first: the process has the rights of `deploy/webhook.yaml` and no others, and the API server
//! asks by its rules; each scene's rules hold in its own namespaces alone.

use crate::on_cluster;
use crate::webhook::served::{Identity, SOON};
use cluster::{Cluster, Server, Spec};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;
use std::sync::OnceLock;
use std::time::Instant;

/// The label by which rules find the scene's namespaces.
const SCENE: &str = "webhook-scene";

pub(super) const TORCH: &str = "swr.cn-north-4.myhuaweicloud.com/ai/torch";

/// A webhook's process, and its rules.
pub(super) struct Scene {
    pub(super) cluster: &'static Cluster,
    /// Its rules are named `imageref-NAME`.
    pub(super) name: &'static str,
    pub(super) webhook: Server,
}

/// The arguments and variables of a process, with a folder for its certificate.
pub(super) fn command(
    cluster: &Cluster,
    identity: &Identity,
    name: &str,
) -> (Vec<String>, Vec<(String, String)>) {
    let folder = cluster.folder().join(format!("tls-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("tls.crt"), &identity.certificate).unwrap();
    cluster::write_private(&folder.join("tls.key"), &identity.key).unwrap();
    let token = cluster.service_account_token("imageref-system", "imageref-webhook");
    let kubeconfig = cluster.kubeconfig_with_token(&token.unwrap()).unwrap();
    let args = [
        "webhook",
        "--address",
        "127.0.0.1:0",
        "--metrics-address",
        "127.0.0.1:0",
    ];
    let mut args: Vec<_> = args.map(str::to_owned).into();
    args.extend(["--tls-dir".into(), folder.display().to_string()]);
    let env = vec![
        ("KUBECONFIG".into(), kubeconfig.display().to_string()),
        ("IMAGEREF_LOG".into(), "info,imageref=debug".into()),
    ];
    (args, env)
}

/// The documents of `deploy/webhook.yaml`.
fn documents() -> Vec<Value> {
    let text = include_str!("../../deploy/webhook.yaml");
    let documents = text.split("\n---\n");
    documents
        .map(|one| serde_saphyr::from_str(one).unwrap())
        .collect()
}

/// Applies all of it but the rules, which are a scene's own.
pub(super) fn apply_rights(cluster: &Cluster) {
    static APPLIED: OnceLock<()> = OnceLock::new();
    APPLIED.get_or_init(|| {
        let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: imageref-system}}";
        cluster
            .kubectl_with_stdin(&["apply", "-f", "-"], namespace)
            .unwrap();
        for document in documents().iter().filter(|one| one["webhooks"].is_null()) {
            cluster
                .kubectl_with_stdin(&["apply", "-f", "-"], &document.to_string())
                .unwrap();
        }
    });
}

impl Scene {
    /// One that tests share; `None` where there is no control plane.
    pub(super) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Scene>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start("webhook-shared"))
            .as_ref()
    }

    /// One of the test's own.
    pub(super) fn start(name: &'static str) -> Option<Self> {
        let cluster = on_cluster::cluster()?;
        apply_rights(cluster);
        let identity = Identity::new();
        let (args, env) = command(cluster, &identity, name);
        let webhook = Server::spawn(Spec {
            name,
            program: PathBuf::from(env!("CARGO_BIN_EXE_imageref")),
            args,
            env,
            folder: cluster.folder(),
            removes_folder: false,
        });
        let scene = Self {
            cluster,
            name,
            webhook: webhook.unwrap(),
        };
        let address = address(&scene.webhook, "reviews are served");
        scene.until("it is ready", |scene| {
            scene.webhook.log().contains("everything is listed")
        });
        scene.apply_rules(&address, Some(&identity.ca));
        let probe = scene.namespace("probe", &[("admission", "enforce")]);
        scene.until("the API server asks", |scene| {
            let refused = scene.apply_with(&probe, &["--dry-run=server"], &pod("probe", "busybox"));
            !refused.status.success()
        });
        Some(scene)
    }

    /// Has API servers ask there; whom to trust is left to the process without `ca`.
    pub(super) fn apply_rules(&self, address: &str, ca: Option<&str>) {
        let all = documents();
        for rules in all.into_iter().filter(|one| !one["webhooks"].is_null()) {
            self.apply_rule(rules, address, ca);
        }
    }

    fn apply_rule(&self, mut rules: Value, address: &str, ca: Option<&str>) {
        rules["metadata"]["name"] = format!("imageref-{}", self.name).into();
        for webhook in rules["webhooks"].as_array_mut().unwrap() {
            let path = webhook["clientConfig"]["service"]["path"].take();
            let url = format!("https://{address}{}", path.as_str().unwrap());
            webhook["clientConfig"] = json!({"url": url});
            if let Some(ca) = ca {
                // JSON has bytes in base64.
                let ca = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, ca);
                webhook["clientConfig"]["caBundle"] = ca.into();
            }
            let selector = &mut webhook["namespaceSelector"]["matchExpressions"];
            let ours = json!({"key": SCENE, "operator": "In", "values": [self.name]});
            selector.as_array_mut().unwrap().push(ours);
        }
        self.cluster
            .kubectl_with_stdin(&["apply", "-f", "-"], &rules.to_string())
            .unwrap();
    }

    /// A namespace with these labels (without `imageref.dev/`) that has the `ServiceAccount` which
    /// pods need.
    pub(super) fn namespace(&self, prefix: &str, labels: &[(&str, &str)]) -> String {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wh-{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut all = json!({SCENE: self.name});
        for (key, value) in labels {
            all[format!("imageref.dev/{key}")] = (*value).into();
        }
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": all}});
        self.cluster
            .kubectl_with_stdin(&["create", "-f", "-"], &namespace.to_string())
            .unwrap();
        self.cluster
            .kubectl(&["create", "serviceaccount", "default", "-n", &name])
            .unwrap();
        name
    }

    /// Declares an image, as if the operator had resolved it; waits until the webhook knows it.
    pub(super) fn declare(&self, namespace: &str, name: &str, image: &str) {
        self.cluster
            .kubectl_with_stdin(&["apply", "-n", namespace, "-f", "-"], &image_ref(name))
            .unwrap();
        self.resolve(namespace, name, image);
        let object = pod("declared", image);
        self.until("the webhook knows it", |scene| {
            let asked = scene.apply_with(namespace, &["--dry-run=server"], &object);
            asked.status.success() && !text(&asked.stderr).contains("Warning")
        });
    }

    /// Writes the status that the operator would.
    pub(super) fn resolve(&self, namespace: &str, name: &str, image: &str) {
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Resolved", "message": "resolved",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let status = json!({"status": {
            "observedGeneration": 1,
            "provider": {"kind": "ClusterImageProvider", "name": "default"},
            "image": image, "arch": "amd64", "conditions": [ready],
        }});
        let status = status.to_string();
        let patch = [
            "patch",
            "imageref",
            name,
            "-n",
            namespace,
            "--subresource=status",
            "--type=merge",
            "-p",
            &status,
        ];
        self.cluster.kubectl(&patch).unwrap();
    }

    /// Applies an object; the outcome as kubectl has it.
    pub(super) fn apply(&self, namespace: &str, object: &Value) -> Output {
        self.apply_with(namespace, &[], object)
    }

    pub(super) fn apply_with(&self, namespace: &str, more: &[&str], object: &Value) -> Output {
        let mut args = vec!["apply", "-n", namespace, "-f", "-"];
        args.extend(more);
        self.cluster
            .kubectl_output(&args, Some(&object.to_string()))
            .unwrap()
    }

    pub(super) fn create(&self, namespace: &str, more: &[&str], object: &Value) -> Output {
        let mut args = vec!["create", "-n", namespace, "-f", "-"];
        args.extend(more);
        let text = object.to_string();
        self.cluster.kubectl_output(&args, Some(&text)).unwrap()
    }

    /// Runs kubectl; the outcome as it has it.
    pub(super) fn kubectl(&self, args: &[&str]) -> Output {
        self.cluster.kubectl_output(args, None).unwrap()
    }

    pub(super) fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !holds(self) {
            assert!(
                Instant::now() < deadline,
                "never: {what}\n{}",
                self.webhook.log()
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

/// Where a process serves something, as its log says.
pub(crate) fn address(process: &Server, what: &str) -> String {
    let deadline = Instant::now() + SOON;
    loop {
        let log = process.log();
        let line = log.lines().find(|line| line.contains(what));
        if let Some((_, rest)) = line.and_then(|line| line.split_once("127.0.0.1:")) {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return format!("127.0.0.1:{port}");
        }
        assert!(Instant::now() < deadline, "{log}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What was said of an object that was accepted.
pub(super) fn accepted(output: &Output) -> String {
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

/// What was said of an object that was refused.
pub(super) fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stderr)
}

pub(super) fn image_ref(name: &str) -> String {
    let spec = json!({"source": {"notebook": {"name": name}}});
    json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
        "metadata": {"name": name}, "spec": spec,
    })
    .to_string()
}

pub(super) fn pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": image}]},
    })
}

pub(super) fn deployment(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    })
}
