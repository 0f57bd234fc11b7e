//! What the controller remembers of each reference between reconciles.
//!
//! Owns [`plan::Memory`] of every object. The invariant that would break first: an object that was
//! deleted and created again under its name starts with an empty memory.

use super::held::Key;
use super::observe::Version;
use crate::api::condition::{self, ConditionType};
use crate::api::{ImageRef, ImageRefStatus, Reason};
use crate::plan::{self, Look};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// First and longest delay after a write that failed.
const WRITE_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// How often a reference is put off whose own write the watch has not brought yet, and for how long at
/// first; twice as long each time, 25 seconds in all. Then it is taken as it is: an API server that was
/// restored from a backup counts its versions from an earlier one.
const PUT_OFF: (u8, Duration) = (8, Duration::from_millis(100));

/// How long an answer that could not be written stands in for a new one.
const UNWRITTEN_FOR: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Entry {
    memory: plan::Memory,
    /// The provider as last seen.
    provider: Option<Version>,
    write_failures: u32,
    /// How often its provider was too busy, in a row.
    turned_away: u32,
    /// The version of the object that the last write made, until the watch has brought it; else zero.
    written: u64,
    /// How often it was put off for that.
    put_off: u8,
    /// Since when somebody waits for an answer of that time or later: an edit, or a request.
    asked_since: Option<Timestamp>,
    /// Of when the last answer of its platform is.
    answered: Option<Timestamp>,
    /// What a look brought that could not be written, with its question and time: rare, and large.
    unwritten: Option<Box<(String, Look, Timestamp)>>,
}

#[derive(Default)]
pub(crate) struct Memories(Mutex<HashMap<Key, Entry>>);

impl Memories {
    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of an object. A changed provider makes a look due at once, unless there
    /// is a good answer: that one waits for its own time, or for another target.
    pub(crate) fn enter(
        &self,
        object: &ImageRef,
        provider: Version,
        now: Timestamp,
    ) -> plan::Memory {
        let mut entries = self.entries();
        let entry = entries.entry(Key::of(&object.metadata)).or_default();
        if is_asked_for(object) {
            entry.asked_since.get_or_insert(now);
        }
        let before = entry.provider.replace(provider);
        if let Some(before) = before.filter(|before| *before != provider) {
            // What was refused under the old proof says nothing of the new one.
            entry.unwritten = None;
            let status = object.status.as_ref();
            if before.only_recovered(provider) {
                if status.is_none_or(waits_for_the_platform) {
                    entry.memory = at_once(now);
                }
            } else if !is_settled(status) {
                entry.memory = at_once(now);
            }
        }
        if entry.memory.failures == 0 && entry.memory.next_look.is_none() {
            // After a restart: the back-off goes on where the status says it was.
            let failures = object.status.as_ref().and_then(|s| s.consecutive_failures);
            entry.memory.failures = failures.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        }
        entry.memory.clone()
    }

    /// The time that an answer must be of or later: since when somebody waits for one, or since looks
    /// fail. `None` if any that is young enough will do.
    pub(crate) fn not_before(&self, object: &ImageRef) -> Option<Timestamp> {
        let entries = self.entries();
        let entry = entries.get(&Key::of(&object.metadata))?;
        entry.asked_since.or(entry.memory.missed_since)
    }

    /// Notes that a provider was too busy; says when to come back.
    pub(crate) fn turned_away(&self, object: &ImageRef) -> Duration {
        let mut entries = self.entries();
        let entry = entries.entry(Key::of(&object.metadata)).or_default();
        let wait = super::look::busy(object, entry.turned_away);
        entry.turned_away = entry.turned_away.saturating_add(1);
        wait
    }

    /// Notes which version a write made of an object.
    pub(crate) fn wrote(&self, written: &ImageRef) {
        if let Some(entry) = self.entries().get_mut(&Key::of(&written.metadata)) {
            entry.written = version(written);
        }
    }

    /// How long to wait for the watch to bring what was last written of an object: without it, an answer
    /// would be taken for none, and be asked for again. `None` if it is there.
    pub(crate) fn put_off(&self, object: &ImageRef) -> Option<Duration> {
        let mut entries = self.entries();
        let entry = entries.get_mut(&Key::of(&object.metadata))?;
        let (most, first) = PUT_OFF;
        if version(object) < entry.written && entry.put_off < most {
            let wait = first * (1 << entry.put_off);
            entry.put_off += 1;
            return Some(wait);
        }
        (entry.written, entry.put_off) = (0, 0);
        None
    }

    /// Notes that a look was answered, with what is of this time or later.
    pub(crate) fn answered(&self, object: &ImageRef, as_of: Timestamp) {
        if let Some(entry) = self.entries().get_mut(&Key::of(&object.metadata)) {
            entry.asked_since = None;
            entry.answered = Some(as_of);
        }
    }

    /// The earliest of the last answers of these references: as remembered, or where nothing is, of the
    /// time that comes with the key.
    pub(crate) fn oldest_answer(
        &self,
        references: impl Iterator<Item = (Key, Option<Timestamp>)>,
    ) -> Option<Timestamp> {
        let entries = self.entries();
        let remembered = |key| entries.get(&key).and_then(|entry| entry.answered);
        references
            .filter_map(|(key, told)| remembered(key).or(told))
            .min()
    }

    /// What is remembered now.
    pub(crate) fn current(&self, object: &ImageRef) -> plan::Memory {
        let entries = self.entries();
        entries
            .get(&Key::of(&object.metadata))
            .map(|e| e.memory.clone())
            .unwrap_or_default()
    }

    pub(crate) fn remember(&self, object: &ImageRef, memory: plan::Memory) {
        if let Some(entry) = self.entries().get_mut(&Key::of(&object.metadata)) {
            entry.memory = memory;
            entry.turned_away = 0;
            entry.write_failures = 0;
            entry.unwritten = None;
        }
    }

    /// Keeps what a look brought, so that a failed write costs no second call.
    pub(crate) fn keep_unwritten(
        &self,
        object: &ImageRef,
        question: String,
        look: Look,
        now: Timestamp,
    ) {
        if let (Look::Found { .. } | Look::Failed(_), Some(entry)) =
            (&look, self.entries().get_mut(&Key::of(&object.metadata)))
        {
            let since = entry.unwritten.take().map_or(now, |kept| kept.2);
            entry.unwritten = Some(Box::new((question, look, since)));
        }
    }

    /// Takes what was kept, if it answers the same question and is not too old.
    pub(crate) fn take_unwritten(
        &self,
        object: &ImageRef,
        question: &str,
        now: Timestamp,
    ) -> Option<Look> {
        let mut entries = self.entries();
        let entry = entries.get_mut(&Key::of(&object.metadata))?;
        let (asked, look, since) = *entry.unwritten.clone()?;
        let fresh = now.duration_since(since.min(now)).unsigned_abs() < UNWRITTEN_FOR;
        if asked == question && fresh {
            return Some(look);
        }
        entry.unwritten = None;
        None
    }

    /// Counts a failed write; returns how long to wait.
    pub(crate) fn write_failed(&self, object: Key) -> Duration {
        let (base, ceiling) = WRITE_BACKOFF;
        let mut entries = self.entries();
        let entry = entries.entry(object).or_default();
        let wait = base
            .saturating_mul(1 << entry.write_failures.min(16))
            .min(ceiling);
        entry.write_failures = entry.write_failures.saturating_add(1);
        wait
    }

    pub(crate) fn retain(&self, held: &HashSet<Key>) {
        let mut entries = self.entries();
        entries.retain(|key, _| held.contains(key));
        if entries.capacity() > 4 * entries.len() {
            entries.shrink_to_fit();
        }
    }
}

/// Versions of one object are numbers that grow (API conventions of Kubernetes since 1.35, and true of
/// every API server on etcd before); what is none counts as the first.
fn version(object: &ImageRef) -> u64 {
    let version = object.metadata.resource_version.as_deref();
    version.and_then(|v| v.parse().ok()).unwrap_or_default()
}

/// Edited since its status was written, or asked for by the annotation. A new object is neither: what
/// others were told lately is good enough for it.
fn is_asked_for(object: &ImageRef) -> bool {
    let status = object.status.clone().unwrap_or_default();
    let seen = status.observed_generation.filter(|seen| *seen >= 0);
    let edited = seen.is_some_and(|seen| Some(seen) != object.metadata.generation);
    let subject = super::act::subject(object);
    edited || subject.object(object).unhandled_request(&status).is_some()
}

fn at_once(now: Timestamp) -> plan::Memory {
    plan::Memory {
        next_look: Some(now),
        ..plan::Memory::default()
    }
}

/// Whether it is the platform, or the way to it, that is in the way of an answer. What the platform
/// said in full stands until its time: a platform that recovers is not asked by everybody at once.
fn waits_for_the_platform(status: &ImageRefStatus) -> bool {
    let ready = |reason| condition::has_reason(&status.conditions, ConditionType::Ready, reason);
    plan::platform_failed(status)
        || [
            Reason::Progressing,
            Reason::StaleTooLong,
            Reason::AuthenticationFailed,
            Reason::PermissionDenied,
            Reason::ProviderNotReady,
            Reason::ProviderNotFound,
        ]
        .into_iter()
        .any(ready)
}

/// A good, confirmed answer.
fn is_settled(status: Option<&ImageRefStatus>) -> bool {
    status.is_some_and(|status| {
        condition::is_true(&status.conditions, ConditionType::Ready)
            && !condition::is_true(&status.conditions, ConditionType::Stale)
    })
}

#[cfg(test)]
mod tests;
