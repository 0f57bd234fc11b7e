//! What all runs came to, for people and as `report.json`.
//!
//! Owns both forms. Must not run anything. The invariant that would break first: a finding is told
//! with the command that shows it again.

use super::state::{Folders, State};
use anyhow::{Context as _, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One target.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    target: String,
    /// For how long, all runs together.
    seconds: u64,
    executions: u64,
    executions_per_second: u64,
    pub(super) crashes: Vec<PathBuf>,
    /// How many inputs it has, committed and found.
    corpus: usize,
    /// Whether it had the time that was asked for.
    finished: bool,
}

pub(super) fn rows(states: &[State], folders: &Folders, seconds: u64) -> Vec<Row> {
    let row = |state: &State| {
        let fuzzed = state.fuzzed().as_secs();
        Row {
            target: state.target.clone(),
            seconds: fuzzed,
            executions: state.executions,
            executions_per_second: state.executions / fuzzed.max(1),
            crashes: state.crashes.clone(),
            corpus: folders.inputs(&state.target),
            finished: !state.wants(seconds) && state.crashes.is_empty(),
        }
    };
    states.iter().map(row).collect()
}

pub(super) fn write(rows: &[Row], folders: &Folders) -> Result<()> {
    let file = folders.report();
    let text = serde_json::to_string_pretty(rows)? + "\n";
    std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
}

pub(super) fn text(rows: &[Row], engine: &Path) -> String {
    let mut text = format!(
        "{:<24} {:>8} {:>12} {:>8} {:>8} {:>7}\n",
        "TARGET", "SECONDS", "EXECUTIONS", "PER S", "CRASHES", "CORPUS"
    );
    for row in rows {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{:<24} {:>8} {:>12} {:>8} {:>8} {:>7}",
            row.target,
            row.seconds,
            row.executions,
            row.executions_per_second,
            row.crashes.len(),
            row.corpus,
        );
    }
    let unfinished = rows
        .iter()
        .filter(|row| !row.finished && row.crashes.is_empty());
    let unfinished = unfinished.count();
    if unfinished > 0 {
        let _ = writeln!(
            text,
            "\n{unfinished} not finished: the same command goes on"
        );
    }
    for row in rows {
        for input in &row.crashes {
            let _ = writeln!(
                text,
                "\n{} refuses {}\n  see it: FUZZ_TARGET={} {} {}\n  keep it: cp {} tests/fuzz/corpus/{}/",
                row.target,
                input.display(),
                row.target,
                engine.display(),
                input.display(),
                input.display(),
                row.target,
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_told_with_the_command_that_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::new(folder.path(), folder.path());
        let state = |target: &str, seconds: f64, crashes: &[&str]| State {
            target: target.into(),
            seconds,
            executions: 1000,
            crashes: crashes.iter().map(PathBuf::from).collect(),
        };
        let states = [
            state("a", 10.5, &[]),
            state("b", 2.0, &["c/crash-1"]),
            state("c", 1.0, &[]),
        ];
        let rows = rows(&states, &folders, 10);
        assert!(rows[0].finished && !rows[1].finished && !rows[2].finished);
        let text = text(&rows, Path::new("engine"));
        assert!(text.contains("FUZZ_TARGET=b engine c/crash-1"), "{text}");
        assert!(text.contains("1 not finished"), "{text}");
        write(&rows, &folders).unwrap();
        let report = std::fs::read_to_string(folders.report()).unwrap();
        assert!(
            report.contains("\"executions_per_second\": 100"),
            "{report}"
        );
    }
}
