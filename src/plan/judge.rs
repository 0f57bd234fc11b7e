//! Whether an answer may be used: the image's status, the provider's bounds, the expectations.
//!
//! Owns the verdict on stored facts, so that an edited expectation is judged without a look. The
//! invariant that would break first: a fact that nobody states never meets an expectation.

use crate::api::condition::Truth;
use crate::api::provider::Accept;
use crate::api::{Expect, ImageRefSpec, ImageRefStatus, Reason};
use crate::facts::ImageStatus;

/// What the operator does next about a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing to be done.
    Done,
    /// It works on it, for this reason.
    Working(Reason),
    /// Somebody must change something.
    Stalled,
}

/// A judgement on an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Status of Ready.
    pub ready: Truth,
    /// Reason of Ready.
    pub reason: Reason,
    /// Message of Ready.
    pub message: String,
    /// Reconciling or Stalled.
    pub progress: Progress,
    /// Compliant, if there are expectations.
    pub compliant: Option<(Truth, Reason, String)>,
}

impl Verdict {
    pub(super) fn refused(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            ready: Truth::False,
            reason,
            message: message.into(),
            progress: Progress::Stalled,
            compliant: None,
        }
    }
}

/// Judges the facts in `status`.
pub fn judge(spec: &ImageRefSpec, accept: Option<&Accept>, status: &ImageRefStatus) -> Verdict {
    if let Some(accept) = accept
        && let Err(message) = accepted(accept, status)
    {
        return Verdict::refused(Reason::ProviderNotAllowed, message);
    }
    let compliant = spec.expect.as_ref().map(|expect| comply(expect, status));
    let stated = status.status.as_deref().unwrap_or("UNKNOWN");
    let accepted = match &spec.expect {
        Some(expect) if !expect.status.is_empty() => {
            // An image that is still being built may yet become what is expected.
            expect.status.iter().any(|s| s == stated) || !is_growing(stated)
        }
        _ => stated == ImageStatus::Active.as_str(),
    };
    if !accepted {
        return Verdict {
            compliant,
            ..not_active(stated, status)
        };
    }
    match compliant {
        Some((truth, _, ref message)) if truth != Truth::True => {
            let message = message.clone();
            Verdict {
                compliant,
                ..Verdict::refused(Reason::ExpectationFailed, message)
            }
        }
        compliant => Verdict {
            ready: Truth::True,
            reason: Reason::Resolved,
            message: describe(status),
            progress: Progress::Done,
            compliant,
        },
    }
}

fn is_growing(stated: &str) -> bool {
    [ImageStatus::Init, ImageStatus::Creating]
        .iter()
        .any(|status| status.as_str() == stated)
}

fn not_active(stated: &str, status: &ImageRefStatus) -> Verdict {
    let upstream = status.upstream.as_ref();
    let detail = upstream
        .and_then(|u| u.status_message.as_deref())
        .map(|text| format!(" ({})", crate::api::condition::truncate(text, 200)))
        .unwrap_or_default();
    let (message, progress) = if is_growing(stated) {
        (
            format!("the image is still being built: the platform says {stated}{detail}"),
            Progress::Working(Reason::ProgressingWithRetry),
        )
    } else if stated == ImageStatus::Unknown.as_str() {
        let word = upstream
            .and_then(|u| u.status.as_deref())
            .map_or("states no status".into(), |word| format!("says {word:?}"));
        (
            format!("the platform {word}, and only ACTIVE may be used"),
            Progress::Stalled,
        )
    } else {
        (
            format!(
                "the platform says {stated}{detail}, and only ACTIVE may be used: choose another image, or accept this status in spec.expect.status"
            ),
            Progress::Stalled,
        )
    };
    Verdict {
        ready: Truth::False,
        reason: Reason::ImageNotActive,
        message,
        progress,
        compliant: None,
    }
}

fn describe(status: &ImageRefStatus) -> String {
    let arch = status.arch.as_deref().unwrap_or("architecture not stated");
    match &status.image {
        Some(image) => format!("{image} ({arch})"),
        None => format!(
            "machine image {} ({arch})",
            status.image_id.as_deref().unwrap_or_default()
        ),
    }
}

fn accepted(accept: &Accept, status: &ImageRefStatus) -> Result<(), String> {
    let upstream = status.upstream.as_ref();
    let within = |what: &str, list: &[String], value: Option<&str>| match value {
        _ if list.is_empty() => Ok(()),
        Some(value) if list.iter().any(|allowed| allowed == value) => Ok(()),
        Some(value) => Err(format!(
            "the provider does not accept {what} {value}; it accepts {}",
            list.join(", ")
        )),
        None => Err(format!(
            "the provider accepts only {what} {}, and the platform states none for this image",
            list.join(", ")
        )),
    };
    if !accept.path_prefixes.is_empty() {
        let image = status.image.as_deref().unwrap_or_default();
        if !accept
            .path_prefixes
            .iter()
            .any(|prefix| has_prefix(image, prefix))
        {
            let prefixes = accept.path_prefixes.join(", ");
            return Err(format!("the provider accepts only images under {prefixes}"));
        }
    }
    within(
        "organization",
        &accept.organizations,
        upstream.and_then(|u| u.organization.as_deref()),
    )?;
    within(
        "workspace",
        &accept.workspace_ids,
        upstream.and_then(|u| u.workspace_id.as_deref()),
    )?;
    within(
        "visibility",
        &accept.visibility,
        upstream.and_then(|u| u.visibility.as_deref()),
    )
}

/// Whether `image` lies under `prefix`, at the border of a path segment: `host/team` covers
/// `host/team/x` and `host/team:tag`, not `host/teams/x`.
pub fn has_prefix(image: &str, prefix: &str) -> bool {
    image.strip_prefix(prefix).is_some_and(|rest| {
        rest.is_empty() || prefix.ends_with('/') || rest.starts_with(['/', ':', '@'])
    })
}

fn comply(expect: &Expect, status: &ImageRefStatus) -> (Truth, Reason, String) {
    let upstream = status.upstream.as_ref();
    let one_of = |what: &str, reason, list: &[String], fact: Option<&str>| match fact {
        _ if list.is_empty() => None,
        Some(fact) if list.iter().any(|wanted| wanted == fact) => None,
        Some(fact) => Some((
            Truth::False,
            reason,
            format!(
                "expected {what} {}, and the image has {fact}: choose another image, or change spec.expect.{what}",
                list.join(" or ")
            ),
        )),
        None => Some(unavailable(what)),
    };
    let checks = [
        one_of(
            "arch",
            Reason::ArchMismatch,
            &expect.arch,
            status.arch.as_deref(),
        ),
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
    ];
    // A violation says more than a fact that is missing.
    let mut failed: Vec<_> = checks.into_iter().flatten().collect();
    failed.sort_by_key(|(truth, ..)| *truth != Truth::False);
    failed.into_iter().next().unwrap_or((
        Truth::True,
        Reason::Met,
        "the image meets every expectation".into(),
    ))
}

fn accelerators(expect: &Expect, status: &ImageRefStatus) -> Option<(Truth, Reason, String)> {
    if expect.accelerators.is_empty() {
        return None;
    }
    if status.accelerators.is_empty() {
        return Some(unavailable("accelerators"));
    }
    let missing: Vec<&str> = expect
        .accelerators
        .iter()
        .filter(|wanted| !status.accelerators.contains(wanted))
        .map(String::as_str)
        .collect();
    (!missing.is_empty()).then(|| {
        (
            Truth::False,
            Reason::AcceleratorMismatch,
            format!(
                "expected accelerators {}, and the image supports {}: choose another image, or change spec.expect.accelerators",
                missing.join(" and "),
                status.accelerators.join(", ")
            ),
        )
    })
}

fn path(expect: &Expect, status: &ImageRefStatus) -> Option<(Truth, Reason, String)> {
    if expect.path_prefixes.is_empty() {
        return None;
    }
    let Some(image) = &status.image else {
        return Some(unavailable("pathPrefixes"));
    };
    (!expect
        .path_prefixes
        .iter()
        .any(|prefix| has_prefix(image, prefix)))
    .then(|| {
        (
            Truth::False,
            Reason::PathNotAllowed,
            format!(
                "expected a path under {}, and it is {image}: choose another image, or change spec.expect.pathPrefixes",
                expect.path_prefixes.join(" or ")
            ),
        )
    })
}

fn unavailable(what: &str) -> (Truth, Reason, String) {
    (
        Truth::Unknown,
        Reason::FactUnavailable,
        format!(
            "expect.{what} cannot be judged, because the platform does not state it for this image: remove the expectation"
        ),
    )
}
