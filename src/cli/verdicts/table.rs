//! Verdicts for people.
//!
//! Owns the columns and the lines of findings. The invariant that would break first: every finding
//! is printed, with the line that it is about.

use super::report::{Judged, Report};
use crate::admission::Mode;
use crate::cli::output::{columns, printable};
use std::fmt::Write as _;

pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    if !report.judged.is_empty() {
        text.push_str(&table(&report.judged));
        text.push('\n');
    }
    let findings = findings(report);
    if !findings.is_empty() {
        text.push_str(&findings);
        text.push('\n');
    }
    // Writing to a String does not fail.
    let _ = writeln!(text, "{}", printable(&report.sentence()));
    text
}

fn table(judged: &[Judged]) -> String {
    let head = ["NAMESPACE", "KIND", "NAME", "MODE", "VERDICT"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(judged.iter().map(|one| {
        let mode = one.mode.map_or("-", Mode::as_str);
        let decision = one.verdict.decision.as_str();
        [&one.namespace, &one.kind, &one.name, mode, decision].map(printable)
    }));
    columns(&rows)
}

/// A line each, in the order of the objects.
pub(in crate::cli) fn findings(report: &Report) -> String {
    let mut text = String::new();
    for one in &report.judged {
        for (n, finding) in one.verdict.findings.iter().enumerate() {
            let place = one.place.as_ref().zip(one.line_of(n));
            let place = place.map(|(place, line)| format!("{}:{line}: ", place.file));
            let line = format!("{}{}: {finding}", place.unwrap_or_default(), one.called());
            let _ = writeln!(text, "{}", printable(&line));
        }
    }
    text
}
