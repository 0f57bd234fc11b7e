//! Verdicts as annotations of a workflow run (GitHub Actions, "Workflow commands").
//!
//! Owns the escaping. The invariant that would break first: nothing in a manifest can end a command
//! or begin another.

use super::report::Report;
use crate::admission::Decision;
use crate::cli::output::printable;
use std::fmt::Write as _;

pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    for one in &report.judged {
        for (n, finding) in one.verdict.findings.iter().enumerate() {
            let level = match one.verdict.decision {
                Decision::Deny if finding.denies => "error",
                Decision::Deny | Decision::Warn => "warning",
                Decision::Allow => "notice",
            };
            let mut properties = Vec::new();
            // Standard input is no file of the repository.
            if let Some(place) = one.place.as_ref().filter(|place| &*place.file != "-") {
                properties.push(format!("file={}", property(&place.file)));
                if let Some(line) = one.line_of(n) {
                    properties.push(format!("line={line}"));
                }
            }
            properties.push(format!("title={}", finding.reason.as_str()));
            let message = data(&format!("{}: {finding}", one.called()));
            // Writing to a String does not fail.
            let _ = writeln!(text, "::{level} {}::{message}", properties.join(","));
        }
    }
    if let Some(why) = report.facts.unverified() {
        let _ = writeln!(text, "::warning title=unverified::{}", data(&why));
    }
    let _ = writeln!(text, "{}", printable(&report.summary));
    text
}

/// The text behind a command.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    printable(&text.replace('\r', "%0D").replace('\n', "%0A"))
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_or_a_property_is_escaped() {
        assert_eq!(
            data("50% a:b,c\r\n::error::x"),
            "50%25 a:b,c%0D%0A::error::x"
        );
        assert_eq!(property("a:b,c%\nd"), "a%3Ab%2Cc%25%0Ad");
        assert_eq!(data("\u{1b}[2J"), "\u{fffd}[2J");
    }
}
