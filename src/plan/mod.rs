//! What becomes of one `ImageRef`: spec + what a look brought + previous status + clock → plan.
//!
//! Owns the state machine. Must not know how a look is made or a status is written: no client, no
//! HTTP, no clock of its own. It never fails: every failure is a state that the status can show.
//! The invariant that would break first: the same input twice changes nothing, so nothing is
//! written unless a fact or a condition changed.

mod contents;
mod draft;
pub mod drift;
mod events;
mod expect;
mod failure;
pub mod judge;
mod look;
mod outlook;
pub mod schedule;
pub mod target;

pub use contents::{Contents, contents_due, known_content, platform_failed};
use draft::Draft;
pub use events::Event;
pub use judge::Verdict;
pub use outlook::{Outlook, outlook};
pub use schedule::{Due, confirms_from, due, max_age};
pub use target::{Account, ProviderId, Query, Target};

use crate::api::provider::Accept;
use crate::api::{ImageRefSpec, ImageRefStatus};
use crate::facts::{Facts, Failure, FailureKind};
use k8s_openapi::jiff::Timestamp;
use std::sync::Arc;
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
#[expect(
    clippy::large_enum_variant,
    reason = "one lives for the time of one plan"
)]
pub enum Provided {
    /// A provider that can be asked.
    Target {
        /// The question.
        target: Target,
        /// Bounds on the answer.
        accept: Option<Accept>,
        /// The provider is suspended.
        suspended: bool,
        /// The shortest interval at which its platform may be asked about one reference.
        min_interval: Duration,
    },
    /// No provider that can be asked.
    Unavailable {
        /// The provider meant, if that is known.
        provider: Option<ProviderId>,
        /// Why not: one of the classes about providers and specs.
        failure: Failure,
    },
}

impl Provided {
    /// How often a reference is looked at: as it asks, and no more often than its provider allows.
    /// `0s` stays `0s`.
    pub fn interval(&self, spec: &ImageRefSpec) -> Duration {
        let asked = spec.interval();
        match self {
            Self::Target { min_interval, .. } if !asked.is_zero() => asked.max(*min_interval),
            _ => asked,
        }
    }

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
    Found {
        /// The image.
        facts: Arc<Facts>,
        /// When the platform said so: now, or before if it was asked for others. Later than now
        /// counts as now.
        as_of: Timestamp,
        /// What its registry added.
        contents: Contents,
    },
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
    /// When the registry was first asked in vain, since it last answered.
    pub unread_since: Option<Timestamp>,
    /// Failed reads of the registry in a row, for a digest that is not known yet.
    pub unread: u32,
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
        edited: false,
    };
    draft.enter();
    if draft.is_forbidden() {
        // Rights hold at once, also while suspended: a tenant can suspend a reference itself.
        look::apply(&mut draft, Look::NotDue);
    } else if draft.suspended() {
        draft.suspend();
    } else if let Some(message) = &object.spec.unreadable {
        let unreadable = Failure::new(FailureKind::InvalidSpec, message.clone());
        failure::failed(&mut draft, &unreadable);
    } else {
        look::apply(&mut draft, look);
    }
    draft.age();
    draft.finish(previous)
}
