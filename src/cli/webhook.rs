//! `imageref webhook`: the process that answers reviews of admission.
//!
//! Owns its arguments and the order of its start and end. Must not know reviews. The invariant that
//! would break first: it is ready only while it answers from a whole memory, and goes on answering
//! for a while after it is not ready any more.

use super::process::{self, MetricsArguments};
use crate::api::duration;
use crate::telemetry::metrics::Memory;
use crate::telemetry::{Health, Metrics};
use crate::webhook::certificates::{self, Pace, Serving, Settings};
use crate::webhook::server::{self, Limits, Webhook};
use crate::webhook::{State, watch};
use anyhow::{Context as _, Result, anyhow, bail};
use kube::Client;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The Service of `deploy/webhook.yaml`.
const SERVICE: &str = "imageref-webhook";

/// The configuration is wrong.
const BAD_INPUT: u8 = 2;

/// The longest drain: Kubernetes gives a pod 30 s to end unless told otherwise.
const LONGEST_DRAIN: Duration = Duration::from_secs(600);

/// Arguments of `imageref webhook`. Each is also read from the environment.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where reviews are answered, over HTTPS
    #[arg(
        long,
        env = "IMAGEREF_WEBHOOK_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:9443"
    )]
    address: SocketAddr,
    #[command(flatten)]
    metrics: MetricsArguments,
    /// Namespace of the operator, which is never judged
    #[arg(
        long,
        env = "IMAGEREF_OPERATOR_NAMESPACE",
        default_value = "imageref-system"
    )]
    operator_namespace: String,
    /// The configuration of admission
    #[arg(long, env = "IMAGEREF_ADMISSION_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    certificate: CertificateArguments,
    /// How long to go on answering after SIGTERM, until no API server asks here any more
    #[arg(long, env = "IMAGEREF_DRAIN", value_name = "DURATION", default_value = "5s", value_parser = drain)]
    drain: Duration,
}

/// Where the certificate comes from.
#[derive(Debug, clap::Args)]
struct CertificateArguments {
    /// A folder with tls.crt and tls.key, which somebody else renews, as a mounted Secret of type
    /// kubernetes.io/tls; if left out, the webhook makes its certificate itself
    #[arg(long, env = "IMAGEREF_TLS_DIR", value_name = "FOLDER")]
    tls_dir: Option<PathBuf>,
    /// Without --tls-dir: the Secret in the operator's namespace that the replicas share
    #[arg(
        long,
        env = "IMAGEREF_TLS_SECRET",
        value_name = "NAME",
        default_value = "imageref-webhook-certificates"
    )]
    tls_secret: String,
    /// Without --tls-dir: the names and addresses that API servers call the webhook by
    /// [default: imageref-webhook.NAMESPACE.svc, with the operator's namespace]
    #[arg(
        long = "tls-names",
        env = "IMAGEREF_TLS_NAMES",
        value_name = "NAME,…",
        value_delimiter = ','
    )]
    tls_names: Vec<String>,
    /// Without --tls-dir: the validating configurations of webhooks whose caBundle to keep
    #[arg(
        long = "validating-configurations",
        env = "IMAGEREF_VALIDATING_CONFIGURATIONS",
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "imageref-webhook"
    )]
    validating: Vec<String>,
    /// Without --tls-dir: the mutating configurations of webhooks whose caBundle to keep
    #[arg(
        long = "mutating-configurations",
        env = "IMAGEREF_MUTATING_CONFIGURATIONS",
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "imageref-webhook"
    )]
    mutating: Vec<String>,
}

impl CertificateArguments {
    /// Reads the files, if there are some: what cannot be read at the start is a mistake in the flag,
    /// rather than one of whoever renews them.
    async fn load(&self, serving: &Serving) -> Result<()> {
        match &self.tls_dir {
            Some(folder) => {
                let loaded = certificates::load(folder, serving).await;
                loaded.map_err(|why| anyhow!("--tls-dir: {why}"))
            }
            None => Ok(()),
        }
    }

    /// Has the certificate kept in the background until `stop`.
    fn keep(self, namespace: &str, client: Client, serving: Arc<Serving>, stop: CancellationToken) {
        if let Some(folder) = self.tls_dir {
            let every = certificates::EVERY;
            tokio::spawn(certificates::follow(folder, every, serving, stop));
            return;
        }
        let given = |names: Vec<String>| -> Vec<_> {
            names.into_iter().filter(|name| !name.is_empty()).collect()
        };
        let mut names = given(self.tls_names);
        if names.is_empty() {
            names.push(certificates::service_name(SERVICE, namespace));
        }
        let settings = Settings {
            namespace: namespace.to_owned(),
            secret: self.tls_secret,
            names,
            validating: given(self.validating),
            mutating: given(self.mutating),
            pace: Pace::default(),
        };
        let now = jiff::Timestamp::now;
        tokio::spawn(certificates::keep(client, settings, serving, now, stop));
    }
}

fn drain(text: &str) -> Result<Duration, String> {
    duration::parse(text)
        .filter(|drain| *drain <= LONGEST_DRAIN)
        .ok_or_else(|| "it must be at most 10m, such as 5s".into())
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments {
        address,
        metrics: metrics_arguments,
        operator_namespace,
        config,
        certificate,
        drain,
    } = arguments;
    let Some(configuration) = process::admission(config.as_deref()) else {
        return Ok(ExitCode::from(BAD_INPUT));
    };
    let metrics_address = metrics_arguments.address()?;
    let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
    let shown = Arc::<Serving>::default();
    certificate.load(&shown).await?;
    let tls = server::tls(shown.clone()).context("no TLS server")?;
    let client = super::cluster::connect().await?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("--address: listening on {address}"))?;
    let metrics = Arc::<Metrics>::default();
    let health = Arc::new(Health::of("the webhook has"));
    process::serve_metrics(metrics_address, &metrics, &health).await?;

    let state = Arc::new(State::new(configuration));
    metrics.admission.read_with({
        let state = state.clone();
        move || Memory {
            references: state.read("", |known, _| known.len()),
            is_old: state.is_old(Instant::now()).is_some(),
        }
    });
    metrics.certificate_with({
        let shown = shown.clone();
        move || shown.expires_at().map(jiff::Timestamp::as_second)
    });
    info!(
        version = env!("CARGO_PKG_VERSION"),
        address = %listener.local_addr()?,
        "reviews are served"
    );
    let webhook = Webhook::new(
        state.clone(),
        operator_namespace.clone(),
        (metrics, health.clone()),
        Limits::default(),
    );
    let told = process::stop_on_signal()?;
    let namespace = &operator_namespace;
    certificate.keep(namespace, client.clone(), shown.clone(), ended.clone());
    let mut watches = tokio::spawn(watch::keep(client, state.clone(), ended.clone()));
    let serving = server::serve(listener, tls, Arc::new(webhook), stop.clone());
    let mut serving = tokio::spawn(serving);
    tokio::spawn(tell_ready(state, shown, health.clone()));
    tokio::select! {
        () = told.cancelled() => {}
        // Neither ends by itself: without the one nobody is answered, without the other from what
        // was.
        end = &mut serving => {
            end.context("serving reviews")?;
            bail!("nothing is served any more");
        }
        end = &mut watches => {
            end.context("watching")?;
            bail!("nothing is watched any more");
        }
    }
    info!(
        ?drain,
        "stopping: answering on until API servers ask elsewhere"
    );
    health.end();
    tokio::time::sleep(drain).await;
    stop.cancel();
    serving.await.context("serving reviews")?;
    ended.cancel();
    watches.await.context("watching")?;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Says that the process is ready once everything is listed and there is a certificate to show.
async fn tell_ready(state: Arc<State>, shown: Arc<Serving>, health: Arc<Health>) {
    let mut changes = state.changes();
    loop {
        // A list takes effect a moment before it counts as read, and is no change by then; neither is
        // a certificate.
        let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
        if state.is_ready() && shown.is_ready() {
            info!("everything is listed");
            return health.set_ready();
        }
    }
}
