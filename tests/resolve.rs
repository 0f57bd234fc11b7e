//! `imageref resolve`: the real binary on real files, against the fake clouds over loopback.
//!
//! Owns the scene that all its parts play in: a cloud, a folder and the binary, whose environment
//! is empty but for what a test sets. Every run is checked for planted secrets.

mod answers;
mod bad_input;
mod credentials;
mod examples;
mod forms;
mod planner;
mod registries;

use super::operator::NO_REGISTRIES;
use fakecloud::{FakeCloud, defaults};
use std::path::PathBuf;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Texts that no output may hold.
const SECRETS: [&str; 5] = [
    defaults::HUAWEI_SK,
    defaults::ALIBABA_SECRET,
    defaults::AUTH_TOKEN,
    "PLANTED",
    "UExBTlRFRA",
];

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) struct Scene {
    pub(crate) cloud: FakeCloud,
    folder: TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self {
            cloud: FakeCloud::start().await,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder; `ENDPOINT` becomes the cloud's.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace("ENDPOINT", &self.cloud.url())).unwrap();
    }

    /// Runs `imageref resolve` in the folder.
    async fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[], "").await
    }

    async fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Run {
        self.end(self.command(arguments), environment, stdin).await
    }

    /// Runs another subcommand with the same flags; the arguments are separated by spaces.
    pub(crate) async fn run_as(&self, subcommand: &str, arguments: &str, stdin: &str) -> Run {
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let command = self.command_of(subcommand, &arguments);
        self.end(command, &[], stdin).await
    }

    async fn end(&self, mut command: Command, environment: &[(&str, &str)], stdin: &str) -> Run {
        command.envs(environment.iter().copied());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let stdin = stdin.replace("ENDPOINT", &self.cloud.url());
        // It may end without reading.
        let _ = input.write_all(stdin.as_bytes()).await;
        drop(input);
        let output = child.wait_with_output().await.unwrap();
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for secret in SECRETS {
            assert!(
                !run.stdout.contains(secret) && !run.stderr.contains(secret),
                "{secret} in {} / {}",
                run.stdout,
                run.stderr
            );
        }
        run
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_of("resolve", arguments)
    }

    fn command_of(&self, subcommand: &str, arguments: &[&str]) -> Command {
        let url = self.cloud.url();
        let mut command = Command::new(env!("CARGO_BIN_EXE_imageref"));
        command
            .arg(subcommand)
            .args(["--allow-endpoint", &url, "--insecure-loopback"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env(NO_REGISTRIES, "true")
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// A Secret of Huawei Cloud keys.
fn huawei_secret(namespace: &str, name: &str) -> String {
    secret(namespace, name, defaults::HUAWEI_AK, defaults::HUAWEI_SK)
}

fn secret(namespace: &str, name: &str, key: &str, value: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\nstringData:\n  accessKeyId: {key}\n  accessKeySecret: {value}\n"
    )
}

fn model_arts() -> String {
    format!(
        "modelArts: {{region: {}, projectId: {}, endpoint: ENDPOINT}}",
        defaults::REGION,
        defaults::PROJECT_ID
    )
}

const PAI: &str = "pai: {region: cn-shanghai, endpoint: ENDPOINT}";

/// A `ClusterImageProvider` with the Secret `keys`.
fn cluster_provider(name: &str, platform: &str, allowed: &str) -> String {
    format!(
        "---\napiVersion: imageref.dev/v1alpha1\nkind: ClusterImageProvider\nmetadata: {{name: {name}}}\nspec:\n  allowedNamespaces: {allowed}\n  {platform}\n  auth: {{secretRef: {{name: keys}}}}\n"
    )
}

/// An `ImageProvider` with the Secret `keys`.
fn provider(namespace: &str, name: &str, platform: &str) -> String {
    format!(
        "---\napiVersion: imageref.dev/v1alpha1\nkind: ImageProvider\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  {platform}\n  auth: {{secretRef: {{name: keys}}}}\n"
    )
}

/// An `ImageRef`; `more` are further lines of the spec, as one flow each.
pub(crate) fn image_ref(namespace: &str, name: &str, source: &str, more: &[&str]) -> String {
    let more = more
        .iter()
        .fold(String::new(), |text, line| text + "  " + line + "\n");
    format!(
        "---\napiVersion: imageref.dev/v1alpha1\nkind: ImageRef\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  source: {{{source}}}\n{more}"
    )
}

/// A `ModelArts` account for everybody: `ClusterImageProvider` `default` and its Secret.
pub(crate) fn account() -> String {
    huawei_secret("imageref-system", "keys")
        + &cluster_provider("default", &model_arts(), "{selector: {}}")
}

/// The source of a notebook image by id.
pub(crate) fn notebook(id: &str) -> String {
    format!("notebook: {{id: {id}}}")
}
