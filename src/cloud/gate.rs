//! What stands between many references and one account at its platform.
//!
//! Owns the number of calls under way, the pauses a platform asks for, and credentials that were
//! refused, for each proof of identity: providers with equal proof share one gate, as their platform
//! counts them as one. Must not know what is asked or who asks. The invariant that would break first: a
//! refused credential is not tried again by the next reference, since a handful of failures locks
//! an access key for everybody.

use super::identity::Proof;
use crate::facts::{Failure, FailureKind};
use crate::plan::Account;
use jiff::Timestamp;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Calls under way at once for one provider. Huawei locks an access key after more than five
/// failures in a row, so fewer than that may fail together.
pub const CONCURRENT: usize = 4;

/// Callers that may wait for a place; more come back later, so that one slow platform does not hold
/// every worker.
pub const QUEUE: usize = 16;

/// How long a refused credential is left alone; a changed Secret ends it at once.
pub const REFUSED_FOR: Duration = Duration::from_secs(600);

/// How long to pause when a throttling platform does not say.
pub const DEFAULT_PAUSE: Duration = Duration::from_secs(30);

/// Failures in a row before a provider counts as failing: one error is a passing matter.
pub const FAILING_AFTER: u32 = 3;

/// How a provider's platform has been answering.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Health {
    /// Nothing was asked yet.
    #[default]
    Unknown,
    /// It answers.
    Answering,
    /// It does not, for this reason.
    Failing(Failure),
}

#[derive(Default)]
struct State {
    paused: Option<(Timestamp, Failure)>,
    refused: Option<([u8; 32], Timestamp, Failure)>,
    accepted: Option<[u8; 32]>,
    failures: u32,
    health: Health,
    recoveries: u32,
}

/// The gate of one provider.
pub struct Gate {
    places: Semaphore,
    waiting: AtomicUsize,
    first: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

impl Gate {
    fn new() -> Self {
        Self {
            places: Semaphore::new(CONCURRENT),
            waiting: AtomicUsize::new(0),
            first: tokio::sync::Mutex::new(()),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is a few plain values; a panic in between leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the platform has been answering.
    pub fn health(&self) -> Health {
        self.state().health.clone()
    }

    /// How often the platform answered again after an outage or a refusal.
    pub fn recoveries(&self) -> u32 {
        self.state().recoveries
    }

    /// The pause that the platform asked for, if it is not over.
    pub fn pause(&self, now: Timestamp) -> Option<(Timestamp, Failure)> {
        self.state()
            .paused
            .clone()
            .filter(|(until, _)| now < *until)
    }

    /// Why no call may be made now.
    fn closed(&self, fingerprint: &[u8; 32], now: Timestamp) -> Option<Failure> {
        let state = self.state();
        if let Some((refused, until, failure)) = &state.refused
            && refused == fingerprint
            && now < *until
        {
            return Some(failure.clone());
        }
        let (until, failure) = state.paused.as_ref()?;
        let left = now.duration_until(*until);
        (left.is_positive()).then(|| Failure {
            retry_after: Some(left.unsigned_abs()),
            ..failure.clone()
        })
    }

    /// The failure that the platform is known to answer everybody with.
    fn outage(&self) -> Option<Failure> {
        match &self.state().health {
            Health::Failing(failure) if is_passing(failure.kind) => Some(failure.clone()),
            _ => None,
        }
    }

    /// Makes a call with the credential of this fingerprint, or says at once why none can be made. `None`: too many are waiting already,
    /// come back later. A credential that has never been accepted is tried by one caller at a time, and
    /// so is a platform that fails everybody.
    pub async fn pass<T, F>(
        &self,
        fingerprint: &[u8; 32],
        clock: impl Fn() -> Timestamp,
        call: impl FnOnce() -> F,
    ) -> Option<Result<T, Failure>>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        if let Some(failure) = self.closed(fingerprint, clock()) {
            return Some(Err(failure));
        }
        let waiting = Waiting::enter(&self.waiting)?;
        let unproven = || self.state().accepted != Some(*fingerprint);
        let first = if let Some(failure) = self.outage() {
            // One caller tries whether it is over; the others need not wait to learn that it is not.
            match self.first.try_lock() {
                Ok(first) => Some(first),
                Err(_) => return Some(Err(failure)),
            }
        } else if unproven() {
            // Proven by the one before: those who waited need not go one by one.
            Some(self.first.lock().await).filter(|_| unproven())
        } else {
            None
        };
        // The semaphore is never closed.
        let _place = self.places.acquire().await.ok()?;
        drop(waiting);
        // While waiting, another caller may have learned that there is no point.
        if let Some(failure) = self.closed(fingerprint, clock()) {
            return Some(Err(failure));
        }
        if let (Some(failure), None) = (self.outage(), &first) {
            return Some(Err(failure));
        }
        let result = call().await;
        self.record(fingerprint, result.as_ref().err(), clock());
        Some(result)
    }

    fn record(&self, fingerprint: &[u8; 32], failure: Option<&Failure>, now: Timestamp) {
        let mut state = self.state();
        let failure = match failure {
            None => None,
            Some(failure) => match failure.kind {
                FailureKind::Throttled => {
                    let pause = failure.retry_after.unwrap_or(DEFAULT_PAUSE);
                    let until = now.checked_add(pause).unwrap_or(now);
                    // Several calls were under way: the longest pause holds.
                    if state.paused.as_ref().is_none_or(|(at, _)| *at < until) {
                        state.paused = Some((until, failure.clone()));
                    }
                    return;
                }
                FailureKind::AuthenticationFailed => {
                    let until = now.checked_add(REFUSED_FOR).unwrap_or(now);
                    state.refused = Some((*fingerprint, until, failure.clone()));
                    state.accepted = None;
                    state.health = Health::Failing(failure.clone());
                    return;
                }
                // It was not even asked.
                FailureKind::InvalidSpec | FailureKind::ProviderNotReady => return,
                kind if is_passing(kind) => Some(failure),
                // The platform knows us and answered.
                _ => None,
            },
        };
        if let Some(failure) = failure {
            state.failures = state.failures.saturating_add(1);
            // An outage that shows in many ways is one: its first failure stays.
            let known = matches!(&state.health, Health::Failing(f) if is_passing(f.kind));
            if state.failures >= FAILING_AFTER && !known {
                state.health = Health::Failing(failure.clone());
            }
        } else {
            let failed = matches!(state.health, Health::Failing(_));
            if state.refused.take().is_some() || failed {
                state.recoveries = state.recoveries.wrapping_add(1);
            }
            state.accepted = Some(*fingerprint);
            // A pause ends by its time alone: this call may have begun before it was asked for.
            state.failures = 0;
            state.health = Health::Answering;
        }
    }
}

/// A failure that says nothing about credentials or the question.
fn is_passing(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Unreachable | FailureKind::ProviderError | FailureKind::ResponseInvalid
    )
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let guard = (count.fetch_add(1, Ordering::Relaxed) < QUEUE, Self(count));
        guard.0.then_some(guard.1)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The gates of all proofs.
#[derive(Default)]
pub struct Gates(Mutex<Known>);

#[derive(Default)]
struct Known {
    gates: HashMap<(Proof, Account), (Arc<Gate>, u32)>,
    /// How often was tidied; next to each gate, when it was last asked for.
    round: u32,
}

impl Gates {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gate of a proof at an account. What was learned of one account says nothing of another:
    /// a key that a mistyped endpoint refused is tried again when the endpoint is mended.
    pub fn of(&self, proof: Proof, account: &Account) -> Arc<Gate> {
        let mut known = self.known();
        let round = known.round;
        let key = (proof, account.clone());
        let entry = known.gates.entry(key);
        let (gate, last) = entry.or_insert_with(|| (Arc::new(Gate::new()), round));
        *last = round;
        gate.clone()
    }

    /// Forgets gates that nobody asked for during the last `rounds` calls of this.
    pub fn tidy(&self, rounds: u32) {
        let mut known = self.known();
        known.round = known.round.wrapping_add(1);
        let round = known.round;
        known
            .gates
            .retain(|_, (_, last)| round.wrapping_sub(*last) <= rounds);
    }
}

#[cfg(test)]
mod tests;
