//! A release of the chart, installed by helm, and processes as its Deployments would start them.
//!
//! Owns helm's runs and what stands in for a kubelet: the token of the pod's ServiceAccount, its arguments
//! and its variables. Must not know what a process does. The invariant that would break first: but for
//! addresses, a process has the arguments that the chart gives it.

use super::needs::until;
use cluster::{Cluster, Server, Spec};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// The release's namespace.
pub(super) const HOME: &str = "imageref-system";

/// The release's name, and that of its controller.
pub(super) const NAME: &str = "imageref";

/// The chart as it is now.
pub(super) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/imageref-operator")
}

/// A control plane that helm installs into.
pub(super) struct Release {
    pub(super) cluster: Cluster,
    /// By account: a kubeconfig with its token.
    kubeconfigs: Mutex<HashMap<String, PathBuf>>,
}

impl Release {
    /// A control plane without a release; `None` where there is none, or no helm.
    pub(super) fn none() -> Option<Self> {
        if !cluster::require() || !cluster::require_helm() {
            return None;
        }
        let cluster = Cluster::start().unwrap();
        // Served ones exist before; a pod that breaks the level is refused in the release's own.
        for name in ["team", HOME] {
            cluster.kubectl(&["create", "namespace", name]).unwrap();
        }
        let level = "pod-security.kubernetes.io/enforce=restricted";
        cluster
            .kubectl(&["label", "namespace", HOME, level])
            .unwrap();
        Some(Self {
            cluster,
            kubeconfigs: Mutex::default(),
        })
    }

    /// With the chart installed with these values.
    pub(super) fn installed(values: &Value) -> Option<Self> {
        let release = Self::none()?;
        release.apply_chart("install", &chart(), values);
        Some(release)
    }

    /// One with the default values, for tests that change nothing of it.
    pub(super) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Release>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::installed(&Value::Object(Map::new())))
            .as_ref()
    }

    fn kubeconfig(&self, account: &str) -> PathBuf {
        let mut known = self.kubeconfigs.lock().unwrap();
        let made = known.entry(account.to_owned()).or_insert_with(|| {
            let token = self.cluster.service_account_token(HOME, account).unwrap();
            self.cluster.kubeconfig_with_token(&token).unwrap()
        });
        made.clone()
    }

    /// `helm install` or `upgrade`, and the CRDs are served.
    pub(super) fn apply_chart(&self, verb: &str, chart: &Path, values: &Value) {
        let file = self.cluster.folder().join("values.json");
        std::fs::write(&file, values.to_string()).unwrap();
        let (chart, file) = (chart.display().to_string(), file.display().to_string());
        let mut helm = vec![verb, NAME, &chart, "-n", HOME, "-f", &file];
        if verb == "upgrade" {
            // Those of before would stay where there are none.
            helm.push("--reset-values");
        }
        self.helm(&helm).unwrap();
        let kinds = [
            "imagerefs",
            "imageproviders",
            "clusterimageproviders",
            "imagecatalogs",
        ];
        let kinds = kinds.map(|kind| format!("crd/{kind}.imageref.dev"));
        let mut wait = vec!["wait", "--for=condition=Established", "--timeout=60s"];
        wait.extend(kinds.iter().map(String::as_str));
        self.kubectl(&wait);
    }

    /// What helm printed, or what it complained of.
    pub(super) fn helm(&self, args: &[&str]) -> Result<String, String> {
        let folder = self.cluster.folder();
        let mut helm = Command::new(cluster::helm());
        helm.args(args)
            .env("KUBECONFIG", self.cluster.kubeconfig_path());
        for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            helm.env(home, folder.join("helm"));
        }
        let output = helm.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(format!("helm {}: {}", args.join(" "), text(&output.stderr)))
        }
    }

    pub(super) fn kubectl(&self, args: &[&str]) -> String {
        self.cluster.kubectl(args).unwrap()
    }

    pub(super) fn apply(&self, namespace: &str, manifest: &str) {
        let apply = ["apply", "-n", namespace, "-f", "-"];
        self.cluster.kubectl_with_stdin(&apply, manifest).unwrap();
    }

    pub(super) fn get(&self, kind: &str, name: &str, namespace: &str) -> Value {
        let object = self.kubectl(&["get", kind, name, "-n", namespace, "-o", "json"]);
        serde_json::from_str(&object).unwrap()
    }

    /// Starts what a Deployment of the release runs, with these variables more.
    pub(super) fn start(&self, deployment: &str, more: &[(&str, String)]) -> Server {
        let deployment = self.get("deployment", deployment, HOME);
        self.start_pod(&deployment["spec"]["template"]["spec"], more)
    }

    /// Starts what a pod's one container runs, as its ServiceAccount.
    pub(super) fn start_pod(&self, pod: &Value, more: &[(&str, String)]) -> Server {
        let [container] = pod["containers"].as_array().unwrap().as_slice() else {
            panic!("one container: {pod}")
        };
        let account = pod["serviceAccountName"].as_str().unwrap();
        let kubeconfig = self.kubeconfig(account);
        let args = container["args"].as_array().unwrap().iter();
        let given = container["env"].as_array().into_iter().flatten();
        let mut env: Vec<_> = given.map(variable).collect();
        env.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        env.push(("KUBECONFIG".into(), kubeconfig.display().to_string()));
        Server::spawn(Spec {
            name: "installed",
            program: PathBuf::from(env!("CARGO_BIN_EXE_imageref")),
            args: args.map(|arg| here(arg.as_str().unwrap())).collect(),
            env,
            folder: self.cluster.folder(),
            removes_folder: false,
        })
        .unwrap()
    }
}

/// A variable as a kubelet sets it.
fn variable(variable: &Value) -> (String, String) {
    let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        Some("metadata.name") => "imageref-0",
        Some(other) => panic!("{other} is not provided for"),
        None => variable["value"].as_str().unwrap(),
    };
    (variable["name"].as_str().unwrap().into(), value.into())
}

/// The argument, listening on a port of this machine that is free; by that address API servers call it.
fn here(arg: &str) -> String {
    match arg.split_once('=') {
        Some((name @ ("--metrics-address" | "--address"), address)) => {
            assert!(address.starts_with("0.0.0.0:"), "{arg}");
            format!("{name}=127.0.0.1:0")
        }
        Some(("--tls-names", names)) => format!("--tls-names={names},127.0.0.1"),
        _ => arg.to_owned(),
    }
}

/// Where a process serves something, as its log says.
pub(super) fn address(process: &Server, what: &str) -> String {
    let found = || {
        let log = process.log();
        let line = log.lines().find(|line| line.contains(what))?.to_owned();
        let (_, rest) = line.split_once("127.0.0.1:")?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("127.0.0.1:{port}"))
    };
    until(what, || process.log(), || found().is_some());
    found().unwrap()
}
