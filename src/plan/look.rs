//! What a look does to the status: an answer, or none being made.
//!
//! Owns the rows of the table of situations (docs/kinds/imageref.md) about answers; `failure` owns
//! the others. The invariant that would break first: stored facts never overturn what the platform
//! or time has said since.

use super::failure::failed;
use super::judge::{Progress, Verdict, judge};
use super::{Contents, Draft, Look, Provided, contents, drift, schedule};
use crate::api::condition::{self, Truth};
use crate::api::{Change, ConditionType, ImageRefStatus, Reason, Upstream};
use crate::facts::{Facts, FailureKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// Applies what the look brought.
pub(super) fn apply(draft: &mut Draft<'_>, look: Look) {
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
        (Some(failure), Look::Pending | Look::Found { .. }) | (_, Look::Failed(failure)) => {
            failed(draft, &failure);
        }
        (None, Look::Pending) => pending(draft),
        (_, Look::NotDue) => not_due(draft),
        (
            None,
            Look::Found {
                facts,
                as_of,
                contents,
            },
        ) => found(draft, &facts, as_of.min(draft.now), &contents),
    }
}

pub(super) fn has_verdict(draft: &Draft<'_>) -> bool {
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
pub(super) fn not_due(draft: &mut Draft<'_>) {
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
    // Nor can they stand in for a verdict that a suspension has hidden: a look is needed.
    let was_usable = condition::is_true(conditions, ConditionType::Ready);
    let platform_failed = contents::platform_failed(&draft.status);
    // What waits for a registry was judged on these facts, and an edit may end the wait.
    let unread = condition::has_reason(
        conditions,
        ConditionType::Compliant,
        Reason::FactUnavailable,
    );
    if says(Reason::ImageNotFound)
        || says(Reason::AmbiguousMatch)
        || says(Reason::InvalidSpec)
        || (says(Reason::Progressing) && platform_failed && !unread)
        || (says(Reason::Suspended) && !was_usable)
        || (says(Reason::StaleTooLong) && draft.is_too_old())
    {
        return;
    }
    // What was expected of a registry before it was read stays open until a look has asked it.
    let reading = draft.edited || says(Reason::Progressing);
    let keeps_reason = was_usable && !says(Reason::Suspended);
    let stored = condition::find(conditions, ConditionType::Ready).cloned();
    let mut verdict = judge(draft.object.spec, accept(draft), &draft.status, reading);
    if verdict.ready == Truth::True && platform_failed {
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
pub(super) fn settle(draft: &mut Draft<'_>, verdict: &Verdict) {
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

/// Drops facts that the provider no longer accepts.
pub(super) fn withdraw(draft: &mut Draft<'_>) {
    let verdict = judge(draft.object.spec, accept(draft), &draft.status, false);
    if verdict.reason == Reason::ProviderNotAllowed {
        settle(draft, &verdict);
    }
}

pub(super) fn handled(draft: &mut Draft<'_>) {
    draft.looked = true;
    if let Some(value) = draft.object.unhandled_request(&draft.status) {
        draft.status.last_handled_reconcile_at = Some(value);
        // Whoever asks has seen the drift; this look may find another one.
        condition::remove(&mut draft.status.conditions, ConditionType::Drifted);
    }
}

fn found(draft: &mut Draft<'_>, facts: &Facts, as_of: Timestamp, contents: &Contents) {
    handled(draft);
    let (unread, unread_since) = (draft.memory.unread, draft.memory.unread_since);
    draft.memory = super::Memory::default();
    let before = draft.status.clone();
    let usable = condition::is_true(&before.conditions, ConditionType::Ready);
    facts.write_to(&mut draft.status);
    if let Provided::Target { target, .. } = draft.provided {
        draft.status.resolved_for = Some(schedule::resolved_for(&draft.object, target));
    }
    condition::remove(&mut draft.status.conditions, ConditionType::Stale);
    contents::add(draft, &before, contents, unread_since);
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

    let reading = *contents == Contents::Later;
    let verdict = judge(draft.object.spec, accept(draft), &draft.status, reading);
    settle(draft, &verdict);
    let next = match verdict.progress {
        Progress::Working(_) if verdict.reason == Reason::ImageNotActive => {
            let interval = draft.interval();
            let delay = if interval.is_zero() {
                schedule::WHILE_CREATING
            } else {
                interval.min(schedule::WHILE_CREATING)
            };
            Some(schedule::after(&draft.object, delay, "creating", draft.now))
        }
        _ => schedule::next(&draft.object, draft.interval(), as_of, draft.now),
    };
    let retry = contents::retry(draft, contents, unread);
    draft.memory.next_look = next.into_iter().chain(retry).min();
}

pub(super) fn remember(draft: &mut Draft<'_>, change: Change) {
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
