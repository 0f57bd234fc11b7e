//! What all runs came to, for people and as `report.json`.
//!
//! Owns both forms and what the exit code says. Must not run anything. The invariant that would break
//! first: every mutant is counted once.

use super::explained::Explained;
use super::record::{Outcome, Record};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

/// All rooms.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    modules: BTreeMap<String, Row>,
    survivors: Vec<Survivor>,
    /// Explanations of mutants that do not survive.
    idle: Vec<String>,
}

/// One module.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Row {
    mutants: usize,
    caught: usize,
    /// Do not compile.
    unviable: usize,
    /// Never end, which the tests notice.
    timeout: usize,
    survived: usize,
    /// Of those that survived.
    explained: usize,
    /// Not judged yet.
    left: usize,
    /// What judging took, in seconds of one process.
    seconds: f64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Survivor {
    mutant: String,
    line: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(super) fn of(records: &[Record], explained: &Explained) -> Report {
    let mut modules = BTreeMap::<_, Row>::new();
    let mut survivors = Vec::new();
    let mut used = Vec::new();
    for record in records {
        let row = modules.entry(module(&record.file)).or_default();
        row.seconds += record.cost().0.round();
        for mutant in record.mutants() {
            row.mutants += 1;
            match record.outcome(mutant) {
                None => row.left += 1,
                Some(Outcome::Caught) => row.caught += 1,
                Some(Outcome::Unviable) => row.unviable += 1,
                Some(Outcome::Timeout) => row.timeout += 1,
                Some(Outcome::Missed) => {
                    let line = record.line(mutant);
                    let found = explained.of(mutant, line);
                    row.survived += 1;
                    row.explained += usize::from(found.is_some());
                    used.extend(found.map(|one| (&one.mutant, &one.line)));
                    survivors.push(Survivor {
                        mutant: mutant.name.clone(),
                        line: line.into(),
                        reason: found.map(|one| one.reason.clone()),
                    });
                }
            }
        }
    }
    let judged = |file: &str| records.iter().any(|r| r.file == file && r.unjudged() == 0);
    let idle = explained.all().iter().filter(|one| {
        let file = one.mutant.split(": ").next().unwrap_or_default();
        judged(file) && !used.contains(&(&one.mutant, &one.line))
    });
    Report {
        idle: idle.map(|one| one.mutant.clone()).collect(),
        modules,
        survivors,
    }
}

/// `src/facts/text.rs` is of `facts`, `src/admission/verdict/judge.rs` of `admission::verdict`.
fn module(file: &str) -> String {
    let path = file.trim_start_matches("src/");
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        [room @ ("facts" | "plan"), ..] => (*room).into(),
        ["admission", "verdict", ..] => "admission::verdict".into(),
        _ => path.trim_end_matches(".rs").replace('/', "::"),
    }
}

impl Report {
    pub(super) fn exit_code(&self) -> ExitCode {
        let unexplained = self.survivors.iter().any(|one| one.reason.is_none());
        if unexplained || !self.idle.is_empty() {
            return ExitCode::FAILURE;
        }
        let left = self.modules.values().any(|row| row.left > 0);
        ExitCode::from(if left { 3 } else { 0 })
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{:<28} {:>7} {:>7} {:>8} {:>7} {:>8} {:>9} {:>5} {:>7}\n",
            "MODULE",
            "MUTANTS",
            "CAUGHT",
            "UNVIABLE",
            "TIMEOUT",
            "SURVIVED",
            "EXPLAINED",
            "LEFT",
            "SECONDS"
        );
        for (module, row) in &self.modules {
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "{module:<28} {:>7} {:>7} {:>8} {:>7} {:>8} {:>9} {:>5} {:>7}",
                row.mutants,
                row.caught,
                row.unviable,
                row.timeout,
                row.survived,
                row.explained,
                row.left,
                row.seconds,
            );
        }
        for one in self.survivors.iter().filter(|one| one.reason.is_none()) {
            let _ = writeln!(
                text,
                "\n{}\n  {}\n  survives: write a test, or explain it",
                one.mutant, one.line
            );
        }
        for mutant in &self.idle {
            let _ = writeln!(
                text,
                "\n{mutant}\n  is explained and does not survive: remove the explanation"
            );
        }
        let left: usize = self.modules.values().map(|row| row.left).sum();
        if left > 0 {
            let _ = writeln!(text, "\n{left} not judged yet: the same command goes on");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::explained::tests::explained;
    use super::super::record::tests::{MUTANTS, leave, record};
    use super::*;

    const LINE: &str = "b + c";

    fn judged(state: &std::path::Path, outcomes: &[(&str, &str)]) -> Vec<Record> {
        let mut record = record(state, &format!("a\n    {LINE}\n"));
        leave(&record, outcomes);
        record.add_outcomes().unwrap();
        vec![record]
    }

    #[test]
    fn a_survivor_must_be_explained_and_all_be_judged() {
        let state = tempfile::tempdir().unwrap();
        let some = [(MUTANTS[0], "CaughtMutant"), (MUTANTS[1], "MissedMutant")];
        let records = judged(state.path(), &some);
        let nothing = of(&records, &Explained::default());
        assert_eq!(nothing.exit_code(), ExitCode::FAILURE);
        assert!(
            nothing
                .text()
                .contains(&format!("{}\n  {LINE}\n", MUTANTS[1]))
        );
        let explained = explained("src/facts/a.rs: replace + with -", LINE);
        let unfinished = of(&records, &explained);
        assert_eq!(unfinished.exit_code(), ExitCode::from(3));
        assert!(unfinished.text().contains("1 not judged yet"));
        let rest = [(MUTANTS[2], "Timeout")];
        let done = of(&judged(state.path(), &rest), &explained);
        assert_eq!(done.exit_code(), ExitCode::SUCCESS);
        let row = Row {
            mutants: 3,
            caught: 1,
            timeout: 1,
            survived: 1,
            explained: 1,
            seconds: 6.0,
            ..Row::default()
        };
        assert_eq!(done.modules["facts"], row);
    }

    #[test]
    fn an_explanation_of_what_does_not_survive_is_told() {
        let state = tempfile::tempdir().unwrap();
        let all = MUTANTS.map(|name| (name, "CaughtMutant"));
        let explained = explained("src/facts/a.rs: replace + with -", LINE);
        let report = of(&judged(state.path(), &all), &explained);
        assert_eq!(report.exit_code(), ExitCode::FAILURE);
        assert!(report.text().contains("replace + with -\n  is explained"));
    }
}
