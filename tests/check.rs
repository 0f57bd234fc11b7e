//! `imageref check`: the real binary on real files, with an empty environment and no network.
//!
//! Owns the folder and the binary that all its parts use, and the objects that they write.

mod agreement;
mod bad_input;
mod corpus;
mod forms;
mod reports;
mod scope;

use std::io::Write as _;
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub(crate) struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

pub(crate) struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Runs `imageref check` in the folder; the arguments are separated by spaces.
    fn run(&self, arguments: &str) -> Run {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &str, stdin: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_imageref"))
            .arg("check")
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
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
}

const TORCH: &str = "swr.cn-north-4.myhuaweicloud.com/ai/torch";

/// A resolved reference to `torch` with this tag, through a ClusterImageProvider, for arm64.
fn torch(namespace: &str, name: &str, tag: &str) -> String {
    format!(
        "---
apiVersion: imageref.dev/v1alpha1
kind: ImageRef
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{source: {{notebook: {{name: {name}}}}}}}
status:
  provider: {{kind: ClusterImageProvider, name: default}}
  image: {TORCH}:{tag}
  arch: arm64
  conditions:
  - {{type: Ready, status: 'True', reason: Resolved, message: '', lastTransitionTime: '2026-01-01T00:00:00Z'}}
"
    )
}

fn pod(namespace: &str, name: &str, image: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  containers:
  - name: main
    image: {image}
"
    )
}

fn deployment(namespace: &str, name: &str, image: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  template:
    spec:
      containers:
      - name: main
        image: {image}
"
    )
}

/// A Namespace with labels, as `key: value` in flow style.
fn namespace(name: &str, labels: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n"
    )
}
