//! `imageref controller`: the operator's process.

use super::network::{NetworkArguments, OwnArguments};
use super::process::{self, MetricsArguments};
use crate::admission::Configuration;
use crate::api::duration;
use crate::cloud::gate::Limits;
use crate::controller::lease::{Claim, Election, Times};
use crate::controller::{self, Config, Share};
use crate::telemetry::{Health, Metrics};
use anyhow::{Context as _, Result, anyhow, bail};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// The lease of the process that has no other.
const LEASE: &str = "imageref-controller";

/// The configuration is wrong.
const BAD_INPUT: u8 = 2;

/// Arguments of `imageref controller`. Each is also read from the environment.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Namespace of the operator: where the Secrets of ClusterImageProviders are
    #[arg(
        long,
        env = "IMAGEREF_OPERATOR_NAMESPACE",
        default_value = "imageref-system"
    )]
    operator_namespace: String,
    /// Serve the ImageRefs and ImageProviders of these namespaces only, with rights in these alone
    #[arg(
        long,
        env = "IMAGEREF_NAMESPACES",
        value_name = "NAMESPACE,…",
        value_delimiter = ','
    )]
    namespaces: Vec<String>,
    /// With --namespaces: serve ClusterImageProviders too
    #[arg(long, env = "IMAGEREF_CLUSTER_PROVIDERS")]
    cluster_providers: bool,
    #[command(flatten)]
    share: ShareArguments,
    /// The configuration of admission, for catalogues: the file of `imageref check --config`
    #[arg(long, env = "IMAGEREF_ADMISSION_CONFIG", value_name = "FILE")]
    admission_config: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    own: OwnArguments,
    #[command(flatten)]
    tenants: TenantArguments,
    /// How many ImageRefs to work on at once
    #[arg(long, env = "IMAGEREF_CONCURRENCY", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    #[command(flatten)]
    metrics: MetricsArguments,
    /// Have metrics name ImageRefs, up to 10,000, those that are not Ready first
    #[arg(long, env = "IMAGEREF_METRICS_PER_OBJECT")]
    metrics_per_object: bool,
    /// Lease in the operator's namespace that only one process of several holds and works with;
    /// empty: work without one
    #[arg(
        long,
        env = "IMAGEREF_LEASE",
        value_name = "NAME",
        default_value = LEASE
    )]
    lease: String,
    /// Name of this process in events and in the lease; the host's name if left out
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    instance: Option<String>,
}

/// Which part of the work is this process's.
#[derive(Debug, clap::Args)]
struct ShareArguments {
    /// Work on the ImageRefs with these labels only, such as 'imageref.dev/shard=a'
    #[arg(long, env = "IMAGEREF_SELECTOR", value_name = "LABELS")]
    selector: Option<String>,
    /// With --selector and a lease of its own: work on ImageRefs alone, since another process without
    /// this flag keeps the statuses of providers and catalogues
    #[arg(long, env = "IMAGEREF_REFERENCES_ONLY")]
    references_only: bool,
}

impl ShareArguments {
    fn share(self, lease: &str) -> Result<Share> {
        // An empty variable is one that is not set.
        let selector = self.selector.filter(|selector| !selector.trim().is_empty());
        match (selector, self.references_only) {
            (None, false) => Ok(Share::Whole),
            (Some(selector), false) => Ok(Share::Main(selector)),
            (Some(_), true) if lease == LEASE => bail!(
                "--references-only: the lease {LEASE} is that of the process that keeps providers and catalogues; give this one its own, such as --lease {LEASE}-a"
            ),
            (Some(selector), true) => Ok(Share::References(selector)),
            (None, true) => bail!(
                "--references-only: say with --selector which ImageRefs this process works on"
            ),
        }
    }
}

/// The most that an ImageProvider may ask of its platform, whatever its spec.limits say.
#[derive(Debug, clap::Args)]
struct TenantArguments {
    /// Most requests a second for an ImageProvider
    #[arg(long = "tenant-max-requests-per-second", env = "IMAGEREF_TENANT_MAX_REQUESTS_PER_SECOND", value_name = "COUNT",
          default_value_t = Limits::FOR_TENANTS.requests_per_second,
          value_parser = up_to(Limits::LOOSEST.requests_per_second))]
    requests_per_second: u32,
    /// Most requests at once after a quiet time for an ImageProvider
    #[arg(long = "tenant-max-burst", env = "IMAGEREF_TENANT_MAX_BURST", value_name = "COUNT",
          default_value_t = Limits::FOR_TENANTS.burst,
          value_parser = up_to(Limits::LOOSEST.burst))]
    burst: u32,
    /// Most calls under way at once for an ImageProvider
    #[arg(long = "tenant-max-concurrent", env = "IMAGEREF_TENANT_MAX_CONCURRENT", value_name = "COUNT",
          default_value_t = Limits::FOR_TENANTS.max_concurrent,
          value_parser = up_to(Limits::LOOSEST.max_concurrent))]
    max_concurrent: u32,
    /// Shortest interval for ImageRefs through an ImageProvider: 1m to 168h
    #[arg(long = "tenant-min-interval", env = "IMAGEREF_TENANT_MIN_INTERVAL", value_name = "DURATION",
          default_value = "1m", value_parser = interval)]
    min_interval: Duration,
}

fn up_to(most: u32) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(most))
}

fn interval(text: &str) -> Result<Duration, String> {
    let within = Limits::LOOSEST.min_interval..=Limits::LONGEST_INTERVAL;
    duration::parse(text)
        .filter(|interval| within.contains(interval))
        .ok_or_else(|| "it must be between 1m and 168h, such as 10m or 1h30m".into())
}

impl TenantArguments {
    fn limits(&self) -> Limits {
        Limits {
            requests_per_second: self.requests_per_second,
            burst: self.burst,
            max_concurrent: self.max_concurrent,
            min_interval: self.min_interval,
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments {
        operator_namespace,
        namespaces,
        cluster_providers,
        share,
        admission_config,
        network,
        own,
        tenants,
        concurrency,
        metrics: metrics_arguments,
        metrics_per_object,
        lease,
        instance,
    } = arguments;
    let share = share.share(&lease)?;
    let Some(admission) = process::admission(admission_config.as_deref()) else {
        return Ok(ExitCode::from(BAD_INPUT));
    };
    let metrics_address = metrics_arguments.address()?;
    let (metrics, health) = (Arc::<Metrics>::default(), Arc::<Health>::default());
    let (clouds, exchanger) = network.clients(&own)?;
    let clouds = clouds.with_metrics(metrics.clone());
    let clients = (clouds, exchanger, network.registries(&metrics)?);
    let allowed = network.allowed()?;
    let own = own.identities()?;
    let instance = instance
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "imageref".into(), |name| name.trim().to_owned());
    let namespaces = served(namespaces)?;
    warn_of_unlisted(&admission, namespaces.as_deref());
    check(&share, namespaces.as_deref()).await?;
    metrics.waits();
    process::serve_metrics(metrics_address, &metrics, &health).await?;
    let mut election = candidate(&lease, &operator_namespace, &instance).await?;
    let claim = election
        .as_ref()
        .map_or_else(Claim::always, Election::claim);
    let client = super::cluster::connect_while(&claim).await?;
    let config = Config {
        operator_namespace,
        cluster_providers: cluster_providers || namespaces.is_none(),
        namespaces,
        share,
        admission,
        allowed,
        own,
        for_tenants: tenants.limits(),
        concurrency,
        metrics_per_object,
        instance,
    };
    let stop = process::stop_on_signal()?;
    tokio::spawn({
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            info!("stopping: finishing what is under way");
        }
    });
    info!(
        version = env!("CARGO_PKG_VERSION"),
        namespaces = config.namespaces.as_ref().map(|all| all.join(",")),
        cluster_providers = config.cluster_providers,
        selector = config.share.selector(),
        "starting"
    );
    if let Some(election) = &mut election {
        let turned = |waits| {
            health.beat(Instant::now());
            // Whoever waits for the lease does all that is asked of it.
            if waits {
                health.set_ready();
            }
        };
        if !election.acquire(&stop, turned).await {
            info!("stopped without ever having held the lease");
            return Ok(ExitCode::SUCCESS);
        }
    }
    metrics.leads();
    let work = controller::run(client, clients, config, (metrics, health), stop);
    let lost = async {
        match &mut election {
            Some(election) => election.keep().await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = Box::pin(work) => ended,
        // What is under way ends with the process; whoever holds the lease now begins anew.
        lost = lost => return Err(lost).context("ending, so that only one process works"),
    };
    if let Some(election) = election {
        election.release().await;
    }
    ended.context("the controller ended")?;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn warn_of_unlisted(admission: &Configuration, namespaces: Option<&[String]>) {
    let Some(served) = namespaces else { return };
    let mut shared = admission.shared_namespaces().iter();
    if let Some(name) = shared.find(|name| !served.contains(name)) {
        warn!(
            namespace = name,
            "the ImageRefs of a shared namespace that --namespaces does not name are in no ImageCatalog"
        );
    }
}

/// Refuses a selector that the API server cannot read.
async fn check(share: &Share, namespaces: Option<&[String]>) -> Result<()> {
    let Some(selector) = share.selector() else {
        return Ok(());
    };
    let client = super::cluster::connect().await?;
    let checked = share.check(&client, namespaces).await;
    checked.map_err(|why| anyhow!("--selector {selector:?} cannot be read: {why}"))
}

/// A candidate for the lease; `None` where the process works without one.
async fn candidate(lease: &str, namespace: &str, instance: &str) -> Result<Option<Election>> {
    if lease.is_empty() {
        return Ok(None);
    }
    let client = super::cluster::connect().await?;
    // A process that starts again on the same host is another candidate.
    let me = format!("{instance}_{}", uuid::Uuid::new_v4().simple());
    let times = Times::DEFAULT;
    Ok(Some(Election::new(client, namespace, lease, &me, times)))
}

/// The namespaces to serve, each once; `None` for all.
fn served(mut names: Vec<String>) -> Result<Option<Vec<String>>> {
    let given = !names.is_empty();
    names.retain(|name| !name.is_empty());
    if given && names.is_empty() {
        // An empty value must not widen what is served to everything.
        bail!("--namespaces names no namespace: leave it out to serve all");
    }
    names.sort();
    names.dedup();
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
    for name in &names {
        if name.len() > 63 || !name.bytes().all(plain) {
            bail!("--namespaces: {name:?} is not the name of a namespace");
        }
    }
    Ok(Some(names).filter(|names| !names.is_empty()))
}
