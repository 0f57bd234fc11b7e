//! What is known of one file's mutants, over all runs.
//!
//! Owns the files that cargo-mutants writes, and the sum of them. Must not know how a mutant is
//! judged. The invariant that would break first: outcomes are of the file as it stands; with another
//! text it is judged anew.

use super::cut::Cut;
use super::explained::Explained;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A mutant, as cargo-mutants lists it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Listed {
    /// `src/a/b.rs:12:34: replace > with >= in c`
    pub(super) name: String,
    pub(super) file: String,
    span: Span,
}

#[derive(Clone, Debug, Deserialize)]
struct Span {
    start: Start,
}

#[derive(Clone, Debug, Deserialize)]
struct Start {
    line: usize,
}

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// A test failed.
    Caught,
    /// It does not compile.
    Unviable,
    /// The tests did not end.
    Timeout,
    /// All tests passed.
    Missed,
}

/// What is kept of a file's mutants.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    /// The hash of the file's text.
    source: String,
    /// What judging took, all runs together.
    seconds: f64,
    /// How many mutants were judged for that, some more than once.
    judged: u32,
    outcomes: BTreeMap<String, Outcome>,
}

/// A file of a room.
pub(super) struct Record {
    pub(super) room: &'static str,
    pub(super) file: String,
    folder: PathBuf,
    lines: Vec<String>,
    mutants: Vec<Listed>,
    known: Known,
}

impl Record {
    /// What earlier runs found in this file, also in one that was broken off.
    pub(super) fn read(state: &Path, cut: &Cut, file: &str, mutants: Vec<Listed>) -> Result<Self> {
        let source = std::fs::read_to_string(cut.folder.join(file))?;
        let hash = hex::encode(Sha256::digest(&source));
        let mut record = Self {
            room: cut.room,
            file: file.into(),
            folder: results(state).join(file.replace('/', "-")),
            lines: source.lines().map(Into::into).collect(),
            mutants,
            known: Known::default(),
        };
        if let Ok(text) = std::fs::read(record.store()) {
            record.known = serde_json::from_slice(&text)
                .with_context(|| format!("reading {}: remove it", record.store().display()))?;
        }
        if record.known.source != hash {
            if record.folder.exists() {
                std::fs::remove_dir_all(&record.folder)?;
            }
            record.known = Known {
                source: hash,
                ..Known::default()
            };
            record.write()?;
        }
        record.add_outcomes()?;
        Ok(record)
    }

    /// Where cargo-mutants writes.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds what cargo-mutants left, once.
    pub(super) fn add_outcomes(&mut self) -> Result<()> {
        let file = self.folder.join("mutants.out/outcomes.json");
        let Ok(text) = std::fs::read(&file) else {
            return Ok(());
        };
        let reason = || format!("reading {}", file.display());
        let told: Told = serde_json::from_slice(&text).with_context(reason)?;
        for one in told.outcomes {
            let (Scenario::Mutant { name }, Some(outcome)) = (one.scenario, outcome(&one.summary))
            else {
                continue;
            };
            self.known.outcomes.insert(name, outcome);
            self.known.judged += 1;
            self.known.seconds += one.phase_results.iter().map(|p| p.duration).sum::<f64>();
        }
        self.write()?;
        std::fs::rename(&file, file.with_extension("added")).with_context(reason)
    }

    /// The mutants that are to be judged: those that were not, and those that survive and that nobody
    /// explained, for which there may be a test now.
    pub(super) fn pending(&self, explained: &Explained) -> Vec<&Listed> {
        let pending = |mutant: &&Listed| match self.outcome(mutant) {
            None => true,
            Some(Outcome::Missed) => explained.of(mutant, self.line(mutant)).is_none(),
            Some(_) => false,
        };
        self.mutants.iter().filter(pending).collect()
    }

    /// How many mutants were never judged.
    pub(super) fn unjudged(&self) -> usize {
        let unjudged = |mutant: &&Listed| self.outcome(mutant).is_none();
        self.mutants.iter().filter(unjudged).count()
    }

    pub(super) fn mutants(&self) -> &[Listed] {
        &self.mutants
    }

    pub(super) fn outcome(&self, mutant: &Listed) -> Option<Outcome> {
        self.known.outcomes.get(&mutant.name).copied()
    }

    /// The line that a mutant changes first.
    pub(super) fn line(&self, mutant: &Listed) -> &str {
        let line = self.lines.get(mutant.span.start.line.saturating_sub(1));
        line.map_or("", |line| line.trim())
    }

    /// What judging took, in seconds, and how many mutants were judged.
    pub(super) fn cost(&self) -> (f64, u32) {
        (self.known.seconds, self.known.judged)
    }

    /// What a mutant took.
    pub(super) fn each(&self) -> Option<Duration> {
        let (seconds, judged) = self.cost();
        let each = seconds / f64::from(judged);
        Duration::try_from_secs_f64(each).ok()
    }

    fn store(&self) -> PathBuf {
        self.folder.join("known.json")
    }

    fn write(&self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        // A run that is broken off between the two leaves the older file whole.
        let beside = self.store().with_extension("new");
        std::fs::write(&beside, serde_json::to_vec_pretty(&self.known)?)?;
        std::fs::rename(&beside, self.store()).context("keeping outcomes")
    }
}

/// Removes what earlier runs found.
pub(super) fn forget(state: &Path) -> Result<()> {
    match std::fs::remove_dir_all(results(state)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("forgetting earlier runs")
        }
        _ => Ok(()),
    }
}

fn results(state: &Path) -> PathBuf {
    state.join("results")
}

/// `outcomes.json` of cargo-mutants.
#[derive(Deserialize)]
struct Told {
    outcomes: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    scenario: Scenario,
    summary: String,
    phase_results: Vec<Phase>,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant { name: String },
}

#[derive(Deserialize)]
struct Phase {
    duration: f64,
}

fn outcome(summary: &str) -> Option<Outcome> {
    Some(match summary {
        "CaughtMutant" => Outcome::Caught,
        "MissedMutant" => Outcome::Missed,
        "Unviable" => Outcome::Unviable,
        "Timeout" => Outcome::Timeout,
        // A failure of the tool itself: the mutant stays to be judged.
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in super::super) const FILE: &str = "src/facts/a.rs";
    pub(in super::super) const MUTANTS: [&str; 3] = [
        "src/facts/a.rs:1:1: replace f with 0",
        "src/facts/a.rs:2:1: replace + with -",
        "src/facts/a.rs:2:9: replace + with *",
    ];

    /// A file of two lines with three mutants, as it is read at the start of a run.
    pub(in super::super) fn record(state: &Path, text: &str) -> Record {
        let cut = Cut {
            room: "facts",
            folder: state.join("room"),
        };
        std::fs::create_dir_all(cut.folder.join("src/facts")).unwrap();
        std::fs::write(cut.folder.join(FILE), text).unwrap();
        let listed = |name: &str| {
            let line: usize = name.split(':').nth(1).unwrap().parse().unwrap();
            let span = json!({ "start": { "line": line } });
            serde_json::from_value(json!({ "name": name, "file": FILE, "span": span })).unwrap()
        };
        Record::read(state, &cut, FILE, MUTANTS.map(listed).to_vec()).unwrap()
    }

    /// What cargo-mutants leaves.
    pub(in super::super) fn leave(record: &Record, outcomes: &[(&str, &str)]) {
        let folder = record.folder().join("mutants.out");
        std::fs::create_dir_all(&folder).unwrap();
        let outcomes = outcomes.iter().map(|(name, summary)| {
            let phases = json!([{ "phase": "Build", "duration": 1.5 }, { "phase": "Test", "duration": 0.5 }]);
            json!({ "scenario": { "Mutant": { "name": name } }, "summary": summary, "phase_results": phases })
        });
        let told = json!({ "outcomes": outcomes.collect::<Vec<_>>() });
        std::fs::write(folder.join("outcomes.json"), told.to_string()).unwrap();
    }

    #[test]
    fn outcomes_of_several_runs_add_up_also_of_one_that_was_broken_off() {
        let state = tempfile::tempdir().unwrap();
        let nothing = Explained::default();
        let mut first = record(state.path(), "a\nb + c\n");
        assert_eq!(first.pending(&nothing).len(), 3);
        leave(&first, &[(MUTANTS[0], "CaughtMutant")]);
        first.add_outcomes().unwrap();
        // This run ends before it reads what it was left.
        leave(&first, &[(MUTANTS[1], "MissedMutant")]);
        let second = record(state.path(), "a\nb + c\n");
        let pending: Vec<_> = second
            .pending(&nothing)
            .iter()
            .map(|m| m.name.clone())
            .collect();
        assert_eq!(pending, MUTANTS[1..]);
        assert_eq!(second.unjudged(), 1);
        assert_eq!(second.cost(), (4.0, 2));
        assert_eq!(second.each(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_file_that_was_changed_is_judged_anew() {
        let state = tempfile::tempdir().unwrap();
        let mut first = record(state.path(), "a\nb + c\n");
        leave(&first, &[(MUTANTS[0], "CaughtMutant")]);
        first.add_outcomes().unwrap();
        let second = record(state.path(), "a\nb + d\n");
        assert_eq!(second.pending(&Explained::default()).len(), 3);
        assert_eq!(second.each(), None);
    }

    #[test]
    fn nothing_is_known_of_a_mutant_on_which_the_tool_failed() {
        let state = tempfile::tempdir().unwrap();
        let mut record = record(state.path(), "a\nb + c\n");
        leave(&record, &[(MUTANTS[0], "Failure")]);
        record.add_outcomes().unwrap();
        assert_eq!(record.pending(&Explained::default()).len(), 3);
    }
}
