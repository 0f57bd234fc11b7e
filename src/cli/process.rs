//! What the subcommands that run until they are told to stop have in common.
//!
//! Owns the signals, the port of metrics and health, and the file about admission. Must not know what
//! the process does. The invariant that would break first: what is wrong with a flag is said before
//! anything is served.

use super::input::files;
use super::input::problem;
use super::output::say;
use crate::admission::Configuration;
use crate::telemetry::{Health, Metrics, server};
use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Where metrics and health are served.
#[derive(Debug, clap::Args)]
pub(super) struct MetricsArguments {
    /// Where /metrics, /livez and /readyz are served, over plain HTTP; empty for nowhere
    #[arg(
        long,
        env = "IMAGEREF_METRICS_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:8080"
    )]
    metrics_address: String,
}

impl MetricsArguments {
    /// `None` for nowhere.
    pub(super) fn address(&self) -> Result<Option<SocketAddr>> {
        let address = &self.metrics_address;
        if address.is_empty() {
            return Ok(None);
        }
        let parsed = address.parse().with_context(|| {
            format!(
                "--metrics-address: {address:?} is no address with a port, such as 0.0.0.0:8080"
            )
        })?;
        Ok(Some(parsed))
    }
}

/// Cancelled by SIGTERM and Ctrl-C.
pub(super) fn stop_on_signal() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            stop.cancel();
        }
    });
    Ok(stop)
}

/// Serves metrics and health in the background.
pub(super) async fn serve_metrics(
    address: Option<SocketAddr>,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
) -> Result<()> {
    let Some(address) = address else {
        return Ok(());
    };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("--metrics-address: listening on {address}"))?;
    info!(address = %listener.local_addr()?, "metrics and health are served");
    tokio::spawn(server::serve(listener, metrics.clone(), health.clone()));
    Ok(())
}

/// What the file about admission says, the defaults without one; `None`, with what is wrong on
/// standard error, for a broken one.
pub(super) fn admission(path: Option<&Path>) -> Option<Configuration> {
    let mut problems = Vec::new();
    let configuration = files::configuration(path, &mut problems);
    if problems.is_empty() {
        return Some(configuration);
    }
    say(&problem::report(&problems, "nothing is served"));
    None
}
