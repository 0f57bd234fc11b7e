//! The verdict on a review's object, in its surroundings.
//!
//! Owns what passes before anything is judged, and what a namespace that nobody knows means. Must
//! not know how long anybody may wait. The invariant that would break first: what is not known
//! makes a verdict stricter, never milder.

use super::Endpoint;
use super::request::Request;
use crate::admission::mutation::{PatchOperation, mutate};
use crate::admission::{
    Configuration, Context, Decision, Known, MUTATE, Mode, Operation, Subject, Verdict, extract,
    verdict,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// What was done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was not looked at.
    Nothing,
    /// It was judged in this mode.
    Mode(Mode),
    /// Names in it were replaced.
    Mutation,
}

impl Applied {
    /// The name in annotations and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Mode(mode) => mode.as_str(),
            Self::Mutation => "mutate",
        }
    }
}

/// What came of a review.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub applied: Applied,
    /// The verdict.
    pub verdict: Verdict,
    /// What is to be changed of the object.
    pub patch: Vec<PatchOperation>,
    /// Whether the verdict is strict because nothing is known of the namespace.
    pub in_the_dark: bool,
}

impl Outcome {
    const PASSED: Self = Self {
        applied: Applied::Nothing,
        verdict: Verdict {
            decision: Decision::Allow,
            findings: Vec::new(),
        },
        patch: Vec::new(),
        in_the_dark: false,
    };

    /// Whether what is under way could turn it for the better, and somebody would notice: nobody
    /// waits for what is only counted.
    pub fn may_be_early(&self) -> bool {
        let noticed = self.verdict.decision != Decision::Allow;
        noticed && (self.in_the_dark || self.verdict.may_be_early())
    }
}

/// What surrounds the object of a request.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The labels of the namespace; `None` if it is not known. It then requires digests.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// The operator's namespace.
    pub own_namespace: &'a str,
    /// What is declared, indexed with the mirrors of the configuration.
    pub known: &'a Known,
    /// What the operator set.
    pub configuration: &'a Configuration,
}

/// Does with the object of a request what the endpoint is for.
pub fn judge(request: &Request, endpoint: Endpoint, around: &Surroundings<'_>) -> Outcome {
    if passes(request) {
        return Outcome::PASSED;
    }
    match endpoint {
        Endpoint::Validate(mode) => validated(request, mode, around),
        Endpoint::Mutate => mutated(request, around),
    }
}

fn validated(request: &Request, mode: Mode, around: &Surroundings<'_>) -> Outcome {
    let Surroundings {
        labels,
        known,
        configuration,
        ..
    } = *around;
    let Some(workload) = extract(&request.object, configuration) else {
        return Outcome::PASSED;
    };
    let context = context(request, mode, around);
    let Some(mode) = context.mode_of(workload.subject) else {
        return Outcome::PASSED;
    };
    let old = extract(&request.old, configuration);
    Outcome {
        applied: Applied::Mode(mode),
        verdict: verdict(&workload, old.as_ref(), &context, known, configuration),
        patch: Vec::new(),
        in_the_dark: labels.is_none(),
    }
}

fn mutated(request: &Request, around: &Surroundings<'_>) -> Outcome {
    let Surroundings {
        labels,
        known,
        configuration,
        ..
    } = *around;
    // A namespace that is excluded from verdicts is so from changes too. Pods keep the images that
    // they were made with; only containers for debugging are added later.
    let excluded = context(request, Mode::Enforce, around)
        .mode_of(Subject::Pod)
        .is_none();
    let is_whole = request.subresource.is_empty();
    if excluded || (request.operation == Operation::Update && is_whole) {
        return Outcome::PASSED;
    }
    let mut labels = labels.cloned().unwrap_or_default();
    labels.insert(MUTATE.into(), "true".into());
    let Request {
        namespace, user, ..
    } = request;
    let mutated = mutate(
        &request.object,
        namespace,
        &labels,
        user,
        known,
        configuration,
    );
    let (verdict, patch) = match mutated {
        Ok(patch) => (Outcome::PASSED.verdict, patch),
        Err(verdict) => (verdict, Vec::new()),
    };
    Outcome {
        applied: Applied::Mutation,
        verdict,
        patch,
        in_the_dark: false,
    }
}

fn context<'a>(request: &'a Request, mode: Mode, around: &Surroundings<'a>) -> Context<'a> {
    let none = BTreeMap::new();
    let labels = around.labels;
    let of_namespace = Context::of_namespace(&request.namespace, labels.unwrap_or(&none));
    Context {
        own_namespace: around.own_namespace,
        // The API server read the label when it chose the path; ours may lag behind.
        mode: Some(mode),
        require_digest: of_namespace.require_digest || labels.is_none(),
        operation: request.operation,
        user: &request.user,
        ..of_namespace
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
