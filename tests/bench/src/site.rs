//! Where one size is measured: a control plane, a cloud, and an operator when it is wanted.
//!
//! Owns what is started and with which rights. Must not know what is measured. The invariant that
//! would break first: the operator runs under the rights of `deploy/rbac.yaml` and serves the
//! namespaces of one fleet only, so that no other fleet costs it anything.

use crate::fleet::{self, Fleet, REGISTRY};
use crate::proc;
use anyhow::{Context as _, Result, bail, ensure};
use cluster::{Cluster, Server, Spec};
use fakecloud::{FakeCloud, Fault, FaultKind, ImageApi, defaults};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What each call of the cloud takes.
const LATENCY: FaultKind = FaultKind::Latency { ms: 100 };

/// The operator stops within 25 s by its own rules.
const STOPPING: Duration = Duration::from_secs(40);

/// From a guard's start to that of its server.
const STARTING: Duration = Duration::from_secs(10);

const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds");
const RIGHTS: &str = include_str!("../../../deploy/rbac.yaml");

/// A control plane with the CRDs and a provider, and the cloud that the provider names.
pub(crate) struct Site {
    cluster: Cluster,
    /// The bench's own client, an administrator.
    pub(crate) client: Client,
    /// The cloud.
    pub(crate) cloud: FakeCloud,
    program: PathBuf,
}

impl Site {
    /// Starts all but the operator, whose program this is.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        let program = program
            .canonicalize()
            .with_context(|| format!("no operator at {}", program.display()))?;
        let cloud = FakeCloud::start().await;
        cloud.clear_images(ImageApi::Notebook);
        for image in fleet::images() {
            cloud.put_notebook_image(image);
        }
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
        let account = account(&cloud.url()).to_string();
        cluster.kubectl_with_stdin(&["apply", "-f", "-"], &account)?;
        let kubeconfig = Kubeconfig::from_yaml(cluster.kubeconfig_yaml())?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        let site = Self {
            client: Client::try_from(config)?,
            cluster,
            cloud,
            program,
        };
        site.cloud_answers();
        Ok(site)
    }

    /// From now on the cloud answers, each call after its latency.
    pub(crate) fn cloud_answers(&self) {
        self.cloud.set_faults(vec![Fault::always(LATENCY)]);
    }

    /// From now on the cloud answers 503 to everything, as slowly.
    pub(crate) fn cloud_fails(&self) {
        let unavailable = FaultKind::Status {
            status: 503,
            error_code: "ModelArts.0503".into(),
            error_message: "the service is not available".into(),
            retry_after: None,
        };
        let faults = [LATENCY, unavailable].map(Fault::always);
        self.cloud.set_faults(faults.to_vec());
    }

    /// Starts the operator for one fleet; it asks the registry at this origin, or none.
    pub(crate) async fn operate(&self, fleet: &Fleet, registry: Option<&str>) -> Result<Operator> {
        let registries = match registry {
            Some(origin) => format!("--registry-mirror={REGISTRY}={origin}"),
            None => "--no-registries".to_owned(),
        };
        let args = [
            "controller",
            "--insecure-loopback",
            &registries,
            "--allow-endpoint",
            &self.cloud.url(),
            "--cluster-providers",
            "--namespaces",
            &fleet.namespaces().join(","),
        ];
        self.process("imageref", &args).await
    }

    /// Starts the webhook, whose certificate is in a folder.
    pub(crate) async fn admit(&self, certificate: &Path) -> Result<Operator> {
        let folder = certificate.display().to_string();
        let address = "127.0.0.1:0";
        let args = ["webhook", "--address", address, "--tls-dir", &folder];
        self.process("imageref-webhook", &args).await
    }

    /// A folder for files that go with the cluster.
    pub(crate) fn folder(&self) -> &Path {
        self.cluster.folder()
    }

    /// Applies a manifest.
    pub(crate) fn apply(&self, manifest: &str) -> Result<()> {
        let apply = ["apply", "-f", "-"];
        self.cluster.kubectl_with_stdin(&apply, manifest).map(drop)
    }

    /// Starts the program under the rights of a ServiceAccount.
    async fn process(&self, account: &str, args: &[&str]) -> Result<Operator> {
        let token = self
            .cluster
            .service_account_token("imageref-system", account)?;
        let kubeconfig = self.cluster.kubeconfig_with_token(&token)?;
        let started = Instant::now();
        let server = Server::spawn(Spec {
            name: "operator",
            program: self.program.clone(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: vec![
                ("KUBECONFIG".into(), kubeconfig.display().to_string()),
                ("IMAGEREF_METRICS_ADDRESS".into(), "127.0.0.1:0".into()),
            ],
            folder: self.cluster.folder(),
            removes_folder: false,
        })?;
        let pid = loop {
            if let Some(pid) = proc::guarded(&self.program) {
                break pid;
            }
            ensure!(started.elapsed() < STARTING, "{}", server.last_words());
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        Ok(Operator {
            server,
            pid,
            started,
        })
    }
}

/// The operator's account at the cloud: a Secret and the provider that all fleets use.
fn account(cloud: &str) -> Value {
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

/// A running operator; it ends with this value.
pub(crate) struct Operator {
    server: Server,
    /// Its process, below the guard's.
    pub(crate) pid: i32,
    /// When it was started.
    pub(crate) started: Instant,
}

impl Operator {
    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        self.server.log()
    }

    /// An error with its last words if it has ended.
    pub(crate) fn alive(&mut self) -> Result<()> {
        match self.server.ended() {
            None => Ok(()),
            Some(status) => bail!(
                "the operator ended with {status}\n{}",
                self.server.last_words()
            ),
        }
    }

    /// Asks it to stop, as a rollout does, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let pid = Pid::from_raw(self.pid).context("not a process")?;
        kill_process(pid, Signal::TERM)?;
        let asked = Instant::now();
        while self.server.ended().is_none() {
            ensure!(
                asked.elapsed() < STOPPING,
                "the operator does not stop\n{}",
                self.server.last_words()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
