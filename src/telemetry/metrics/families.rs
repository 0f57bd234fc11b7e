//! Families of series, each under one name with fixed label names.
//!
//! Owns how a metric is described and counted. Must not know what is measured. The invariant that would
//! break first: what is described is what is registered, so that a page about it can be checked.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// One metric, as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The name of its samples; a histogram's without `_bucket`, `_sum` and `_count`.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: Vec<&'static str>,
}

type Labels<const N: usize> = [(&'static str, &'static str); N];

fn labels<const N: usize>(
    keys: [&'static str; N],
    values: [&'static str; N],
) -> [(&'static str, &'static str); N] {
    std::array::from_fn(|at| (keys[at], values[at]))
}

/// Counters. Label values are constants of the program: their number is bounded by its text.
#[derive(Debug)]
pub struct Counters<const N: usize> {
    keys: [&'static str; N],
    family: Family<Labels<N>, Counter>,
}

impl<const N: usize> Counters<N> {
    /// Counts one.
    pub fn count(&self, values: [&'static str; N]) {
        self.add(values, 1);
    }

    /// Counts several at once.
    pub fn add(&self, values: [&'static str; N], number: u64) {
        let labels = labels(self.keys, values);
        self.family.get_or_create(&labels).inc_by(number);
    }

    /// What was counted.
    pub fn get(&self, values: [&'static str; N]) -> u64 {
        let counter = self.family.get(&labels(self.keys, values));
        counter.map_or(0, |counter| counter.get())
    }
}

#[derive(Clone, Copy, Debug)]
struct Bounds(&'static [f64]);

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Durations, in seconds.
#[derive(Debug)]
pub struct Durations<const N: usize> {
    keys: [&'static str; N],
    family: Family<Labels<N>, Histogram, Bounds>,
}

impl<const N: usize> Durations<N> {
    /// Takes one in.
    pub fn observe(&self, values: [&'static str; N], took: Duration) {
        let labels = labels(self.keys, values);
        let histogram = self.family.get_or_create(&labels);
        histogram.observe(took.as_secs_f64());
    }
}

/// Values that are found out when somebody asks.
#[derive(Debug)]
pub(super) struct Gauges {
    keys: Vec<&'static str>,
    family: Family<Vec<(&'static str, String)>, Gauge<f64, AtomicU64>>,
}

impl Gauges {
    /// Puts these in the place of all that were there.
    pub(super) fn set(&self, series: impl IntoIterator<Item = (Vec<String>, f64)>) {
        self.family.clear();
        for (values, value) in series {
            let labels = self.keys.iter().copied().zip(values).collect();
            self.family.get_or_create(&labels).set(value);
        }
    }
}

/// Makes families, and keeps what they are.
#[derive(Debug, Default)]
pub(super) struct Register {
    pub(super) registry: Registry,
    pub(super) described: Vec<Description>,
}

impl Register {
    pub(super) fn describe(&mut self, name: &str, kind: &'static str, labels: &[&'static str]) {
        let suffix = if kind == "counter" { "_total" } else { "" };
        self.described.push(Description {
            name: format!("{name}{suffix}"),
            kind,
            labels: labels.to_vec(),
        });
    }

    /// `name` without `_total`, which the format adds.
    pub(super) fn counters<const N: usize>(
        &mut self,
        name: &str,
        keys: [&'static str; N],
        help: &str,
    ) -> Counters<N> {
        self.describe(name, "counter", &keys);
        let family = Family::default();
        self.registry.register(name, help, family.clone());
        Counters { keys, family }
    }

    pub(super) fn durations<const N: usize>(
        &mut self,
        name: &str,
        keys: [&'static str; N],
        bounds: &'static [f64],
        help: &str,
    ) -> Durations<N> {
        self.describe(name, "histogram", &keys);
        let family = Family::new_with_constructor(Bounds(bounds));
        self.registry.register(name, help, family.clone());
        Durations { keys, family }
    }

    pub(super) fn gauges(&mut self, name: &str, keys: &[&'static str], help: &str) -> Gauges {
        self.describe(name, "gauge", keys);
        let family = Family::default();
        self.registry.register(name, help, family.clone());
        let keys = keys.to_vec();
        Gauges { keys, family }
    }
}
