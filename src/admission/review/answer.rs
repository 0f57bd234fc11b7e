//! The answer to a review, as an API server reads it.
//!
//! Owns its form and its bounds. Must not judge. The invariant that would break first: no text of
//! an answer has a control character, since an API server drops such a warning, nor more bytes
//! than it passes on.

use super::judge::{Applied, Outcome};
use super::request::{Malformed, Request};
use crate::admission::{Decision, Finding, Mode};
use crate::api::condition::truncate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The most findings that an answer tells one by one.
const MOST_FINDINGS: usize = 10;

/// The longest line about a finding in a refusal, in bytes.
const LONGEST_LINE: usize = 1000;

/// The longest warning, in bytes. Eleven of them and what is beside them stay under the 4096
/// characters from which on an API server cuts each at 256.
const LONGEST_WARNING: usize = 350;

/// The answer to a request that was judged. `old` says why what is known may be out of date.
pub fn judged(request: &Request, outcome: &Outcome, old: Option<&str>) -> String {
    let Outcome {
        applied, verdict, ..
    } = outcome;
    let decision = verdict.decision;
    let mut response = Map::new();
    response.insert("uid".into(), request.uid.as_str().into());
    response.insert("allowed".into(), (decision != Decision::Deny).into());
    if decision == Decision::Deny {
        // What only warns must not push out what refuses.
        let (mut lines, mild): (Vec<_>, Vec<_>) =
            verdict.findings.iter().partition(|finding| finding.denies);
        lines.extend(mild);
        let message = told(&lines, LONGEST_LINE).join("\n");
        response.insert("status".into(), status(403, "Forbidden", &message));
    }
    if decision == Decision::Warn {
        let findings: Vec<_> = verdict.findings.iter().collect();
        response.insert("warnings".into(), told(&findings, LONGEST_WARNING).into());
    }
    if let Some(old) = old.filter(|_| decision != Decision::Allow) {
        let warning = format!("imageref: what the webhook knows may be out of date: {old}");
        let warning = line(&warning, LONGEST_WARNING);
        match response.get_mut("warnings") {
            Some(Value::Array(warnings)) => warnings.push(warning.into()),
            _ => drop(response.insert("warnings".into(), json!([warning]))),
        }
    }
    if *applied != Applied::Nothing {
        response.insert("auditAnnotations".into(), annotations(outcome));
    }
    if !outcome.patch.is_empty() {
        let patch = json!(outcome.patch).to_string();
        response.insert("patchType".into(), "JSONPatch".into());
        response.insert("patch".into(), STANDARD.encode(patch).into());
    }
    review(&response)
}

/// The answer to what cannot be judged; `None` without a uid to answer to.
pub fn malformed(malformed: &Malformed) -> Option<String> {
    let uid = malformed.uid.as_deref()?;
    let message = format!("the review cannot be read: {}", malformed.problem);
    Some(review(&Map::from_iter([
        ("uid".into(), uid.into()),
        ("allowed".into(), false.into()),
        ("status".into(), status(400, "BadRequest", &message)),
    ])))
}

fn review(response: &Map<String, Value>) -> String {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response,
    });
    review.to_string()
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"status": "Failure", "code": code, "reason": reason, "message": message})
}

/// For the audit log of the cluster. Whoever is refused or warned reads the findings; where they
/// are only counted, they are told here.
fn annotations(outcome: &Outcome) -> Value {
    let findings = &outcome.verdict.findings;
    let mut annotations = json!({
        "mode": outcome.applied.as_str(),
        "decision": outcome.verdict.decision.as_str(),
    });
    if !findings.is_empty() {
        let reasons: BTreeSet<_> = findings.iter().map(|f| f.reason.as_str()).collect();
        let reasons: Vec<_> = reasons.into_iter().collect();
        annotations["reasons"] = reasons.join(",").into();
        if outcome.applied == Applied::Mode(Mode::Audit) {
            let findings: Vec<_> = findings.iter().collect();
            annotations["findings"] = told(&findings, LONGEST_LINE).join("\n").into();
        }
    }
    annotations
}

/// A line a finding, and how many more there are.
fn told(findings: &[&Finding], longest: usize) -> Vec<String> {
    let shown = findings.iter().take(MOST_FINDINGS);
    let mut lines: Vec<_> = shown.map(|f| line(&f.to_string(), longest)).collect();
    if let more @ 1.. = findings.len() - lines.len() {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn line(text: &str, longest: usize) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let text: String = text.chars().map(clean).collect();
    match truncate(&text, longest) {
        all if all.len() == text.len() => text,
        _ => format!("{}…", truncate(&text, longest - '…'.len_utf8())),
    }
}
