//! Which transitions are worth an event.
//!
//! Owns the choice. The invariant that would break first: an outage has its event on the provider
//! and none on its references.

use crate::api::condition::{self, Truth};
use crate::api::{ConditionType, ImageRefStatus, Reason};

/// An event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `Warning` or `Normal`.
    pub warning: bool,
    /// The reason.
    pub reason: Reason,
    /// What happened.
    pub note: String,
}

/// Events are for transitions of what users act on; an outage has its event on the provider.
pub(super) fn between(before: &ImageRefStatus, after: &ImageRefStatus) -> Vec<Event> {
    let mut events = Vec::new();
    let ready = |status: &ImageRefStatus| {
        condition::find(&status.conditions, ConditionType::Ready)
            .map(|c| (c.status.clone(), c.reason.clone(), c.message.clone()))
    };
    let reason = |name: &str| Reason::ALL.iter().find(|r| r.as_str() == name).copied();
    let usable = |r: &Option<(String, String, String)>| {
        r.as_ref()
            .is_some_and(|(status, ..)| status == Truth::True.as_str())
    };
    let (was, is) = (ready(before), ready(after));
    if let Some((status, name, message)) = &is
        && let Some(reason) = reason(name)
        && reason != Reason::Suspended
    {
        let resolved = usable(&is) && !usable(&was);
        let refused = status == Truth::False.as_str()
            && was
                .as_ref()
                .is_none_or(|(s, r, _)| s != status || r != name);
        let expired = reason == Reason::StaleTooLong && usable(&was);
        if resolved || refused || expired {
            events.push(Event {
                warning: !resolved,
                reason,
                note: message.clone(),
            });
        }
    }
    if let Some(drifted) = condition::find(&after.conditions, ConditionType::Drifted)
        && condition::find(&before.conditions, ConditionType::Drifted)
            .is_none_or(|was| (&was.reason, &was.message) != (&drifted.reason, &drifted.message))
        && let Some(reason) = reason(&drifted.reason)
    {
        events.push(Event {
            warning: true,
            reason,
            note: drifted.message.clone(),
        });
    }
    events
}
