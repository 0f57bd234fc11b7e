//! All that a fault can break: a control plane, clouds, a registry, two replicas of the operator and
//! the webhook.
//!
//! Owns what is started, and in which order. Must not know faults or rules. The invariant that would
//! break first: whatever is started ends with this value.

mod meter;
mod processes;

use crate::depot::Depot;
use crate::front::{self, Front};
use crate::gate::Gate;
use crate::life::{Deeds, Living};
use crate::mix::{self, Means};
use crate::preload::Preload;
use crate::road::Road;
use crate::rules::Violation;
use crate::truth::Truth;
use anyhow::{Context as _, Result};
use cluster::{Cluster, Registry, RegistryAuth};
use fakecloud::FakeCloud;
use kube::Client;
use processes::Ports;
use serde_json::{Value, json};
use site::{Identity, Process, Progress, Site, create, prepare};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

pub(crate) use meter::Meter;
pub(crate) use processes::{Extra, NAMES, WEBHOOK};
pub(crate) use rustix::process::Signal;

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

/// The world.
pub(crate) struct World {
    /// The operator's program and rights, and how its processes are started.
    pub(crate) site: Site,
    /// The control plane.
    pub(crate) cluster: Arc<Cluster>,
    /// An administrator, straight to the API server.
    pub(crate) client: Client,
    /// The way of the operator's processes to the API server; each has a door of its own, in the order
    /// of processes.
    pub(crate) road: Road,
    /// The clouds.
    pub(crate) cloud: Arc<FakeCloud>,
    /// The way to the clouds, for all providers but `front`.
    pub(crate) cloud_gate: Gate,
    /// TLS before the clouds, for the provider `front`.
    pub(crate) front: Front,
    /// The registry, which ends with this value.
    _registry: Registry,
    /// The operator's way to the registry.
    pub(crate) registry_gate: Gate,
    /// Two replicas with one lease.
    pub(crate) operators: [Option<Process>; 2],
    /// The webhook.
    pub(crate) webhook: Option<Process>,
    /// What each image is.
    pub(crate) truth: Truth,
    /// What was asked for.
    pub(crate) settings: Settings,
    /// What was ordered so far.
    pub(crate) deeds: Deeds,
    /// What the replicas of the operator and the webhook, in this order, believe of clock and names.
    pub(crate) beliefs: [Preload; 3],
    /// Ends of processes that the operator does not promise, with the time since the world began.
    pub(crate) ends: Vec<(Duration, String)>,
    /// What a fault itself saw that must not be.
    pub(crate) found: Vec<Violation>,
    /// How often a process was started again.
    pub(crate) restarts: u32,
    /// When replicas of the operator were started, since the world began.
    pub(crate) begins: Vec<Duration>,
    /// What the processes hold.
    pub(crate) meter: Meter,
    next: Arc<AtomicU32>,
    ports: Ports,
    identity: Identity,
}

impl World {
    /// Starts everything, with its references, and waits until the processes are ready.
    pub(crate) async fn start(settings: Settings, progress: &Progress) -> Result<Self> {
        progress.step("starting a control plane, clouds and a registry", 1);
        let cloud = Arc::new(FakeCloud::start().await);
        let registry = tokio::task::spawn_blocking(|| Registry::start(false, RegistryAuth::Open));
        let registry = registry.await??;
        let registry_gate = Gate::new(registry.host().parse()?, None)?;
        let site = Site::start(&settings.program).await?;
        let cloud_gate = Gate::new(cloud.address(), None)?;
        let front = Front::new(cloud.address(), site.folder())?;
        site.apply(&mix::accounts(&cloud_gate.origin(), &front.origin()).to_string())?;
        let truth = Truth::begin(cloud.clone(), Depot::new(registry.origin())?).await?;
        let belief = |label| Preload::new(site.folder(), label, &[front::NAME]);
        let beliefs = [
            belief("operator-0")?,
            belief("operator-1")?,
            belief("webhook")?,
        ];
        let road = Road::start(site.cluster.url(), Some(site.cluster.ca_pem()), 3)?;
        let ports = Ports::free()?;
        let mut world = Self {
            beliefs,
            cluster: site.cluster.clone(),
            client: site.client.clone(),
            site,
            road,
            cloud,
            cloud_gate,
            front,
            _registry: registry,
            registry_gate,
            operators: [None, None],
            webhook: None,
            truth,
            ends: Vec::new(),
            found: Vec::new(),
            begins: Vec::new(),
            next: Arc::new(AtomicU32::new(settings.refs)),
            deeds: Deeds::default(),
            restarts: 0,
            settings,
            meter: Meter::new(ports.metrics),
            ports,
            identity: Identity::new()?,
        };
        world.populate(progress).await?;
        progress.step("starting the operator, twice, and the webhook", 3);
        world.start_operator(0, Extra::default()).await?;
        world.start_operator(1, Extra::default()).await?;
        world.ask_webhook()?;
        world.start_webhook(Extra::default()).await?;
        Ok(world)
    }

    /// Notes that something was seen now which must not be.
    pub(crate) fn find(&mut self, rule: &str, about: &str, what: impl Into<String>) {
        let now = self.truth.now();
        self.found.push(Violation::new(rule, about, now, what));
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

    /// Who creates, edits and deletes references.
    pub(crate) fn living(&self) -> Living {
        Living {
            client: self.client.clone(),
            truth: self.truth.clone(),
            refs: self.settings.refs,
            deeds: self.deeds.clone(),
            next: self.next.clone(),
        }
    }

    /// Has something done at the control plane, which blocks.
    pub(crate) async fn control<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Cluster) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let cluster = self.cluster.clone();
        tokio::task::spawn_blocking(move || act(&cluster)).await?
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
}
