//! The controller: watch → observe → plan → act → requeue, one way, no back and forth.
//!
//! Owns the watches, the bounds on what runs at once, and the stop. Must not know how a verdict is
//! reached ([`crate::plan`]) or a platform is asked ([`crate::cloud`]). The invariant that would
//! break first: one bad object stops nothing, neither the stream it came in nor its neighbours.

mod absences;
mod act;
mod call;
mod catalogues;
mod census;
mod contents;
mod events;
#[doc(hidden)]
pub mod fuzzing;
mod held;
pub mod lease;
mod look;
mod memory;
mod merge;
mod namespaces;
mod observe;
mod pauses;
mod proofs;
mod providers;
mod pull_secrets;
mod pulse;
mod reconcile;
mod report;
mod secret_watches;
mod share;
mod sign_ins;
#[cfg(test)]
mod simulation;
mod stock;
#[cfg(test)]
mod stub;
mod tokens;
mod unkept;
mod watch;

use crate::admission::Configuration;
use crate::api::{ClusterImageProvider, ImageProvider, ProviderKind};
use crate::cloud::gate::{Gates, Limits};
use crate::cloud::identity::{CacheOptions, Clock, Exchanger};
use crate::cloud::provider::Provider;
use crate::cloud::sign_in::OperatorIdentities;
use crate::cloud::snapshot::{SnapshotOptions, Snapshots};
use crate::cloud::{AllowedEndpoints, Clouds};
use crate::plan::ProviderId;
use crate::registry::Reader;
use crate::telemetry::{Health, Metrics};
use absences::Absences;
use call::{API_TIMEOUT, ApiError, explain, limited};
use catalogues::{Changes as RefChanges, StoredCatalog};
use census::Census;
use events::Events;
use futures::channel::mpsc;
use futures::{FutureExt as _, StreamExt};
use held::Held;
use jiff::Timestamp;
use kube::Client;
use kube::api::Api;
use kube::runtime::controller::{Config as ControllerConfig, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, ObjectRef, Store, store::Writer};
use memory::Memories;
use namespaces::Namespaces;
use pauses::Pauses;
use pull_secrets::PullSecrets;
use secret_watches::SecretWatches;
pub use share::Share;
use sign_ins::SignIns;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use unkept::Unkept;

/// The name that the operator writes under: field manager and reporter of events.
pub const FIELD_MANAGER: &str = "imageref-operator";

/// How long a stop waits for what is under way.
const STOP_LIMIT: Duration = Duration::from_secs(25);

/// How often to tidy, and after how many rounds a gate that nobody asked for is forgotten: later
/// than any refusal or pause ends.
const TIDY_EVERY: Duration = Duration::from_secs(300);
const GATE_ROUNDS: u32 = 24;

/// What the operator is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the Secrets of ClusterImageProviders are.
    pub operator_namespace: String,
    /// Serve ImageRefs and ImageProviders of these namespaces only; `None` for all.
    pub namespaces: Option<Vec<String>>,
    /// Serve ClusterImageProviders.
    pub cluster_providers: bool,
    /// This process's share of the work.
    pub share: Share,
    /// Endpoints other than the vendors' own.
    pub allowed: AllowedEndpoints,
    /// The operator's own identity, for ClusterImageProviders.
    pub own: OperatorIdentities,
    /// The most that an ImageProvider may ask of its platform.
    pub for_tenants: Limits,
    /// What is configured about admission: catalogues follow it.
    pub admission: Configuration,
    /// ImageRefs worked on at once.
    pub concurrency: u16,
    /// Have metrics name ImageRefs.
    pub metrics_per_object: bool,
    /// Name of this process in events.
    pub instance: String,
}

/// Why the controller ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The first listing of a kind did not succeed: its stream ended.
    #[error("the watch of {0} ended before its first listing")]
    NoListing(&'static str),
    /// A watch ended by itself.
    #[error("a controller ended without being asked to")]
    Ended,
}

/// Everything that a reconcile uses.
struct Context {
    /// The wall clock.
    clock: Clock,
    client: Client,
    config: Config,
    clouds: Clouds,
    gates: Gates,
    /// The references to work on.
    refs: Store<Held>,
    /// The references that catalogues list; the same, unless others work on some of them.
    listed: Store<Held>,
    /// What of those changed that catalogues read.
    changes: RefChanges,
    namespaced: Store<ImageProvider>,
    cluster: Store<ClusterImageProvider>,
    catalogues: Store<StoredCatalog>,
    sign_ins: SignIns,
    namespaces: Namespaces,
    secret_watches: SecretWatches,
    pace: providers::Pace,
    memories: Memories,
    unkept: Unkept,
    /// Turns for writing statuses; never closed.
    writes: Semaphore,
    absences: Absences,
    census: Census,
    snapshots: Snapshots,
    /// `None`: this process asks no registries.
    registries: Option<Reader>,
    pull_secrets: PullSecrets,
    events: Events,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    look_again: mpsc::Sender<ObjectRef<Held>>,
    health_changed: Mutex<[mpsc::Sender<ProviderId>; 2]>,
}

impl Context {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// How long this process's watches for a purpose rest after they failed.
    fn pauses(&self, watch: &str) -> Pauses {
        Pauses::new(&self.config.instance, watch)
    }

    fn find(&self, id: &ProviderId) -> Option<Provider> {
        match id.kind {
            ProviderKind::Namespaced => {
                let namespace = id.namespace.as_deref()?;
                let key = ObjectRef::new(&id.name).within(namespace);
                self.namespaced.get(&key).map(Provider::Namespaced)
            }
            ProviderKind::Cluster => self
                .cluster
                .get(&ObjectRef::new(&id.name))
                .map(Provider::Cluster),
        }
    }

    /// Has a provider's status written soon; lost requests are made up for within a minute.
    fn health_changed(&self, provider: &ProviderId) {
        let mut senders = self
            .health_changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(provider.kind == ProviderKind::Cluster);
        let _ = senders[at].try_send(provider.clone());
    }
}

/// Runs until `stop`, then finishes what is under way.
///
/// # Errors
/// When it ended without being asked to, or could not finish.
pub async fn run(
    client: Client,
    clients: (Clouds, Exchanger, Option<Reader>),
    config: Config,
    told: (Arc<Metrics>, Arc<Health>),
    stop: CancellationToken,
) -> Result<(), RunError> {
    let clock: Clock = Arc::new(Timestamp::now);
    run_by(clock, client, clients, config, told, stop).await
}

/// As [`run`], by a wall clock of the caller's.
#[expect(
    clippy::too_many_lines,
    reason = "it builds what everything else is given"
)]
async fn run_by(
    clock: Clock,
    client: Client,
    (clouds, exchanger, registries): (Clouds, Exchanger, Option<Reader>),
    config: Config,
    (metrics, health): (Arc<Metrics>, Arc<Health>),
    stop: CancellationToken,
) -> Result<(), RunError> {
    let (refs, refs_writer) = reflector::store();
    let (listed, listed_writer) = match &config.share {
        Share::Whole | Share::References(_) => (refs.clone(), None),
        Share::Main(_) => {
            let (listed, writer) = reflector::store();
            (listed, Some(writer))
        }
    };
    let (namespaced, namespaced_writer) = reflector::store();
    let (cluster, cluster_writer) = reflector::store();
    let (catalogues, catalogues_writer) = reflector::store();
    let (look_again, looks) = mpsc::channel(4096);
    let (namespaced_health, namespaced_changes) = mpsc::channel(256);
    let (cluster_health, cluster_changes) = mpsc::channel(256);
    let reporter = Reporter {
        controller: FIELD_MANAGER.into(),
        instance: Some(config.instance.clone()),
    };
    let sign_ins = SignIns::new(
        client.clone(),
        &config.operator_namespace,
        config.own.clone(),
        Arc::new(exchanger),
        CacheOptions {
            clock: clock.clone(),
            metrics: metrics.clone(),
            ..CacheOptions::default()
        },
    );
    let recorder = Recorder::new(client.clone(), reporter);
    let (events, publisher) = events::events(recorder, metrics.clone());
    let context = Arc::new(Context {
        clock: clock.clone(),
        events,
        sign_ins,
        namespaces: Namespaces::new(client.clone()),
        secret_watches: SecretWatches::new(client.clone()),
        pace: providers::Pace::default(),
        // Until a provider has said what its limits are, they could be a tenant's.
        gates: Gates::new(Limits::default().strictest(&config.for_tenants)),
        memories: Memories::default(),
        unkept: Unkept::default(),
        writes: Semaphore::new(act::AT_ONCE),
        absences: Absences::default(),
        census: Census::default(),
        snapshots: Snapshots::new(SnapshotOptions {
            clock: clock.clone(),
            ..SnapshotOptions::default()
        }),
        registries,
        pull_secrets: PullSecrets::new(client.clone(), &config.operator_namespace),
        metrics,
        health,
        look_again,
        health_changed: Mutex::new([namespaced_health, cluster_health]),
        refs,
        listed,
        changes: RefChanges::default(),
        namespaced: namespaced.clone(),
        cluster: cluster.clone(),
        catalogues,
        clouds,
        client: client.clone(),
        config,
    });

    stock::count(&context);
    let namespaced_providers = providers::controller(
        watch::scoped(&client, context.config.namespaces.as_deref()),
        (namespaced.clone(), namespaced_writer),
        namespaced_changes,
        (Provider::Namespaced, |client, namespace| {
            Api::namespaced(client, namespace.unwrap_or_default())
        }),
        context.clone(),
        &stop,
    );
    let cluster_providers = providers::controller(
        // Watched nowhere, the kind has no objects.
        Vec::from_iter(
            context
                .config
                .cluster_providers
                .then(|| Api::all(client.clone())),
        ),
        (cluster.clone(), cluster_writer),
        cluster_changes,
        (Provider::Cluster, |client, _| Api::all(client)),
        context.clone(),
        &stop,
    );

    let references = references(refs_writer, looks, context.clone(), stop.clone());
    let all = async {
        tokio::select! {
            ended = async { tokio::try_join!(
                watch::unless_idle(&stop, namespaced, namespaced_providers).map(Ok),
                watch::unless_idle(&stop, cluster, cluster_providers).map(Ok),
                references,
                catalogues::run(context.clone(), catalogues_writer, listed_writer, stop.clone())
                    .map(Ok),
            )} => ended.map(drop),
            () = tidy(context.clone(), stop.clone()) => Ok(()),
            never = pulse::pulse(&context) => match never {},
            // Its queue never ends while the context is there.
            () = publisher.run() => Ok(()),
        }
    };
    Box::pin(bounded(all, &stop)).await
}

/// Waits for all to end, and not much longer than until it is told to stop.
async fn bounded(
    all: impl Future<Output = Result<(), RunError>>,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_LIMIT).await;
    };
    tokio::select! {
        result = all => {
            result?;
            if stop.is_cancelled() { Ok(()) } else { Err(RunError::Ended) }
        }
        () = overdue => {
            // A look is repeated by whoever starts next; nothing is lost but a call.
            warn!(seconds = STOP_LIMIT.as_secs(), "looks still under way are abandoned");
            Ok(())
        }
    }
}

/// The controller of references; it begins when the providers are known.
async fn references(
    writer: Writer<Held>,
    looks: mpsc::Receiver<ObjectRef<Held>>,
    context: Arc<Context>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    // A reference judged before its provider is known would say that it does not exist.
    for (kind, ready) in [
        ("ImageProvider", context.namespaced.wait_until_ready().await),
        (
            "ClusterImageProvider",
            context.cluster.wait_until_ready().await,
        ),
    ] {
        match ready {
            Ok(()) => {}
            // Its watch ended because it was told to.
            Err(_) if stop.is_cancelled() => return Ok(()),
            Err(_) => return Err(RunError::NoListing(kind)),
        }
    }
    info!("providers are known; ImageRefs follow");
    let refs = context.refs.clone();
    let apis = watch::scoped(&context.client, context.config.namespaces.as_deref());
    let concurrency = context.config.concurrency;
    let share = &context.config.share;
    let (selector, noted) = (share.selector().map(Into::into), context.clone());
    let lists = *share == Share::Whole;
    let watched = watch::references(
        apis,
        context.pauses("references"),
        selector,
        writer,
        move |before, after| {
            if lists {
                noted.changes.note(before, after);
            }
        },
    );
    let controller = Controller::for_stream(watched, refs.clone())
        .trigger_backoff(context.pauses("references' controller"))
        .reconcile_on(looks)
        .with_config(ControllerConfig::default().concurrency(concurrency))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(reconcile::counted, reconcile::retry, context)
        .for_each(|_| std::future::ready(()));
    watch::unless_idle(&stop, refs, controller).await;
    Ok(())
}

/// Forgets what belongs to objects that are gone, so that nothing grows without end.
async fn tidy(context: Arc<Context>, stop: CancellationToken) {
    let mut every = tokio::time::interval(TIDY_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            // The controllers end by themselves; this must not end before them.
            () = stop.cancelled() => std::future::pending().await,
        }
        let held: HashSet<_> = context.refs.state().iter().map(|held| held.key()).collect();
        context.memories.retain(&held);
        context.unkept.retain(&held);
        context.gates.retain(|id| context.find(id).is_some());
        context.gates.tidy(GATE_ROUNDS);
        context
            .secret_watches
            .retain(|id| context.find(id).is_some());
        context.absences.forget(context.now());
        context.snapshots.forget_idle();
        if let Some(registries) = &context.registries {
            registries.forget_idle();
        }
    }
}

/// What a provider controller is fed with, next to its own watch.
type Changes = mpsc::Receiver<ProviderId>;
