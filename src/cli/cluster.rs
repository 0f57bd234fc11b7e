//! How the command line finds the API server, and what it reads there.
//!
//! Owns the choice between the cluster around the process and a kubeconfig. Must not know what is
//! asked of it. The invariant that would break first: the proxy that leads to the clouds is not in
//! the way to the API server.

mod keeper;
mod pages;
mod read;
mod target;

pub(super) use keeper::keeper;
pub(super) use pages::{Pages, Wanted, asked};
pub(super) use read::{Labels, image_ref, labels_of, namespaces, references};
pub(super) use target::{Kind, Target, find, objects};

use crate::controller::lease::Claim;
use anyhow::{Context as _, Result};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::PathBuf;
use std::time::Duration;

/// Who writes, in the managed fields of what the command line changes.
pub(super) const FIELD_MANAGER: &str = "imageref-cli";

/// Which cluster is meant.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ConnectArguments {
    /// The kubeconfig of the cluster [default: KUBECONFIG, else ~/.kube/config, else the cluster
    /// around the process]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig, if not its current one
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// A cluster as one of several sources.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ClusterArguments {
    /// Take the ImageRefs, and the labels of namespaces, from the cluster; --kubeconfig and
    /// --context mean it too
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    connect: ConnectArguments,
}

impl ClusterArguments {
    /// The cluster, if one is meant.
    pub(super) fn chosen(&self) -> Option<&ConnectArguments> {
        let ConnectArguments {
            kubeconfig,
            context,
        } = &self.connect;
        (self.cluster || kubeconfig.is_some() || context.is_some()).then_some(&self.connect)
    }
}

impl ConnectArguments {
    /// A client, and the namespace that the context names.
    pub(super) async fn connect(&self) -> Result<(Client, String)> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = match &self.kubeconfig {
            Some(path) => {
                let read = Kubeconfig::read_from(path)
                    .with_context(|| format!("reading {}", path.display()))?;
                Config::from_custom_kubeconfig(read, &options)
                    .await
                    .with_context(|| format!("finding the cluster of {}", path.display()))?
            }
            None if self.context.is_some() => Config::from_kubeconfig(&options)
                .await
                .context("finding the cluster of --context")?,
            None => infer().await?,
        };
        let namespace = config.default_namespace.clone();
        Ok((client(config)?, namespace))
    }
}

/// A client for the cluster around the process, else for the one that `KUBECONFIG` names.
pub(super) async fn connect() -> Result<Client> {
    client(infer().await?)
}

/// The same, which asks only while the claim holds.
pub(super) async fn connect_while(claim: &Claim) -> Result<Client> {
    let builder = ClientBuilder::try_from(direct(infer().await?));
    let builder = builder.context("making a client for the cluster")?;
    Ok(builder.with_layer(claim).build())
}

fn client(config: Config) -> Result<Client> {
    Client::try_from(direct(config)).context("making a client for the cluster")
}

async fn infer() -> Result<Config> {
    Config::infer()
        .await
        .context("finding the cluster: run inside one, or set KUBECONFIG")
}

/// The longest silence of the API server that is taken for one with nothing to say. A watch that begins
/// or a list that is not answered has no other end: a connection that died without a word would hold a
/// watch up for as long as the system keeps it. A watch may be silent for its whole life, which kube
/// sets to 290 s.
const SILENCE: Duration = Duration::from_secs(310);

/// Without the proxy that leads to the clouds, and with an end to silence.
fn direct(mut config: Config) -> Config {
    // With a kubeconfig the library takes this variable for its own, whatever NO_PROXY says. One
    // that the kubeconfig itself names is kept.
    let ours = ["HTTPS_PROXY", "https_proxy"].map(|name| std::env::var(name).ok());
    let ours = ours.into_iter().flatten().find(|proxy| !proxy.is_empty());
    if ours.and_then(|proxy| proxy.parse().ok()) == config.proxy_url {
        config.proxy_url = None;
    }
    config.read_timeout = Some(config.read_timeout.unwrap_or(SILENCE));
    // It counts from the request, not from when a connection of the pool was last used.
    config.reset_reader_on_write = true;
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Namespace;
    use kube::api::{Api, WatchParams};

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_nobody_answers_ends() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = client(Config::new(url.parse().unwrap())).unwrap();
        let namespaces: Api<Namespace> = Api::all(client);
        let params = WatchParams::default();
        let watch = namespaces.watch(&params, "0");
        let ended = tokio::time::timeout(SILENCE * 2, watch).await;
        assert!(ended.expect("it waits for ever").is_err());
    }
}
