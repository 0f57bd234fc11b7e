//! The command line as a person at a cluster uses it: `kubectl imageref …`, and breaking the glass with
//! nobody behind the webhook.
//!
//! Owns how the binary is run. The invariant that would break first: what is run is the binary as it is
//! shipped, by the real kubectl, on a real API server.

mod glass;
mod glass_rights;
mod rights;
mod switches;
mod words;

use crate::operator::Scene;
use crate::process::own_scene;
use crate::tenants::{cluster_provider, system_secret, through};
use cluster::Cluster;
use std::path::Path;
use std::process::{Command, Output};

/// What a run came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the binary itself in a folder; arguments are separated by spaces.
pub(crate) fn imageref(kubeconfig: &Path, folder: &Path, arguments: &str) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_imageref"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        .output();
    output.unwrap().into()
}

/// A folder in which the binary has the name of a plugin.
fn linked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-imageref");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_imageref"), plugin).unwrap();
    folder
}

/// Runs it as kubectl does.
fn kubectl(scene: &Scene, folder: &Path, arguments: &str) -> Run {
    let output = Command::new(Cluster::bin("kubectl"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_clear()
        .env("PATH", folder)
        .env("KUBECONFIG", scene.cluster.kubeconfig_path())
        .output();
    output.unwrap().into()
}

/// A cluster with an operator, and the ImageRef `torch` resolved through a ClusterImageProvider.
fn scene_with_operator() -> Option<Scene> {
    let mut scene = own_scene(true)?;
    scene.start_operator();
    system_secret(&scene, "prod");
    let everybody = "allowedNamespaces: {selector: {}}";
    scene.apply(&cluster_provider(&scene, "prod", everybody));
    scene.image_ref("torch", &through("ClusterImageProvider", "prod"));
    scene.wait_reason("torch", "Resolved");
    scene.kubectl(&["create", "serviceaccount", "default"]);
    Some(scene)
}
