//! No call above budget: in no window more than its rate and burst allow.
//!
//! Owns the arithmetic of a budget. Must not know who calls. The invariant that would break first: every
//! window is looked at, not only those that begin with a second.

use super::Violation;
use std::time::Duration;

/// `spec.limits.requestsPerSecond` and `burst`, as they are unless a provider states others.
const RATE: f64 = 5.0;
const BURST: f64 = 10.0;

/// Calls that were within their budget when they were sent and came together: as many as may be under
/// way at once.
const TOGETHER: f64 = 4.0;

const RULE: &str = "no call above budget";

/// Something that counts against one budget, or begins a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    /// A process started. Whenever it begins to work it has a budget of its own, as fresh as it is.
    Begins,
    /// A request that came.
    Came,
}

/// The calls of one account that came too early; all in the order of their times.
pub(crate) fn over_budget(account: &str, calls: &[(Duration, Call)]) -> Vec<Violation> {
    let (mut level, mut last) = (0.0_f64, Duration::ZERO);
    let mut fresh = 0_u32;
    let mut found = Vec::new();
    for (at, call) in calls {
        level = (level - RATE * at.saturating_sub(last).as_secs_f64()).max(0.0);
        last = *at;
        match call {
            Call::Begins => fresh += 1,
            Call::Came => level += 1.0,
        }
        if level <= BURST + TOGETHER {
            continue;
        }
        if fresh > 0 {
            fresh -= 1;
            level -= BURST;
        } else {
            let what = format!("{level:.1} calls at once, of {BURST}");
            found.push(Violation::new(RULE, account, *at, what));
        }
    }
    found
}

/// Whether a violation is a call above budget.
pub(crate) fn is_over_budget(violation: &Violation) -> bool {
    violation.rule == RULE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(calls: impl Iterator<Item = u64>) -> usize {
        let calls: Vec<_> = calls
            .map(|ms| (Duration::from_millis(ms), Call::Came))
            .collect();
        over_budget("a", &calls).len()
    }

    #[test]
    fn a_burst_and_then_the_rate_are_within_and_more_is_not() {
        let burst = || std::iter::repeat_n(0, 10);
        assert_eq!(found(burst().chain((1..100).map(|n| n * 200))), 0);
        assert!(found(burst().chain((1..100).map(|n| n * 190))) > 0);
        assert_eq!(found(std::iter::repeat_n(0, 14)), 0);
        assert_eq!(found(std::iter::repeat_n(0, 15)), 1);
        let windows = (0..100).map(|n| 900 + n / 10 * 1_000);
        assert!(found(windows) > 0, "ten a second, each second");
    }

    #[test]
    fn whoever_begins_has_a_fresh_budget() {
        let second = Duration::from_secs(1);
        let burst = || std::iter::repeat_n((second, Call::Came), 12);
        let calls: Vec<_> = burst()
            .chain([(second, Call::Begins)])
            .chain(burst())
            .collect();
        assert!(over_budget("a", &calls).is_empty());
        let calls: Vec<_> = burst().chain(burst()).collect();
        assert!(!over_budget("a", &calls).is_empty());
    }
}
