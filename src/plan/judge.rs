//! Whether an answer may be used: the image's status, the provider's bounds, the expectations.
//!
//! Owns the verdict on stored facts, so that an edited expectation is judged without a look;
//! `expect` owns the single expectations. The invariant that would break first: what may not be used
//! is never Ready, whatever is expected of it.

use super::contents::{expected_unread, owes_digest};
use super::expect::{Grade, Shortfall, contradiction, shortfall};
use crate::api::condition::Truth;
use crate::api::provider::Accept;
use crate::api::{ImageRefSpec, ImageRefStatus, Reason};
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
    /// Compliant, if there are expectations, or if the registry contradicts the platform.
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

/// Judges the facts in `status`. `reading`: a look that asks the registry is still to come.
pub fn judge(
    spec: &ImageRefSpec,
    accept: Option<&Accept>,
    status: &ImageRefStatus,
    reading: bool,
) -> Verdict {
    if let Some(accept) = accept
        && let Err(message) = accepted(accept, status)
    {
        return Verdict::refused(Reason::ProviderNotAllowed, message);
    }
    let reading = expected_unread(spec, status) && (reading || owes_digest(status));
    let shortfall = shortfall(spec, status, reading);
    let compliant = match &shortfall {
        Some(shortfall) => Some(shortfall.compliant()),
        None => contradiction(status).or_else(|| {
            spec.expect.as_ref().map(|_| {
                let message = "the image meets every expectation".into();
                (Truth::True, Reason::Met, message)
            })
        }),
    };
    let stated = status.status.as_deref().unwrap_or("UNKNOWN");
    // Another status than an explicitly expected one is a shortfall; an image that is still being
    // built may yet become what is expected.
    let explicit = spec.expect.as_ref().is_some_and(|e| !e.status.is_empty());
    if !is_usable(spec, stated) && (!explicit || is_growing(stated)) {
        return Verdict {
            compliant,
            ..not_active(stated, status)
        };
    }
    match shortfall {
        Some(Shortfall {
            grade: Grade::Unread,
            message,
            ..
        }) => Verdict {
            ready: Truth::Unknown,
            reason: Reason::Progressing,
            message,
            progress: Progress::Working(Reason::ProgressingWithRetry),
            compliant,
        },
        Some(Shortfall { message, .. }) => Verdict {
            compliant,
            ..Verdict::refused(Reason::ExpectationFailed, message)
        },
        None => Verdict {
            ready: Truth::True,
            reason: Reason::Resolved,
            message: describe(status),
            progress: Progress::Done,
            compliant,
        },
    }
}

/// Whether an image of this status may be used: ACTIVE, or what is explicitly expected instead.
pub(super) fn is_usable(spec: &ImageRefSpec, stated: &str) -> bool {
    match &spec.expect {
        Some(expect) if !expect.status.is_empty() => expect.status.iter().any(|s| s == stated),
        _ => stated == ImageStatus::Active.as_str(),
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
    let arch = match &status.arch {
        Some(arch) => arch.clone(),
        None if status.platforms.is_empty() => "architecture not stated".into(),
        None => status.platforms.join(", "),
    };
    match &status.image {
        Some(image) => format!("{image} ({arch})"),
        None => format!(
            "machine image {} ({arch})",
            status.image_id.as_deref().unwrap_or_default()
        ),
    }
}

/// Whether the provider accepts the image; the error says what it accepts.
pub(super) fn accepted(accept: &Accept, status: &ImageRefStatus) -> Result<(), String> {
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
