//! All that a fault can break: a control plane, clouds, a registry, two replicas of the operator and
//! the webhook.
//!
//! Owns what is started, and in which order. Must not know faults or rules. The invariant that would
//! break first: whatever is started ends with this value.

use crate::depot::Depot;
use crate::mix::{self, Means};
use crate::road::Road;
use crate::truth::Truth;
use anyhow::{Context as _, Result, ensure};
use cluster::{Cluster, Registry, RegistryAuth};
use fakecloud::{FakeCloud, Service};
use kube::Client;
use serde_json::{Value, json};
use site::{Identity, Launch, Process, Progress, REGISTRY, Site, create, prepare};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use rustix::process::Signal;

/// Longest wait for a process to be ready.
const READY: Duration = Duration::from_secs(120);

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The operator's program.
    pub(crate) program: PathBuf,
    /// How many references.
    pub(crate) refs: u32,
    /// What random choices begin with.
    pub(crate) seed: u64,
}

/// What a process is started with, next to what all are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// Arguments.
    pub(crate) args: Vec<String>,
    /// Variables of its environment.
    pub(crate) env: Vec<(String, String)>,
    /// Where standard error goes, in words of a shell, such as `2>/dev/full`.
    pub(crate) redirect: Option<&'static str>,
}

/// The world.
pub(crate) struct World {
    /// The operator's program and rights, and how its processes are started.
    pub(crate) site: Site,
    /// The control plane.
    pub(crate) cluster: Arc<Cluster>,
    /// An administrator, straight to the API server.
    pub(crate) client: Client,
    /// The way of the operator's processes to the API server; each has a door of its own, in the order
    /// of `operators`, the webhook's last.
    pub(crate) road: Road,
    /// The clouds.
    pub(crate) cloud: Arc<FakeCloud>,
    /// The second address of the clouds, for the provider `front`.
    pub(crate) front: FakeCloud,
    /// The registry.
    pub(crate) registry: Registry,
    /// Two replicas with one lease.
    pub(crate) operators: [Option<Process>; 2],
    /// The webhook.
    pub(crate) webhook: Option<Process>,
    /// What each image is.
    pub(crate) truth: Truth,
    /// What was asked for.
    pub(crate) settings: Settings,
    ports: Ports,
    identity: Identity,
}

/// Ports of this machine, the same for each process that takes a place.
struct Ports {
    /// Metrics of the operators.
    operators: [u16; 2],
    webhook: u16,
    reviews: u16,
}

impl World {
    /// Starts everything, with its references, and waits until the processes are ready.
    pub(crate) async fn start(settings: Settings, progress: &Progress) -> Result<Self> {
        progress.step("starting a control plane, clouds and a registry", 1);
        let cloud = Arc::new(FakeCloud::start().await);
        let front = cloud.also_for(&[Service::ModelArts]).await;
        let registry = tokio::task::spawn_blocking(|| Registry::start(false, RegistryAuth::Open));
        let registry = registry.await??;
        let site = Site::start(&settings.program).await?;
        site.apply(&mix::accounts(&cloud.url(), &front.url()).to_string())?;
        let truth = Truth::begin(cloud.clone(), Depot::new(registry.origin())?).await?;
        let road = Road::start(site.cluster.url(), Some(site.cluster.ca_pem()), 3)?;
        let mut world = Self {
            cluster: site.cluster.clone(),
            client: site.client.clone(),
            site,
            road,
            cloud,
            front,
            registry,
            operators: [None, None],
            webhook: None,
            truth,
            settings,
            ports: Ports {
                operators: [cluster::free_port()?, cluster::free_port()?],
                webhook: cluster::free_port()?,
                reviews: cluster::free_port()?,
            },
            identity: Identity::new()?,
        };
        world.populate(progress).await?;
        progress.step("starting the operator, twice, and the webhook", 3);
        world.start_operator(0, Extra::default()).await?;
        world.start_operator(1, Extra::default()).await?;
        world.start_webhook(Extra::default()).await?;
        Ok(world)
    }

    /// Namespaces that enforce, with the account that pods need, and the references.
    async fn populate(&self, progress: &Progress) -> Result<()> {
        let refs = self.settings.refs;
        progress.step(&format!("{refs} ImageRefs"), refs);
        let client = &self.client;
        let namespaces = (0..mix::NAMESPACES).map(|number| {
            let labels = json!({"imageref.dev/admission": "enforce"});
            let metadata = json!({"name": mix::namespace(number), "labels": labels});
            create("/api/v1/namespaces", &json!({"metadata": metadata}))
        });
        prepare(client, progress, namespaces).await?;
        let accounts = (0..mix::NAMESPACES).map(|number| {
            let path = format!(
                "/api/v1/namespaces/{}/serviceaccounts",
                mix::namespace(number)
            );
            create(&path, &json!({"metadata": {"name": "default"}}))
        });
        prepare(client, progress, accounts).await?;
        let refs = (0..refs).map(|number| {
            create(
                &mix::path(number),
                &mix::manifest(number, Means::of(number)),
            )
        });
        prepare(client, progress, refs).await
    }

    /// Starts a replica of the operator, and waits until it does what is asked of it: it works, or it
    /// sees that the other does.
    pub(crate) async fn start_operator(&mut self, number: usize, extra: Extra) -> Result<()> {
        self.spawn_operator(number, extra).await?;
        self.ready(self.ports.operators[number], number).await
    }

    /// Starts a replica of the operator and waits for nothing.
    pub(crate) async fn spawn_operator(&mut self, number: usize, extra: Extra) -> Result<()> {
        let name = ["operator-0", "operator-1"][number];
        let cloud = self.cloud.url();
        let front = self.front.url();
        let mirror = format!("{REGISTRY}={}", self.registry.origin());
        let metrics = format!("127.0.0.1:{}", self.ports.operators[number]);
        let args = [
            "controller",
            "--insecure-loopback",
            "--allow-endpoint",
            &cloud,
            "--allow-endpoint",
            &front,
            "--registry-mirror",
            &mirror,
            "--instance",
            name,
            "--metrics-address",
            &metrics,
        ];
        let args = args.map(str::to_owned).into();
        self.operators[number] = None;
        let process = self.launch(name, number, "imageref", args, extra).await?;
        self.operators[number] = Some(process);
        Ok(())
    }

    /// Holds a fault for so long, and does meanwhile what a kubelet does: a replica that ended by itself,
    /// such as one that lost its lease, is started again.
    pub(crate) async fn hold(&mut self, time: Duration) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.revive().await?;
            let rest = time.saturating_sub(begun.elapsed());
            tokio::time::sleep(rest.min(Duration::from_secs(1))).await;
        }
        self.revive().await
    }

    /// Starts again what ended by itself.
    pub(crate) async fn revive(&mut self) -> Result<()> {
        for number in 0..self.operators.len() {
            let operator = self.operators[number].as_mut();
            if operator.is_some_and(|operator| operator.ended().is_some()) {
                self.spawn_operator(number, Extra::default()).await?;
            }
        }
        Ok(())
    }

    /// Has something done at the control plane, which blocks.
    pub(crate) async fn control<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Cluster) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let cluster = self.cluster.clone();
        tokio::task::spawn_blocking(move || act(&cluster)).await?
    }

    /// Starts the webhook, has API servers ask it, and waits until it knows all references.
    pub(crate) async fn start_webhook(&mut self, extra: Extra) -> Result<()> {
        let folder = self.identity.write(self.site.folder())?;
        let folder = folder.display().to_string();
        let address = format!("127.0.0.1:{}", self.ports.reviews);
        let metrics = format!("127.0.0.1:{}", self.ports.webhook);
        let args = [
            "webhook",
            "--address",
            &address,
            "--tls-dir",
            &folder,
            "--metrics-address",
            &metrics,
        ];
        let args = args.map(str::to_owned).into();
        for part in crate::webhook::documents(&address, &self.identity.authority_pem)? {
            self.site.apply(&part.to_string())?;
        }
        self.webhook = None;
        let account = "imageref-webhook";
        let door = self.operators.len();
        let process = self.launch("webhook", door, account, args, extra).await?;
        self.webhook = Some(process);
        self.ready(self.ports.webhook, self.operators.len()).await
    }

    async fn launch(
        &self,
        name: &'static str,
        door: usize,
        account: &'static str,
        mut args: Vec<String>,
        extra: Extra,
    ) -> Result<Process> {
        args.extend(extra.args);
        let launch = Launch {
            name,
            account,
            args,
            env: extra.env,
            api_server: Some((&self.road.url(door), self.road.ca_pem())),
            redirect: extra.redirect,
        };
        self.site.process(launch).await
    }

    /// The place of the replica that holds the lease, if one that was started does.
    pub(crate) async fn leader(&self) -> Result<Option<usize>> {
        let lease =
            "/apis/coordination.k8s.io/v1/namespaces/imageref-system/leases/imageref-controller";
        let request = http::Request::get(lease).body(Vec::new())?;
        let lease: Option<Value> = match self.client.request(request).await {
            Ok(lease) => Some(lease),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => return Err(error).context("reading the lease"),
        };
        let lease = lease.unwrap_or_default();
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let holder = holder.split('_').next();
        Ok((0..self.operators.len()).find(|n| holder == Some(&format!("operator-{n}"))))
    }

    /// Sends a replica of the operator a signal.
    pub(crate) fn signal(&self, number: usize, signal: Signal) -> Result<()> {
        let process = self.operators[number].as_ref();
        process.context("it was not started")?.signal(signal)
    }

    /// What a process counts: the text of its metrics.
    pub(crate) async fn metrics(&self, process: usize) -> Result<String> {
        let port = match self.ports.operators.get(process) {
            Some(port) => port,
            None => &self.ports.webhook,
        };
        get(*port, "/metrics").await
    }

    /// Waits until a process says that it is ready.
    async fn ready(&mut self, port: u16, process: usize) -> Result<()> {
        let begun = Instant::now();
        loop {
            let running = match self.operators.get_mut(process) {
                Some(operator) => operator.as_mut(),
                None => self.webhook.as_mut(),
            };
            let running = running.context("it was not started")?;
            running.alive()?;
            let log = running.log();
            if get(port, "/readyz").await.is_ok() {
                return Ok(());
            }
            ensure!(begun.elapsed() < READY, "never ready:\n{log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn get(port: u16, path: &str) -> Result<String> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()?;
    let answer = client.get(format!("http://127.0.0.1:{port}{path}"));
    Ok(answer.send().await?.error_for_status()?.text().await?)
}
