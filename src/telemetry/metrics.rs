//! What the process counts, in the text that Prometheus reads.
//!
//! Owns the names, and how many series there can be. Must not know the objects or the platforms: rooms
//! above count here in plain words. The invariant that would break first: **no label takes its value
//! from what a tenant or a platform wrote**, but for the names of [`MOST_PROVIDERS`] providers.

mod admission;
mod certificate;
mod families;
mod process;

pub use admission::{Admission, Memory};
pub use families::{Counters, Description, Durations};

use super::Health;
use certificate::Certificate;
use families::{Gauges, Register};
use prometheus_client::encoding::text;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Providers with series of their own; the others are counted together.
pub const MOST_PROVIDERS: usize = 100;

/// What stands for the name of those others.
pub const OTHERS: &str = "_others";

/// How long a count of objects is told again: it costs a pass over all of them.
const COUNTED_FOR: Duration = Duration::from_secs(5);

/// Bounds of durations of calls to platforms, in seconds: a page takes some 100 ms, a call 20 s at most.
const CALLS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];
/// Bounds of waits, in seconds: none is longer than 5 s for a place and 5 s for a turn.
const WAITS: &[f64] = &[0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of reconciles, in seconds.
const RECONCILES: &[f64] = &[0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0];

/// The states of a breaker.
const BREAKERS: [&str; 3] = ["Closed", "Open", "HalfOpen"];

/// What there is at a moment. Texts that are not constants of the program are names of providers.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    /// References by the status and reason of Ready.
    pub refs: BTreeMap<(&'static str, &'static str), usize>,
    /// References whose Stale is True, by its reason.
    pub stale: BTreeMap<&'static str, usize>,
    /// Providers by kind, and the status and reason of Ready.
    pub providers: BTreeMap<(&'static str, &'static str, &'static str), usize>,
    /// Kind, namespace and name of each provider that may ask its platform, and its breaker's state.
    pub breakers: Vec<([String; 3], &'static str)>,
    /// Gates whose platform asks for a pause.
    pub paused: usize,
    /// Lists and answers held, each for one proof and scope.
    pub scopes: usize,
    /// Bytes that they hold, about.
    pub scope_bytes: usize,
}

type Source = Box<dyn Fn() -> Option<Stock> + Send + Sync>;

/// Everything that is measured. One for a process; a default one is for whoever measures nothing.
pub struct Metrics {
    register: Register,
    /// Requests to platforms: API, operation, and `ok` or the class of failure.
    pub requests: Counters<3>,
    request_seconds: Durations<2>,
    /// Calls to platforms, of one or more requests: API, `list` or `get`, and the outcome.
    pub calls: Counters<3>,
    /// How long calls waited for their place and turn: API.
    pub call_waits: Durations<1>,
    /// Looks of references: API, by what they were answered, whether by another's call, and the outcome.
    pub looks: Counters<4>,
    /// Reads of registries that were due: the outcome.
    pub registry_reads: Counters<1>,
    /// Lists that were read: API, and how they ended.
    pub lists: Counters<2>,
    /// Pages of lists: API.
    pub list_pages: Counters<1>,
    /// Images in lists: API.
    pub list_images: Counters<1>,
    /// Exchanges of a proof for a credential: form, and `issued` or the class of failure.
    pub sign_ins: Counters<2>,
    /// Writes of a status: kind and outcome.
    pub status_writes: Counters<2>,
    /// Plans: whether they had anything to write.
    pub plans: Counters<1>,
    leads: Gauges,
    reconciles: Counters<2>,
    reconcile_seconds: Durations<1>,
    /// Events: outcome.
    pub events: Counters<1>,
    certificate: Certificate,
    stock: Stocks,
    /// What the webhook counts.
    pub admission: Admission,
}

/// What is filled in when somebody asks.
struct Stocks {
    source: OnceLock<Source>,
    counted: Mutex<Option<Instant>>,
    refs: Gauges,
    stale: Gauges,
    providers: Gauges,
    breakers: Gauges,
    paused: Gauges,
    scopes: Gauges,
    scope_bytes: Gauges,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics({} families)", self.register.described.len())
    }
}

impl Default for Metrics {
    #[expect(clippy::too_many_lines, reason = "one table of names")]
    fn default() -> Self {
        let mut register = Register::default();
        let to = &mut register;
        let build = to.gauges(
            "imageref_build_info",
            &["version"],
            "The version that runs; always 1",
        );
        build.set([(vec![env!("CARGO_PKG_VERSION").to_owned()], 1.0)]);
        process::register(to);
        let leads = to.gauges(
            "imageref_leader",
            &[],
            "1 in the process that holds the lease and works, 0 in one that waits for it",
        );
        leads.set([(vec![], 0.0)]);
        Self {
            leads,
            requests: to.counters(
                "imageref_cloud_requests",
                ["api", "operation", "result"],
                "Requests sent to platforms",
            ),
            request_seconds: to.durations(
                "imageref_cloud_request_duration_seconds",
                ["api", "operation"],
                CALLS,
                "How long platforms took to answer a request",
            ),
            calls: to.counters(
                "imageref_cloud_calls",
                ["api", "call", "result"],
                "Lists and gets that were asked for, of one or more requests each",
            ),
            call_waits: to.durations(
                "imageref_cloud_call_wait_seconds",
                ["api"],
                WAITS,
                "How long calls waited for a place and their turn in the provider's limits",
            ),
            looks: to.counters(
                "imageref_looks",
                ["api", "by", "shared", "result"],
                "Looks of ImageRefs, by what answered them",
            ),
            registry_reads: to.counters(
                "imageref_registry_reads",
                ["result"],
                "Reads of registries that were due for an ImageRef",
            ),
            lists: to.counters(
                "imageref_lists",
                ["api", "end"],
                "Lists that were read, by how they ended",
            ),
            list_pages: to.counters("imageref_list_pages", ["api"], "Pages of these lists"),
            list_images: to.counters("imageref_list_images", ["api"], "Images in these lists"),
            sign_ins: to.counters(
                "imageref_sign_ins",
                ["form", "result"],
                "Exchanges of a proof of identity for a credential, renewals included",
            ),
            status_writes: to.counters(
                "imageref_status_writes",
                ["kind", "result"],
                "Writes of a status to the API server",
            ),
            plans: to.counters(
                "imageref_plans",
                ["result"],
                "Plans for ImageRefs, by whether there was anything to write",
            ),
            reconciles: to.counters("imageref_reconciles", ["kind", "result"], "Reconciles"),
            reconcile_seconds: to.durations(
                "imageref_reconcile_duration_seconds",
                ["kind"],
                RECONCILES,
                "How long reconciles took, waiting included",
            ),
            events: to.counters("imageref_events", ["result"], "Events of Kubernetes"),
            certificate: Certificate::register(to),
            stock: Stocks {
                source: OnceLock::new(),
                counted: Mutex::default(),
                refs: to.gauges(
                    "imageref_refs",
                    &["ready", "reason"],
                    "ImageRefs by their condition Ready",
                ),
                stale: to.gauges(
                    "imageref_refs_stale",
                    &["reason"],
                    "ImageRefs whose condition Stale is True",
                ),
                providers: to.gauges(
                    "imageref_providers",
                    &["kind", "ready", "reason"],
                    "Providers by their condition Ready",
                ),
                breakers: to.gauges(
                    "imageref_provider_breaker_state",
                    &["kind", "namespace", "name", "state"],
                    "1 for the state of a provider's breaker, 0 for the others",
                ),
                paused: to.gauges(
                    "imageref_gates_paused",
                    &[],
                    "Accounts whose platform asks for a pause",
                ),
                scopes: to.gauges(
                    "imageref_snapshot_scopes",
                    &[],
                    "Scopes of which answers are held, each for one proof",
                ),
                scope_bytes: to.gauges(
                    "imageref_snapshot_bytes",
                    &[],
                    "Memory that these answers hold, about",
                ),
            },
            admission: Admission::new(to),
            register,
        }
    }
}

impl Metrics {
    /// All metrics, in the order of their registration.
    pub fn descriptions(&self) -> &[Description] {
        &self.register.described
    }

    /// Says where the [`Stock`] is counted: when somebody asks, and then not again for some seconds.
    /// `None` of it leaves what is there. A second source is left out.
    pub fn count_with(&self, source: impl Fn() -> Option<Stock> + Send + Sync + 'static) {
        let _ = self.stock.source.set(Box::new(source));
    }

    /// This process works: it holds the lease, or needs none.
    pub fn leads(&self) {
        self.leads.set([(vec![], 1.0)]);
    }

    /// Says when the webhook's certificate ends, in seconds since 1970: asked when somebody asks.
    pub fn certificate_with(&self, end: impl Fn() -> Option<i64> + Send + Sync + 'static) {
        self.certificate.ask(end);
    }

    /// A request to a platform goes out.
    pub fn request(&self, api: &'static str, operation: &'static str) -> Request<'_> {
        Request {
            metrics: self,
            api,
            operation,
            begun: Instant::now(),
            // Nobody waits any more for one that is dropped.
            result: "unreachable",
        }
    }

    /// Counts a reconcile and its time.
    pub async fn reconcile<T, E>(
        &self,
        health: &Health,
        kind: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let begun = Instant::now();
        let under_way = health.begin(begun);
        let result = work.await;
        drop(under_way);
        let outcome = if result.is_ok() { "ok" } else { "error" };
        self.reconciles.count([kind, outcome]);
        self.reconcile_seconds.observe([kind], begun.elapsed());
        result
    }

    /// Everything, as text in the form of `OpenMetrics`.
    pub fn render(&self) -> String {
        // Held to the end: two who ask at once must not see half a count.
        let counted = self.stock.counted.lock();
        let mut counted = counted.unwrap_or_else(PoisonError::into_inner);
        if counted.is_none_or(|at| at.elapsed() >= COUNTED_FOR)
            && let Some(stock) = self.stock.source.get().and_then(|source| source())
        {
            self.stock.fill(stock);
            *counted = Some(Instant::now());
        }
        self.admission.fill();
        self.certificate.fill();
        let mut text = String::new();
        match text::encode(&mut text, &self.register.registry) {
            Ok(()) => text,
            // A text in memory takes whatever is written to it.
            Err(fmt::Error) => String::new(),
        }
    }
}

impl Stocks {
    fn fill(&self, stock: Stock) {
        let owned = |texts: &[&str]| texts.iter().copied().map(str::to_owned).collect();
        let refs = stock.refs.into_iter();
        self.refs
            .set(refs.map(|((ready, reason), n)| (owned(&[ready, reason]), number(n))));
        let stale = stock.stale.into_iter();
        self.stale
            .set(stale.map(|(reason, n)| (owned(&[reason]), number(n))));
        let providers = stock.providers.into_iter();
        self.providers.set(
            providers.map(|((kind, ready, reason), n)| (owned(&[kind, ready, reason]), number(n))),
        );
        self.breakers.set(breakers(stock.breakers));
        self.paused.set([(Vec::new(), number(stock.paused))]);
        self.scopes.set([(Vec::new(), number(stock.scopes))]);
        let bytes = number(stock.scope_bytes);
        self.scope_bytes.set([(Vec::new(), bytes)]);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}

/// The series of breakers: of the providers in trouble first, and of all others together.
fn breakers(mut states: Vec<([String; 3], &'static str)>) -> Vec<(Vec<String>, f64)> {
    states.sort_by(|(a, one), (b, other)| {
        let fine = |state: &str| state == BREAKERS[0];
        (fine(one), a).cmp(&(fine(other), b))
    });
    let others = states.split_off(states.len().min(MOST_PROVIDERS));
    let mut series = Vec::new();
    for (provider, now) in states {
        for state in BREAKERS {
            let mut labels = Vec::from(provider.clone());
            labels.push(state.to_owned());
            series.push((labels, f64::from(u8::from(state == now))));
        }
    }
    for state in BREAKERS.into_iter().filter(|_| !others.is_empty()) {
        let in_it = others.iter().filter(|(_, now)| *now == state).count();
        let labels = ["", "", OTHERS, state].map(str::to_owned).to_vec();
        series.push((labels, number(in_it)));
    }
    series
}

/// A request under way, counted when it is dropped.
#[derive(Debug)]
pub struct Request<'a> {
    metrics: &'a Metrics,
    api: &'static str,
    operation: &'static str,
    begun: Instant,
    result: &'static str,
}

impl Request<'_> {
    /// It was answered: `None`, or with this class of failure.
    pub fn ended(mut self, failure: Option<&'static str>) {
        self.result = failure.unwrap_or("ok");
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        let (metrics, api, operation) = (self.metrics, self.api, self.operation);
        metrics.requests.count([api, operation, self.result]);
        let took = self.begun.elapsed();
        metrics.request_seconds.observe([api, operation], took);
    }
}

#[cfg(test)]
mod tests;
