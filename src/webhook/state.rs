//! What the webhook knows: declared images and labels of namespaces, kept fresh by watches.
//!
//! Owns the memory that verdicts read, who is told of changes, and how old it may be. Must not know
//! how a watch runs or how a request arrives. The invariant that would break first: readers see the
//! references of one moment, never a list half read.

use crate::admission::{Configuration, Known, KnownRef};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// For how long a watch may fail before what is known counts as old.
const OLD_AFTER: Duration = Duration::from_secs(30);

/// Labels of a namespace: those of admission.
pub type Labels = BTreeMap<String, String>;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// Declared images.
    ImageRefs,
    /// Labels of namespaces.
    Namespaces,
}

impl Watched {
    /// Everything that is watched.
    pub const ALL: [Self; 2] = [Self::ImageRefs, Self::Namespaces];

    /// The name in messages and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImageRefs => "ImageRefs",
            Self::Namespaces => "Namespaces",
        }
    }
}

/// How a watch fares.
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    /// Whether a whole list was read once.
    listed: bool,
    /// Its first failure after the last word from the API server.
    failing_since: Option<Instant>,
}

struct Memory {
    known: Known,
    namespaces: HashMap<String, Labels>,
}

/// What the webhook knows.
pub struct State {
    configuration: Configuration,
    memory: RwLock<Memory>,
    changes: watch::Sender<u64>,
    health: Mutex<[Health; Watched::ALL.len()]>,
}

impl State {
    /// Nothing known yet.
    pub fn new(configuration: Configuration) -> Self {
        let known = Known::new(configuration.mirrors());
        Self {
            configuration,
            memory: RwLock::new(Memory {
                known,
                namespaces: HashMap::new(),
            }),
            changes: watch::Sender::new(0),
            health: Mutex::default(),
        }
    }

    /// What the operator set.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Reads references and the namespace's labels as they are at this moment; `None` for a
    /// namespace that is not known. Nothing may wait inside.
    pub fn read<T>(&self, namespace: &str, read: impl FnOnce(&Known, Option<&Labels>) -> T) -> T {
        // A panic under the lock leaves a reference at most half in; it is put in again by its
        // next change, and others are not touched.
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        read(&memory.known, memory.namespaces.get(namespace))
    }

    /// Tells of each change from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A reference is there, or is as it is now.
    pub fn put_reference(&self, reference: KnownRef) {
        self.change(|memory| memory.known.insert(reference));
    }

    /// A reference is gone.
    pub fn remove_reference(&self, namespace: &str, name: &str) {
        self.change(|memory| memory.known.remove(namespace, name));
    }

    /// These are all references; `known` must have been made with the configuration's mirrors.
    pub fn replace_references(&self, known: Known) {
        let old = self.change(|memory| std::mem::replace(&mut memory.known, known));
        self.listed(Watched::ImageRefs);
        // Takes a while for many, and no reader waits for it here.
        drop(old);
    }

    /// A namespace is there, with these labels.
    pub fn put_namespace(&self, name: &str, labels: Labels) {
        self.change(|memory| {
            memory.namespaces.insert(name.to_owned(), labels);
        });
    }

    /// A namespace is gone.
    pub fn remove_namespace(&self, name: &str) {
        self.change(|memory| {
            memory.namespaces.remove(name);
        });
    }

    /// These are all namespaces.
    pub fn replace_namespaces(&self, namespaces: HashMap<String, Labels>) {
        let old = self.change(|memory| std::mem::replace(&mut memory.namespaces, namespaces));
        self.listed(Watched::Namespaces);
        drop(old);
    }

    /// The API server answered this watch.
    pub fn heard(&self, watched: Watched) {
        self.health()[watched as usize].failing_since = None;
    }

    /// This watch failed.
    pub fn failed(&self, watched: Watched, now: Instant) {
        let since = &mut self.health()[watched as usize].failing_since;
        since.get_or_insert(now);
    }

    /// Whether all that verdicts read was listed once.
    pub fn is_ready(&self) -> bool {
        self.health().iter().all(|health| health.listed)
    }

    /// Which watch is broken, and since when, in a sentence: it failed, and the API server has not
    /// answered it for half a minute since. One that is quiet is not broken.
    pub fn is_old(&self, now: Instant) -> Option<String> {
        let health = *self.health();
        let broken = Watched::ALL.into_iter().filter_map(|watched| {
            let since = health[watched as usize].failing_since?;
            let age = now.saturating_duration_since(since);
            (age >= OLD_AFTER).then_some((age, watched))
        });
        let (age, watched) = broken.max()?;
        Some(format!(
            "the watch of {} has been failing for {} s, and later changes are not known here",
            watched.as_str(),
            age.as_secs()
        ))
    }

    fn listed(&self, watched: Watched) {
        self.health()[watched as usize] = Health {
            listed: true,
            failing_since: None,
        };
    }

    fn health(&self) -> MutexGuard<'_, [Health; Watched::ALL.len()]> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        let done = change(&mut self.memory.write().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|number| *number += 1);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_that_has_failed_longest_is_named_until_it_is_heard_of_again() {
        let state = State::new(Configuration::default());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(state.is_old(at(1_000)), None, "quiet is not broken");
        state.failed(Watched::Namespaces, at(0));
        state.failed(Watched::ImageRefs, at(5));
        state.failed(Watched::Namespaces, at(20));
        assert_eq!(state.is_old(at(29)), None);
        let says = state.is_old(at(40)).unwrap();
        assert!(
            says.contains("Namespaces has been failing for 40 s"),
            "{says}"
        );
        state.heard(Watched::Namespaces);
        let says = state.is_old(at(40)).unwrap();
        assert!(
            says.contains("ImageRefs has been failing for 35 s"),
            "{says}"
        );
        state.heard(Watched::ImageRefs);
        assert_eq!(state.is_old(at(1_000)), None);
    }
}
