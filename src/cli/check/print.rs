//! Verdicts for people and for machines.
//!
//! Owns the table, the lines of findings and the JSON. Must not know how a verdict came about. The
//! invariant that would break first: every finding is printed, with the line that it is about.

use super::Arguments;
use super::judge::Judged;
use super::manifests::Manifests;
use crate::admission::{Decision, Finding, Mode};
use crate::cli::output::{columns, printable};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Forms of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// Columns, and the findings below them
    Table,
    /// One object with all verdicts
    Json,
}

/// The whole output.
pub(super) fn text(form: Form, judged: &[Judged<'_>], manifests: &Manifests) -> Result<String> {
    match form {
        Form::Table => Ok(table(judged, manifests)),
        Form::Json => {
            let mut text = serde_json::to_string_pretty(&document(judged, manifests))
                .context("writing the verdicts as JSON")?;
            text.push('\n');
            Ok(text)
        }
    }
}

fn table(judged: &[Judged<'_>], manifests: &Manifests) -> String {
    let head = ["NAMESPACE", "KIND", "NAME", "MODE", "VERDICT"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(judged.iter().map(|one| {
        let mode = one.mode.map_or("-", Mode::as_str);
        let decision = one.verdict.decision.as_str();
        let workload = one.workload;
        let cells = [
            &workload.namespace,
            &workload.kind,
            &workload.name,
            mode,
            decision,
        ];
        cells.map(printable)
    }));
    let mut text = columns(&rows);
    let findings = findings(judged);
    if !findings.is_empty() {
        text.push('\n');
        text.push_str(&findings);
    }
    // Writing to a String does not fail.
    let _ = writeln!(text, "\n{}", summary(judged, manifests));
    text
}

fn summary(judged: &[Judged<'_>], manifests: &Manifests) -> String {
    let mut text = plural(judged.len(), "workload");
    let counts = [Decision::Allow, Decision::Warn, Decision::Deny].map(|decision| {
        let same = judged.iter().filter(|one| one.verdict.decision == decision);
        same.count()
    });
    let words = ["allowed", "warned about", "denied"];
    let counted = counts
        .into_iter()
        .zip(words)
        .filter(|(count, _)| *count > 0);
    let counted: Vec<_> = counted
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let _ = write!(text, ": {}", counted.join(", "));
    if manifests.left_out > 0 {
        let left_out = plural(manifests.left_out, "other object");
        let _ = write!(text, "; {left_out} left out");
    }
    text
}

fn plural(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// A line each, in the order of the files.
pub(super) fn findings(judged: &[Judged<'_>]) -> String {
    let mut text = String::new();
    for one in judged {
        let workload = one.workload;
        for finding in &one.verdict.findings {
            let line = format!(
                "{}:{}: {} {}/{}: {finding}",
                workload.file,
                workload.line_of(&finding.place),
                workload.kind,
                workload.namespace,
                workload.name,
            );
            let _ = writeln!(text, "{}", printable(&line));
        }
    }
    text
}

fn document(judged: &[Judged<'_>], manifests: &Manifests) -> Value {
    let decision = judged.iter().map(|one| one.verdict.decision).max();
    let workloads = judged.iter().map(|one| {
        let workload = one.workload;
        let findings = one.verdict.findings.iter();
        let findings = findings.map(|f| finding(f, workload.line_of(&f.place)));
        json!({
            "file": &*workload.file,
            "line": workload.node.line,
            "apiVersion": workload.api_version,
            "kind": workload.kind,
            "namespace": workload.namespace,
            "name": workload.name,
            "mode": one.mode.map(Mode::as_str),
            "decision": one.verdict.decision.as_str(),
            "findings": findings.collect::<Vec<_>>(),
        })
    });
    json!({
        "decision": decision.unwrap_or(Decision::Allow).as_str(),
        "workloads": workloads.collect::<Vec<_>>(),
        "leftOut": manifests.left_out,
    })
}

fn finding(finding: &Finding, line: u64) -> Value {
    let image_ref = finding.image_ref.as_ref();
    json!({
        "line": line,
        "place": finding.place,
        "name": finding.name,
        "image": finding.image,
        "reason": finding.reason.as_str(),
        "imageRef": image_ref.map(|(namespace, name)| json!({"namespace": namespace, "name": name})),
        "problem": finding.problem,
        "fix": finding.fix,
        "denies": finding.denies,
    })
}

/// What a reader should know about the input that is no mistake.
pub(super) fn notes(manifests: &Manifests, arguments: &Arguments) -> String {
    let mut text = String::new();
    if arguments.verbose {
        let _ = writeln!(
            text,
            "read {}, {} with a status, {}; left out {}",
            plural(manifests.workloads.len(), "workload"),
            plural(manifests.refs.len(), "ImageRef"),
            plural(manifests.namespaces.len(), "Namespace"),
            plural(manifests.left_out, "other object"),
        );
        let used = manifests.workloads.iter().map(|w| &w.namespace);
        let unknown = used
            .filter(|name| arguments.mode.is_none() && !manifests.namespaces.contains_key(*name));
        for namespace in unknown.collect::<BTreeSet<_>>() {
            let _ = writeln!(
                text,
                "Namespace {namespace} is not in the files: it is taken to enforce, templates too"
            );
        }
    }
    if let Some(first) = manifests.unanswered.first() {
        let count = plural(manifests.unanswered.len(), "ImageRef");
        let _ = writeln!(
            text,
            "{first}: has no status and approves nothing ({count} in all): give what `imageref resolve -o yaml` or `kubectl get imagerefs -A -o yaml` prints",
        );
    }
    text
}
