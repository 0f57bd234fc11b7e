//! One entry a proof, and how many there are.
//!
//! Owns who makes room for a new one. Must not know what an entry holds. The invariant that would
//! break first: an entry is found by the whole proof and by nothing else, and what still counts is
//! not forgotten for a newcomer: a tenant with thousands of wrong proofs would have every other one
//! exchanged again.

use super::Proof;
use super::renewal::EXCHANGE_GAP;
use crate::facts::{Failure, FailureKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What nobody has asked for in so long is dropped, and its secrets wiped.
pub(super) const IDLE: Duration = Duration::from_secs(2 * 3600);
/// What is in use is asked for every minute, by the provider that holds it.
const IN_USE: Duration = Duration::from_secs(600);

/// What decides whether an entry may go.
pub(super) enum Worth {
    /// It can go.
    Nothing,
    /// Worth keeping while somebody uses it.
    WhileInUse,
    /// It says that something must not be tried, or is being tried.
    Keep,
}

struct Held<T> {
    entry: Arc<T>,
    /// When it was last asked for.
    used: Duration,
}

/// Entries by proof.
pub(super) struct Entries<T> {
    capacity: usize,
    held: Mutex<HashMap<Proof, Held<T>>>,
}

impl<T: Default> Entries<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            held: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Proof, Held<T>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry of a proof; `now` is since some beginning.
    ///
    /// # Errors
    /// There are too many, and all of them count.
    pub(super) fn of(
        &self,
        proof: Proof,
        now: Duration,
        worth: impl Fn(&T) -> Worth,
    ) -> Result<Arc<T>, Failure> {
        let mut held = self.held();
        if !held.contains_key(&proof) {
            held.retain(|_, one| since(one, now) <= IDLE);
            if held.len() >= self.capacity {
                let oldest = held
                    .iter()
                    .filter(|(_, one)| match worth(&one.entry) {
                        Worth::Nothing => true,
                        Worth::WhileInUse => since(one, now) > IN_USE,
                        Worth::Keep => false,
                    })
                    .max_by_key(|(_, one)| since(one, now));
                let oldest = oldest.map(|(proof, _)| *proof).ok_or_else(crowded)?;
                held.remove(&oldest);
            }
        }
        let one = held.entry(proof).or_insert_with(|| Held {
            entry: Arc::default(),
            used: now,
        });
        one.used = now;
        Ok(one.entry.clone())
    }

    pub(super) fn forget(&self, proof: &Proof) {
        self.held().remove(proof);
    }

    pub(super) fn len(&self) -> usize {
        self.held().len()
    }
}

fn since<T>(one: &Held<T>, now: Duration) -> Duration {
    now.saturating_sub(one.used)
}

fn crowded() -> Failure {
    Failure {
        retry_after: Some(EXCHANGE_GAP),
        ..Failure::new(
            FailureKind::Throttled,
            "too many providers sign in, each in its own way; a new one waits until another has gone",
        )
    }
}
