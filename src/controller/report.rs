//! What the log says of references: one line a change of state, with the same fields each time.
//!
//! Owns what counts as a change of state and which sentence tells it. Must not know how a status is
//! written. The invariant that would break first: a look that confirms what was known says nothing.

use crate::api::condition::{self, ConditionType};
use crate::api::{ImageRef, ImageRefStatus};
use crate::plan::{Look, Provided, ProviderId};
use kube::Resource;
use std::fmt;

/// The conditions whose status or reason is part of the state, the most telling first. Reconciling and
/// Stalled follow Ready.
const TOLD: [ConditionType; 4] = [
    ConditionType::Ready,
    ConditionType::Drifted,
    ConditionType::Stale,
    ConditionType::Compliant,
];

/// An object as every line names it: `namespace/name`, or its name.
pub(super) struct Named<'a, K>(pub(super) &'a K);

impl<K: Resource> fmt::Display for Named<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meta = self.0.meta();
        if let Some(namespace) = &meta.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(meta.name.as_deref().unwrap_or_default())
    }
}

/// A provider as every line names it, which is how [`ProviderId`] is written.
pub(super) fn named<K: Resource<DynamicType = ()>>(provider: &K) -> String {
    format!("{} {}", K::kind(&()), Named(provider))
}

/// The provider that a reference means; empty if none is known.
pub(super) fn provider(provided: &Provided) -> String {
    let meant = match provided {
        Provided::Target { target, .. } => Some(&target.provider),
        Provided::Unavailable { provider, .. } => provider.as_ref(),
    };
    meant.map(ProviderId::to_string).unwrap_or_default()
}

/// The platform's id of the call that brought this; empty if no call did.
pub(super) fn request_id(look: &Look) -> &str {
    let id = match look {
        Look::Found { facts, .. } => facts.upstream.request_id.as_deref(),
        Look::Failed(failure) => failure.request_id.as_deref(),
        Look::Pending | Look::NotDue => None,
    };
    id.unwrap_or_default()
}

/// One line, if the state changed.
pub(super) fn report(
    object: &ImageRef,
    provided: &Provided,
    look: &Look,
    before: &ImageRefStatus,
    after: &ImageRefStatus,
) {
    let Some(message) = change(before, after) else {
        return;
    };
    let reason = |type_| {
        let found = condition::find(&after.conditions, type_);
        found.map_or("", |c| c.reason.as_str())
    };
    let ready = condition::find(&after.conditions, ConditionType::Ready);
    // A condition that holds is named by its reason; Drifted and Stale are absent or False else.
    let held = |type_| {
        let holds = condition::is_true(&after.conditions, type_);
        if holds { reason(type_) } else { "" }
    };
    tracing::info!(
        object = %Named(object),
        provider = provider(provided),
        request_id = request_id(look),
        ready = ready.map_or("", |c| c.status.as_str()),
        reason = reason(ConditionType::Ready),
        stale = held(ConditionType::Stale),
        drifted = held(ConditionType::Drifted),
        image = after.image.as_deref().unwrap_or_default(),
        "{message}"
    );
}

/// What is to be said of a change of state; `None` if it is none.
fn change<'a>(before: &ImageRefStatus, after: &'a ImageRefStatus) -> Option<&'a str> {
    let state = |status: &ImageRefStatus, type_| {
        let found = condition::find(&status.conditions, type_);
        found.map(|c| (c.status.clone(), c.reason.clone()))
    };
    let changed = TOLD.into_iter().find(|type_| {
        let (was, is) = (state(before, *type_), state(after, *type_));
        was != is && is.is_some()
    });
    let went = TOLD
        .into_iter()
        .any(|type_| state(before, type_).is_some() && state(after, type_).is_none());
    if changed.is_none() && !went && before.image == after.image && before.arch == after.arch {
        return None;
    }
    let told = changed.unwrap_or(ConditionType::Ready);
    Some(condition::find(&after.conditions, told).map_or("", |c| c.message.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;
    use crate::api::condition::Truth;
    use jiff::Timestamp;

    fn status(conditions: &[(ConditionType, Truth, Reason)]) -> ImageRefStatus {
        let mut status = ImageRefStatus::default();
        for (type_, truth, reason) in conditions {
            condition::set(
                &mut status.conditions,
                *type_,
                *truth,
                *reason,
                &format!("{} says why", type_.as_str()),
                1,
                Timestamp::UNIX_EPOCH,
            );
        }
        status
    }

    #[test]
    fn each_change_of_state_is_told_once_by_what_changed_and_nothing_else_is() {
        use ConditionType::{Drifted, Ready, Stale};
        let resolved = (Ready, Truth::True, Reason::Resolved);
        let good = status(&[resolved]);
        let serving = status(&[
            (Ready, Truth::True, Reason::ServingStale),
            (Stale, Truth::True, Reason::ProviderUnreachable),
        ]);
        let throttled = status(&[resolved, (Stale, Truth::True, Reason::RateLimited)]);
        let drifted = status(&[resolved, (Drifted, Truth::True, Reason::DigestChanged)]);
        let moved = ImageRefStatus {
            image: Some("other".into()),
            ..good.clone()
        };
        let rows = [
            (&ImageRefStatus::default(), &good, Some("Ready says why")),
            (&good, &serving, Some("Ready says why")),
            (&serving, &good, Some("Ready says why")),
            (&good, &throttled, Some("Stale says why")),
            (&throttled, &good, Some("Ready says why")),
            (&good, &drifted, Some("Drifted says why")),
            (&good, &moved, Some("Ready says why")),
            (&good, &good, None),
            (&serving, &serving, None),
        ];
        for (n, (before, after, told)) in rows.into_iter().enumerate() {
            assert_eq!(change(before, after), told, "row {n}");
        }
        // Times, counts and wording are no state.
        let mut worded = serving.clone();
        worded.consecutive_failures = Some(7);
        for condition in &mut worded.conditions {
            condition.message = "in other words".into();
            condition.observed_generation = Some(2);
        }
        assert_eq!(change(&serving, &worded), None);
    }
}
