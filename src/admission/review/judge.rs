//! The verdict on a review's object, in its surroundings.
//!
//! Owns what passes before anything is judged, and what a namespace that nobody knows means. Must
//! not know how long anybody may wait. The invariant that would break first: what is not known
//! makes a verdict stricter, never milder.

use super::request::Request;
use crate::admission::{
    Configuration, Context, Decision, Known, Mode, Operation, Verdict, extract, verdict,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// What came of a review.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The mode that applied; `None` if nothing was judged.
    pub mode: Option<Mode>,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether nothing is known of the namespace.
    pub in_the_dark: bool,
}

impl Outcome {
    const PASSED: Self = Self {
        mode: None,
        verdict: Verdict {
            decision: Decision::Allow,
            findings: Vec::new(),
        },
        in_the_dark: false,
    };

    /// Whether what is under way could turn it for the better, and somebody would notice: nobody
    /// waits for what is only counted.
    pub fn may_be_early(&self) -> bool {
        let noticed = self.verdict.decision != Decision::Allow;
        noticed && (self.in_the_dark || self.verdict.may_be_early())
    }
}

/// Judges the object of a request in this mode.
///
/// `labels` are those of the namespace; `None` if it is not known. It then requires digests.
pub fn judge(
    request: &Request,
    mode: Mode,
    labels: Option<&BTreeMap<String, String>>,
    own_namespace: &str,
    known: &Known,
    configuration: &Configuration,
) -> Outcome {
    if passes(request) {
        return Outcome::PASSED;
    }
    let Some(workload) = extract(&request.object, configuration) else {
        return Outcome::PASSED;
    };
    let none = BTreeMap::new();
    let of_namespace = Context::of_namespace(&request.namespace, labels.unwrap_or(&none));
    let context = Context {
        own_namespace,
        // The API server read the label when it chose the path; ours may lag behind.
        mode: Some(mode),
        require_digest: of_namespace.require_digest || labels.is_none(),
        operation: request.operation,
        user: &request.user,
        ..of_namespace
    };
    let old = extract(&request.old, configuration);
    Outcome {
        mode: context.mode_of(workload.subject),
        verdict: verdict(&workload, old.as_ref(), &context, known, configuration),
        in_the_dark: labels.is_none(),
    }
}

/// What is not looked at: deletions and connections; other parts of objects than those that hold
/// images (`status`, `scale`, `binding`, …); objects without a namespace, which opted in to
/// nothing; updates of what is being deleted, such as the removal of a finalizer.
fn passes(request: &Request) -> bool {
    let is_going = || {
        let going = request.object.pointer("/metadata/deletionTimestamp");
        request.operation == Operation::Update && going.is_some_and(|time| *time != Value::Null)
    };
    request.operation == Operation::Other
        || !matches!(request.subresource.as_str(), "" | "ephemeralcontainers")
        || request.namespace.is_empty()
        || is_going()
}
