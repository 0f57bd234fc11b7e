//! What a look does to the status: an answer, a failure, or none.
//!
//! Owns the rows of the table of situations (docs/imageref.md). The invariant that would break
//! first: a failure of the platform never takes a good answer away; only time, a confirmed
//! absence or a verdict on the facts does.

use super::judge::{Progress, Verdict, judge};
use super::{CONFIRM_AFTER, Draft, Look, Provided, drift, schedule};
use crate::api::condition::{self, Truth};
use crate::api::{Change, ConditionType, ImageRefStatus, Reason, Upstream};
use crate::facts::{Facts, Failure, FailureKind, ImageStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

/// Shortest pause for a throttling platform.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Applies what the look brought.
pub(super) fn apply(draft: &mut Draft<'_>, look: Look, acknowledged: bool) {
    let unavailable = match draft.provided {
        Provided::Unavailable { failure, .. } => Some(failure.clone()),
        Provided::Target { .. } => None,
    };
    match (unavailable, look) {
        // These two are about rights and about the spec: they hold at once.
        (Some(failure), _)
            if matches!(
                failure.kind,
                FailureKind::ProviderNotAllowed | FailureKind::InvalidSpec
            ) =>
        {
            failed(draft, &failure);
        }
        // Without an answer there is nothing to wait for.
        (Some(failure), Look::NotDue)
            if condition::find(&draft.status.conditions, ConditionType::Ready).is_none() =>
        {
            failed(draft, &failure);
        }
        (Some(failure), Look::Pending | Look::Found(_)) => failed(draft, &failure),
        (_, Look::Pending) => pending(draft),
        (_, Look::NotDue) => not_due(draft),
        (_, Look::Found(facts)) => found(draft, &facts, acknowledged),
        (_, Look::Failed(failure)) => failed(draft, &failure),
    }
}

fn has_verdict(draft: &Draft<'_>) -> bool {
    draft.status.resolved_for.is_some()
}

pub(super) fn pending(draft: &mut Draft<'_>) {
    if has_verdict(draft) {
        return not_due(draft);
    }
    let requested = draft.object.unhandled_request(&draft.status).is_some();
    let reason = if requested {
        Reason::ReconcileRequested
    } else {
        Reason::NewGeneration
    };
    let compliant = draft.object.spec.expect.as_ref().map(|_| {
        (
            Truth::Unknown,
            Reason::FactUnavailable,
            "the image has not been looked up yet".into(),
        )
    });
    draft.conclude(&Verdict {
        ready: Truth::Unknown,
        reason: Reason::Progressing,
        message: "the image is being looked up".into(),
        progress: Progress::Working(reason),
        compliant,
    });
}

/// Judges what is stored: an edited expectation takes effect without a look.
fn not_due(draft: &mut Draft<'_>) {
    if draft.has_facts() {
        rejudge(draft);
    }
    await_provider(draft);
}

/// A requested look that a pause holds up is work in progress, for as long as the pause lasts.
fn await_provider(draft: &mut Draft<'_>) {
    let paused = draft.memory.paused_until.is_some_and(|at| draft.now < at);
    if paused
        && draft.object.unhandled_request(&draft.status).is_some()
        && condition::is_true(&draft.status.conditions, ConditionType::Ready)
    {
        draft.set(
            ConditionType::Reconciling,
            Truth::True,
            Reason::ReconcileRequested,
            "the requested look waits for the provider, whose platform asked for a pause",
        );
    }
}

fn rejudge(draft: &mut Draft<'_>) {
    let conditions = &draft.status.conditions;
    let says = |reason| condition::has_reason(conditions, ConditionType::Ready, reason);
    // The platform's own verdict, or time's: stored facts cannot overturn either.
    if says(Reason::ImageNotFound)
        || says(Reason::AmbiguousMatch)
        || says(Reason::InvalidSpec)
        || (says(Reason::StaleTooLong) && draft.is_too_old())
    {
        return;
    }
    let was_usable = condition::is_true(conditions, ConditionType::Ready);
    let unconfirmed = condition::is_true(conditions, ConditionType::Stale);
    let keeps_reason = was_usable && !says(Reason::Suspended);
    let stored = condition::find(conditions, ConditionType::Ready).cloned();
    let mut verdict = judge(draft.object.spec, accept(draft), &draft.status);
    if verdict.ready == Truth::True && unconfirmed {
        verdict.reason = Reason::ServingStale;
        if let Some(stored) = stored.filter(|_| keeps_reason) {
            if stored.reason == Reason::Resolved.as_str() {
                verdict.reason = Reason::Resolved;
            }
            verdict.message = stored.message;
        }
    }
    settle(draft, &verdict);
}

fn accept<'a>(draft: &Draft<'a>) -> Option<&'a crate::api::provider::Accept> {
    match draft.provided {
        Provided::Target { accept, .. } => accept.as_ref(),
        Provided::Unavailable { .. } => None,
    }
}

/// Writes a verdict; facts that the provider does not accept are not shown at all.
fn settle(draft: &mut Draft<'_>, verdict: &Verdict) {
    if verdict.reason == Reason::ProviderNotAllowed {
        let resolved_for = draft.status.resolved_for.take();
        draft.status.drop_facts();
        draft.status.resolved_for = resolved_for;
        for type_ in [ConditionType::Stale, ConditionType::Drifted] {
            condition::remove(&mut draft.status.conditions, type_);
        }
    }
    draft.conclude(verdict);
}

fn handled(draft: &mut Draft<'_>) {
    draft.looked = true;
    if let Some(value) = draft.object.unhandled_request(&draft.status) {
        draft.status.last_handled_reconcile_at = Some(value);
    }
}

fn found(draft: &mut Draft<'_>, facts: &Facts, acknowledged: bool) {
    handled(draft);
    draft.memory = super::Memory::default();
    let before = draft.status.clone();
    let usable = condition::is_true(&before.conditions, ConditionType::Ready);
    facts.write_to(&mut draft.status);
    if let Provided::Target { target, .. } = draft.provided {
        draft.status.resolved_for = Some(schedule::resolved_for(&draft.object, target));
    }
    condition::remove(&mut draft.status.conditions, ConditionType::Stale);
    if acknowledged {
        condition::remove(&mut draft.status.conditions, ConditionType::Drifted);
    }
    if before.image_id.is_none() {
        draft.status.last_changed_time = Some(Time(draft.now));
    } else if let Some(change) = drift::change(&before, &draft.status, draft.now) {
        // Before anybody could use the answer, a change is progress, not drift.
        if let Some(reason) = drift::reason(&change).filter(|_| usable) {
            let message = drift::describe(&change);
            draft.set(ConditionType::Drifted, Truth::True, reason, &message);
        }
        remember(draft, change);
    }
    keep_request_id(&before, &mut draft.status);

    let verdict = judge(draft.object.spec, accept(draft), &draft.status);
    settle(draft, &verdict);
    draft.memory.next_look = match verdict.progress {
        Progress::Working(_) => {
            let interval = draft.object.spec.interval();
            let delay = if interval.is_zero() {
                schedule::WHILE_CREATING
            } else {
                interval.min(schedule::WHILE_CREATING)
            };
            Some(schedule::after(&draft.object, delay, "creating", draft.now))
        }
        Progress::Done | Progress::Stalled => schedule::regular(&draft.object, draft.now),
    };
}

fn remember(draft: &mut Draft<'_>, change: Change) {
    draft.status.last_changed_time = Some(change.time.clone());
    draft.status.history.insert(0, change);
}

/// The request id shown is that of the call that last changed something.
fn keep_request_id(before: &ImageRefStatus, after: &mut ImageRefStatus) {
    let without = |status: &ImageRefStatus| {
        status.upstream.clone().map(|u| Upstream {
            request_id: None,
            ..u
        })
    };
    if without(before) == without(after)
        && let (Some(old), Some(new)) = (&before.upstream, &mut after.upstream)
    {
        new.request_id.clone_from(&old.request_id);
    }
}

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
            let next = schedule::backoff(&draft.object, draft.memory.failures, draft.now);
            draft.memory.next_look = Some(next);
        }
    }
}

/// A definite no: nothing to retry before the next regular look.
fn refuse(draft: &mut Draft<'_>, reason: Reason, message: &str) {
    condition::remove(&mut draft.status.conditions, ConditionType::Stale);
    if let Provided::Target { target, .. } = draft.provided {
        draft.status.resolved_for = Some(schedule::resolved_for(&draft.object, target));
    }
    settle(draft, &Verdict::refused(reason, message));
    draft.memory.next_look = schedule::regular(&draft.object, draft.now);
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
    if failure.kind != FailureKind::MassDisappearance
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
    let once = draft.object.spec.interval().is_zero() && schedule::is_final(&draft.status);
    draft.memory.next_look = if permanent || once {
        schedule::regular(&draft.object, draft.now)
    } else {
        Some(schedule::backoff(
            &draft.object,
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
    let conditions = &draft.status.conditions;
    let new = !condition::is_true(conditions, ConditionType::Stale);
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
    let until = match failure.retry_after {
        // "At once" from a platform that throttles is not taken literally.
        Some(pause) => {
            let pause = pause.max(SHORTEST_PAUSE);
            schedule::after(&draft.object, pause, "throttled", draft.now)
        }
        None => {
            draft.memory.failures = draft.memory.failures.saturating_add(1);
            schedule::backoff(&draft.object, draft.memory.failures, draft.now)
        }
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
    let interval = draft.object.spec.interval();
    if !interval.is_zero() && waited >= interval {
        mark_stale(draft, Reason::RateLimited, &failure.message);
    }
    not_due(draft);
}
