//! When the next look is due, for those who see the object and not the controller's memory.
//!
//! Owns what can be told of the schedule from outside; the times are those of [`super::schedule`].
//! Must not know who asks. The invariant that would break first: no look of a running operator is
//! later than what is told here, unless the platform asked it to pause, or calls a request malformed
//! after it failed in passing.

use super::schedule::{self, BACKOFF_BASE, BACKOFF_CEILING, WHILE_CREATING};
use super::{CONFIRM_AFTER, Due, Memory, Object, Provided, STALL_AFTER, contents, due};
use crate::api::condition::{self, Truth};
use crate::api::{ConditionType, ImageRefStatus, Reason};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// When the next look is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Not before something changes.
    Never,
    /// As soon as an operator sees the object.
    Now,
    /// About then. Looks that change nothing are not written, so an operator may know of a later
    /// one than the object tells, and count from there.
    About(Timestamp),
    /// Then at the latest: the operator tries again and again, and keeps the count to itself.
    By(Timestamp),
}

/// When the next look is due, as far as the object tells.
pub fn outlook(
    object: &Object<'_>,
    provided: &Provided,
    status: &ImageRefStatus,
    now: Timestamp,
) -> Outlook {
    if due(object, provided, status, &Memory::default(), now) == Due::Never {
        return Outlook::Never;
    }
    let conditions = &status.conditions;
    let says = |type_, reason| condition::has_reason(conditions, type_, reason);
    if object.unhandled_request(status).is_some()
        || status.observed_generation != Some(object.generation)
        || schedule::target_changed(object, provided, status)
        || says(ConditionType::Ready, Reason::Suspended)
    {
        return Outlook::Now;
    }
    let interval = provided.interval(object.spec);
    let ceiling = if interval.is_zero() {
        BACKOFF_CEILING
    } else {
        interval
    };
    let last = status.last_checked_time.as_ref().map(|t| t.0.min(now));
    if says(ConditionType::Stale, Reason::NotFoundUnconfirmed)
        && let Some(last) = last
    {
        return upcoming(schedule::after(object, CONFIRM_AFTER, "confirm", last), now);
    }
    if says(ConditionType::Ready, Reason::ImageNotActive)
        && condition::is_true(conditions, ConditionType::Reconciling)
    {
        let delay = WHILE_CREATING.min(ceiling);
        return Outlook::By(schedule::after(object, delay, "creating", now));
    }
    if let Some(wait) = longest_backoff(status, now) {
        return by(now, wait.min(ceiling));
    }
    let next = match last {
        Some(last) => following(object, interval, last, now),
        None => schedule::regular(object, interval, now),
    };
    next.map_or_else(|| by(now, ceiling), Outlook::About)
}

fn upcoming(at: Timestamp, now: Timestamp) -> Outlook {
    if at > now {
        Outlook::About(at)
    } else {
        Outlook::Now
    }
}

/// A delay from now, and the tenth more by which delays are spread.
fn by(now: Timestamp, wait: Duration) -> Outlook {
    let wait = wait.saturating_add(wait / 10) + Duration::from_millis(1);
    now.checked_add(wait).map_or(Outlook::Now, Outlook::By)
}

/// The longest that a back-off can be by now, if there is one: each delay is twice the one before, so
/// the next is no longer than all of them together and the first.
fn longest_backoff(status: &ImageRefStatus, now: Timestamp) -> Option<Duration> {
    let conditions = &status.conditions;
    let find = |type_| condition::find(conditions, type_);
    let stale = find(ConditionType::Stale);
    let unread = contents::owes_digest(status)
        || condition::has_reason(
            conditions,
            ConditionType::Compliant,
            Reason::FactUnavailable,
        ) && condition::is_true(conditions, ConditionType::Reconciling);
    if unread && status.resolved_for.is_some() {
        // The registry is counted apart, and the platform's own look comes in between.
        return Some(Duration::MAX);
    }
    let refused = find(ConditionType::Ready).is_some_and(|c| c.status == Truth::False.as_str());
    let begun = match stale.filter(|_| contents::platform_failed(status)) {
        Some(stale)
            if [Reason::AuthenticationFailed, Reason::PermissionDenied]
                .iter()
                .any(|reason| stale.reason == reason.as_str()) =>
        {
            // Refused, and not asked again before the next regular look.
            return None;
        }
        // Some of these are tried again at once, others at the next regular look only.
        Some(stale) if stale.reason == Reason::ProviderError.as_str() => {
            return Some(Duration::MAX);
        }
        Some(stale) => stale.last_transition_time.0,
        None if status.resolved_for.is_some() || refused => return None,
        None => {
            let stalled = find(ConditionType::Stalled).and_then(|c| {
                let began = c.last_transition_time.0.checked_sub(STALL_AFTER);
                began.ok()
            });
            let working = find(ConditionType::Reconciling).map(|c| c.last_transition_time.0);
            stalled.or(working)?
        }
    };
    let passed = now.duration_since(begun.min(now)).unsigned_abs();
    // Each delay may have been a tenth longer than it says, and looks take a time of their own.
    Some(BACKOFF_BASE + passed * 2)
}

/// The first look after now of those that follow the one at `last`, if all found what was there.
fn following(
    object: &Object<'_>,
    interval: Duration,
    last: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let next = schedule::next(object, interval, last, last)?;
    let step = last.duration_until(next).as_millis().max(1);
    let passed = last.duration_until(now).as_millis().max(0);
    let steps = passed / step + 1;
    let offset = i64::try_from(steps.checked_mul(step)?).ok()?;
    Timestamp::from_millisecond(last.as_millisecond().checked_add(offset)?).ok()
}
