//! The verdict on an object's images.
//!
//! Owns which references count, which failure is reported, and what a mode makes of it. Must not
//! know how a request arrived: everything it reads is an argument. The invariant that would break
//! first: one more reference that counts and may be used never turns an allowed object into a
//! refused one.

mod architecture;
mod context;
mod finding;
mod judge;
pub(super) mod named;
pub(super) mod problem;

pub(super) use context::mutates;
pub use context::{Context, Mode, Operation, is_built_in_controller};
pub use finding::{Finding, Reason};

use super::configuration::Configuration;
use super::known::Known;
use super::pod::{Container, ImageField};
use super::workload::{Found, Workload};
use judge::Judge;

/// What is to happen to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// It passes. In mode `audit` there may be findings all the same.
    Allow,
    /// It passes, and its author is told.
    Warn,
    /// It is refused.
    Deny,
}

impl Decision {
    /// The name in output and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Warn => "Warn",
            Self::Deny => "Deny",
        }
    }
}

/// The verdict on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is to happen.
    pub decision: Decision,
    /// What is wrong, in the order of the object; one finding an image.
    pub findings: Vec<Finding>,
}

impl Verdict {
    const ALLOWED: Self = Self {
        decision: Decision::Allow,
        findings: Vec::new(),
    };

    /// Whether a reference that is under way could change it: worth a short wait.
    pub fn may_be_early(&self) -> bool {
        let early = [Reason::UnknownImage, Reason::OtherTag, Reason::OtherDigest];
        self.findings.iter().any(|f| early.contains(&f.reason))
    }

    /// The findings for a person, a line each, the first `most` of them. Empty without findings.
    pub fn message(&self, most: usize) -> String {
        let shown = self.findings.iter().take(most);
        let mut lines: Vec<_> = shown.map(ToString::to_string).collect();
        let more = self.findings.len() - lines.len();
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines.join("\n")
    }
}

/// Judges every image of an object.
///
/// `old` is the object before an update. Images that an update leaves as they are, on nodes that
/// it leaves as they are, pass: they were judged before. `known` must have been made with the
/// mirrors of this configuration.
pub fn verdict(
    workload: &Workload<'_>,
    old: Option<&Workload<'_>>,
    context: &Context<'_>,
    known: &Known,
    configuration: &Configuration,
) -> Verdict {
    let Some(mode) = context.mode_of(workload.subject) else {
        return Verdict::ALLOWED;
    };
    let old = match context.operation {
        Operation::Create => None,
        Operation::Update => old,
        Operation::Other => return Verdict::ALLOWED,
    };
    let mut findings = Vec::new();
    for pod in &workload.pods {
        let before = old.and_then(|old| old.pods.iter().find(|before| before.path == pod.path));
        let judge = Judge::new(
            workload.subject,
            &pod.spec.nodes,
            context,
            known,
            configuration,
        );
        for (n, container) in pod.spec.containers.iter().enumerate() {
            if !was_judged(before, pod, n, container)
                && let Some(finding) = judge.container(&pod.path, container)
            {
                findings.push(finding);
            }
        }
    }
    if workload.too_large {
        findings.push(problem::too_large());
    }
    let decision = match mode {
        Mode::Audit => Decision::Allow,
        _ if findings.is_empty() => Decision::Allow,
        Mode::Enforce if findings.iter().any(|finding| finding.denies) => Decision::Deny,
        Mode::Enforce | Mode::Warn => Decision::Warn,
    };
    Verdict { decision, findings }
}

/// What allows an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The ImageRef of this namespace and name.
    ImageRef(String, String),
    /// The configuration exempts it.
    Exempt,
    /// Nothing.
    Nothing,
}

/// Every image of an object with what allows it, by the rules of [`verdict`] on a new object: place,
/// name, the image as written.
pub fn standings(
    workload: &Workload<'_>,
    context: &Context<'_>,
    known: &Known,
    configuration: &Configuration,
) -> Vec<(String, String, Option<String>, Standing)> {
    let mut found = Vec::new();
    for pod in &workload.pods {
        let judge = Judge::new(
            workload.subject,
            &pod.spec.nodes,
            context,
            known,
            configuration,
        );
        found.extend(pod.spec.containers.iter().map(|container| {
            let image = match container.image {
                ImageField::Text(text) => Some(text.to_owned()),
                ImageField::Absent | ImageField::NotText => None,
            };
            let place = container.place(&pod.path);
            (
                place,
                container.name.to_owned(),
                image,
                judge.standing(container),
            )
        }));
    }
    found
}

/// Whether everything that the verdict reads of this container was there before.
fn was_judged(
    before: Option<&Found<'_>>,
    pod: &Found<'_>,
    n: usize,
    container: &Container<'_>,
) -> bool {
    let Some(before) = before.filter(|before| before.spec.nodes == pod.spec.nodes) else {
        return false;
    };
    let list = &before.spec.containers;
    list.get(n).is_some_and(|old| old.same(container)) || list.iter().any(|old| old.same(container))
}
