//! What earlier runs came to, a file a fault.
//!
//! Owns the files. Must not run anything. The invariant that would break first: a run that is broken off
//! leaves the results of those before it whole.

use crate::fault::Fault;
use crate::pods::Counts;
use crate::rules::{self, Violation};
use crate::trial::Outcome;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Violations of one fault that are kept; the others are counted.
const KEPT: usize = 50;

/// What came of a fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) fault: String,
    pub(crate) what: String,
    pub(crate) refs: u32,
    pub(crate) seed: u64,
    /// Runs that ended.
    pub(crate) runs: u32,
    pub(crate) invariant_violations: u32,
    /// The longest, of those that recovered.
    pub(crate) recovered_seconds_max: f64,
    /// The stated time.
    pub(crate) within_seconds: u64,
    /// References or statuses.
    pub(crate) lost: u32,
    pub(crate) calls_over_budget: u32,
    pub(crate) pods: Counts,
    pub(crate) restarts: u32,
    /// What all runs took.
    pub(crate) seconds: u64,
    pub(crate) violations: Vec<Violation>,
    /// Logs of runs with violations.
    pub(crate) logs: Vec<PathBuf>,
}

impl Results {
    /// What is known of a fault; nothing if it never ran.
    pub(crate) fn read(folder: &Path, fault: &Fault) -> Result<Self> {
        let file = Self::file(folder, fault.name);
        match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("reading {}: remove it", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self {
                fault: fault.name.into(),
                what: fault.what.into(),
                within_seconds: fault.within.as_secs(),
                ..Self::default()
            }),
            Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
        }
    }

    /// Keeps it for the next call.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let file = Self::file(folder, &self.fault);
        std::fs::create_dir_all(folder)?;
        // Whoever is broken off between the two leaves the older file whole.
        let beside = file.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&beside, &file).with_context(|| format!("writing {}", file.display()))
    }

    /// Forgets what is known of a fault.
    pub(crate) fn forget(folder: &Path, fault: &Fault) -> Result<()> {
        match std::fs::remove_file(Self::file(folder, fault.name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Adds a run.
    pub(crate) fn add(&mut self, outcome: &Outcome, took: Duration, logs: Option<PathBuf>) {
        let count = |so: fn(&Violation) -> bool| {
            let found = outcome.violations.iter().filter(|one| so(one));
            u32::try_from(found.count()).unwrap_or(u32::MAX)
        };
        self.runs += 1;
        self.invariant_violations += count(|_| true);
        self.lost += count(rules::is_lost);
        self.calls_over_budget += count(rules::is_over_budget);
        let recovered = outcome.recovered.unwrap_or_default().as_secs_f64();
        self.recovered_seconds_max = self.recovered_seconds_max.max(recovered);
        self.pods.passed += outcome.pods.passed;
        self.pods.refused += outcome.pods.refused;
        self.pods.unanswered += outcome.pods.unanswered;
        self.restarts += outcome.restarts;
        self.seconds += took.as_secs();
        let room = KEPT.saturating_sub(self.violations.len());
        self.violations
            .extend(outcome.violations.iter().take(room).cloned());
        self.logs.extend(logs);
    }

    fn file(folder: &Path, fault: &str) -> PathBuf {
        folder.join(format!("{fault}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> Fault {
        Fault {
            name: "x",
            what: "Nothing.",
            runs: 2,
            within: Duration::from_secs(5),
            strike: |_, _| Box::pin(async { Ok(()) }),
        }
    }

    fn outcome(recovered: u64, violations: usize) -> Outcome {
        let violation = Violation::new("nothing lost", "a/b", Duration::ZERO, "gone");
        Outcome {
            recovered: Some(Duration::from_secs(recovered)),
            violations: vec![violation; violations],
            pods: Counts {
                passed: 1,
                refused: 2,
                unanswered: 3,
            },
            restarts: 1,
        }
    }

    #[test]
    fn runs_add_up_over_calls_until_they_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        for (recovered, violations) in [(7, 0), (3, 60)] {
            let mut results = Results::read(folder.path(), &fault()).unwrap();
            let took = Duration::from_secs(10);
            results.add(&outcome(recovered, violations), took, None);
            results.write(folder.path()).unwrap();
        }
        let results = Results::read(folder.path(), &fault()).unwrap();
        assert_eq!(
            (results.runs, results.seconds, results.restarts),
            (2, 20, 2)
        );
        assert!((results.recovered_seconds_max - 7.0).abs() < 0.01);
        assert_eq!((results.invariant_violations, results.lost), (60, 60));
        assert_eq!((results.violations.len(), results.pods.refused), (KEPT, 4));
        Results::forget(folder.path(), &fault()).unwrap();
        assert_eq!(Results::read(folder.path(), &fault()).unwrap().runs, 0);
        Results::forget(folder.path(), &fault()).unwrap();
    }
}
