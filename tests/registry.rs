//! Reading registries: a real one, filled by the tests over its own API, and what stands in front of
//! it to do what other registries do.
//!
//! Owns the scene: which hosts may be asked, and a clock that tests set. Everything is on loopback.

mod configs;
pub(crate) mod depot;
pub(crate) mod front;
mod logins;
mod quirks;
mod real;
mod sharing;
pub(crate) mod token_service;

use depot::Depot;
use imageref::cloud::Network;
use imageref::cloud::gate::Limits;
use imageref::facts::{Content, Failure, Reference};
use imageref::registry::{Access, Asking, Login, Read, Registries, RegistryHosts, RegistryOptions};
use imageref::telemetry::Metrics;
use jiff::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// An open registry that all tests share, each with repositories of its own; `None` where none is
/// built (it says so).
fn open_registry() -> Option<&'static cluster::Registry> {
    static SHARED: OnceLock<cluster::Registry> = OnceLock::new();
    cluster::require_registry().then(|| {
        SHARED.get_or_init(|| {
            cluster::Registry::start(false, cluster::RegistryAuth::Open).expect("a registry starts")
        })
    })
}

fn depot(registry: &cluster::Registry) -> Depot {
    Depot::new(&registry.origin())
}

/// The system's clock, set forward by a test.
#[derive(Clone)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn now(&self) -> Timestamp {
        let seconds = self.0.load(Ordering::Relaxed);
        Timestamp::now() + Duration::from_secs(seconds.unsigned_abs())
    }

    fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// Who reads in a test.
struct Reader {
    registries: Registries,
    metrics: Arc<Metrics>,
    hand: Hand,
}

impl Reader {
    /// May read these origins, on this machine.
    fn new(origins: &[&str]) -> Self {
        Self::mirroring(origins, &[])
    }

    fn mirroring(origins: &[&str], mirrors: &[&str]) -> Self {
        let hosts = RegistryHosts::new(origins, mirrors, true).unwrap();
        Self::with(Network::default(), hosts, 1024)
    }

    fn with(network: Network, hosts: RegistryHosts, capacity: usize) -> Self {
        let hand = Hand(Arc::default());
        let clock = hand.clone();
        let metrics = Arc::<Metrics>::default();
        let options = RegistryOptions {
            clock: Arc::new(move || clock.now()),
            limits: Limits {
                requests_per_second: 10_000,
                burst: 10_000,
                max_concurrent: 8,
                ..Limits::default()
            },
            capacity,
            metrics: metrics.clone(),
        };
        Self {
            registries: Registries::new(network, hosts, options).unwrap(),
            metrics,
            hand,
        }
    }

    /// What the registry says now, without a login.
    async fn read(&self, image: &str) -> Result<Arc<Content>, Failure> {
        self.read_as(image, &Access::anonymous()).await
    }

    async fn read_as(&self, image: &str, access: &Access) -> Result<Arc<Content>, Failure> {
        let reference = Reference::parse(image).unwrap();
        let asking = asking(&reference, access);
        let read = self.ask(&asking).await;
        read.map(|read| read.content)
    }

    /// Says what the registry says now, to somebody who knows what it said before.
    async fn check(&self, image: &str, known: &Content) -> Result<Arc<Content>, Failure> {
        let (reference, access) = (Reference::parse(image).unwrap(), Access::anonymous());
        let known = Some(known);
        let asking = Asking {
            known,
            ..asking(&reference, &access)
        };
        self.ask(&asking).await.map(|read| read.content)
    }

    /// As the caller of a library does: comes back while too many wait.
    async fn ask(&self, asking: &Asking<'_>) -> Result<Read, Failure> {
        loop {
            if let Some(answer) = self.registries.read(asking).await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A question that no kept answer is new enough for.
fn asking<'a>(reference: &'a Reference, access: &'a Access) -> Asking<'a> {
    Asking {
        reference,
        access,
        public: false,
        known: None,
        max_age: Duration::ZERO,
        not_before: None,
    }
}

fn login(username: &str, password: &str) -> Access {
    Access::with(Login {
        username: username.into(),
        password: password.into(),
    })
}

fn platforms(content: &Content) -> Vec<String> {
    content.platforms.iter().map(ToString::to_string).collect()
}
