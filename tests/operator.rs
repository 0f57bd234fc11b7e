//! The operator's own process beside a control plane, and the fake clouds it may ask.
//!
//! Owns how both are started and what a test waits for. The invariant that would break first: the
//! operator runs as its `ServiceAccount` with the rights in `deploy/rbac.yaml`, never as an
//! administrator.

use super::on_cluster;
use cluster::{Cluster, Server, Spec};
use fakecloud::{FakeCloud, defaults};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Longest wait for something that the operator does at once, or as soon as a hung call is given up.
const SOON: Duration = Duration::from_secs(120);

/// The variable that keeps a process from asking registries.
pub(crate) const NO_REGISTRIES: &str = "IMAGEREF_NO_REGISTRIES";

/// Tests that use the shared operator; each has a cloud of its own.
const CLOUDS: usize = 40;

/// The runtime that all fake clouds live on; tests come and go on threads of their own.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

/// Starts the operator beside a cluster that has the CRDs, as its `ServiceAccount`.
pub(crate) fn start(cluster: &Cluster, clouds: &[String], name: &'static str) -> Server {
    let mut args = vec!["--insecure-loopback".to_owned()];
    for url in clouds {
        args.extend(["--allow-endpoint".to_owned(), url.clone()]);
    }
    start_with(cluster, name, args, Vec::new())
}

/// As [`start`], with these arguments and variables and no others.
pub(crate) fn start_with(
    cluster: &Cluster,
    name: &'static str,
    args: Vec<String>,
    env: Vec<(String, String)>,
) -> Server {
    cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], include_str!("../deploy/rbac.yaml"))
        .unwrap();
    let token = cluster
        .service_account_token("imageref-system", "imageref")
        .unwrap();
    start_as(cluster, name, &token, args, env)
}

/// As [`start_with`], as whom this token is of.
pub(crate) fn start_as(
    cluster: &Cluster,
    name: &'static str,
    token: &str,
    mut args: Vec<String>,
    mut env: Vec<(String, String)>,
) -> Server {
    let kubeconfig = cluster.kubeconfig_with_token(token).unwrap();
    args.insert(0, "controller".to_owned());
    env.insert(0, ("IMAGEREF_LOG".into(), "info,imageref=debug".into()));
    env.push(("KUBECONFIG".into(), kubeconfig.display().to_string()));
    // No test leaves this machine: those about registries name them, and say so.
    if !env.iter().any(|(name, _)| name == NO_REGISTRIES) {
        env.push((NO_REGISTRIES.into(), "true".into()));
    }
    // Many run at once, each in namespaces of its own.
    env.push(("IMAGEREF_METRICS_ADDRESS".into(), "127.0.0.1:0".into()));
    env.push(("IMAGEREF_LEASE".into(), String::new()));
    Server::spawn(Spec {
        name,
        program: PathBuf::from(env!("CARGO_BIN_EXE_imageref")),
        args,
        env,
        folder: cluster.folder(),
        removes_folder: false,
    })
    .unwrap()
}

struct Shared {
    operator: Server,
    clouds: Mutex<Vec<Arc<FakeCloud>>>,
}

fn shared() -> Option<&'static Shared> {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    let cluster = on_cluster::cluster()?;
    Some(SHARED.get_or_init(|| {
        let clouds: Vec<_> = (0..CLOUDS)
            .map(|_| Arc::new(runtime().block_on(FakeCloud::start())))
            .collect();
        let urls: Vec<String> = clouds.iter().map(|cloud| cloud.url()).collect();
        Shared {
            operator: start(cluster, &urls, "operator"),
            clouds: Mutex::new(clouds),
        }
    }))
}

/// One test's part of the shared cluster: a namespace, a fake cloud, and the operator.
pub(crate) struct Scene {
    pub(crate) cluster: &'static Cluster,
    pub(crate) cloud: Arc<FakeCloud>,
    pub(crate) namespace: String,
    /// An operator of the test's own; `None` for a shared one.
    pub(crate) operator: Option<Server>,
    /// The operator that the scene shares with others.
    pub(crate) shared: Option<&'static Server>,
}

impl Scene {
    /// `None` where there is no control plane to be had.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let shared = shared()?;
        let cloud = shared
            .clouds
            .lock()
            .unwrap()
            .pop()
            .expect("CLOUDS is too small");
        let namespace = on_cluster::namespace(name);
        Some(Self {
            cluster: on_cluster::cluster()?,
            cloud,
            namespace,
            operator: None,
            shared: Some(&shared.operator),
        })
    }

    /// Starts an operator of the test's own.
    pub(crate) fn start_operator(&mut self) {
        self.operator = None;
        self.operator = Some(start(self.cluster, &[self.cloud.url()], "operator"));
    }

    /// What the operator has logged since it started.
    pub(crate) fn operator_log(&self) -> String {
        let operator = self.operator.as_ref().or(self.shared);
        operator.map(Server::log).unwrap_or_default()
    }

    pub(crate) fn apply(&self, manifest: &str) {
        self.cluster
            .kubectl_with_stdin(&["apply", "-n", &self.namespace, "-f", "-"], manifest)
            .unwrap();
    }

    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let mut all = vec!["-n", self.namespace.as_str()];
        all.extend(args);
        self.cluster.kubectl(&all).unwrap()
    }

    /// An ImageProvider for the fake ModelArts, with its Secret.
    pub(crate) fn modelarts(&self, name: &str) {
        self.apply(&secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK));
        self.modelarts_without_secret(name);
    }

    /// An ImageProvider for the fake ModelArts that names the Secret `huawei`.
    pub(crate) fn modelarts_without_secret(&self, name: &str) {
        self.apply(&format!(
            "{{apiVersion: imageref.dev/v1alpha1, kind: ImageProvider, metadata: {{name: {name}}},
              spec: {{modelArts: {{region: {}, projectId: {}, endpoint: \"{}\"}}, auth: {{secretRef: {{name: huawei}}}}}}}}",
            defaults::REGION,
            defaults::PROJECT_ID,
            self.cloud.url()
        ));
    }

    /// An ImageProvider for the fake PAI, with its Secret.
    pub(crate) fn pai(&self, name: &str) {
        self.apply(&secret(
            "alibaba",
            defaults::ALIBABA_AK,
            defaults::ALIBABA_SECRET,
        ));
        self.apply(&format!(
            "{{apiVersion: imageref.dev/v1alpha1, kind: ImageProvider, metadata: {{name: {name}}},
              spec: {{pai: {{region: cn-shanghai, endpoint: \"{}\"}}, auth: {{secretRef: {{name: alibaba}}}}}}}}",
            self.cloud.url()
        ));
    }

    /// An ImageRef; `spec` in YAML flow form, without the braces.
    pub(crate) fn image_ref(&self, name: &str, spec: &str) {
        self.apply(&format!(
            "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: {name}}}, spec: {{{spec}}}}}"
        ));
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", kind, name, "-o", "json"])).unwrap()
    }

    /// Waits until an object satisfies `wanted`; returns it.
    pub(crate) fn wait(&self, kind: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let object = self.get(kind, name);
            if wanted(&object) {
                return object;
            }
            assert!(
                Instant::now() < deadline,
                "{kind} {name} is still {object:#}\noperator:\n{}",
                self.operator_log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for a reason of an ImageRef's Ready condition.
    pub(crate) fn wait_reason(&self, name: &str, reason: &str) -> Value {
        self.wait("imageref", name, |object| {
            condition(object, "Ready")["reason"] == reason
        })
    }
}

pub(crate) fn secret(name: &str, key: &str, secret: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: {name}}}, stringData: {{accessKeyId: \"{key}\", accessKeySecret: \"{secret}\"}}}}"
    )
}

/// A condition of an object, or null.
pub(crate) fn condition(object: &Value, type_: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.and_then(|all| all.iter().find(|c| c["type"] == type_));
    found.cloned().unwrap_or(Value::Null)
}
