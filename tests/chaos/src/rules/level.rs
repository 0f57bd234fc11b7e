//! Nothing leaks: what a process holds is back at what it held before.
//!
//! Owns how much more is none. Must not know how it is measured. The invariant that would break first:
//! the limit of memory is that of the chart.

use super::Violation;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Descriptors more than before: connections to clouds and the API server that are kept for a while.
const DESCRIPTORS: u32 = 16;
/// Threads more than before: those that block are kept for some seconds.
const THREADS: u32 = 8;
/// Tasks more than before: connections have some each.
const TASKS: u32 = 64;

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Level {
    pub(crate) descriptors: u32,
    pub(crate) threads: u32,
    /// Tasks of its runtime, where it tells them.
    pub(crate) tasks: Option<u32>,
    /// Resident memory, in MiB, and the most that it was since the process started.
    pub(crate) rss_mib: f64,
    pub(crate) peak_mib: f64,
    /// Whether it holds the lease; what one that waits holds says nothing of one that works.
    pub(crate) leads: bool,
}

/// What a process holds too much of; `limit_mib` is the chart's.
pub(crate) fn leaks(
    process: &str,
    at: Duration,
    before: &Level,
    now: &Level,
    limit_mib: f64,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut more = |what: &str, before: u32, now: u32, allowed: u32| {
        if now > before + allowed {
            let what = format!("{now} {what}, {before} before");
            found.push(Violation::new("nothing leaked", process, at, what));
        }
    };
    more(
        "descriptors",
        before.descriptors,
        now.descriptors,
        DESCRIPTORS,
    );
    more("threads", before.threads, now.threads, THREADS);
    if let (Some(before), Some(now)) = (before.tasks, now.tasks) {
        more("tasks", before, now, TASKS);
    }
    if now.peak_mib > limit_mib {
        let what = format!("{:.0} MiB, of {limit_mib}", now.peak_mib);
        found.push(Violation::new("nothing leaked", process, at, what));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_of_anything_than_is_kept_for_a_while_is_a_leak() {
        let level = Level {
            descriptors: 50,
            threads: 10,
            tasks: Some(100),
            rss_mib: 40.0,
            peak_mib: 60.0,
            leads: true,
        };
        let found = |now: Level| leaks("operator-0", Duration::ZERO, &level, &now, 64.0).len();
        assert_eq!(found(level), 0);
        assert_eq!(
            found(Level {
                descriptors: 67,
                ..level
            }),
            1
        );
        assert_eq!(
            found(Level {
                threads: 19,
                ..level
            }),
            1
        );
        assert_eq!(
            found(Level {
                tasks: Some(165),
                ..level
            }),
            1
        );
        assert_eq!(
            found(Level {
                tasks: None,
                peak_mib: 65.0,
                ..level
            }),
            1
        );
    }
}
