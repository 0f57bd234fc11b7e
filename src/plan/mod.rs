//! What becomes of one `ImageRef`: spec + what a look brought + previous status + clock → plan.
//!
//! Owns the state machine. Must not know how a look is made or a status is written: no client, no
//! HTTP, no clock of its own. It never fails: every failure is a state that the status can show.
//! The invariant that would break first: the same input twice changes nothing, so nothing is
//! written unless a fact or a condition changed.

pub mod drift;
pub mod judge;
pub mod look;
pub mod schedule;
pub mod target;

pub use judge::Verdict;
pub use schedule::{Due, due};
pub use target::{Account, ProviderId, Query, Target};

use crate::api::condition::{self, Truth};
use crate::api::provider::Accept;
use crate::api::{ConditionType, ImageRefSpec, ImageRefStatus, Reason, duration};
use crate::facts::{Facts, Failure};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// How long a first look may keep failing before the reference counts as stalled.
pub const STALL_AFTER: Duration = Duration::from_secs(15 * 60);

/// How long an image must have been missing before a second look may confirm it.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(5 * 60);

/// Longest kept part of the reconcile-requested annotation, in characters.
pub const REQUEST_LENGTH: usize = 64;

/// The object, as far as planning reads it.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// The spec.
    pub spec: &'a ImageRefSpec,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.uid`; spreads the looks.
    pub uid: &'a str,
    /// The reconcile-requested annotation.
    pub requested_at: Option<&'a str>,
}

impl Object<'_> {
    /// The annotation's value as it would be echoed, if it has not been acted on.
    pub fn unhandled_request(&self, status: &ImageRefStatus) -> Option<String> {
        let value: String = self.requested_at?.chars().take(REQUEST_LENGTH).collect();
        (status.last_handled_reconcile_at.as_deref() != Some(&value)).then_some(value)
    }
}

/// What the object's provider reference led to.
#[derive(Clone, Debug)]
pub enum Provided {
    /// A provider that can be asked.
    Target {
        /// The question.
        target: Target,
        /// Bounds on the answer.
        accept: Option<Accept>,
        /// The provider is suspended.
        suspended: bool,
    },
    /// No provider that can be asked.
    Unavailable {
        /// The provider meant, if that is known.
        provider: Option<ProviderId>,
        /// Why not: ProviderNotFound, ProviderNotReady, ProviderNotAllowed or InvalidSpec.
        failure: Failure,
    },
}

impl Provided {
    /// The provider meant, if that is known.
    pub fn provider(&self) -> Option<&ProviderId> {
        match self {
            Self::Target { target, .. } => Some(&target.provider),
            Self::Unavailable { provider, .. } => provider.as_ref(),
        }
    }
}

/// What the look brought.
#[derive(Clone, Debug)]
pub enum Look {
    /// A look is about to be made.
    Pending,
    /// None was made, because none is due.
    NotDue,
    /// The platform's answer.
    Found(Facts),
    /// A failure, of the platform or on the way to it.
    Failed(Failure),
}

/// What is remembered of an object between plans, outside the object. Losing it (a restart) is
/// safe: it costs nothing but the exact time of the next look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// When the next look is due; `None` if nothing is known yet.
    pub next_look: Option<Timestamp>,
    /// Before this no look is made, whoever asks: the platform wants a pause.
    pub paused_until: Option<Timestamp>,
    /// Failed looks in a row.
    pub failures: u32,
    /// When the first of them was due.
    pub missed_since: Option<Timestamp>,
}

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

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The status as it should be.
    pub status: ImageRefStatus,
    /// Whether that is worth a write.
    pub write: bool,
    /// Events of this transition.
    pub events: Vec<Event>,
    /// To be remembered.
    pub memory: Memory,
    /// When to come back; `None` = when something changes.
    pub requeue: Option<Duration>,
}

/// Everything a plan depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// The object.
    pub object: Object<'a>,
    /// Its status as stored.
    pub previous: &'a ImageRefStatus,
    /// Its provider.
    pub provided: &'a Provided,
    /// What the look brought.
    pub look: Look,
    /// What was remembered.
    pub memory: Memory,
    /// The time.
    pub now: Timestamp,
}

/// Decides. Total: any input gives a plan.
pub fn plan(input: Input<'_>) -> Plan {
    let Input {
        object,
        previous,
        provided,
        look,
        memory,
        now,
    } = input;
    let mut draft = Draft {
        object,
        provided,
        status: previous.clone(),
        memory,
        // Conditions and times are stored to the second; deciding on more would differ after a
        // round trip.
        now: Timestamp::from_second(now.as_second()).unwrap_or(now),
        looked: false,
    };
    let acknowledged = draft.enter();
    if draft.suspended() {
        draft.suspend();
    } else if let Some(message) = &object.spec.unreadable {
        let failure = Failure::new(crate::facts::FailureKind::InvalidSpec, message.clone());
        look::failed(&mut draft, &failure);
    } else {
        look::apply(&mut draft, look, acknowledged);
    }
    draft.age();
    draft.finish(previous)
}

/// A plan in the making.
pub(crate) struct Draft<'a> {
    pub(crate) object: Object<'a>,
    pub(crate) provided: &'a Provided,
    pub(crate) status: ImageRefStatus,
    pub(crate) memory: Memory,
    pub(crate) now: Timestamp,
    /// A look was answered or failed, as opposed to none having been made.
    pub(crate) looked: bool,
}

impl Draft<'_> {
    /// Drops what is about another target; returns whether the user acknowledged a drift.
    fn enter(&mut self) -> bool {
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
        let edited = self.status.observed_generation != Some(self.object.generation);
        self.status.observed_generation = Some(self.object.generation);
        for condition in &mut self.status.conditions {
            condition.observed_generation = Some(self.object.generation);
        }
        let acknowledged = edited || self.object.unhandled_request(&self.status).is_some();
        if edited {
            condition::remove(&mut self.status.conditions, ConditionType::Drifted);
            // A shorter interval takes effect now; a longer one after the look already planned.
            let next = schedule::regular(&self.object, self.now);
            self.memory.next_look = match (self.memory.next_look, next) {
                (Some(planned), Some(next)) => Some(planned.min(next)),
                (planned, _) => planned,
            };
        }
        acknowledged
    }

    fn suspended(&self) -> bool {
        self.object.spec.suspend
            || matches!(
                self.provided,
                Provided::Target {
                    suspended: true,
                    ..
                }
            )
    }

    fn suspend(&mut self) {
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
        if truth != Truth::Unknown {
            // Without Stale, age starts anew after the suspension: it never runs during one. An
            // answer that had expired keeps it, or it would be served again without a look.
            condition::remove(&mut self.status.conditions, ConditionType::Stale);
        }
        self.memory = Memory::default();
    }

    pub(crate) fn set(
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

    pub(crate) fn has_facts(&self) -> bool {
        self.status.image_id.is_some()
    }

    /// Writes a verdict's conditions.
    pub(crate) fn conclude(&mut self, verdict: &Verdict) {
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
    pub(crate) fn is_too_old(&self) -> bool {
        let spec = self.object.spec;
        condition::find(&self.status.conditions, ConditionType::Stale).is_some_and(|stale| {
            !spec.interval().is_zero() && self.since(stale) > spec.max_staleness()
        })
    }

    /// How long a condition has had its status; a time in the future counts as now.
    fn since(&self, condition: &Condition) -> Duration {
        self.now
            .duration_since(condition.last_transition_time.0.min(self.now))
            .unsigned_abs()
    }

    /// What time alone does: a stale answer expires, a first look that keeps failing stalls.
    fn age(&mut self) {
        let conditions = &self.status.conditions;
        if let Some(stale) = condition::find(conditions, ConditionType::Stale)
            && condition::is_true(conditions, ConditionType::Ready)
            && self.is_too_old()
        {
            let message = format!(
                "the answer could not be confirmed for longer than maxStaleness ({}): {}",
                duration::format(self.object.spec.max_staleness()),
                stale.message
            );
            self.set(
                ConditionType::Ready,
                Truth::Unknown,
                Reason::StaleTooLong,
                &message,
            );
        }
        if let Some(working) = self.first_look()
            && self.since(working) >= STALL_AFTER
        {
            let message = working.message.clone();
            look::stall(self, &message);
        }
    }

    /// Reconciling, while the first look keeps failing.
    fn first_look(&self) -> Option<&Condition> {
        condition::find(&self.status.conditions, ConditionType::Reconciling)
            .filter(|c| c.reason == Reason::ProgressingWithRetry.as_str())
            .filter(|_| self.status.resolved_for.is_none())
    }

    fn finish(mut self, previous: &ImageRefStatus) -> Plan {
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
        let events = events(previous, &self.status);
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
        if self.looked || self.memory.next_look.is_some() || self.suspended() {
            return;
        }
        let now = self.now;
        self.memory.next_look =
            match due(&self.object, self.provided, &self.status, &self.memory, now) {
                Due::Now => Some(now),
                Due::At(at) => Some(at),
                Due::Never => None,
            };
    }

    /// Conditions may have come and gone within this plan; what counts is what is stored.
    fn keep_transition_times(&mut self, previous: &ImageRefStatus) {
        for condition in &mut self.status.conditions {
            let stored = previous
                .conditions
                .iter()
                .find(|old| old.type_ == condition.type_ && old.status == condition.status);
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
        let expires = condition::find(conditions, ConditionType::Stale)
            .filter(|_| condition::is_true(conditions, ConditionType::Ready))
            .filter(|_| !self.object.spec.interval().is_zero())
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

/// Events are for transitions of what users act on; an outage has its event on the provider.
fn events(before: &ImageRefStatus, after: &ImageRefStatus) -> Vec<Event> {
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
