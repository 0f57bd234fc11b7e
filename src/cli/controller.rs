//! `imageref controller`: the operator's process.

use super::network::{NetworkArguments, OwnArguments};
use crate::controller::{self, Config};
use anyhow::{Context as _, Result};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

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
    /// Serve the ImageRefs and ImageProviders of this namespace only
    #[arg(long, env = "IMAGEREF_NAMESPACE", value_name = "NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    own: OwnArguments,
    /// How many ImageRefs to work on at once
    #[arg(long, env = "IMAGEREF_CONCURRENCY", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Name of this process in events; the host's name if left out
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    instance: Option<String>,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments {
        operator_namespace,
        namespace,
        network,
        own,
        concurrency,
        instance,
    } = arguments;
    let clients = network.clients(&own)?;
    let allowed = network.allowed()?;
    let own = own.identities()?;
    let client = super::cluster::connect().await?;
    let instance = instance
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "imageref".into(), |name| name.trim().to_owned());
    let config = Config {
        operator_namespace,
        namespace,
        allowed,
        own,
        concurrency,
        instance,
    };
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
        namespace = config.namespace,
        "starting"
    );
    Box::pin(controller::run(client, clients, config, stop))
        .await
        .context("the controller ended")?;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}
