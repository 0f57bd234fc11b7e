//! `imageref webhook`: the process that answers reviews of admission.
//!
//! Owns its arguments and the order of its start and end. Must not know reviews. The invariant that
//! would break first: it is ready only while it answers from a whole memory, and goes on answering
//! for a while after it is not ready any more.

use super::input::files;
use super::input::problem::{self, Problem};
use super::output::say;
use crate::admission::Configuration;
use crate::admission::configuration::Mistake;
use crate::api::duration;
use crate::telemetry::metrics::Memory;
use crate::telemetry::{Health, Metrics};
use crate::webhook::server::{self, Limits, Webhook};
use crate::webhook::{State, watch};
use anyhow::{Context as _, Result, bail};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

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
    /// Where /metrics, /healthz and /readyz are served, over plain HTTP; empty for nowhere
    #[arg(
        long,
        env = "IMAGEREF_METRICS_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:8080"
    )]
    metrics_address: String,
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
    /// The folder with tls.crt and tls.key, as a mounted Secret of type kubernetes.io/tls
    #[arg(long, env = "IMAGEREF_TLS_DIR", value_name = "FOLDER")]
    tls_dir: PathBuf,
    /// How long to go on answering after SIGTERM, until no API server asks here any more
    #[arg(long, env = "IMAGEREF_DRAIN", value_name = "DURATION", default_value = "5s", value_parser = drain)]
    drain: Duration,
}

fn drain(text: &str) -> Result<Duration, String> {
    duration::parse(text)
        .filter(|drain| *drain <= LONGEST_DRAIN)
        .ok_or_else(|| "it must be at most 10m, such as 5s".into())
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments {
        address,
        metrics_address,
        operator_namespace,
        config,
        tls_dir,
        drain,
    } = arguments;
    let Some(configuration) = configuration(config.as_deref()) else {
        return Ok(ExitCode::from(BAD_INPUT));
    };
    let certificate = certificate(&tls_dir)?;
    let tls =
        server::tls(Arc::new(SingleCertAndKey::from(certificate))).context("no TLS server")?;
    let metrics_address = super::metrics::socket_address(&metrics_address)?;
    let client = super::cluster::connect().await?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("--address: listening on {address}"))?;
    let metrics = Arc::<Metrics>::default();
    let health = Arc::new(Health::of("the webhook has"));
    super::metrics::serve(metrics_address, &metrics, &health).await?;

    let state = Arc::new(State::new(configuration));
    metrics.admission.read_with({
        let state = state.clone();
        move || Memory {
            references: state.read("", |known, _| known.len()),
            is_old: state.is_old(Instant::now()).is_some(),
        }
    });
    info!(
        version = env!("CARGO_PKG_VERSION"),
        address = %listener.local_addr()?,
        "reviews are served"
    );
    let webhook = Webhook::new(
        state.clone(),
        operator_namespace,
        (metrics, health.clone()),
        Limits::default(),
    );
    let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut watches = tokio::spawn(watch::keep(client, state.clone(), ended.clone()));
    let serving = server::serve(listener, tls, Arc::new(webhook), stop.clone());
    let mut serving = tokio::spawn(serving);
    tokio::spawn(tell_ready(state, health.clone()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
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

/// Says that the process is ready once everything is listed.
async fn tell_ready(state: Arc<State>, health: Arc<Health>) {
    let mut changes = state.changes();
    loop {
        // A list takes effect a moment before it counts as read, and is no change by then.
        let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
        if state.is_ready() {
            info!("everything is listed");
            return health.set_ready();
        }
    }
}

/// The default without a file; `None`, with what is wrong on standard error, for a broken one.
fn configuration(path: Option<&Path>) -> Option<Configuration> {
    let Some(path) = path else {
        return Some(Configuration::default());
    };
    let mut problems = Vec::new();
    let file = files::open(path, true, &mut problems);
    let read = file.and_then(|file| {
        let refuse = |mistake: Mistake| Problem::of_file(&file.name, mistake.line, mistake.message);
        let read = Configuration::read(&file.text).map_err(refuse);
        read.map_err(|problem| problems.push(problem)).ok()
    });
    if read.is_none() {
        say(&problem::report(&problems, "nothing is served"));
    }
    read
}

/// The certificate and key of a folder.
fn certificate(folder: &Path) -> Result<CertifiedKey> {
    let (chain, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let reading = |path: &Path| format!("--tls-dir: reading {}", path.display());
    let chain: Vec<_> = CertificateDer::pem_file_iter(&chain)
        .and_then(Iterator::collect)
        .with_context(|| reading(&chain))?;
    let key = PrivateKeyDer::from_pem_file(&key).with_context(|| reading(&key))?;
    let provider = CryptoProvider::get_default().context("no provider of cryptography")?;
    CertifiedKey::from_der(chain, key, provider)
        .with_context(|| format!("--tls-dir: tls.crt and tls.key of {}", folder.display()))
}
