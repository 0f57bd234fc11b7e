//! What all faults came to, for people and as `report.json`.
//!
//! Owns both forms. Must not run anything. The invariant that would break first: what was not run is
//! told, never counted as good.

use crate::fault::Fault;
use crate::results::Results;
use anyhow::{Context as _, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// What a machine reads.
pub(crate) fn write(folder: &Path, results: &impl Serialize) -> Result<()> {
    let file = folder.join("report.json");
    let text = serde_json::to_string_pretty(results)? + "\n";
    std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
}

/// A row a fault, then each violation.
pub(crate) fn text(rows: &[(&Fault, Results, u32)]) -> String {
    let mut text = format!(
        "{:<30} {:>7} {:>20} {:>22} {:>5} {:>18}\n",
        "FAULT",
        "RUNS",
        "INVARIANT_VIOLATIONS",
        "RECOVERED_SECONDS_MAX",
        "LOST",
        "CALLS_OVER_BUDGET"
    );
    for (fault, results, wanted) in rows {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{:<30} {:>7} {:>20} {:>22} {:>5} {:>18}",
            fault.name,
            format!("{}/{wanted}", results.runs),
            results.invariant_violations,
            format!(
                "{:.1} of {}",
                results.recovered_seconds_max,
                fault.within.as_secs()
            ),
            results.lost,
            results.calls_over_budget,
        );
    }
    for (fault, results, _) in rows
        .iter()
        .filter(|(_, results, _)| !results.violations.is_empty())
    {
        let _ = writeln!(text, "\n{}: {}", fault.name, fault.what);
        for violation in &results.violations {
            let _ = writeln!(
                text,
                "  {} ({}, after {} s): {}",
                violation.rule, violation.about, violation.at_seconds, violation.what
            );
        }
        let more = results.invariant_violations as usize - results.violations.len();
        if more > 0 {
            let _ = writeln!(text, "  and {more} more");
        }
        for logs in &results.logs {
            let _ = writeln!(text, "  logs: {}", logs.display());
        }
        let _ = writeln!(
            text,
            "  again: make chaos FAULTS={} FRESH=1 SEED={}",
            fault.name, results.seed
        );
    }
    let unfinished = rows
        .iter()
        .filter(|(_, results, wanted)| results.runs < *wanted);
    let unfinished = unfinished.count();
    if unfinished > 0 {
        let _ = writeln!(
            text,
            "\n{unfinished} not finished: the same command goes on"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Violation;
    use std::time::Duration;

    #[test]
    fn a_violation_is_told_with_its_reference_and_the_command_and_what_did_not_run_too() {
        let fault = Fault {
            name: "x",
            what: "Nothing is broken.",
            runs: 2,
            within: Duration::from_secs(5),
            strike: |_, _| Box::pin(async { Ok(()) }),
        };
        let violation = Violation::new("nothing lost", "a/b", Duration::from_secs(3), "gone");
        let results = Results {
            runs: 1,
            invariant_violations: 2,
            violations: vec![violation],
            logs: vec!["l".into()],
            seed: 9,
            ..Results::default()
        };
        let text = text(&[(&fault, results.clone(), 2)]);
        for part in [
            "1/2",
            "nothing lost (a/b, after 3 s): gone",
            "and 1 more",
            "FAULTS=x FRESH=1 SEED=9",
            "1 not finished",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[results]).unwrap();
        let json = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
        for column in [
            "fault",
            "runs",
            "invariant_violations",
            "recovered_seconds_max",
            "lost",
            "calls_over_budget",
        ] {
            assert!(json.contains(&format!("\"{column}\"")), "{json}");
        }
    }
}
