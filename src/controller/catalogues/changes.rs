//! Which namespaces have references that changed, as far as catalogues read them.
//!
//! Owns a clock that turns with each change, and who is told. Must not know what is in a catalogue.
//! The invariant that would break first: whoever read the clock before the store has seen every
//! change up to it.

use crate::api::condition::Truth;
use crate::controller::held::Held;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// At what time of the clock something last changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Last {
    /// Anything.
    pub(super) change: u64,
    /// Something of a reference that might be used until then.
    pub(super) loss: u64,
}

#[derive(Default)]
struct Book {
    clock: u64,
    namespaces: HashMap<Box<str>, Last>,
    untold: HashSet<Box<str>>,
}

/// The changes since the process began.
#[derive(Default)]
pub(crate) struct Changes {
    book: Mutex<Book>,
    told: Notify,
}

impl Changes {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a reference before and after; the store has it as it is after.
    pub(crate) fn note(&self, before: Option<&Held>, after: Option<&Held>) {
        let listed = |held: Option<&Held>| held.map_or(0, Held::listed);
        if listed(before) == listed(after) {
            return;
        }
        let Some(held) = after.or(before) else {
            return;
        };
        let was_usable = before
            .filter(|held| held.listed() != 0)
            .is_some_and(|held| {
                let ready = held.ready().and_then(|ready| ready.truth);
                ready == Some(Truth::True)
            });
        let mut book = self.book();
        book.clock += 1;
        let clock = book.clock;
        let namespace: Box<str> = held.namespace().into();
        let last = book.namespaces.entry(namespace.clone()).or_default();
        last.change = clock;
        if was_usable {
            last.loss = clock;
        }
        book.untold.insert(namespace);
        drop(book);
        self.told.notify_one();
    }

    /// The time. To be read before the store.
    pub(super) fn clock(&self) -> u64 {
        self.book().clock
    }

    /// When something last changed in any of these.
    pub(super) fn last(&self, namespaces: &[&str]) -> Last {
        let book = self.book();
        let of = namespaces
            .iter()
            .filter_map(|name| book.namespaces.get(*name));
        of.fold(Last::default(), |all, last| Last {
            change: all.change.max(last.change),
            loss: all.loss.max(last.loss),
        })
    }

    /// Waits for changes that nobody was told of.
    pub(super) async fn wait(&self) {
        while self.book().untold.is_empty() {
            self.told.notified().await;
        }
    }

    /// The namespaces of these changes. Those that nobody is `interested` in are forgotten.
    pub(super) fn take(&self, interested: impl Fn(&str) -> bool) -> HashSet<Box<str>> {
        let mut book = self.book();
        let mut untold = std::mem::take(&mut book.untold);
        untold.retain(|namespace| {
            let kept = interested(namespace);
            if !kept {
                book.namespaces.remove(namespace);
            }
            kept
        });
        untold
    }
}
