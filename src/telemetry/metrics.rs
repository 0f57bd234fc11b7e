//! What the process counts, in the text that Prometheus reads.
//!
//! Owns the names, and how many series there can be. Must not know the objects or the platforms: rooms
//! above count here in plain words. The invariant that would break first: **no label takes its value
//! from what a tenant or a platform wrote**, but for the names of [`MOST_PROVIDERS`] providers and, where
//! they were asked for, of [`MOST_REFS`] references.

mod admission;
mod certificate;
mod families;
mod process;
mod stock;

pub use admission::{Admission, Memory};
pub use families::{Counters, Description, Durations};
pub use stock::{Budget, Lists, MOST_PROVIDERS, MOST_REFS, OTHERS, ProviderStock, RefStock, Stock};

use super::Health;
use certificate::Certificate;
use families::{Gauges, Register};
use prometheus_client::encoding::text;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use stock::Stocks;

/// How long a count of objects is told again: it costs a pass over all of them.
const COUNTED_FOR: Duration = Duration::from_secs(5);

/// Bounds of durations of calls to platforms, in seconds: a page takes some 100 ms, a call 20 s at most.
const CALLS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];
/// Bounds of waits, in seconds: none is longer than 5 s for a place and 5 s for a turn.
const WAITS: &[f64] = &[0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of reconciles, in seconds.
const RECONCILES: &[f64] = &[0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0];

/// Everything that is measured. One for a process; a default one is for whoever measures nothing.
pub struct Metrics {
    register: Register,
    /// Requests to platforms: API, operation, `ok` or the class of failure, and the status code.
    pub requests: Counters<4>,
    request_seconds: Durations<2>,
    /// Calls to platforms, of one or more requests: API, `list` or `get`, and the outcome.
    pub calls: Counters<3>,
    /// How long calls waited for their place and turn: API.
    pub call_waits: Durations<1>,
    /// Looks of references: API, by what they were answered, whether by another's call, and the outcome.
    pub looks: Counters<4>,
    /// Reads of registries that were due: the outcome.
    pub registry_reads: Counters<1>,
    registry_requests: Counters<2>,
    registry_seconds: Durations<1>,
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
    counted: Mutex<Option<Instant>>,
    /// What the webhook counts.
    pub admission: Admission,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics({} families)", self.register.described.len())
    }
}

impl Default for Metrics {
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
        Self {
            leads,
            requests: to.counters(
                "imageref_cloud_requests",
                ["api", "operation", "result", "code"],
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
            registry_requests: to.counters(
                "imageref_registry_requests",
                ["request", "code"],
                "Requests sent to registries and their token services",
            ),
            registry_seconds: to.durations(
                "imageref_registry_request_duration_seconds",
                ["request"],
                CALLS,
                "How long registries took to answer a request",
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
            stock: Stocks::new(to),
            counted: Mutex::default(),
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
        self.stock.ask(source);
    }

    /// This process would work, and does not yet.
    pub fn waits(&self) {
        self.leads.set([(vec![], 0.0)]);
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
            code: code(None),
        }
    }

    /// Counts a request to a registry, and its time: what was asked for, and the status of the answer.
    pub fn registry_request(&self, request: &'static str, status: Option<u16>, took: Duration) {
        self.registry_requests.count([request, code(status)]);
        self.registry_seconds.observe([request], took);
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
        let counted = self.counted.lock();
        let mut counted = counted.unwrap_or_else(PoisonError::into_inner);
        if counted.is_none_or(|at| at.elapsed() >= COUNTED_FOR) && self.stock.count() {
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

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}

/// A request under way, counted when it is dropped.
#[derive(Debug)]
pub struct Request<'a> {
    metrics: &'a Metrics,
    api: &'static str,
    operation: &'static str,
    begun: Instant,
    result: &'static str,
    code: &'static str,
}

/// The status code of an answer, of those that say different things; `none` without an answer.
fn code(status: Option<u16>) -> &'static str {
    let Some(status) = status else {
        return "none";
    };
    match status {
        200 => "200",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        409 => "409",
        429 => "429",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        201..300 => "2xx",
        300..400 => "3xx",
        402..500 => "4xx",
        501..600 => "5xx",
        _ => "other",
    }
}

impl Request<'_> {
    /// An answer with this status came.
    pub fn answered(&mut self, status: u16) {
        self.code = code(Some(status));
    }

    /// It is over: `None`, or with this class of failure.
    pub fn ended(mut self, failure: Option<&'static str>) {
        self.result = failure.unwrap_or("ok");
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        let (metrics, api, operation) = (self.metrics, self.api, self.operation);
        let labels = [api, operation, self.result, self.code];
        metrics.requests.count(labels);
        let took = self.begun.elapsed();
        metrics.request_seconds.observe([api, operation], took);
    }
}

#[cfg(test)]
mod tests;
