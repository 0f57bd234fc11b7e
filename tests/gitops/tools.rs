//! What Flux and Argo CD make of objects, asked of their own libraries.
//!
//! Owns how `gitops-health` is run. Must not know which answers are right. The invariant that would
//! break first: one answer an object, in their order.

use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What tools make of one object.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) kstatus: String,
    /// Flux: by a health check expression where there is one for the kind, else kstatus.
    pub(crate) flux: String,
    pub(crate) argo: Health,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    pub(crate) status: String,
    pub(crate) message: String,
}

/// Asks about objects; `None` where the binary is not built (it says so).
pub(crate) fn ask(script: &str, expressions: &Value, objects: &[Value]) -> Option<Vec<Answer>> {
    if !cluster::require_gitops_health() {
        return None;
    }
    let question = json!({
        "script": script,
        "healthCheckExprs": expressions,
        "objects": objects,
    });
    let mut child = Command::new(cluster::gitops_health())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // It answers only when it has read everything.
    input.write_all(question.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "gitops-health failed, see above");
    let answers: Vec<Answer> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), objects.len());
    Some(answers)
}
