//! `imageref audit`, and `imageref check` and `lock` on the facts of a cluster, on the real API server.
//!
//! Owns the scene: a namespace with a reference that the operator resolved. The invariant that would
//! break first: what the commands say of a cluster is what they say of the same objects in files.

mod rights;
mod running;

use super::operator::{Scene, secret};
use cluster::Cluster;
use fakecloud::defaults::{self, ASCEND_NOTEBOOK_ID};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the binary on the cluster of a kubeconfig, in a folder; arguments are separated by spaces.
fn run(kubeconfig: &Path, folder: &Path, arguments: &str, stdin: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_imageref"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A scene whose reference `torch` was resolved through a `ClusterImageProvider`; its image.
fn resolved(name: &str) -> Option<(Scene, String)> {
    let scene = Scene::new(name)?;
    let provider = format!("audit-{}", scene.namespace);
    let manifest = secret(&provider, defaults::HUAWEI_AK, defaults::HUAWEI_SK);
    let apply = ["apply", "-n", "imageref-system", "-f", "-"];
    scene.cluster.kubectl_with_stdin(&apply, &manifest).unwrap();
    scene.apply(&format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ClusterImageProvider, metadata: {{name: {provider}}},
          spec: {{modelArts: {{region: {}, projectId: {}, endpoint: \"{}\"}}, auth: {{secretRef: {{name: {provider}}}}},
            allowedNamespaces: {{names: [{}]}}}}}}",
        defaults::REGION,
        defaults::PROJECT_ID,
        scene.cloud.url(),
        scene.namespace
    ));
    scene.image_ref(
        "torch",
        &format!("providerRef: {{kind: ClusterImageProvider, name: {provider}}}, source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}"),
    );
    let object = scene.wait_reason("torch", "Resolved");
    let image = object["status"]["image"].as_str().unwrap().to_owned();
    scene.kubectl(&["create", "serviceaccount", "default"]);
    Some((scene, image))
}

fn pod(name: &str, image: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{containers: [{{name: main, image: \"{image}\"}}]}}}}\n"
    )
}

fn label(cluster: &Cluster, namespace: &str, label: &str) {
    cluster
        .kubectl(&["label", "--overwrite", "namespace", namespace, label])
        .unwrap();
}
