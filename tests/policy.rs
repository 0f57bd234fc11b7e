//! Admission without a webhook: the shipped policies on a real API server, without any operator.

mod admission;
mod guard;
mod limits;

use cluster::Cluster;
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};

const POLICY: &str = include_str!("../deploy/admission-policy.yaml");
const GUARD: &str = include_str!("../deploy/label-guard.yaml");

const TORCH: &str = "swr.cn-north-4.myhuaweicloud.com/ai/torch:1";

/// A cluster with the CRDs and this policy, for the whole of it.
fn cluster_with(policy: &str) -> Option<Cluster> {
    if !cluster::require() {
        return None;
    }
    let cluster = Cluster::start().unwrap();
    crate::on_cluster::apply_crds(&cluster);
    cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], policy)
        .unwrap();
    Some(cluster)
}

/// A namespace whose pods are judged in this mode, as soon as the policy is in force.
fn namespace(cluster: &Cluster, name: &str, mode: &str) {
    cluster.kubectl(&["create", "namespace", name]).unwrap();
    let account = ["create", "serviceaccount", "default", "-n", name];
    cluster.kubectl(&account).unwrap();
    let label = format!("imageref.dev/admission={mode}");
    cluster
        .kubectl(&["label", "namespace", name, &label])
        .unwrap();
}

/// A catalogue as an operator would have written it.
fn catalog(cluster: &Cluster, namespace: &str, images: &Value) {
    let object = json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageCatalog",
        "metadata": {"name": "admission"}, "spec": {},
    });
    let args = ["apply", "-n", namespace, "-f", "-"];
    cluster
        .kubectl_with_stdin(&args, &object.to_string())
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        json!({"status": {"images": images}}).to_string(),
    )
    .unwrap();
    let sent = file.path().to_str().unwrap();
    let object = ["patch", "imgcat", "admission", "-n", namespace];
    let patch = ["--subresource=status", "--type=merge", "--patch-file", sent];
    cluster.kubectl(&[&object[..], &patch].concat()).unwrap();
}

fn pod(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

/// Sends an object; `verb` is `create` or `replace`.
fn send(cluster: &Cluster, verb: &[&str], namespace: &str, object: &Value) -> Output {
    let args = [verb, &["-n", namespace, "-f", "-"]].concat();
    cluster
        .kubectl_output(&args, Some(&object.to_string()))
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Sends it again until what the API server says has these words: it takes up policies, bindings,
/// labels and parameters some moments after they are stored.
fn until_says(wanted: &str, send: impl Fn() -> Output) -> Output {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let output = send();
        let text = stderr(&output);
        if text.contains(wanted) {
            return output;
        }
        assert!(Instant::now() < deadline, "not {wanted:?} but {text:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The same for nothing said and nothing refused.
fn until_passes(send: impl Fn() -> Output) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let output = send();
        let text = stderr(&output);
        if output.status.success() && text.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{text:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
