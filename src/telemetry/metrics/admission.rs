//! What the webhook of admission counts.
//!
//! Owns the names. Must not know reviews. The invariant that would break first: as everywhere here,
//! no label takes its value from a request.

use super::families::{Counters, Durations, Gauges, Register};
use super::number;
use std::sync::OnceLock;

/// Bounds of the time for an answer, in seconds: a verdict takes less than a millisecond, a wait
/// for a reference 0.3 s, a review up to 5 s to arrive.
const REVIEWS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// What verdicts are reached from, at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// References that verdicts read.
    pub references: usize,
    /// Whether a watch is broken, so that it may be out of date.
    pub is_old: bool,
}

type Source = Box<dyn Fn() -> Memory + Send + Sync>;

/// The webhook's metrics. Without a source of [`Memory`] they have no gauges.
pub struct Admission {
    /// Reviews that were answered: mode, decision, reason of the first finding.
    pub reviews: Counters<3>,
    /// How long answers took, reading and waiting included: mode.
    pub review_seconds: Durations<1>,
    /// Requests and connections without a verdict: the cause.
    pub refused: Counters<1>,
    source: OnceLock<Source>,
    references: Gauges,
    old: Gauges,
}

impl Admission {
    pub(super) fn new(to: &mut Register) -> Self {
        Self {
            reviews: to.counters(
                "imageref_admission_reviews",
                ["mode", "decision", "reason"],
                "Reviews that the webhook answered",
            ),
            review_seconds: to.durations(
                "imageref_admission_review_duration_seconds",
                ["mode"],
                REVIEWS,
                "How long the webhook took to answer, reading and waiting included",
            ),
            refused: to.counters(
                "imageref_admission_refused",
                ["cause"],
                "Requests and connections to the webhook without a verdict",
            ),
            source: OnceLock::new(),
            references: to.gauges(
                "imageref_admission_known_refs",
                &[],
                "ImageRefs that verdicts are reached from",
            ),
            old: to.gauges(
                "imageref_admission_watch_broken",
                &[],
                "1 while what verdicts are reached from may be out of date",
            ),
        }
    }

    /// Says where the [`Memory`] is read when somebody asks. A second source is left out.
    pub fn read_with(&self, source: impl Fn() -> Memory + Send + Sync + 'static) {
        let _ = self.source.set(Box::new(source));
    }

    pub(super) fn fill(&self) {
        let Some(memory) = self.source.get().map(|source| source()) else {
            return;
        };
        let set = |gauge: &Gauges, value| gauge.set([(Vec::new(), value)]);
        set(&self.references, number(memory.references));
        set(&self.old, f64::from(u8::from(memory.is_old)));
    }
}
