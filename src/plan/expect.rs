//! `spec.expect` against the facts of a status.
//!
//! Owns each expectation, and what a registry that contradicts the platform means. Must not know
//! what becomes of the verdict. The invariant that would break first: a fact that nobody states
//! never meets an expectation.

use super::contents::{known_archs, states_no_arch};
use super::judge::has_prefix;
use crate::api::condition::Truth;
use crate::api::{DigestPolicy, Expect, ImageRefSpec, ImageRefStatus, Reason};
use crate::facts::Arch;

/// How an expectation is missed; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// The fact is another one.
    Violated,
    /// Nobody states the fact.
    Unstated,
    /// The registry has not been read yet.
    Unread,
}

/// An expectation that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shortfall {
    pub(super) grade: Grade,
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Shortfall {
    /// The condition Compliant.
    pub(super) fn compliant(&self) -> (Truth, Reason, String) {
        let truth = match self.grade {
            Grade::Violated => Truth::False,
            Grade::Unstated | Grade::Unread => Truth::Unknown,
        };
        (truth, self.reason, self.message.clone())
    }

    const fn violated(reason: Reason, message: String) -> Self {
        Self {
            grade: Grade::Violated,
            reason,
            message,
        }
    }

    const fn unknown(grade: Grade, message: String) -> Self {
        Self {
            grade,
            reason: Reason::FactUnavailable,
            message,
        }
    }
}

/// The gravest of the expectations that are not met. `reading`: the registry is about to be read.
pub(super) fn shortfall(
    spec: &ImageRefSpec,
    status: &ImageRefStatus,
    reading: bool,
) -> Option<Shortfall> {
    let expect = spec.expect.as_ref()?;
    let upstream = status.upstream.as_ref();
    let checks = [
        arch(spec, expect, status, reading),
        one_of(
            "status",
            Reason::StatusMismatch,
            &expect.status,
            status.status.as_deref(),
        ),
        accelerators(expect, status),
        one_of(
            "serverType",
            Reason::ServerTypeMismatch,
            &expect.server_type,
            upstream.and_then(|u| u.server_type.as_deref()),
        ),
        path(expect, status),
        digest(spec, expect, status, reading),
    ];
    checks.into_iter().flatten().min_by_key(|s| s.grade)
}

/// Compliant, if the registry holds the image for other architectures than the platform states.
pub(super) fn contradiction(status: &ImageRefStatus) -> Option<(Truth, Reason, String)> {
    let stated = status.arch.as_deref().filter(|_| !states_no_arch(status))?;
    let held = known_archs(status);
    if held.is_empty() || held.iter().any(|arch| arch.as_str() == stated) {
        return None;
    }
    let message = format!(
        "the platform states arch {stated}, and the registry holds the image for {}",
        status.platforms.join(", ")
    );
    Some((Truth::False, Reason::PlatformMismatch, message))
}

/// Met if the platform's word is in the list, and so is one of the registry's, as far as each says
/// anything.
fn arch(
    spec: &ImageRefSpec,
    expect: &Expect,
    status: &ImageRefStatus,
    reading: bool,
) -> Option<Shortfall> {
    let list = &expect.arch;
    if list.is_empty() {
        return None;
    }
    let held = known_archs(status);
    let meets = |arch: &Arch| list.iter().any(|wanted| wanted == arch.as_str());
    if states_no_arch(status) {
        if held.is_empty() {
            return Some(from_registry("arch", spec, status, reading));
        }
        let names: Vec<_> = held.iter().map(|arch| arch.as_str()).collect();
        return (!held.iter().any(meets))
            .then(|| mismatch("arch", Reason::ArchMismatch, list, &names.join(" and ")));
    }
    one_of("arch", Reason::ArchMismatch, list, status.arch.as_deref()).or_else(|| {
        let contradicted = !held.is_empty() && !held.iter().any(meets);
        let (_, reason, message) = contradiction(status).filter(|_| contradicted)?;
        Some(Shortfall::violated(reason, message))
    })
}

fn digest(
    spec: &ImageRefSpec,
    expect: &Expect,
    status: &ImageRefStatus,
    reading: bool,
) -> Option<Shortfall> {
    match (expect.digest.as_deref()?, status.digest.as_deref()) {
        (wanted, Some(digest)) if wanted == digest => None,
        (wanted, Some(digest)) => {
            let list = [wanted.to_owned()];
            Some(mismatch("digest", Reason::DigestMismatch, &list, digest))
        }
        (_, None) => Some(from_registry("digest", spec, status, reading)),
    }
}

/// What only a registry states is not there.
fn from_registry(
    what: &str,
    spec: &ImageRefSpec,
    status: &ImageRefStatus,
    reading: bool,
) -> Shortfall {
    if reading {
        let message = format!("expect.{what} is about what the registry has not said yet");
        return Shortfall::unknown(Grade::Unread, message);
    }
    let why = if status.image.is_none() {
        "the image has no path in a registry"
    } else if spec.digest_policy() == DigestPolicy::Never {
        "digestPolicy Never asks no registry"
    } else if status.digest.is_some() {
        "the registry does not either"
    } else {
        "the registry could not be read"
    };
    Shortfall::unknown(
        Grade::Unstated,
        format!(
            "expect.{what} cannot be judged, because the platform does not state it, and {why}"
        ),
    )
}

fn one_of(what: &str, reason: Reason, list: &[String], fact: Option<&str>) -> Option<Shortfall> {
    match fact {
        _ if list.is_empty() => None,
        Some(fact) if list.iter().any(|wanted| wanted == fact) => None,
        Some(fact) => Some(mismatch(what, reason, list, fact)),
        None => Some(unstated(what)),
    }
}

fn mismatch(what: &str, reason: Reason, list: &[String], fact: &str) -> Shortfall {
    let message = format!(
        "expected {what} {}, and the image has {fact}: choose another image, or change spec.expect.{what}",
        list.join(" or ")
    );
    Shortfall::violated(reason, message)
}

fn accelerators(expect: &Expect, status: &ImageRefStatus) -> Option<Shortfall> {
    if expect.accelerators.is_empty() {
        return None;
    }
    if status.accelerators.is_empty() {
        return Some(unstated("accelerators"));
    }
    let missing: Vec<&str> = expect
        .accelerators
        .iter()
        .filter(|wanted| !status.accelerators.contains(wanted))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let message = format!(
        "expected accelerators {}, and the image supports {}: choose another image, or change spec.expect.accelerators",
        missing.join(" and "),
        status.accelerators.join(", ")
    );
    Some(Shortfall::violated(Reason::AcceleratorMismatch, message))
}

fn path(expect: &Expect, status: &ImageRefStatus) -> Option<Shortfall> {
    if expect.path_prefixes.is_empty() {
        return None;
    }
    let Some(image) = &status.image else {
        return Some(unstated("pathPrefixes"));
    };
    let within = |prefix: &String| has_prefix(image, prefix);
    if expect.path_prefixes.iter().any(within) {
        return None;
    }
    let message = format!(
        "expected a path under {}, and it is {image}: choose another image, or change spec.expect.pathPrefixes",
        expect.path_prefixes.join(" or ")
    );
    Some(Shortfall::violated(Reason::PathNotAllowed, message))
}

fn unstated(what: &str) -> Shortfall {
    let message = format!(
        "expect.{what} cannot be judged, because the platform does not state it for this image: remove the expectation"
    );
    Shortfall::unknown(Grade::Unstated, message)
}
