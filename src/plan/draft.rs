//! A plan in the making: the status between what is stored and what will be.
//!
//! Owns what every row of the table shares: targets, suspension, age, transition times, the next
//! wake-up. Must not know what a look brought. The invariant that would break first: a transition
//! time moves only if the status differs from the stored one.

use super::judge::{self, Verdict};
use super::{
    Memory, Object, Plan, Provided, STALL_AFTER, contents, events, failure, look, schedule,
};
use crate::api::condition::{self, Truth};
use crate::api::{ConditionType, ImageRefStatus, Reason, duration};
use crate::facts::FailureKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// A plan in the making.
pub(super) struct Draft<'a> {
    pub(super) object: Object<'a>,
    pub(super) provided: &'a Provided,
    pub(super) status: ImageRefStatus,
    pub(super) memory: Memory,
    pub(super) now: Timestamp,
    /// A look was answered or failed, as opposed to none having been made.
    pub(super) looked: bool,
    /// The spec is another than the one that the status is about.
    pub(super) edited: bool,
}

impl Draft<'_> {
    /// Drops what is about another target, and what an edit acknowledges.
    pub(super) fn enter(&mut self) {
        if schedule::target_changed(&self.object, self.provided, &self.status) {
            self.status.drop_facts();
            for type_ in [
                ConditionType::Stale,
                ConditionType::Compliant,
                ConditionType::Drifted,
            ] {
                condition::remove(&mut self.status.conditions, type_);
            }
            self.memory = Memory::default();
            look::pending(self);
        }
        if let Some(provider) = self.provided.provider() {
            self.status.provider = Some(provider.to_ref());
        }
        self.edited = self.status.observed_generation != Some(self.object.generation);
        self.status.observed_generation = Some(self.object.generation);
        for condition in &mut self.status.conditions {
            condition.observed_generation = Some(self.object.generation);
        }
        contents::forget(self.object.spec, &mut self.status);
        if self.edited {
            condition::remove(&mut self.status.conditions, ConditionType::Drifted);
            // A shorter interval takes effect now; a longer one after the look already planned.
            let next = schedule::regular(&self.object, self.interval(), self.now);
            self.memory.next_look = match (self.memory.next_look, next) {
                (Some(planned), Some(next)) => Some(planned.min(next)),
                (planned, _) => planned,
            };
            let spec = self.object.spec;
            let for_good = spec.interval().is_zero() && contents::is_missing(spec, &self.status);
            if contents::expected_unread(spec, &self.status) || for_good {
                self.memory.next_look = Some(self.now);
            }
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.provided.interval(self.object.spec)
    }

    /// The provider does not serve this namespace (any more).
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(
            self.provided,
            Provided::Unavailable { failure: why, .. } if why.kind == FailureKind::ProviderNotAllowed
        )
    }

    pub(super) fn suspended(&self) -> bool {
        self.object.spec.suspend
            || matches!(
                self.provided,
                Provided::Target {
                    suspended: true,
                    ..
                }
            )
    }

    pub(super) fn suspend(&mut self) {
        if self.has_facts() {
            look::withdraw(self);
        }
        let ready = ConditionType::Ready;
        if condition::has_reason(&self.status.conditions, ready, Reason::ProviderNotAllowed) {
            // Facts that the provider does not accept are gone; only a look can bring others.
            self.memory = Memory::default();
            return;
        }
        let truth = match condition::find(&self.status.conditions, ConditionType::Ready) {
            Some(ready) if ready.status == Truth::True.as_str() => Truth::True,
            Some(ready) if ready.status == Truth::False.as_str() => Truth::False,
            _ => Truth::Unknown,
        };
        let whose = if self.object.spec.suspend {
            "spec.suspend"
        } else {
            "the provider's spec.suspend"
        };
        let message = format!("{whose} is set: the platform is not asked until it is removed");
        self.set(ConditionType::Ready, truth, Reason::Suspended, &message);
        for type_ in [ConditionType::Reconciling, ConditionType::Stalled] {
            condition::remove(&mut self.status.conditions, type_);
        }
        if truth != Truth::Unknown || contents::registry_failed(&self.status) {
            // Without Stale, age starts anew after the suspension: it never runs during one. An
            // answer that had expired keeps it, or it would be served again without a look.
            condition::remove(&mut self.status.conditions, ConditionType::Stale);
        }
        self.memory = Memory::default();
    }

    pub(super) fn set(
        &mut self,
        type_: ConditionType,
        truth: Truth,
        reason: Reason,
        message: &str,
    ) {
        let generation = self.object.generation;
        condition::set(
            &mut self.status.conditions,
            type_,
            truth,
            reason,
            message,
            generation,
            self.now,
        );
    }

    pub(super) fn has_facts(&self) -> bool {
        self.status.image_id.is_some()
    }

    /// Writes a verdict's conditions.
    pub(super) fn conclude(&mut self, verdict: &Verdict) {
        self.set(
            ConditionType::Ready,
            verdict.ready,
            verdict.reason,
            &verdict.message,
        );
        // Never both: tools that read kstatus take the first they find.
        let (working, idle) = (ConditionType::Reconciling, ConditionType::Stalled);
        match verdict.progress {
            judge::Progress::Done => {
                condition::remove(&mut self.status.conditions, working);
                condition::remove(&mut self.status.conditions, idle);
            }
            judge::Progress::Working(reason) => {
                condition::remove(&mut self.status.conditions, idle);
                self.set(working, Truth::True, reason, &verdict.message);
            }
            judge::Progress::Stalled => {
                condition::remove(&mut self.status.conditions, working);
                self.set(idle, Truth::True, verdict.reason, &verdict.message);
            }
        }
        match &verdict.compliant {
            Some((truth, reason, message)) => {
                self.set(ConditionType::Compliant, *truth, *reason, message);
            }
            None => condition::remove(&mut self.status.conditions, ConditionType::Compliant),
        }
    }

    /// Whether the answer could not be confirmed for longer than it may be served. Age does not
    /// run for a reference that is looked up only once.
    pub(super) fn is_too_old(&self) -> bool {
        let spec = self.object.spec;
        self.ageing().is_some_and(|stale| {
            !self.interval().is_zero() && self.since(stale) > spec.max_staleness()
        })
    }

    /// Stale, if it is about the platform: what a registry cannot confirm does not age.
    fn ageing(&self) -> Option<&Condition> {
        condition::find(&self.status.conditions, ConditionType::Stale)
            .filter(|stale| !contents::is_registrys(stale))
    }

    /// How long a condition has had its status; a time in the future counts as now.
    fn since(&self, condition: &Condition) -> Duration {
        self.now
            .duration_since(condition.last_transition_time.0.min(self.now))
            .unsigned_abs()
    }

    /// The answer may not be served any longer.
    pub(super) fn expire(&mut self) {
        let why = condition::find(&self.status.conditions, ConditionType::Stale)
            .map_or("", |stale| stale.message.as_str());
        let limit = duration::format(self.object.spec.max_staleness());
        let message = format!(
            "the answer could not be confirmed for longer than maxStaleness ({limit}): {why}"
        );
        self.set(
            ConditionType::Ready,
            Truth::Unknown,
            Reason::StaleTooLong,
            &message,
        );
    }

    /// What time alone does: a stale answer expires, a first look that keeps failing stalls.
    pub(super) fn age(&mut self) {
        if condition::is_true(&self.status.conditions, ConditionType::Ready) && self.is_too_old() {
            self.expire();
        }
        if let Some(working) = self.first_look()
            && self.since(working) >= STALL_AFTER
        {
            let message = working.message.clone();
            failure::stall(self, &message);
        }
    }

    /// Reconciling, while the first look keeps failing.
    fn first_look(&self) -> Option<&Condition> {
        condition::find(&self.status.conditions, ConditionType::Reconciling)
            .filter(|c| c.reason == Reason::ProgressingWithRetry.as_str())
            .filter(|_| self.status.resolved_for.is_none())
    }

    pub(super) fn finish(mut self, previous: &ImageRefStatus) -> Plan {
        let unconfirmed = condition::has_reason(
            &self.status.conditions,
            ConditionType::Stale,
            Reason::NotFoundUnconfirmed,
        );
        let was_unconfirmed = condition::has_reason(
            &previous.conditions,
            ConditionType::Stale,
            Reason::NotFoundUnconfirmed,
        );
        // The time of the first of several unconfirmed looks stays: the second look is measured
        // against it.
        if self.looked && !(unconfirmed && was_unconfirmed) {
            self.status.last_checked_time = Some(Time(self.now));
        }
        if self.looked {
            let failures = i32::try_from(self.memory.failures).unwrap_or(i32::MAX);
            self.status.consecutive_failures = (failures > 0).then_some(failures);
        }
        self.keep_transition_times(previous);
        self.await_next_look();
        let limit = self.object.spec.history_limit();
        self.status.history.truncate(limit);
        let write = self.status.differs(previous) || self.heartbeat(previous);
        let events = events::between(previous, &self.status);
        let requeue = self.requeue();
        Plan {
            status: self.status,
            write,
            events,
            memory: self.memory,
            requeue,
        }
    }

    /// Nothing but its own requeue brings an unchanged reference back, and the memory that knew the
    /// time is gone after a restart or a change of target.
    fn await_next_look(&mut self) {
        if self.looked || self.memory.next_look.is_some() {
            return;
        }
        let now = self.now;
        self.memory.next_look =
            match schedule::due(&self.object, self.provided, &self.status, &self.memory, now) {
                schedule::Due::Now => Some(now),
                schedule::Due::At(at) => Some(at),
                schedule::Due::Never => None,
            };
    }

    /// Conditions may have come and gone within this plan; what counts is what is stored. A registry
    /// and a platform that fail one after the other are two things that share a condition: the age of
    /// the one says nothing about the other.
    fn keep_transition_times(&mut self, previous: &ImageRefStatus) {
        for condition in &mut self.status.conditions {
            let stored = previous
                .conditions
                .iter()
                .find(|old| old.type_ == condition.type_ && old.status == condition.status)
                .filter(|old| contents::is_registrys(old) == contents::is_registrys(condition));
            if let Some(stored) = stored {
                condition.last_transition_time = stored.last_transition_time.clone();
            }
        }
    }

    /// A good answer that was confirmed again is written now and then, so that a restart knows
    /// about how old it is.
    fn heartbeat(&self, previous: &ImageRefStatus) -> bool {
        let every = self.object.spec.max_staleness() / 4;
        self.looked
            && self.memory.failures == 0
            && previous
                .last_checked_time
                .as_ref()
                .is_some_and(|t| self.now.duration_since(t.0).unsigned_abs() >= every)
    }

    fn requeue(&self) -> Option<Duration> {
        let until = |at: Timestamp| {
            let wait = self.now.duration_until(at);
            if wait.is_negative() {
                Duration::ZERO
            } else {
                wait.unsigned_abs()
            }
        };
        let conditions = &self.status.conditions;
        let expires = self
            .ageing()
            .filter(|_| condition::is_true(conditions, ConditionType::Ready))
            .filter(|_| !self.interval().is_zero())
            .and_then(|stale| {
                let past = self.object.spec.max_staleness() + Duration::from_secs(1);
                stale.last_transition_time.0.checked_add(past).ok()
            });
        let stalls = self
            .first_look()
            .and_then(|c| c.last_transition_time.0.checked_add(STALL_AFTER).ok());
        // Coming back during a pause would find nothing due, again and again.
        let next_look = self.memory.next_look.max(
            self.memory
                .paused_until
                .filter(|_| self.memory.next_look.is_some()),
        );
        [next_look, expires, stalls]
            .into_iter()
            .flatten()
            .map(until)
            .min()
    }
}
