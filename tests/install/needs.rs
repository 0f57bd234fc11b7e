//! What people see where one right is missing.
//!
//! Owns the tables' form and how each right is removed in turn. Must not know how a process is started.
//! The invariant that would break first: what a row names is there without the right, and not with it.

use super::super::metrics::sum;
use super::super::operator::condition;
use super::rights::{Right, Rights};
use cluster::{Cluster, Server};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Longest wait for what a missing right shows, or for all to be well without a missing one.
pub(super) const SOON: Duration = Duration::from_secs(90);

/// What a missing right is seen by.
#[derive(Clone, Copy)]
pub(super) enum Seen {
    /// A line of the log that has these words, and names the verb and the resource.
    Log(&'static str),
    /// `Ready` of an object: its kind and name, the reason, and words of the message.
    Ready(&'static str, &'static str, &'static str, &'static str),
    /// Leave to watch was asked for since the start, and the log never has these words, which a watch
    /// would bring.
    Unheard(&'static str),
}

/// A right, and what is seen without it.
pub(super) struct Row<B> {
    pub(super) verb: &'static str,
    pub(super) resource: &'static str,
    pub(super) seen: Seen,
    /// `None`: wherever the right holds.
    within: Option<&'static str>,
    /// What there must be before the process starts, for the right to be needed.
    before: fn(&B),
    /// What must happen while it runs.
    during: fn(&B),
}

impl<B> Row<B> {
    pub(super) const fn new(verb: &'static str, resource: &'static str, seen: Seen) -> Self {
        Self {
            verb,
            resource,
            seen,
            within: None,
            before: |_| (),
            during: |_| (),
        }
    }

    /// For the right in this namespace alone.
    pub(super) const fn within(mut self, namespace: &'static str) -> Self {
        self.within = Some(namespace);
        self
    }

    pub(super) const fn before(mut self, before: fn(&B)) -> Self {
        self.before = before;
        self
    }

    pub(super) const fn during(mut self, during: fn(&B)) -> Self {
        self.during = during;
        self
    }

    fn is_about(&self, right: &Right) -> bool {
        let here = self.within.is_none() || self.within == right.within.as_deref();
        here && self.verb == right.verb && self.resource == right.resource
    }

    /// `before` is how often leave had been asked for before the start.
    fn is_seen(&self, right: &Right, bench: &B, process: &Server, before: f64) -> bool
    where
        B: Bench,
    {
        match self.seen {
            Seen::Log(words) => {
                let refusal = format!("cannot {} resource \"{}\"", right.verb, right.resource);
                let within = right.within.as_deref();
                let place = within.map(|within| format!("in the namespace \"{within}\""));
                let place = place.unwrap_or_default();
                // Fields of a line are quoted, with escapes.
                let log = process.log().replace('\\', "");
                let mut lines = log.lines();
                lines.any(|line| {
                    [words, &refusal, &place]
                        .iter()
                        .all(|part| line.contains(part))
                })
            }
            Seen::Unheard(words) => {
                let asked = leave_asked(bench.cluster()) > before;
                asked && !process.log().contains(words)
            }
            Seen::Ready(kind, name, reason, words) => {
                let object = bench.get(kind, name);
                let ready = condition(&object, "Ready");
                let message = ready["message"].as_str().unwrap_or_default();
                ready["reason"] == reason && message.contains(words)
            }
        }
    }
}

/// One way of installing, in a control plane of its own.
pub(super) trait Bench {
    fn cluster(&self) -> &Cluster;

    /// Puts everything back to before the first start; declares what there is to do.
    fn declare(&self);

    fn start(&self) -> Server;

    /// An object of the namespace that is served, or of the cluster.
    fn get(&self, kind: &str, name: &str) -> Value;

    /// Waits until all that rights are for has been done.
    fn all_is_well(&self, process: &Server);
}

/// Waits for a condition; `say` is what to add to its failure.
pub(super) fn until(what: &str, say: impl Fn() -> String, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "never: {what}\n{}", say());
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// With all rights all is well, and nothing is refused; without any one of them its row is seen.
pub(super) fn each_is_needed<B: Bench>(bench: &B, rights: &Rights, rows: &[Row<B>]) {
    those_are_needed(bench, rights, rows, |_| true);
}

/// The same of some rights.
pub(super) fn those_are_needed<B: Bench>(
    bench: &B,
    rights: &Rights,
    rows: &[Row<B>],
    those: impl Fn(&Right) -> bool,
) {
    let row = |right: &Right| {
        // The last: those of one namespace follow.
        let found = rows.iter().rfind(|row| row.is_about(right));
        found.unwrap_or_else(|| panic!("no row says what {right} is for"))
    };
    for right in rights.all.iter().filter(|right| those(right)) {
        row(right);
    }
    let cluster = bench.cluster();
    rights.grant_all_but(cluster, None);
    let before = leave_asked(cluster);
    let process = nothing_is_refused(bench);
    for right in rights.all.iter().filter(|right| those(right)) {
        let seen = row(right).is_seen(right, bench, &process, before);
        assert!(!seen, "{right} is there: {}", process.log());
    }
    drop(process);

    for right in rights.all.iter().filter(|right| those(right)) {
        let row = row(right);
        rights.grant_all_but(cluster, Some(right));
        bench.declare();
        (row.before)(bench);
        let before = leave_asked(cluster);
        let process = bench.start();
        (row.during)(bench);
        let what =
            format!("what shows that {right} is missing; if nothing does, it is superfluous");
        until(
            &what,
            || process.log(),
            || row.is_seen(right, bench, &process, before),
        );
    }
    rights.grant_all_but(cluster, None);
}

/// All is well, and the API server has refused nothing.
pub(super) fn nothing_is_refused<B: Bench>(bench: &B) -> Server {
    let refused = refusals(bench.cluster());
    bench.declare();
    let process = bench.start();
    bench.all_is_well(&process);
    let more = refusals(bench.cluster()) - refused;
    assert!(more == 0.0, "{more} were refused: {}", process.log());
    process
}

/// Requests that the API server refused, for want of rights (it counts these apart) or by a policy, whoever
/// asked: tests ask as an administrator.
fn refusals(cluster: &Cluster) -> f64 {
    let text = cluster.kubectl(&["get", "--raw", "/metrics"]).unwrap();
    let attempts = "authorization_attempts_total";
    let allowed = sum(&text, attempts, &["result=\"allowed\""]);
    assert!(allowed > 0.0, "the API server counts no attempts");
    let refused = sum(&text, attempts, &[]) - allowed;
    refused + sum(&text, "apiserver_request_total", &["code=\"403\""])
}

/// How often somebody asked what they may do.
fn leave_asked(cluster: &Cluster) -> f64 {
    let text = cluster.kubectl(&["get", "--raw", "/metrics"]).unwrap();
    let reviews = "resource=\"selfsubjectaccessreviews\"";
    sum(&text, "apiserver_request_total", &[reviews])
}

/// Without any one of the rights it fails.
pub(super) fn each_fails(cluster: &Cluster, rights: &Rights, fails: impl Fn() -> bool) {
    for right in &rights.all {
        rights.grant_all_but(cluster, Some(right));
        assert!(fails(), "{right} is superfluous");
    }
    rights.grant_all_but(cluster, None);
}
