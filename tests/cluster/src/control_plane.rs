//! One control plane: etcd, kube-apiserver, their folder, and what a client needs of them.
//!
//! Owns the order of start and end, and the meaning of "ready". It must not know what
//! is stored in it. The invariant that would break first: a `Cluster` that was handed out talks to
//! its own etcd and its own API server, even if many start at once. etcd therefore listens on
//! sockets in the cluster's folder and has no port to lose; for the API server's port a race is
//! possible, is noticed (the server ends) and is answered with a new port.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Output,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use tempfile::TempDir;

use crate::{
    binaries,
    credentials::{self, Credentials},
    etcd,
    flags::{self, ETCD_SOCKET},
    kubeconfig,
    kubectl::Kubectl,
    port,
    server::Server,
};

const PREFIX: &str = "imageref-cluster-";
/// Four seconds are normal on two cores; this is for a machine that also compiles.
const READY_LIMIT: Duration = Duration::from_secs(60);
const KUBECTL_LIMIT: Duration = Duration::from_secs(120);
/// `terminationGracePeriodSeconds` of a pod that names none.
const GRACE: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 3;

/// The port was taken between the choice and the bind.
#[derive(Debug)]
struct PortTaken(u16);

impl std::fmt::Display for PortTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "port {} was taken by another process", self.0)
    }
}

impl std::error::Error for PortTaken {}

/// A running control plane. It ends when this is dropped, and also when the process ends without
/// dropping it.
///
/// Everything here blocks the calling thread and uses no async runtime, so it serves tests that
/// run on different ones. In an async test that also *serves* something to the API server (a
/// webhook), call it through `spawn_blocking`.
pub struct Cluster {
    // Fields are dropped in this order: the servers end before their folder goes.
    servers: Mutex<Servers>,
    folder: TempDir,
    port: u16,
    url: String,
    credentials: Credentials,
    kubeconfig_yaml: String,
    kubectl: Kubectl,
    ready_after: Duration,
    kubeconfigs: AtomicU32,
}

struct Servers {
    apiserver: Server,
    etcd: Server,
}

impl Cluster {
    /// Starts a control plane of its own and waits until it is ready.
    ///
    /// # Errors
    /// If binaries are missing, or it is not ready after a minute. The error then holds the last
    /// lines of both logs and a path at which the whole logs were left.
    pub fn start() -> Result<Self> {
        binaries::available().map_err(|why| anyhow!(why))?;
        let mut attempt = 1;
        loop {
            match Self::start_once() {
                Err(error) if attempt < ATTEMPTS && error.is::<PortTaken>() => attempt += 1,
                result => return result,
            }
        }
    }

    /// The cluster that all tests of this process share; the first call starts it. It ends with
    /// the process. Tests keep apart by namespaces of their own.
    ///
    /// # Panics
    /// If it cannot be started; each later call then panics with the same message.
    #[expect(
        clippy::panic,
        reason = "a test that needs a cluster fails without one"
    )]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        match SHARED.get_or_init(|| Self::start().map_err(|error| format!("{error:#}"))) {
            Ok(cluster) => cluster,
            Err(error) => panic!("the shared test cluster did not start: {error}"),
        }
    }

    fn start_once() -> Result<Self> {
        let started = Instant::now();
        // All that takes time comes before the folder: from its creation to the start of etcd's
        // guard, nobody else would remove it.
        let credentials = Credentials::generate()?;
        let port = port::free()?;
        let url = format!("https://127.0.0.1:{port}");
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .tempdir()
            .context("creating a temporary folder")?;
        let path = folder.path();
        credentials.write(path)?;
        let kubeconfig_yaml =
            kubeconfig::text(&url, &path.join(credentials::CA), &credentials.admin_token);
        let kubectl = Kubectl {
            program: Self::bin("kubectl"),
            kubeconfig: path.join("kubeconfig"),
            cache: path.join("kubectl-cache"),
        };
        kubeconfig::write_private(&kubectl.kubeconfig, &kubeconfig_yaml)?;

        let mut etcd = Server::spawn(flags::etcd(path))?;
        // A client that finds no socket tries again after a whole second, so wait for it here.
        while !path.join(ETCD_SOCKET).exists()
            && etcd.ended().is_none()
            && started.elapsed() < READY_LIMIT
        {
            thread::sleep(Duration::from_millis(5));
        }
        let apiserver = Server::spawn(flags::apiserver(path, port))?;
        let mut servers = Servers { apiserver, etcd };
        servers.wait_until_ready(port, &kubectl)?;

        Ok(Self {
            servers: Mutex::new(servers),
            folder,
            port,
            url,
            credentials,
            kubeconfig_yaml,
            kubectl,
            ready_after: started.elapsed(),
            kubeconfigs: AtomicU32::new(0),
        })
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The CA that signed the API server's certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.credentials.ca_pem
    }

    /// Bearer token of a user in `system:masters`.
    pub fn admin_token(&self) -> &str {
        &self.credentials.admin_token
    }

    /// The admin's kubeconfig. The file goes with the cluster.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubectl.kubeconfig
    }

    /// The same as text. It names the CA by its path, which is of use while the cluster lives.
    pub fn kubeconfig_yaml(&self) -> &str {
        &self.kubeconfig_yaml
    }

    /// The folder of this cluster: logs, keys, etcd's data. It goes with the cluster.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How long the start took.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Where a pinned binary is: `etcd`, `kube-apiserver` or `kubectl`.
    pub fn bin(tool: &str) -> PathBuf {
        binaries::folder().join(tool)
    }

    /// Runs kubectl as the admin, or with another `--kubeconfig` among `args`.
    ///
    /// # Errors
    /// If it fails or takes more than two minutes; the error holds its arguments and its stderr.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.kubectl.text(args, None, KUBECTL_LIMIT)
    }

    /// The same with standard input, for `apply -f -`.
    ///
    /// # Errors
    /// As for [`Cluster::kubectl`].
    pub fn kubectl_with_stdin(&self, args: &[&str], stdin: &str) -> Result<String> {
        self.kubectl.text(args, Some(stdin), KUBECTL_LIMIT)
    }

    /// The whole outcome, for tests that expect kubectl to fail.
    ///
    /// # Errors
    /// If kubectl cannot be started or takes more than two minutes.
    pub fn kubectl_output(&self, args: &[&str], stdin: Option<&str>) -> Result<Output> {
        self.kubectl.output(args, stdin, KUBECTL_LIMIT)
    }

    /// A token of a `ServiceAccount` that exists, good for eight hours.
    ///
    /// # Errors
    /// If there is no such `ServiceAccount`.
    pub fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        let args = ["create", "token", name, "-n", namespace, "--duration=8h"];
        Ok(self.kubectl(&args)?.trim().to_owned())
    }

    /// Writes a kubeconfig with another token into the cluster's folder; a new file at each call.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn kubeconfig_with_token(&self, token: &str) -> Result<PathBuf> {
        let number = self.kubeconfigs.fetch_add(1, Ordering::Relaxed);
        let path = self.folder().join(format!("kubeconfig-{number}"));
        let ca = self.folder().join(credentials::CA);
        kubeconfig::write_private(&path, &kubeconfig::text(&self.url, &ca, token))?;
        Ok(path)
    }

    /// The same for a server that stands between, which proves itself by an authority of its own
    /// (PEM).
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn kubeconfig_through(&self, url: &str, ca_pem: &str, token: &str) -> Result<PathBuf> {
        let number = self.kubeconfigs.fetch_add(1, Ordering::Relaxed);
        let path = self.folder().join(format!("kubeconfig-{number}"));
        let ca = path.with_extension("crt");
        kubeconfig::write_private(&ca, ca_pem)?;
        kubeconfig::write_private(&path, &kubeconfig::text(url, &ca, token))?;
        Ok(path)
    }

    /// Kills the API server; etcd keeps its data. Connections and watches break as in a crash.
    ///
    /// # Errors
    /// If the process does not end.
    pub fn stop_apiserver(&self) -> Result<()> {
        self.servers().apiserver.stop()
    }

    /// Freezes the API server, or lets it go on: connections stay open, and nothing is answered.
    ///
    /// # Errors
    /// If it cannot be signalled.
    pub fn freeze_apiserver(&self, frozen: bool) -> Result<()> {
        let signal = if frozen { "STOP" } else { "CONT" };
        self.servers().apiserver.signal(signal)
    }

    /// Starts the API server again, on the same port, and waits until it is ready. One that is
    /// still running is killed first.
    ///
    /// # Errors
    /// As for [`Cluster::start`].
    pub fn restart_apiserver(&self) -> Result<()> {
        self.begin_apiserver(&mut self.servers())
    }

    /// The same as a kubelet does it in an upgrade: SIGTERM first, which open watches can outlast, and
    /// SIGKILL after 30 s.
    ///
    /// # Errors
    /// As for [`Cluster::start`].
    pub fn roll_apiserver(&self) -> Result<()> {
        let mut servers = self.servers();
        servers.apiserver.signal("TERM")?;
        let asked = Instant::now();
        while servers.apiserver.ended().is_none() && asked.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(20));
        }
        self.begin_apiserver(&mut servers)
    }

    fn begin_apiserver(&self, servers: &mut Servers) -> Result<()> {
        let mut attempt = 1;
        loop {
            servers.apiserver.stop()?;
            servers.apiserver = Server::spawn(flags::apiserver(self.folder(), self.port))?;
            match servers.wait_until_ready(self.port, &self.kubectl) {
                Err(error) if attempt < ATTEMPTS && error.is::<PortTaken>() => attempt += 1,
                result => return result,
            }
            thread::sleep(Duration::from_millis(500)); // the port is ours by right; let it go free
        }
    }

    /// Has etcd forget all revisions but the present one, which is returned: whoever asks the API
    /// server for an older one after its next start is told that it is gone.
    ///
    /// # Errors
    /// If etcd refuses.
    pub fn compact(&self) -> Result<u64> {
        etcd::compact(&self.folder().join(ETCD_SOCKET))
    }

    /// Ends both servers and removes the folder. Dropping does the same, but tells of no failure.
    ///
    /// # Errors
    /// If a process does not end or the folder cannot be removed.
    pub fn stop(self) -> Result<()> {
        let Self {
            servers, folder, ..
        } = self;
        let mut servers = servers.into_inner().unwrap_or_else(PoisonError::into_inner);
        servers.apiserver.stop()?;
        servers.etcd.stop()?;
        let path = folder.path().to_owned();
        drop(folder); // etcd's guard has removed it already
        if path.exists() {
            bail!("{} could not be removed", path.display());
        }
        Ok(())
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Servers {
    /// Ready is: `/readyz` succeeds, with our CA and token, and the first namespaces exist (a
    /// hook creates them soon after).
    fn wait_until_ready(&mut self, port: u16, kubectl: &Kubectl) -> Result<()> {
        let started = Instant::now();
        let get = |path| {
            let args = ["get", "--raw", path, "--request-timeout=5s"];
            kubectl.text(&args, None, Duration::from_secs(10))
        };
        let mut last = anyhow!("nothing listens on port {port}");
        loop {
            if let Some(status) = self.etcd.ended() {
                return Err(self.failure(format!("etcd ended with {status}")));
            }
            if let Some(status) = self.apiserver.ended() {
                if self.apiserver.log().contains("address already in use") {
                    return Err(PortTaken(port).into());
                }
                return Err(self.failure(format!("kube-apiserver ended with {status}")));
            }
            // Starting a kubectl costs more than a connection, and takes CPU from the servers.
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                match get("/readyz").and_then(|_| get("/api/v1/namespaces/default")) {
                    Ok(_) => return Ok(()),
                    Err(error) => last = error,
                }
            }
            if started.elapsed() >= READY_LIMIT {
                return Err(self.failure(format!("not ready after {READY_LIMIT:?}: {last:#}")));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// An error with both logs' last lines. The folder goes with the cluster, so the logs are
    /// copied to one that stays.
    fn failure(&self, what: String) -> anyhow::Error {
        let kept = tempfile::Builder::new()
            .prefix("imageref-cluster-failed-")
            .tempdir();
        let kept = match kept.map(TempDir::keep) {
            Ok(path) => {
                for (name, server) in [("etcd", &self.etcd), ("kube-apiserver", &self.apiserver)] {
                    let _ = fs::write(path.join(format!("{name}.log")), server.log());
                }
                format!("logs: {}", path.display())
            }
            Err(error) => format!("logs were not kept: {error}"),
        };
        let words = [
            what,
            kept,
            self.apiserver.last_words(),
            self.etcd.last_words(),
        ];
        anyhow!(words.join("\n"))
    }
}
