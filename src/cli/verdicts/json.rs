//! Verdicts for programs.
//!
//! Owns the names of the fields. The invariant that would break first: a field that is there once
//! stays, with its meaning.

use super::report::{Judged, Report};
use crate::admission::{Finding, Mode};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

pub(super) fn text(report: &Report) -> Result<String> {
    let workloads = report.judged.iter().map(workload);
    let mut document = json!({
        "decision": report.decision().as_str(),
        "facts": report.facts.as_str(),
        "unverified": report.facts.unverified().is_some(),
        "workloads": workloads.collect::<Vec<_>>(),
    });
    if let Some(document) = document.as_object_mut() {
        document.extend(report.counts.clone());
    }
    let mut text =
        serde_json::to_string_pretty(&document).context("writing the verdicts as JSON")?;
    text.push('\n');
    Ok(text)
}

fn workload(one: &Judged) -> Value {
    let findings = one.verdict.findings.iter().enumerate();
    let findings = findings.map(|(n, found)| finding(found, one.line_of(n)));
    json!({
        "file": one.place.as_ref().map(|place| &*place.file),
        "line": one.place.as_ref().map(|place| place.line),
        "apiVersion": one.api_version,
        "kind": one.kind,
        "namespace": one.namespace,
        "name": one.name,
        "mode": one.mode.map(Mode::as_str),
        "decision": one.verdict.decision.as_str(),
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding, line: Option<u64>) -> Value {
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
