//! What the webhook knows: declared images and labels of namespaces, kept fresh by watches.
//!
//! Owns the memory that verdicts read and who is told of changes. Must not know how a watch runs or
//! how a request arrives. The invariant that would break first: readers see the references of one
//! moment, never a list half read.

use crate::admission::{Configuration, Known, KnownRef};
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};
use tokio::sync::watch;

/// Labels of a namespace: those of admission.
pub type Labels = BTreeMap<String, String>;

struct Memory {
    known: Known,
    namespaces: HashMap<String, Labels>,
}

/// What the webhook knows.
pub struct State {
    configuration: Configuration,
    memory: RwLock<Memory>,
    changes: watch::Sender<u64>,
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

    fn change(&self, change: impl FnOnce(&mut Memory)) {
        change(&mut self.memory.write().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|number| *number += 1);
    }
}
