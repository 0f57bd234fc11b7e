//! Users and keys that a cloud refused, whichever providers name them.
//!
//! Owns how often one of them may be refused. Must not know what was tried: proofs that differ in
//! region, project, agency or life are tries of one user, and the cloud that locks the user counts
//! them together. The invariant that would break first: **the whole user or key is the principal**,
//! so who names another's user with another password holds up nobody but himself.

use crate::cloud::refusal::LONGEST_MESSAGE;
use crate::facts::{Failure, FailureKind};
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Refusals within `WINDOW` after which a principal is left alone. More than one: an agency that
/// does not trust its user is refused in the same words as the user.
const BUDGET: usize = 3;
/// The time that refusals are counted over.
const WINDOW: Duration = Duration::from_secs(600);
/// Principals that are remembered at once.
const CAPACITY: usize = 8192;

/// A whole user or key: name and secret, and nothing of what it is used for. Not to be printed: a
/// weak password could be guessed from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal([u8; 32]);

impl Principal {
    pub(super) const fn new(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal")
    }
}

#[derive(Default)]
struct Known {
    /// The last refusals, [`BUDGET`] at most; a success forgets them.
    refusals: Vec<Timestamp>,
    last: Option<Failure>,
    accepted: bool,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Known {
    /// What is left of the rest.
    fn left(&self, now: Timestamp) -> Option<Duration> {
        let counted = || self.refusals.iter().filter_map(|at| left_of(*at, now));
        // The oldest one that counts is the first to be forgotten.
        (counted().count() >= BUDGET).then(|| counted().min())?
    }

    fn counts(&self, now: Timestamp) -> bool {
        self.refusals.iter().any(|at| left_of(*at, now).is_some())
    }

    fn is_waited_for(&self) -> bool {
        Arc::strong_count(&self.turn) > 1
    }
}

/// What is left of the window that began at a refusal. A clock that was set back ends it.
fn left_of(at: Timestamp, now: Timestamp) -> Option<Duration> {
    let age = Duration::try_from(at.duration_until(now)).ok()?;
    WINDOW.checked_sub(age).filter(|left| !left.is_zero())
}

/// What is known of principals. One for the process, shared by all that sign in as them.
pub struct Refusals {
    capacity: usize,
    known: Mutex<HashMap<Principal, Known>>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refusals")
    }
}

impl Refusals {
    /// For so many principals at once.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Principal, Known>> {
        // Every change leaves an entry whole; a panic in between leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why this principal must not be tried now, with the time until it may be.
    pub fn refused(&self, principal: &Principal, now: Timestamp) -> Option<Failure> {
        let mut known = self.known();
        let Some(of) = known.get(principal) else {
            return (!make_room(&mut known, self.capacity, now)).then(crowded);
        };
        let left = of.left(now)?;
        let last = of.last.as_ref()?;
        let message = format!(
            "the same user or key was refused {BUDGET} times within {} minutes and rests, so that it is not locked: {}",
            WINDOW.as_secs() / 60,
            last.message
        );
        let message = message.chars().take(LONGEST_MESSAGE).collect();
        Some(Failure {
            message,
            retry_after: Some(left),
            ..last.clone()
        })
    }

    /// Takes in how a try of this principal ended. What is no refusal and no success says nothing of
    /// it.
    pub fn note<T>(&self, principal: &Principal, result: &Result<T, Failure>, now: Timestamp) {
        let refusal = match result {
            Ok(_) => None,
            Err(failure) if failure.kind == FailureKind::AuthenticationFailed => Some(failure),
            Err(_) => return,
        };
        let mut known = self.known();
        if !known.contains_key(principal) && !make_room(&mut known, self.capacity, now) {
            return;
        }
        let of = known.entry(*principal).or_default();
        of.accepted = refusal.is_none();
        of.last = refusal.cloned();
        if refusal.is_none() {
            of.refusals.clear();
            return;
        }
        of.refusals.retain(|at| left_of(*at, now).is_some());
        if of.refusals.len() >= BUDGET {
            of.refusals.remove(0);
        }
        of.refusals.push(now);
    }

    /// Tries a principal, if it may be tried. One that was not accepted the last time is tried by one
    /// caller at a time. Without a principal there is nothing to lock.
    ///
    /// # Errors
    /// That of `call`, or [`Refusals::refused`]'s; only the latter says when to try a refused one again.
    pub async fn attempt<T, F>(
        &self,
        principal: Option<Principal>,
        clock: impl Fn() -> Timestamp,
        call: impl FnOnce() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let Some(principal) = principal else {
            return unhurried(call().await);
        };
        let closed = |now| self.refused(&principal, now).map_or(Ok(()), Err);
        closed(clock())?;
        let turn = match self.turn(&principal, clock()) {
            Some(turn) => Some(turn.lock_owned().await),
            None => None,
        };
        // While waiting, another caller may have learned that there is no point.
        closed(clock())?;
        let result = unhurried(call().await);
        self.note(&principal, &result, clock());
        drop(turn);
        result
    }

    fn turn(&self, principal: &Principal, now: Timestamp) -> Option<Arc<tokio::sync::Mutex<()>>> {
        let mut known = self.known();
        if !known.contains_key(principal) {
            make_room(&mut known, self.capacity, now);
        }
        let of = known.entry(*principal).or_default();
        (!of.accepted).then(|| of.turn.clone())
    }
}

/// How long a refusal stands is not for the service to say.
fn unhurried<T>(result: Result<T, Failure>) -> Result<T, Failure> {
    result.map_err(|failure| match failure.kind {
        FailureKind::AuthenticationFailed => Failure {
            retry_after: None,
            ..failure
        },
        _ => failure,
    })
}

/// Room for one more. Who has many wrong keys cannot make refusals of others forgotten.
fn make_room(known: &mut HashMap<Principal, Known>, capacity: usize, now: Timestamp) -> bool {
    if known.len() >= capacity {
        known.retain(|_, of| of.counts(now) || of.is_waited_for());
    }
    known.len() < capacity
}

fn crowded() -> Failure {
    Failure {
        retry_after: Some(Duration::from_secs(30)),
        ..Failure::new(
            FailureKind::Throttled,
            "too many users and keys were refused lately; no new one is tried until some are forgotten",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn principal(number: u8) -> Principal {
        Principal([number; 32])
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn no(kind: FailureKind) -> Result<(), Failure> {
        Err(Failure::new(kind, "no"))
    }

    #[test]
    fn three_refusals_within_ten_minutes_are_the_last_until_they_are_over() {
        let refusals = Refusals::default();
        let refuse = |second| {
            let no = no(FailureKind::AuthenticationFailed);
            refusals.note(&principal(1), &no, at(second));
        };
        let left = |second| {
            let failure = refusals.refused(&principal(1), at(second));
            failure.map(|failure| failure.retry_after.unwrap().as_secs())
        };
        refuse(0);
        refuse(100);
        assert_eq!(left(100), None);
        refuse(200);
        assert_eq!(
            (left(200), left(599), left(600)),
            (Some(400), Some(1), None)
        );
        assert!(refusals.refused(&principal(2), at(200)).is_none());
        refuse(600);
        assert_eq!((left(600), left(700)), (Some(100), None));
        let failure = refusals.refused(&principal(1), at(600)).unwrap();
        assert_eq!(failure.kind, FailureKind::AuthenticationFailed);
        // A success forgets them, an outage says nothing, and a clock set back ends the rest.
        assert_eq!(left(-3600), None);
        refusals.note(&principal(1), &no(FailureKind::Unreachable), at(601));
        assert_eq!(left(601), Some(99));
        refusals.note(&principal(1), &Ok(()), at(602));
        assert_eq!(left(602), None);
    }

    #[test]
    fn refusals_are_bounded_and_not_forgotten_for_newcomers() {
        let refusals = Refusals::with_capacity(3);
        for number in 0..3 {
            let no = no(FailureKind::AuthenticationFailed);
            refusals.note(&principal(number), &no, at(0));
        }
        let crowded = refusals.refused(&principal(9), at(1)).unwrap();
        assert_eq!(crowded.kind, FailureKind::Throttled);
        refusals.note(&principal(9), &Ok(()), at(1));
        assert_eq!(refusals.known().len(), 3);
        assert!(refusals.known().contains_key(&principal(0)));
        assert!(refusals.refused(&principal(9), at(600)).is_none());
        refusals.note(&principal(9), &Ok(()), at(600));
        assert_eq!(refusals.known().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_never_accepted_is_tried_by_one_caller_at_a_time() {
        let refusals = Refusals::default();
        let (under_way, most, calls) = (
            AtomicUsize::new(0),
            AtomicUsize::new(0),
            AtomicUsize::new(0),
        );
        let attempt = |result: Result<(), Failure>| {
            refusals.attempt(
                Some(principal(1)),
                || at(0),
                || async {
                    calls.fetch_add(1, Ordering::Relaxed);
                    most.fetch_max(
                        under_way.fetch_add(1, Ordering::Relaxed) + 1,
                        Ordering::Relaxed,
                    );
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    under_way.fetch_sub(1, Ordering::Relaxed);
                    result
                },
            )
        };
        let wrong = || no(FailureKind::AuthenticationFailed);
        let all = futures::future::join_all((0..6).map(|_| attempt(wrong()))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(
            (calls.load(Ordering::Relaxed), most.load(Ordering::Relaxed)),
            (BUDGET, 1)
        );
        // Once accepted, nobody waits for another.
        refusals.note(&principal(1), &Ok(()), at(0));
        futures::future::join_all((0..4).map(|_| attempt(Ok(())))).await;
        assert_eq!(most.load(Ordering::Relaxed), 4);
    }
}
