//! The webhook's HTTPS server.
//!
//! Owns sockets: who is let in, how many at once, and how the server ends ([`connection`]), and
//! what a request may be ([`exchange`]). Must not know what a verdict is. The invariant that would
//! break first: whoever reaches the port costs bounded memory and time, and a stop loses no
//! request that a connection was accepted for.

mod connection;
mod exchange;
mod verdict;

use crate::telemetry::health::BEAT;
use crate::telemetry::{Health, Metrics};
use crate::webhook::State;
use connection::talk;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::ResolvesServerCert;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the server takes, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a connection may be without its first request.
    pub first_request: Duration,
    /// How long a connection may be without a further request. API servers close theirs after 90 s:
    /// whoever closes first must not be the one to whom requests are sent.
    pub idle: Duration,
    /// Requests at once on one connection.
    pub streams: u32,
    /// Largest body, in bytes. An object has 3 MiB at most (etcd takes 1.5 MiB, an API server 3 MiB
    /// of a request), and a review of an update holds two and little more.
    pub body: usize,
    /// How long a body may take to arrive, its turn included. API servers give up after 10 s unless
    /// told otherwise.
    pub read: Duration,
    /// Bodies in memory at once, in bytes; others are not read until there is room.
    pub bodies: usize,
    /// How long an image that nobody declared yet is waited for.
    pub wait: Duration,
    /// How long requests under way and connections may take to end once the server is to stop.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            handshake: Duration::from_secs(5),
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(150),
            streams: 128,
            body: 8 << 20,
            read: Duration::from_secs(5),
            bodies: 32 << 20,
            wait: Duration::from_millis(300),
            stop: Duration::from_secs(10),
        }
    }
}

/// What answers need.
pub struct Webhook {
    /// What verdicts read.
    pub state: Arc<State>,
    /// The operator's namespace, where nothing is judged.
    pub own_namespace: String,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Who is told that the server turns, and knows whether the process is about to end.
    pub health: Arc<Health>,
    /// What is taken.
    pub limits: Limits,
    bodies: Semaphore,
}

impl Webhook {
    /// A webhook that answers from this state, once the state is ready.
    pub fn new(
        state: Arc<State>,
        own_namespace: String,
        (metrics, health): (Arc<Metrics>, Arc<Health>),
        limits: Limits,
    ) -> Self {
        Self {
            state,
            own_namespace,
            metrics,
            health,
            limits,
            bodies: Semaphore::new(limits.bodies.min(Semaphore::MAX_PERMITS)),
        }
    }
}

/// TLS for the server, with certificates by this resolver: HTTP/2 and HTTP/1.1, no certificates of
/// clients, since API servers show none unless each is set up to.
///
/// # Errors
/// If the process's provider of cryptography has no suite of TLS 1.3.
pub fn tls(certificates: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, rustls::Error> {
    let provider = CryptoProvider::get_default().cloned();
    let provider =
        provider.unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    // Every API server that this operator runs with speaks 1.3.
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![connection::H2.to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Answers until `stop`, then lets everything under way end: in `Limits::stop` at the latest.
pub async fn serve(
    listener: TcpListener,
    tls: ServerConfig,
    webhook: Arc<Webhook>,
    stop: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let places = Arc::new(Semaphore::new(webhook.limits.connections));
    let talks = TaskTracker::new();
    let begin = |stream: TcpStream, place: Option<OwnedSemaphorePermit>| {
        let (acceptor, webhook) = (acceptor.clone(), webhook.clone());
        let (places, stop) = (places.clone(), stop.clone());
        talks.spawn(async move {
            let place = match place {
                Some(place) => Some(place),
                None => places.acquire_owned().await.ok(),
            };
            talk(stream, &acceptor, &webhook, &stop).await;
            drop(place);
        });
    };
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = beat.tick() => webhook.health.beat(Instant::now()),
            (stream, place) = next(&listener, &places) => begin(stream, place),
        }
    }
    // Their clients hold them for connected: closing the socket would reset them.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, _)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                begin(stream, None);
            }
        }
    }
    talks.close();
    let longest = webhook.limits.first_request + webhook.limits.stop;
    if tokio::time::timeout(longest, talks.wait()).await.is_err() {
        tracing::warn!("connections to the webhook were cut: they would not end");
    }
}

/// The next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    /// After a connection that could not be accepted: for want of files, mostly.
    const UNACCEPTED: Duration = Duration::from_millis(200);
    // The semaphore is never closed.
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::debug!(%error, "a connection to the webhook was not accepted");
                tokio::time::sleep(UNACCEPTED).await;
            }
        }
    }
}
