//! The road: a proxy between processes and the API server, which can be disturbed.
//!
//! Owns what is done to connections, requests and watches on the way, and counts it. Must not know who
//! uses it or what is asked. The invariant that would break first: an undisturbed road changes nothing,
//! and a disturbance ends with the mode that made it, but for connections that a black hole swallowed:
//! they stay silent for good, as behind a router that has forgotten them.
//!
//! Each process has a door of its own, so that one alone can be cut off.

mod door;
mod relay;
mod share;
#[cfg(test)]
mod tests;
mod watch;

use anyhow::{Context as _, Result};
use cluster::LoopbackCertificate;
use door::Door;
use relay::Upstream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

pub(crate) use share::Share;

/// What becomes of those who use a door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All is passed on as it comes.
    #[default]
    Pass,
    /// Nothing listens, and open connections are reset.
    Refuse,
    /// Connections are accepted, and no byte comes back, no end either. The open ones fall silent.
    BlackHole,
    /// New requests are answered here.
    Answer(Answer),
    /// Events of watches arrive so much later.
    LateEvents(Duration),
    /// Events of watches do not arrive.
    HoldEvents,
    /// Each watch passes so many events, then half of one, and then its connection breaks.
    CutEvents {
        /// Whole events before the cut.
        after: u32,
    },
}

/// What some requests are answered without asking the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 429 or 500, with the API server's own words.
    pub(crate) status: u16,
    /// Seconds, in the header and in the body.
    pub(crate) retry_after: Option<u32>,
    /// Which requests.
    pub(crate) share: Share,
}

/// What was seen on the way since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests that arrived, those that were answered here among them.
    pub(crate) requests: u64,
    /// Requests that were answered here.
    pub(crate) answered: u64,
    /// Watches that began.
    pub(crate) watches: u64,
    /// Whole events that were passed on.
    pub(crate) events: u64,
    /// Watches that were cut in the middle of an event.
    pub(crate) cut: u64,
    /// Connections that fell silent.
    pub(crate) silenced: u64,
    /// Times that the API server said that a version is gone: as the status of an answer (410), or as
    /// an event of a watch.
    pub(crate) gone: u64,
}

impl Counts {
    /// What was added since an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            answered: self.answered - earlier.answered,
            watches: self.watches - earlier.watches,
            events: self.events - earlier.events,
            cut: self.cut - earlier.cut,
            silenced: self.silenced - earlier.silenced,
            gone: self.gone - earlier.gone,
        }
    }
}

/// The same while it is counted.
#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    answered: AtomicU64,
    watches: AtomicU64,
    events: AtomicU64,
    cut: AtomicU64,
    silenced: AtomicU64,
    gone: AtomicU64,
}

fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed)
}

/// The proxy. It lasts as long as the runtime that it was started on.
pub(crate) struct Road {
    doors: Vec<Door>,
    ca_pem: String,
    counters: Arc<Counters>,
}

impl Road {
    /// Opens doors to the API server at an origin, which proves itself by an authority (PEM), or
    /// speaks plain HTTP.
    pub(crate) fn start(origin: &str, ca_pem: Option<&str>, doors: usize) -> Result<Self> {
        let certificate = LoopbackCertificate::new()?;
        let acceptor = acceptor(&certificate)?;
        let upstream = Upstream::new(origin, ca_pem)?;
        let counters = Arc::new(Counters::default());
        let open = || Door::open(acceptor.clone(), upstream.clone(), counters.clone());
        Ok(Self {
            doors: (0..doors).map(|_| open()).collect::<Result<_>>()?,
            ca_pem: certificate.ca_pem,
            counters,
        })
    }

    /// `https://127.0.0.1:PORT` of a door.
    pub(crate) fn url(&self, door: usize) -> String {
        self.doors[door].url()
    }

    /// The authority that all doors prove themselves by.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Disturbs those who use any door, or ends the disturbance.
    pub(crate) fn set(&self, mode: &Mode) {
        for door in &self.doors {
            door.set(mode.clone());
        }
    }

    /// The same for one door.
    pub(crate) fn set_door(&self, door: usize, mode: &Mode) {
        self.doors[door].set(mode.clone());
    }

    /// Resets all open connections, once.
    pub(crate) fn reset(&self) {
        for door in &self.doors {
            door.reset();
        }
    }

    /// What was seen so far, at all doors.
    pub(crate) fn counts(&self) -> Counts {
        let counters = &self.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            requests: read(&counters.requests),
            answered: read(&counters.answered),
            watches: read(&counters.watches),
            events: read(&counters.events),
            cut: read(&counters.cut),
            silenced: read(&counters.silenced),
            gone: read(&counters.gone),
        }
    }
}

fn acceptor(certificate: &LoopbackCertificate) -> Result<TlsAcceptor> {
    let chain = CertificateDer::from_pem_slice(certificate.certificate_pem.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes());
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .with_no_client_auth()
        .with_single_cert(vec![chain.context("certificate")?], key.context("key")?)
        .context("certificate and key")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Has this process do TLS by one implementation; twice is no harm.
pub(crate) fn install_crypto() {
    let _ = rustls::crypto::CryptoProvider::install_default(default_provider());
}
