//! What happened, for people and for comparison.
//!
//! Owns the count of steps, the last of them as text, and one number that stands for all. Must not know
//! what is right. The invariant that would break first: the number does not depend on the order of
//! steps within one millisecond, which the executor's own hash maps decide.

use super::chance::hash;
use std::collections::{BTreeMap, VecDeque};

/// Lines that a failure shows.
const SHOWN: usize = 80;

#[derive(Default)]
pub(super) struct History {
    pub(super) steps: u64,
    pub(super) sum: u64,
    pub(super) kinds: BTreeMap<&'static str, u64>,
    last: VecDeque<String>,
}

impl History {
    /// One step, at a time in milliseconds.
    pub(super) fn step(&mut self, at: u64, kind: &'static str, what: &str) {
        self.steps += 1;
        *self.kinds.entry(kind).or_default() += 1;
        let line = format!("{:>10}.{:03} {kind:<9} {what}", at / 1000, at % 1000);
        self.sum = self.sum.wrapping_add(hash(&line));
        // The lease is renewed all the time; what others wait for would be lost among it.
        if kind != "lease" {
            self.note(line);
        }
    }

    fn note(&mut self, line: String) {
        if std::env::var_os("SIMULATION_TRACE").is_some() {
            eprintln!("{line}");
        }
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    pub(super) fn tail(&self) -> String {
        let lines: Vec<_> = self.last.iter().map(String::as_str).collect();
        lines.join("\n")
    }
}
