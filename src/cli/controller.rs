//! `imageref controller`: the operator's process.

use super::network::{NetworkArguments, OwnArguments};
use crate::admission::Configuration;
use crate::api::duration;
use crate::cloud::gate::Limits;
use crate::controller::{self, Config};
use crate::telemetry::{Health, Metrics, server};
use anyhow::{Context as _, Result, anyhow, bail};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

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
    /// Where /metrics, /healthz and /readyz are served, over plain HTTP; empty for nowhere
    #[arg(
        long,
        env = "IMAGEREF_METRICS_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:8080"
    )]
    metrics_address: String,
    /// Name of this process in events; the host's name if left out
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    instance: Option<String>,
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
        admission_config,
        network,
        own,
        tenants,
        concurrency,
        metrics_address,
        instance,
    } = arguments;
    let metrics_address = socket_address(&metrics_address)?;
    let (metrics, health) = (Arc::<Metrics>::default(), Arc::<Health>::default());
    let (clouds, exchanger) = network.clients(&own)?;
    let clouds = clouds.with_metrics(metrics.clone());
    let clients = (clouds, exchanger, network.registries()?);
    let allowed = network.allowed()?;
    let own = own.identities()?;
    let client = super::cluster::connect().await?;
    let instance = instance
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "imageref".into(), |name| name.trim().to_owned());
    let namespaces = served(namespaces)?;
    let admission = admission(admission_config.as_deref())?;
    if let Some(name) = namespaces.as_ref().and_then(|served| {
        let mut shared = admission.shared_namespaces().iter();
        shared.find(|name| !served.contains(name))
    }) {
        warn!(
            namespace = name,
            "the ImageRefs of a shared namespace that --namespaces does not name are in no ImageCatalog"
        );
    }
    let listener = match metrics_address {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .with_context(|| format!("--metrics-address: listening on {address}"))?,
        ),
        None => None,
    };
    let config = Config {
        operator_namespace,
        cluster_providers: cluster_providers || namespaces.is_none(),
        namespaces,
        admission,
        allowed,
        own,
        for_tenants: tenants.limits(),
        concurrency,
        instance,
    };
    if let Some(listener) = listener {
        info!(address = %listener.local_addr()?, "metrics and health are served");
        tokio::spawn(server::serve(listener, metrics.clone(), health.clone()));
    }
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            info!("stopping: finishing what is under way");
            stop.cancel();
        }
    });
    info!(
        version = env!("CARGO_PKG_VERSION"),
        namespaces = config.namespaces.as_ref().map(|all| all.join(",")),
        cluster_providers = config.cluster_providers,
        "starting"
    );
    Box::pin(controller::run(
        client,
        clients,
        config,
        (metrics, health),
        stop,
    ))
    .await
    .context("the controller ended")?;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// What the file says; the defaults without one.
fn admission(path: Option<&Path>) -> Result<Configuration> {
    let Some(path) = path else {
        return Ok(Configuration::default());
    };
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--admission-config: reading {name}"))?;
    Configuration::read(&text).map_err(|mistake| {
        let line = mistake
            .line
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
        anyhow!("--admission-config: {name}{line}: {mistake}")
    })
}

/// Where to serve metrics; `None` for nowhere.
fn socket_address(address: &str) -> Result<Option<SocketAddr>> {
    if address.is_empty() {
        return Ok(None);
    }
    let parsed = address.parse().with_context(|| {
        format!("--metrics-address: {address:?} is no address with a port, such as 0.0.0.0:8080")
    })?;
    Ok(Some(parsed))
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
