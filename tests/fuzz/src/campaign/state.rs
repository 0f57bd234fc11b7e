//! What earlier runs did, a file a target.
//!
//! Owns the folders and how slices add up. Must not know how the engine is run. The invariant that
//! would break first: seconds and executions are those of slices that ended.

use super::slice::Ended;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where everything lies.
pub(super) struct Folders {
    state: PathBuf,
    corpus: PathBuf,
}

/// What was done for a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) target: String,
    pub(super) seconds: f64,
    pub(super) executions: u64,
    /// Inputs that were refused when they were last tried.
    pub(super) crashes: Vec<PathBuf>,
}

impl Folders {
    pub(super) fn new(state: &Path, corpus: &Path) -> Self {
        Self {
            state: state.to_owned(),
            corpus: corpus.to_owned(),
        }
    }

    /// The names of all targets, sorted.
    pub(super) fn targets(&self) -> Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.corpus);
        let entries = entries.with_context(|| format!("reading {}", self.corpus.display()))?;
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// The committed inputs.
    pub(super) fn committed(&self, target: &str) -> PathBuf {
        self.corpus.join(target)
    }

    /// The inputs that the engine found to be new.
    pub(super) fn found(&self, target: &str) -> PathBuf {
        self.of(target).join("corpus")
    }

    /// The inputs that were refused.
    pub(super) fn crashes(&self, target: &str) -> PathBuf {
        self.of(target).join("crashes")
    }

    /// What the engine printed in the last slice.
    pub(super) fn log(&self, target: &str) -> PathBuf {
        self.of(target).join("log")
    }

    /// Results of all targets.
    pub(super) fn report(&self) -> PathBuf {
        self.state.join("report.json")
    }

    /// How many inputs a target has.
    pub(super) fn inputs(&self, target: &str) -> usize {
        let folders = [self.committed(target), self.found(target)];
        let files = folders
            .into_iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok());
        files.map(Iterator::count).sum()
    }

    /// Removes what earlier runs left of these targets.
    pub(super) fn forget(&self, targets: &[String]) -> Result<()> {
        for folder in targets.iter().map(|target| self.of(target)) {
            if folder.exists() {
                std::fs::remove_dir_all(&folder)
                    .with_context(|| format!("removing {}", folder.display()))?;
            }
        }
        Ok(())
    }

    fn of(&self, target: &str) -> PathBuf {
        self.state.join(target)
    }

    fn file(&self, target: &str) -> PathBuf {
        self.of(target).join("state.json")
    }
}

impl State {
    /// What is known of a target; nothing if it was never run.
    pub(super) fn read(folders: &Folders, target: &str) -> Result<Self> {
        let file = folders.file(target);
        match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("reading {}: remove it", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self {
                target: target.into(),
                ..Self::default()
            }),
            Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
        }
    }

    /// Keeps it for the next run.
    pub(super) fn write(&self, folders: &Folders) -> Result<()> {
        let file = folders.file(&self.target);
        std::fs::create_dir_all(folders.of(&self.target))?;
        // A run that is broken off between the two leaves the older file whole.
        let beside = file.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&beside, &file).with_context(|| format!("writing {}", file.display()))
    }

    /// Whether it is to be fuzzed more. One that has a finding waits until that is mended.
    pub(super) fn wants(&self, seconds: u64) -> bool {
        self.crashes.is_empty() && self.fuzzed() < Duration::from_secs(seconds)
    }

    /// For how long it was fuzzed.
    pub(super) fn fuzzed(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }

    /// Drops the findings that were mended since.
    pub(super) fn keep_what_still_fails(
        &mut self,
        fails: impl Fn(&Path) -> Result<bool>,
    ) -> Result<()> {
        let mut kept = Vec::new();
        for input in std::mem::take(&mut self.crashes) {
            if fails(&input)? {
                kept.push(input);
            }
        }
        self.crashes = kept;
        Ok(())
    }

    /// Adds a slice.
    pub(super) fn add(&mut self, ended: Ended) {
        let (Ended::Well { took, executions }
        | Ended::Crash {
            took, executions, ..
        }) = &ended;
        self.seconds += took.as_secs_f64();
        self.executions += executions;
        if let Ended::Crash { input, .. } = ended {
            self.crashes.push(input);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well(seconds: u64) -> Ended {
        Ended::Well {
            took: Duration::from_secs(seconds),
            executions: 100,
        }
    }

    #[test]
    fn slices_of_several_runs_add_up_until_there_are_enough() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::new(folder.path(), folder.path());
        for run in 1..=3 {
            let mut state = State::read(&folders, "x").unwrap();
            assert!(state.wants(180), "{run}");
            state.add(well(60));
            state.write(&folders).unwrap();
        }
        let state = State::read(&folders, "x").unwrap();
        assert_eq!((state.executions, state.wants(180)), (300, false));
        assert!(state.wants(181));
        folders.forget(&["x".into()]).unwrap();
        assert!(State::read(&folders, "x").unwrap().wants(1));
    }

    #[test]
    fn a_finding_stops_its_target_until_it_is_mended() {
        let mut state = State::default();
        state.add(Ended::Crash {
            took: Duration::from_secs(1),
            executions: 5,
            input: "crash-1".into(),
        });
        state.keep_what_still_fails(|_| Ok(true)).unwrap();
        assert!(!state.wants(60));
        state.keep_what_still_fails(|_| Ok(false)).unwrap();
        assert!(state.wants(60) && state.executions == 5);
    }
}
