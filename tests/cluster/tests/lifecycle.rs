//! Proves that clusters start, serve, and end with their owner, however it ends.
//!
//! Owns the only knowledge of how to see a leftover: a process that names the cluster's folder in
//! its command line (both servers and both guards do). The invariant that would break first: each
//! wait here has a limit.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests"
)]

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cluster::Cluster;

/// Processes whose command line names `folder`: one line each.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let listed = Command::new("ps")
        .args(["-A", "-ww", "-o", "pid=,args="])
        .output();
    let lines = match listed {
        Ok(output) => String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(String::from)
            .collect(),
        Err(_) => from_proc(), // a slim container has no ps
    };
    lines
        .into_iter()
        .filter(|line: &String| line.contains(folder))
        .collect()
}

fn from_proc() -> Vec<String> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}

/// Waits until nothing of the cluster in `folder` is left, and says how long that took.
fn assert_gone(folder: &Path) -> Duration {
    let started = Instant::now();
    loop {
        let left = processes_of(folder);
        if left.is_empty() && !folder.exists() {
            return started.elapsed();
        }
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "left over: folder {}, processes {left:#?}",
            folder.exists()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Past the capture of the harness: numbers worth seeing in each run.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A `testcluster up` with its piped output, after its `ready:` line.
struct Up {
    child: Child,
    kubeconfig: PathBuf,
    line: String,
    _stdout: BufReader<ChildStdout>,
}

impl Up {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_testcluster"))
            .arg("up")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (_, path) = line.trim().split_once(" kubeconfig ").expect(&line);
        assert!(line.starts_with("ready: https://127.0.0.1:"), "{line}");
        Self {
            kubeconfig: path.into(),
            child,
            line,
            _stdout: stdout,
        }
    }

    /// The cluster's folder, from the CA that the kubeconfig names.
    fn folder(&self) -> PathBuf {
        let text = fs::read_to_string(&self.kubeconfig).unwrap();
        let quoted = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("certificate-authority: "));
        Path::new(quoted.unwrap().trim_matches('"'))
            .parent()
            .unwrap()
            .to_owned()
    }

    fn exit_code(&mut self) -> Option<i32> {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("testcluster does not end");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_cluster_gets_ready_and_serves_many_threads_at_once() {
    if !cluster::require() {
        return;
    }
    let runs: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                let cluster = Cluster::shared();
                let namespace = format!("threads-{number}");
                cluster
                    .kubectl(&["create", "namespace", &namespace])
                    .unwrap();
                let names = cluster
                    .kubectl(&["get", "namespaces", "-o", "name"])
                    .unwrap();
                assert!(names.contains("namespace/default\n"), "{names}");
                assert!(
                    names.contains(&format!("namespace/{namespace}\n")),
                    "{names}"
                );
                std::ptr::from_ref(cluster).addr()
            })
        })
        .collect();
    let mut addresses: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
    addresses.dedup();
    assert_eq!(addresses.len(), 1);
    note(&format!(
        "shared cluster: ready after {:?}",
        Cluster::shared().ready_after()
    ));
}

#[test]
fn a_service_account_may_do_what_its_role_says() {
    if !cluster::require() {
        return;
    }
    let cluster = Cluster::shared();
    let manifest = r#"{"apiVersion": "v1", "kind": "List", "items": [
      {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "rbac"}},
      {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "rbac"}}
    ]}"#;
    cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], manifest)
        .unwrap();
    for args in [
        [
            "create",
            "role",
            "reader",
            "-n",
            "rbac",
            "--verb=list",
            "--resource=configmaps",
        ],
        [
            "create",
            "rolebinding",
            "reader",
            "-n",
            "rbac",
            "--role=reader",
            "--serviceaccount=rbac:reader",
        ],
    ] {
        cluster.kubectl(&args).unwrap();
    }
    let token = cluster.service_account_token("rbac", "reader").unwrap();
    let kubeconfig = cluster.kubeconfig_with_token(&token).unwrap();
    assert_eq!(
        fs::metadata(&kubeconfig).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let reader = [
        "--kubeconfig",
        kubeconfig.to_str().unwrap(),
        "-n",
        "rbac",
        "get",
    ];
    cluster
        .kubectl(&[&reader[..], &["configmaps"]].concat())
        .unwrap();
    let refused = cluster
        .kubectl_output(&[&reader[..], &["secrets"]].concat(), None)
        .unwrap();
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(
        why.contains(r#"User "system:serviceaccount:rbac:reader" cannot list"#),
        "{why}"
    );

    let error = cluster
        .service_account_token("rbac", "nobody")
        .unwrap_err()
        .to_string();
    assert!(error.contains("not found"), "{error}");
}

#[test]
fn objects_survive_a_restart_of_the_api_server() {
    if !cluster::require() {
        return;
    }
    let cluster = Cluster::start().unwrap();
    cluster
        .kubectl(&["create", "configmap", "kept", "--from-literal=a=b"])
        .unwrap();

    cluster.stop_apiserver().unwrap();
    assert!(cluster.kubectl(&["get", "configmap", "kept"]).is_err());

    let started = Instant::now();
    cluster.restart_apiserver().unwrap();
    note(&format!(
        "restart of the API server: {:?}",
        started.elapsed()
    ));
    cluster.kubectl(&["get", "configmap", "kept"]).unwrap();

    let folder = cluster.folder().to_owned();
    cluster.stop().unwrap();
    assert!(processes_of(&folder).is_empty());
}

#[test]
fn dropping_ends_the_processes_and_removes_the_folder_even_in_a_panic() {
    if !cluster::require() {
        return;
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let owner = thread::spawn(move || {
        let cluster = Cluster::start().unwrap();
        let folder = cluster.folder().to_owned();
        let before = processes_of(&folder);
        sender.send((folder, before)).unwrap();
        panic!("this panic is part of the test");
    });
    let (folder, before) = receiver.recv_timeout(Duration::from_secs(90)).unwrap();
    assert!(owner.join().is_err());
    assert!(
        before.iter().any(|line| line.contains("/etcd ")),
        "{before:#?}"
    );
    assert!(
        before.iter().any(|line| line.contains("/kube-apiserver ")),
        "{before:#?}"
    );
    assert!(processes_of(&folder).is_empty());
    assert!(!folder.exists());
}

#[test]
fn a_killed_owner_takes_its_cluster_along() {
    if !cluster::require() {
        return;
    }
    let mut up = Up::start(&[]);
    let folder = up.folder();
    assert!(
        processes_of(&folder).len() >= 4,
        "{:#?}",
        processes_of(&folder)
    );

    up.child.kill().unwrap(); // SIGKILL: no handler and no destructor runs
    up.child.wait().unwrap();

    note(&format!(
        "gone {:?} after SIGKILL of the owner",
        assert_gone(&folder)
    ));
}

#[test]
fn testcluster_writes_its_files_and_cleans_up_on_sigterm() {
    if !cluster::require() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let (config, ready) = (out.path().join("config"), out.path().join("ready"));
    let args = [
        "--kubeconfig",
        config.to_str().unwrap(),
        "--ready-file",
        ready.to_str().unwrap(),
    ];
    let mut up = Up::start(&args);
    assert_eq!(up.kubeconfig, config);
    assert_eq!(fs::read_to_string(&ready).unwrap(), up.line);
    assert_eq!(
        fs::metadata(&config).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let mut kubectl = Command::new(Cluster::bin("kubectl"));
    let version = kubectl
        .arg("--kubeconfig")
        .arg(&config)
        .args(["get", "--raw", "/version"]);
    let version = String::from_utf8(version.output().unwrap().stdout).unwrap();
    assert!(version.contains(r#""gitVersion": "v1."#), "{version}");
    let folder = up.folder();

    let pid = up.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );

    assert_eq!(up.exit_code(), Some(0));
    assert!(processes_of(&folder).is_empty());
    assert!(!folder.exists());
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn testcluster_ends_when_stdin_closes_if_asked_to() {
    if !cluster::require() {
        return;
    }
    let mut up = Up::start(&["--until-stdin-closes"]);
    let folder = up.folder();
    drop(up.child.stdin.take());
    assert_eq!(up.exit_code(), Some(0));
    assert!(!folder.exists());
}

#[test]
fn testcluster_does_not_overwrite_the_kubeconfig_of_someone_else() {
    let out = tempfile::tempdir().unwrap();
    let config = out.path().join("config");
    fs::write(&config, "apiVersion: v1\n").unwrap();
    let mut up = Command::new(env!("CARGO_BIN_EXE_testcluster"));
    let output = up
        .args(["up", "--kubeconfig"])
        .arg(&config)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(why.contains("was not written by testcluster"), "{why}");
    assert_eq!(fs::read_to_string(&config).unwrap(), "apiVersion: v1\n");
}

#[test]
fn a_registry_leaves_nothing_behind() {
    if !cluster::require_registry() {
        return;
    }
    let registry = cluster::Registry::start(true, cluster::RegistryAuth::Open).unwrap();
    let folder = registry.folder().to_owned();
    assert!(!processes_of(&folder).is_empty());
    drop(registry);
    assert_gone(&folder);
}
