//! What stands between many references and one provider's platform.
//!
//! Owns the number of calls under way, the pauses a platform asks for, and credentials that were
//! refused. Must not know what is asked or who asks. The invariant that would break first: a
//! refused credential is not tried again by the next reference, since a handful of failures locks
//! an access key for everybody.

use super::Credential;
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::ProviderId;
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

    /// How the platform has been answering this credential: a refusal of another one is over.
    pub fn health_of(&self, credential: &Credential) -> Health {
        let state = self.state();
        match (&state.health, &state.refused) {
            (Health::Failing(failure), Some((refused, ..)))
                if failure.kind == FailureKind::AuthenticationFailed
                    && *refused != credential.fingerprint() =>
            {
                Health::Unknown
            }
            (health, _) => health.clone(),
        }
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

    /// Makes a call, or says at once why none can be made. `None`: too many are waiting already,
    /// come back later. A credential that has never been accepted is tried by one caller at a time.
    pub async fn pass<F>(
        &self,
        credential: &Credential,
        clock: impl Fn() -> Timestamp,
        call: impl FnOnce() -> F,
    ) -> Option<Result<Facts, Failure>>
    where
        F: Future<Output = Result<Facts, Failure>>,
    {
        let fingerprint = credential.fingerprint();
        if let Some(failure) = self.closed(&fingerprint, clock()) {
            return Some(Err(failure));
        }
        let waiting = Waiting::enter(&self.waiting)?;
        let unproven = self.state().accepted != Some(fingerprint);
        let _first = if unproven {
            Some(self.first.lock().await)
        } else {
            None
        };
        // The semaphore is never closed.
        let _place = self.places.acquire().await.ok()?;
        drop(waiting);
        // While waiting, another caller may have learned that there is no point.
        if let Some(failure) = self.closed(&fingerprint, clock()) {
            return Some(Err(failure));
        }
        let result = call().await;
        self.record(&fingerprint, &result, clock());
        Some(result)
    }

    fn record(&self, fingerprint: &[u8; 32], result: &Result<Facts, Failure>, now: Timestamp) {
        let mut state = self.state();
        let failure = match result {
            Ok(_) => None,
            Err(failure) => match failure.kind {
                FailureKind::Throttled => {
                    let pause = failure.retry_after.unwrap_or(DEFAULT_PAUSE);
                    let until = now.checked_add(pause).unwrap_or(now);
                    state.paused = Some((until, failure.clone()));
                    return;
                }
                FailureKind::AuthenticationFailed => {
                    let until = now.checked_add(REFUSED_FOR).unwrap_or(now);
                    state.refused = Some((*fingerprint, until, failure.clone()));
                    state.accepted = None;
                    state.health = Health::Failing(failure.clone());
                    return;
                }
                FailureKind::Unreachable
                | FailureKind::ProviderError
                | FailureKind::ResponseInvalid => Some(failure),
                // The platform knows us and answered.
                _ => None,
            },
        };
        if let Some(failure) = failure {
            state.failures = state.failures.saturating_add(1);
            if state.failures >= FAILING_AFTER {
                state.health = Health::Failing(failure.clone());
            }
        } else {
            state.accepted = Some(*fingerprint);
            state.refused = None;
            state.paused = None;
            state.failures = 0;
            state.health = Health::Answering;
        }
    }
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

/// The gates of all providers.
#[derive(Default)]
pub struct Gates(Mutex<HashMap<ProviderId, Arc<Gate>>>);

impl Gates {
    /// The gate of a provider.
    pub fn of(&self, provider: &ProviderId) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates
            .entry(provider.clone())
            .or_insert_with(|| Arc::new(Gate::new()))
            .clone()
    }

    /// Forgets gates of providers that are gone.
    pub fn retain(&self, exists: impl Fn(&ProviderId) -> bool) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|id, _| exists(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: &str) -> Credential {
        Credential::HuaweiToken(secret.into())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    async fn pass(
        gate: &Gate,
        credential: &Credential,
        now: i64,
        result: Result<Facts, Failure>,
    ) -> (bool, Option<FailureKind>) {
        let mut called = false;
        let outcome = gate
            .pass(
                credential,
                || at(now),
                || {
                    called = true;
                    async { result }
                },
            )
            .await
            .unwrap();
        (called, outcome.err().map(|f| f.kind))
    }

    fn failure(kind: FailureKind) -> Result<Facts, Failure> {
        Err(Failure::new(kind, "no"))
    }

    #[tokio::test]
    async fn a_refused_credential_is_left_alone_until_it_changes() {
        let gate = Gate::new();
        let auth = FailureKind::AuthenticationFailed;
        assert_eq!(
            pass(&gate, &keys("a"), 0, failure(auth)).await,
            (true, Some(auth))
        );
        assert_eq!(
            pass(&gate, &keys("a"), 599, failure(auth)).await,
            (false, Some(auth))
        );
        let missing = FailureKind::NotFound;
        assert_eq!(
            pass(&gate, &keys("b"), 599, failure(missing)).await,
            (true, Some(missing))
        );
        assert_eq!(gate.health(), Health::Answering);
    }

    #[tokio::test]
    async fn many_callers_try_an_unproven_credential_once() {
        let gate = Arc::new(Gate::new());
        let calls = Arc::new(AtomicUsize::new(0));
        let credential = keys("a");
        let tasks = (0..QUEUE).map(|_| {
            let (gate, calls, credential) = (gate.clone(), calls.clone(), credential.clone());
            async move {
                gate.pass(
                    &credential,
                    || at(0),
                    || async {
                        calls.fetch_add(1, Ordering::Relaxed);
                        tokio::task::yield_now().await;
                        failure(FailureKind::AuthenticationFailed)
                    },
                )
                .await
            }
        });
        let results = futures::future::join_all(tasks).await;
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert!(
            results
                .iter()
                .all(|r| r.as_ref().is_some_and(Result::is_err))
        );
    }

    #[tokio::test]
    async fn a_pause_holds_everybody_for_as_long_as_it_was_asked_for() {
        let gate = Gate::new();
        let throttled = Err(Failure {
            retry_after: Some(Duration::from_secs(90)),
            ..failure(FailureKind::Throttled).unwrap_err()
        });
        pass(&gate, &keys("a"), 0, throttled).await;
        let throttled = Some(FailureKind::Throttled);
        assert_eq!(
            pass(&gate, &keys("a"), 89, failure(FailureKind::NotFound)).await,
            (false, throttled)
        );
        assert!(gate.pause(at(89)).is_some() && gate.pause(at(90)).is_none());
        assert!(
            pass(&gate, &keys("a"), 90, failure(FailureKind::NotFound))
                .await
                .0
        );
    }

    #[tokio::test]
    async fn one_error_is_a_passing_matter_and_three_are_not() {
        let gate = Gate::new();
        for expected in [false, false, true] {
            pass(&gate, &keys("a"), 0, failure(FailureKind::Unreachable)).await;
            assert_eq!(matches!(gate.health(), Health::Failing(_)), expected);
        }
        pass(&gate, &keys("a"), 0, failure(FailureKind::Ambiguous)).await;
        assert_eq!(gate.health(), Health::Answering);
    }

    #[tokio::test]
    async fn a_slow_platform_holds_a_bounded_number_of_callers() {
        let gate = Arc::new(Gate::new());
        pass(&gate, &keys("a"), 0, failure(FailureKind::NotFound)).await;
        let busy = |gate: Arc<Gate>| async move {
            gate.pass(&keys("a"), || at(0), std::future::pending).await
        };
        for _ in 0..CONCURRENT + QUEUE {
            tokio::spawn(busy(gate.clone()));
        }
        tokio::task::yield_now().await;
        while gate.waiting.load(Ordering::Relaxed) < QUEUE {
            tokio::task::yield_now().await;
        }
        assert!(busy(gate).await.is_none());
    }
}
