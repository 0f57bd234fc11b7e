//! Whether a platform that failed is asked again.
//!
//! Owns when an outage begins, how long the platform is left alone, and who tries whether it is over.
//! Pure: the time and a seed are arguments. Must not know what a failure means. The invariant that
//! would break first: while it is open nobody calls, and while it is half open one does.

use crate::facts::Failure;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Failures in a row before a platform counts as failing: one error is a passing matter.
pub const FAILING_AFTER: u32 = 3;

/// How long a platform is left alone at first; twice as long after each attempt that fails.
pub const SHORTEST_OPEN: Duration = Duration::from_secs(5);

/// How long it is left alone at most.
pub const LONGEST_OPEN: Duration = Duration::from_secs(300);

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breaker {
    /// Calls are made.
    Closed,
    /// None is, for a time.
    Open,
    /// One is, to see whether the platform answers again.
    HalfOpen,
}

impl Breaker {
    /// The name in statuses and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "Closed",
            Self::Open => "Open",
            Self::HalfOpen => "HalfOpen",
        }
    }
}

/// Names one attempt to see whether an outage is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe(u64);

/// One platform's breaker.
#[derive(Clone, Debug, Default)]
pub(super) struct Circuit {
    /// Failures in a row.
    failures: u32,
    outage: Option<Outage>,
    probes: u64,
}

#[derive(Clone, Debug)]
struct Outage {
    /// An outage that shows in many ways is one: its first failure stays.
    failure: Failure,
    openings: u32,
    until: Timestamp,
    probe: Option<Probe>,
}

impl Circuit {
    pub(super) fn state(&self, now: Timestamp) -> Breaker {
        match &self.outage {
            None => Breaker::Closed,
            Some(outage) if outage.left(now).is_some() => Breaker::Open,
            Some(_) => Breaker::HalfOpen,
        }
    }

    /// The failure that the platform is known to answer everybody with.
    pub(super) fn outage(&self) -> Option<&Failure> {
        self.outage.as_ref().map(|outage| &outage.failure)
    }

    /// Why no call may be made now: it is open, or somebody is trying already. The others need not
    /// wait to learn what is known.
    pub(super) fn refuses(&self, now: Timestamp) -> Option<Failure> {
        let outage = self.outage.as_ref()?;
        let left = outage.left(now);
        (left.is_some() || outage.probe.is_some()).then(|| Failure {
            retry_after: left,
            ..outage.failure.clone()
        })
    }

    /// Begins a call that nothing [refuses](Self::refuses). During an outage it is a probe, and to be
    /// ended.
    pub(super) fn begin(&mut self) -> Option<Probe> {
        let outage = self.outage.as_mut()?;
        self.probes = self.probes.wrapping_add(1);
        outage.probe = Some(Probe(self.probes));
        outage.probe
    }

    /// The probe is over. If nothing was learned, another one may begin.
    pub(super) fn end(&mut self, probe: Probe) {
        if let Some(outage) = &mut self.outage
            && outage.probe == Some(probe)
        {
            outage.probe = None;
        }
    }

    /// The platform answered, to whomever. Says whether that ends an outage.
    pub(super) fn answered(&mut self) -> bool {
        self.failures = 0;
        self.outage.take().is_some()
    }

    /// The platform failed. Calls that began before the outage and fail in it say nothing new.
    pub(super) fn failed(
        &mut self,
        failure: &Failure,
        probe: Option<Probe>,
        now: Timestamp,
        seed: u64,
    ) {
        self.failures = self.failures.saturating_add(1);
        match &mut self.outage {
            Some(outage) if probe.is_some() && outage.probe == probe => {
                outage.openings = outage.openings.saturating_add(1);
                outage.until = later(now, open_for(outage.openings, seed));
                outage.probe = None;
            }
            None if self.failures >= FAILING_AFTER => {
                self.outage = Some(Outage {
                    failure: Failure {
                        retry_after: None,
                        ..failure.clone()
                    },
                    openings: 1,
                    until: later(now, open_for(1, seed)),
                    probe: None,
                });
            }
            Some(_) | None => {}
        }
    }
}

impl Outage {
    /// What is left of the time in which nobody calls. More than that can be comes of a clock that
    /// was set back: then it is over.
    fn left(&self, now: Timestamp) -> Option<Duration> {
        let left = Duration::try_from(now.duration_until(self.until)).ok()?;
        (!left.is_zero() && left <= LONGEST_OPEN).then_some(left)
    }
}

/// How long to leave a platform alone, the `opening`th time in one outage. Up to a fifth less by the
/// seed: platforms that fail together are not tried together.
pub(super) fn open_for(opening: u32, seed: u64) -> Duration {
    let doubled = 1_u32 << opening.saturating_sub(1).min(6);
    let plain = (SHORTEST_OPEN * doubled).min(LONGEST_OPEN);
    let part = u32::try_from(mixed(seed ^ u64::from(opening)) % 1024).unwrap_or_default();
    plain.saturating_sub(plain / 5 * part / 1024)
}

/// Spreads the bits of a seed (the finish of `SplitMix64`).
fn mixed(seed: u64) -> u64 {
    let x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn later(from: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| from.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
