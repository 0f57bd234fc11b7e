//! How the command line finds the API server.
//!
//! Owns the choice between the cluster around the process and a kubeconfig. Must not know what is
//! asked of it. The invariant that would break first: the proxy that leads to the clouds is not in
//! the way to the API server.

use crate::controller::lease::Claim;
use anyhow::{Context as _, Result};
use kube::client::ClientBuilder;
use kube::{Client, Config};

/// A client for the cluster around the process, else for the one that `KUBECONFIG` names.
pub(super) async fn connect() -> Result<Client> {
    Client::try_from(config().await?).context("making a client for the cluster")
}

/// The same, which asks only while the claim holds.
pub(super) async fn connect_while(claim: &Claim) -> Result<Client> {
    let builder = ClientBuilder::try_from(config().await?);
    let builder = builder.context("making a client for the cluster")?;
    Ok(builder.with_layer(claim).build())
}

async fn config() -> Result<Config> {
    let mut config = Config::infer()
        .await
        .context("finding the cluster: run inside one, or set KUBECONFIG")?;
    // With a kubeconfig the library takes this variable for its own, whatever NO_PROXY says. One
    // that the kubeconfig itself names is kept.
    let ours = ["HTTPS_PROXY", "https_proxy"].map(|name| std::env::var(name).ok());
    let ours = ours.into_iter().flatten().find(|proxy| !proxy.is_empty());
    if ours.and_then(|proxy| proxy.parse().ok()) == config.proxy_url {
        config.proxy_url = None;
    }
    Ok(config)
}
