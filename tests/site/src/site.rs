//! A control plane with the operator's CRDs and rights.
//!
//! Owns what is started and with which rights. Must not know what for. The invariant that would break
//! first: the operator runs under the rights of `deploy/`, never as an administrator.

use crate::process::Process;
use anyhow::{Context as _, Result};
use cluster::{Cluster, Server, Spec};
use fakecloud::defaults;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds");
const RIGHTS: &str = include_str!("../../../deploy/rbac.yaml");

/// A control plane with the CRDs and the operator's rights.
pub struct Site {
    /// The control plane.
    pub cluster: Arc<Cluster>,
    /// An administrator's client.
    pub client: Client,
    program: PathBuf,
    /// By the names and accounts of processes.
    kubeconfigs: Mutex<BTreeMap<(&'static str, &'static str), PathBuf>>,
}

/// A process to be started.
#[derive(Debug, Default)]
pub struct Launch<'a> {
    /// The name of its log.
    pub name: &'static str,
    /// Its `ServiceAccount` in `imageref-system`.
    pub account: &'static str,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
    /// Where it finds the API server, and the authority (PEM) of who answers there; left out: where it is.
    pub through: Option<(&'a str, &'a str)>,
    /// Where its standard error goes, in words of a shell; left out: to its log.
    pub redirect: Option<&'a str>,
}

impl Site {
    /// Starts all but the operator, whose program this is.
    pub async fn start(program: &Path) -> Result<Self> {
        let program = program
            .canonicalize()
            .with_context(|| format!("no operator at {}", program.display()))?;
        let cluster = tokio::task::spawn_blocking(Cluster::start).await??;
        cluster.kubectl(&["apply", "-f", CRDS])?;
        cluster.kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "crd",
            "--all",
        ])?;
        cluster.kubectl_with_stdin(&["apply", "-f", "-"], RIGHTS)?;
        let kubeconfig = Kubeconfig::from_yaml(cluster.kubeconfig_yaml())?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        Ok(Self {
            client: Client::try_from(config)?,
            cluster: Arc::new(cluster),
            program,
            kubeconfigs: Mutex::default(),
        })
    }

    /// A folder for files that go with the cluster.
    pub fn folder(&self) -> &Path {
        self.cluster.folder()
    }

    /// Applies a manifest.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        let apply = ["apply", "-f", "-"];
        self.cluster.kubectl_with_stdin(&apply, manifest).map(drop)
    }

    /// The one of an earlier process of the same name and account, if there was one: to start again takes no API
    /// server, as where a kubelet does it.
    fn kubeconfig(&self, launch: &Launch<'_>) -> Result<PathBuf> {
        let mut known = self
            .kubeconfigs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let whose = (launch.name, launch.account);
        if let Some(path) = known.get(&whose) {
            return Ok(path.clone());
        }
        let token = self
            .cluster
            .service_account_token("imageref-system", launch.account)?;
        let path = match launch.through {
            Some((url, ca_pem)) => self.cluster.kubeconfig_through(url, ca_pem, &token),
            None => self.cluster.kubeconfig_with_token(&token),
        }?;
        known.insert(whose, path.clone());
        Ok(path)
    }

    /// Starts the program under the rights of a `ServiceAccount`.
    pub async fn process(&self, launch: Launch<'_>) -> Result<Process> {
        let kubeconfig = self.kubeconfig(&launch)?;
        let mut env = launch.env;
        env.push(("KUBECONFIG".into(), kubeconfig.display().to_string()));
        let (mut program, mut args) = (self.program.clone(), launch.args);
        if let Some(redirect) = launch.redirect {
            let script = format!("exec \"$0\" \"$@\" {redirect}");
            args.splice(0..0, ["-c".into(), script, program.display().to_string()]);
            program = "/bin/sh".into();
        }
        let started = Instant::now();
        let server = Server::spawn(Spec {
            name: launch.name,
            program,
            args,
            env,
            folder: self.cluster.folder(),
            removes_folder: false,
        })?;
        Process::of(server, &self.program, started).await
    }
}

/// The operator's account at the cloud: a Secret and the provider that serves every namespace.
pub fn account(cloud: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "account", "namespace": "imageref-system"},
            "stringData": {"accessKeyId": defaults::HUAWEI_AK, "accessKeySecret": defaults::HUAWEI_SK},
        },
        {
            "apiVersion": "imageref.dev/v1alpha1",
            "kind": "ClusterImageProvider",
            "metadata": {"name": "default"},
            "spec": {
                "allowedNamespaces": {"selector": {}},
                "modelArts": {
                    "region": defaults::REGION,
                    "projectId": defaults::PROJECT_ID,
                    "endpoint": cloud,
                },
                "auth": {"secretRef": {"name": "account"}},
            },
        },
    ]})
}
