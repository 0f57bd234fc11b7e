//! What a failed look does to the status.
//!
//! Owns the rows of the table of situations (docs/kinds/imageref.md) about failures. The invariant
//! that would break first: a failure of the platform never takes a good answer away; only time, a
//! confirmed absence or a verdict on the facts does.

use super::judge::{Progress, Verdict};
use super::look::{handled, has_verdict, not_due, remember, settle};
use super::{CONFIRM_AFTER, Draft, Provided, contents, drift, schedule};
use crate::api::condition::{self, Truth};
use crate::api::{ConditionType, Reason};
use crate::facts::{Failure, FailureKind, ImageStatus};
use std::time::Duration;

/// Shortest pause for a throttling platform.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Applies a failure.
pub(super) fn failed(draft: &mut Draft<'_>, failure: &Failure) {
    if failure.kind == FailureKind::Throttled {
        return throttled(draft, failure);
    }
    handled(draft);
    draft.memory.failures = draft.memory.failures.saturating_add(1);
    draft.memory.missed_since.get_or_insert(draft.now);
    match failure.kind {
        FailureKind::ProviderNotAllowed => {
            refuse(draft, Reason::ProviderNotAllowed, &failure.message);
        }
        FailureKind::InvalidSpec => refuse(draft, Reason::InvalidSpec, &failure.message),
        FailureKind::Ambiguous => refuse(draft, Reason::AmbiguousMatch, &failure.message),
        FailureKind::NotFound => missing(draft, failure),
        FailureKind::BadRequest if !draft.has_facts() => {
            refuse(draft, Reason::InvalidSpec, &failure.message);
        }
        FailureKind::AuthenticationFailed if !draft.has_facts() => {
            refuse(draft, Reason::AuthenticationFailed, &failure.message);
        }
        FailureKind::PermissionDenied if !draft.has_facts() => {
            refuse(draft, Reason::PermissionDenied, &failure.message);
        }
        _ if has_verdict(draft) => stale(draft, failure),
        _ => {
            progress(draft, failure);
            let next = schedule::backoff(
                &draft.object,
                draft.interval(),
                draft.memory.failures,
                draft.now,
            );
            draft.memory.next_look = Some(next);
        }
    }
}

/// A definite no: nothing to retry before the next regular look.
fn refuse(draft: &mut Draft<'_>, reason: Reason, message: &str) {
    condition::remove(&mut draft.status.conditions, ConditionType::Stale);
    if reason != Reason::ImageNotFound && !draft.has_facts() {
        draft.status.status = None;
    }
    if let Provided::Target { target, .. } = draft.provided {
        draft.status.resolved_for = Some(schedule::resolved_for(&draft.object, target));
    }
    settle(draft, &Verdict::refused(reason, message));
    draft.memory.next_look = schedule::next(&draft.object, draft.interval(), draft.now, draft.now);
}

fn missing(draft: &mut Draft<'_>, failure: &Failure) {
    let conditions = &draft.status.conditions;
    let already = condition::has_reason(conditions, ConditionType::Ready, Reason::ImageNotFound);
    let first_seen = draft.status.last_checked_time.as_ref().filter(|_| {
        condition::has_reason(
            conditions,
            ConditionType::Stale,
            Reason::NotFoundUnconfirmed,
        )
    });
    let confirmed = first_seen.is_some_and(|time| {
        draft
            .now
            .duration_since(time.0.min(draft.now))
            .unsigned_abs()
            >= CONFIRM_AFTER
    });
    if !draft.has_facts() || already || confirmed {
        let before = draft.status.clone();
        draft.status.status = Some(ImageStatus::Deleted.as_str().into());
        if draft.has_facts()
            && let Some(change) = drift::change(&before, &draft.status, draft.now)
        {
            remember(draft, change);
        }
        refuse(draft, Reason::ImageNotFound, &failure.message);
        return;
    }
    mark_stale(draft, Reason::NotFoundUnconfirmed, &failure.message);
    // Never before the time at which the second look counts.
    draft.memory.next_look = Some(schedule::after(
        &draft.object,
        CONFIRM_AFTER,
        "confirm",
        draft.now,
    ));
}

/// The platform could not confirm a verdict that exists: it stays, and says so.
fn stale(draft: &mut Draft<'_>, failure: &Failure) {
    let reason = match failure.kind {
        FailureKind::Unreachable => Reason::ProviderUnreachable,
        FailureKind::ResponseInvalid => Reason::ResponseInvalid,
        FailureKind::AuthenticationFailed => Reason::AuthenticationFailed,
        FailureKind::PermissionDenied => Reason::PermissionDenied,
        FailureKind::ProviderNotFound => Reason::ProviderNotFound,
        FailureKind::ProviderNotReady => Reason::ProviderNotReady,
        _ => Reason::ProviderError,
    };
    mark_stale(draft, reason, &failure.message);
    let ready = ConditionType::Ready;
    if condition::has_reason(&draft.status.conditions, ready, Reason::Suspended)
        && !condition::is_true(&draft.status.conditions, ready)
    {
        // The verdict from before the suspension is not known any more, but its age may be.
        if draft.is_too_old() {
            draft.expire();
        } else {
            progress(draft, failure);
        }
    } else if failure.kind != FailureKind::MassDisappearance
        && condition::is_true(&draft.status.conditions, ConditionType::Ready)
    {
        let message = format!("serving the last good answer: {}", failure.message);
        draft.set(
            ConditionType::Ready,
            Truth::True,
            Reason::ServingStale,
            &message,
        );
    }
    not_due(draft);
    let permanent = matches!(
        failure.kind,
        FailureKind::AuthenticationFailed | FailureKind::PermissionDenied | FailureKind::BadRequest
    );
    let once =
        draft.interval().is_zero() && schedule::is_final(&draft.status) && draft.memory.unread == 0;
    draft.memory.next_look = if permanent || once {
        schedule::next(&draft.object, draft.interval(), draft.now, draft.now)
    } else {
        Some(schedule::backoff(
            &draft.object,
            draft.interval(),
            draft.memory.failures,
            draft.now,
        ))
    };
}

/// Ways in which one and the same outage shows. Its first one stays: a platform that answers now with
/// an error and now not at all would cost a write a look.
const PASSING: [Reason; 4] = [
    Reason::ProviderUnreachable,
    Reason::ProviderError,
    Reason::ResponseInvalid,
    Reason::RateLimited,
];

fn mark_stale(draft: &mut Draft<'_>, reason: Reason, message: &str) {
    let new = !contents::platform_failed(&draft.status);
    let conditions = &draft.status.conditions;
    let begun = PASSING
        .into_iter()
        .find(|r| !new && condition::has_reason(conditions, ConditionType::Stale, *r));
    let reason = begun
        .filter(|_| PASSING.contains(&reason))
        .unwrap_or(reason);
    draft.set(ConditionType::Stale, Truth::True, reason, message);
    // Age runs from the first due look that failed, which for a throttled provider lies back.
    if new && let Some(since) = draft.memory.missed_since {
        let now = draft.now;
        for condition in &mut draft.status.conditions {
            if condition.type_ == ConditionType::Stale.as_str() {
                condition.last_transition_time.0 = since.min(now);
            }
        }
    }
}

/// No answer yet, and none to be had at the moment.
fn progress(draft: &mut Draft<'_>, failure: &Failure) {
    let compliant = draft.object.spec.expect.as_ref().map(|_| {
        (
            Truth::Unknown,
            Reason::FactUnavailable,
            "the image has not been looked up yet".into(),
        )
    });
    let verdict = Verdict {
        ready: Truth::Unknown,
        reason: Reason::Progressing,
        message: failure.message.clone(),
        progress: Progress::Working(Reason::ProgressingWithRetry),
        compliant,
    };
    if condition::is_true(&draft.status.conditions, ConditionType::Stalled)
        && !schedule::is_refused(&draft.status)
    {
        // Stalled already, by time: only an answer or an edit leads out of it.
        stall(draft, &failure.message);
    } else {
        draft.conclude(&verdict);
    }
}

/// The first look has been failing for too long.
pub(super) fn stall(draft: &mut Draft<'_>, message: &str) {
    let reason = match draft.provided {
        Provided::Unavailable { failure, .. } => match failure.kind {
            FailureKind::ProviderNotFound => Reason::ProviderNotFound,
            FailureKind::ProviderNotReady => Reason::ProviderNotReady,
            _ => Reason::Progressing,
        },
        Provided::Target { .. } => Reason::Progressing,
    };
    let compliant = condition::find(&draft.status.conditions, ConditionType::Compliant)
        .map(|c| (Truth::Unknown, Reason::FactUnavailable, c.message.clone()));
    draft.conclude(&Verdict {
        ready: Truth::Unknown,
        reason,
        message: message.into(),
        progress: Progress::Stalled,
        compliant,
    });
}

/// The provider pauses. That is nobody's failure: an answer goes stale only when a whole interval
/// went by without a look.
fn throttled(draft: &mut Draft<'_>, failure: &Failure) {
    draft.looked = false;
    let since = *draft.memory.missed_since.get_or_insert(draft.now);
    let until = if let Some(pause) = failure.retry_after {
        // "At once" from a platform that throttles is not taken literally.
        let pause = pause.max(SHORTEST_PAUSE);
        schedule::after(&draft.object, pause, "throttled", draft.now)
    } else {
        draft.memory.failures = draft.memory.failures.saturating_add(1);
        schedule::backoff(
            &draft.object,
            draft.interval(),
            draft.memory.failures,
            draft.now,
        )
    };
    draft.memory.paused_until = Some(until);
    draft.memory.next_look = Some(until);
    if !has_verdict(draft) {
        return progress(draft, failure);
    }
    let waited = draft
        .now
        .duration_since(since.min(draft.now))
        .unsigned_abs();
    let interval = draft.interval();
    if !interval.is_zero() && waited >= interval {
        mark_stale(draft, Reason::RateLimited, &failure.message);
    }
    not_due(draft);
}
