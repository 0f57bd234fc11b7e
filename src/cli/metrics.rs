//! Where a process that stays serves its metrics and its health.
//!
//! Owns what `--metrics-address` may be. Must not know what is measured. The invariant that would
//! break first: an address that cannot be had ends the process, and an empty one serves nothing.

use crate::telemetry::{Health, Metrics, server};
use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing::info;

/// Serves metrics and health in the background.
pub(super) async fn serve(
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

/// Where to serve metrics; `None` for nowhere.
pub(super) fn socket_address(address: &str) -> Result<Option<SocketAddr>> {
    if address.is_empty() {
        return Ok(None);
    }
    let parsed = address.parse().with_context(|| {
        format!("--metrics-address: {address:?} is no address with a port, such as 0.0.0.0:8080")
    })?;
    Ok(Some(parsed))
}
