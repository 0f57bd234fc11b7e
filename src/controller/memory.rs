//! What the controller remembers of each reference between reconciles.
//!
//! Owns [`plan::Memory`] of every object. The invariant that would break first: an object that was
//! deleted and created again under its name starts with an empty memory.

use crate::api::condition::{self, ConditionType};
use crate::api::{ImageRef, ImageRefStatus};
use crate::plan;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// First and longest delay after a write that failed.
const WRITE_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

#[derive(Default)]
struct Entry {
    uid: String,
    memory: plan::Memory,
    /// The provider as last seen: its generation and its credential.
    provider: Option<String>,
    write_failures: u32,
}

#[derive(Default)]
pub(crate) struct Memories(Mutex<HashMap<ObjectRef<ImageRef>, Entry>>);

impl Memories {
    fn entries(&self) -> MutexGuard<'_, HashMap<ObjectRef<ImageRef>, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of an object. A changed provider makes a look due at once, unless there
    /// is a good answer: that one waits for its own time, or for another target.
    pub(crate) fn enter(&self, object: &ImageRef, provider: &str, now: Timestamp) -> plan::Memory {
        let uid = object.uid().unwrap_or_default();
        let mut entries = self.entries();
        let entry = entries.entry(ObjectRef::from_obj(object)).or_default();
        if entry.uid != uid {
            *entry = Entry {
                uid,
                ..Entry::default()
            };
        }
        let before = entry.provider.replace(provider.into());
        if before.is_some_and(|before| before != provider) && !is_settled(object.status.as_ref()) {
            entry.memory = plan::Memory {
                next_look: Some(now),
                ..plan::Memory::default()
            };
        }
        if entry.memory.failures == 0 && entry.memory.next_look.is_none() {
            // After a restart: the back-off goes on where the status says it was.
            let failures = object.status.as_ref().and_then(|s| s.consecutive_failures);
            entry.memory.failures = failures.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        }
        entry.memory.clone()
    }

    /// What is remembered now.
    pub(crate) fn current(&self, object: &ImageRef) -> plan::Memory {
        let entries = self.entries();
        entries
            .get(&ObjectRef::from_obj(object))
            .map(|e| e.memory.clone())
            .unwrap_or_default()
    }

    pub(crate) fn remember(&self, object: &ImageRef, memory: plan::Memory) {
        if let Some(entry) = self.entries().get_mut(&ObjectRef::from_obj(object)) {
            entry.memory = memory;
            entry.write_failures = 0;
        }
    }

    /// Counts a failed write; returns how long to wait.
    pub(crate) fn write_failed(&self, object: &ImageRef) -> Duration {
        let (base, ceiling) = WRITE_BACKOFF;
        let mut entries = self.entries();
        let entry = entries.entry(ObjectRef::from_obj(object)).or_default();
        let wait = base
            .saturating_mul(1 << entry.write_failures.min(16))
            .min(ceiling);
        entry.write_failures = entry.write_failures.saturating_add(1);
        wait
    }

    pub(crate) fn retain(&self, exists: impl Fn(&ObjectRef<ImageRef>) -> bool) {
        self.entries().retain(|key, _| exists(key));
    }
}

/// A good, confirmed answer.
fn is_settled(status: Option<&ImageRefStatus>) -> bool {
    status.is_some_and(|status| {
        condition::is_true(&status.conditions, ConditionType::Ready)
            && !condition::is_true(&status.conditions, ConditionType::Stale)
    })
}
