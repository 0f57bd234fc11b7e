//! How long a watch rests after it failed.
//!
//! Owns the pauses. Must not know what is watched or why it failed. The invariant that would break first:
//! two processes, or two watches of one, do not come back together again and again; still each pause
//! follows from names and a count alone, so that a run can be repeated.

use kube::runtime::utils::Backoff;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(800);
const LONGEST: Duration = Duration::from_secs(30);

/// The pauses of one watch: twice as long each time, up to [`LONGEST`], and up to as much again by a hash.
#[derive(Clone)]
pub(super) struct Pauses {
    of: String,
    /// Failures since the last event.
    failures: u32,
    /// Pauses ever made.
    made: u64,
}

impl Pauses {
    /// Those of a watch of a process.
    pub(super) fn new(instance: &str, watch: &str) -> Self {
        Self {
            of: format!("{instance}/{watch}"),
            failures: 0,
            made: 0,
        }
    }

    /// Those of one of several watches for the same purpose.
    pub(super) fn part(&self, number: usize) -> Self {
        Self::new(&self.of, &number.to_string())
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16));
        let pause = doubled.min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.made = self.made.wrapping_add(1);
        Some(pause + pause.mul_f64(spread(&self.of, self.made)))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

/// From 0 to 1.
fn spread(of: &str, nth: u64) -> f64 {
    let hash = Sha256::digest(format!("{of}/{nth}"));
    f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew_after_an_event() {
        let mut pauses = Pauses::new("operator-0", "imagerefs");
        for expected in [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0] {
            let pause = pauses.next().unwrap().as_secs_f64();
            assert!((expected..=2.0 * expected).contains(&pause), "{pause} s");
        }
        for _ in 0..1000 {
            assert!(pauses.next().unwrap() <= 2 * LONGEST);
        }
        pauses.reset();
        assert!(pauses.next().unwrap() <= 2 * FIRST);
    }

    #[test]
    fn pauses_can_be_repeated_and_differ_between_watches_and_with_each_failure() {
        let of = |instance: &str, watch: &str| {
            let mut pauses = Pauses::new(instance, watch);
            std::iter::repeat_with(|| {
                pauses.reset();
                pauses.next().unwrap()
            })
            .take(20)
            .collect::<Vec<_>>()
        };
        let one = of("operator-0", "imagerefs");
        assert_eq!(one, of("operator-0", "imagerefs"));
        let all = [
            one,
            of("operator-1", "imagerefs"),
            of("operator-0", "imageproviders"),
        ]
        .map(HashSet::<Duration>::from_iter);
        assert!(all.iter().all(|pauses| pauses.len() >= 19), "{all:?}");
        assert!(
            all[0].is_disjoint(&all[1]) && all[0].is_disjoint(&all[2]),
            "{all:?}"
        );
    }
}
