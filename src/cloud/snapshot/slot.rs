//! One thing to know, and the one call under way that learns it.
//!
//! Owns single flight, what is remembered of it, and the pause after a failure. Must not know what is
//! asked. The invariants that would break first: **no answer is of before the time that its asker
//! allows**, and two calls for one slot never overlap.

use super::ground::{Ground, Moment, Weight};
use crate::facts::{Failure, FailureKind};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::Instrument as _;

/// Bound on one call, whatever bounds it has itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// How long a failure stands for the next one that would ask. How soon a failing platform is called is
/// for whoever makes the calls to say.
const HOLD: Duration = Duration::from_secs(5);

/// What a call brings; `None` if it was not made, since too many wait already.
pub(crate) type Call<T> = BoxFuture<'static, Option<Result<T, Failure>>>;

type Outcome<T> = Option<Result<Arc<Kept<T>>, Failure>>;
type Flight<T> = Shared<BoxFuture<'static, Outcome<T>>>;

/// What was learned.
pub(crate) struct Kept<T> {
    pub(crate) value: T,
    /// When the call began: the value is not of before.
    pub(crate) began: Moment,
    _weight: Weight,
}

/// The last call, if it failed.
#[derive(Clone)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) at: Duration,
    pub(crate) in_a_row: u32,
    until: Duration,
}

struct State<T> {
    kept: Option<Arc<Kept<T>>>,
    failed: Option<Failed>,
    flight: Option<Flight<T>>,
}

pub(crate) struct Slot<T> {
    state: Mutex<State<T>>,
    weigh: fn(&T) -> usize,
}

impl<T: Send + Sync + 'static> Slot<T> {
    /// `weigh` says about how many bytes a value holds.
    pub(crate) fn new(weigh: fn(&T) -> usize) -> Self {
        Self {
            state: Mutex::new(State {
                kept: None,
                failed: None,
                flight: None,
            }),
            weigh,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Every change is a few assignments; a panic in between leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was learned last, however long ago.
    pub(crate) fn kept(&self) -> Option<Arc<Kept<T>>> {
        self.lock().kept.clone()
    }

    /// What was learned by a call that did not begin before `floor`.
    pub(crate) fn fresh(&self, floor: Duration) -> Option<Arc<Kept<T>>> {
        self.kept().filter(|kept| kept.began.run >= floor)
    }

    /// How the last call failed.
    pub(crate) fn failed(&self) -> Option<Failed> {
        self.lock().failed.clone()
    }

    /// Lets the next one ask at once: what failed was another's.
    pub(crate) fn forget_failure(&self) {
        self.lock().failed = None;
    }

    /// Whether it saves a call to whoever asks for nothing older than `floor`.
    pub(crate) fn is_needed(&self, floor: Duration, now: Duration) -> bool {
        let state = self.lock();
        let kept = state.kept.as_ref();
        let failed = state.failed.as_ref();
        kept.is_some_and(|kept| kept.began.run >= floor)
            || failed.is_some_and(|failed| now < failed.until)
    }

    /// What a call brings that did not begin before `floor`, which lies not in the future: one
    /// that is remembered, or one under way, or one of its own. It goes on if those who wait give up.
    pub(crate) async fn obtain(
        self: &Arc<Self>,
        floor: Duration,
        ground: &Ground,
        call: impl Fn() -> Call<T>,
    ) -> Outcome<T> {
        loop {
            let flight = {
                let mut state = self.lock();
                if let Some(kept) = state.kept.as_ref().filter(|k| k.began.run >= floor) {
                    return Some(Ok(kept.clone()));
                }
                match (&state.flight, &state.failed) {
                    (Some(flight), _) => flight.clone(),
                    (None, Some(failed)) if ground.run() < failed.until => {
                        return Some(Err(failed.again(ground.run())));
                    }
                    (None, _) => {
                        let flight = self.fly(ground, call());
                        state.flight = Some(flight.clone());
                        flight
                    }
                }
            };
            match flight.await {
                // It began before the question was asked: the next one will not have.
                Some(Ok(kept)) if kept.began.run < floor => {}
                outcome => return outcome,
            }
        }
    }

    /// Begins a call in a task of its own. It ends with the lock that is held here.
    fn fly(self: &Arc<Self>, ground: &Ground, call: Call<T>) -> Flight<T> {
        let task = tokio::spawn(run(self.clone(), ground.clone(), call).in_current_span());
        // Not the slot itself, which holds the flight.
        let (slot, ground) = (Arc::downgrade(self), ground.clone());
        let flight = async move {
            task.await.unwrap_or_else(|_| {
                let message = "the question to the platform was interrupted";
                let outcome = Some(Err(Failure::new(FailureKind::ProviderError, message)));
                match slot.upgrade() {
                    Some(slot) => slot.settle(&ground, outcome),
                    None => outcome,
                }
            })
        };
        flight.boxed().shared()
    }

    fn settle(&self, ground: &Ground, outcome: Outcome<T>) -> Outcome<T> {
        let mut state = self.lock();
        state.flight = None;
        match &outcome {
            Some(Ok(kept)) => {
                state.kept = Some(kept.clone());
                state.failed = None;
            }
            Some(Err(failure)) => {
                let before = state.failed.as_ref().map_or(0, |failed| failed.in_a_row);
                state.failed = Some(Failed::new(failure.clone(), before, ground.run()));
            }
            None => {}
        }
        outcome
    }
}

async fn run<T: Send + Sync + 'static>(
    slot: Arc<Slot<T>>,
    ground: Ground,
    call: Call<T>,
) -> Outcome<T> {
    let began = ground.now();
    let brought = tokio::time::timeout(PATIENCE, call).await;
    let brought = brought.unwrap_or_else(|_| {
        let message = format!("no answer came within {} s", PATIENCE.as_secs());
        Some(Err(Failure::new(FailureKind::Unreachable, message)))
    });
    let outcome = brought.map(|result| {
        result.map(|value| {
            let weight = ground.weight((slot.weigh)(&value));
            Arc::new(Kept {
                value,
                began,
                _weight: weight,
            })
        })
    });
    slot.settle(&ground, outcome)
}

impl Failed {
    fn new(failure: Failure, before: u32, now: Duration) -> Self {
        let hold = failure.retry_after.unwrap_or(HOLD);
        Self {
            failure,
            at: now,
            in_a_row: before.saturating_add(1),
            until: now.saturating_add(hold),
        }
    }

    /// The failure for those who ask later: less is left of the pause that the platform asked for.
    fn again(&self, now: Duration) -> Failure {
        let left = self.until.saturating_sub(now);
        Failure {
            retry_after: self.failure.retry_after.map(|_| left),
            ..self.failure.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_stands_for_a_while_or_as_long_as_the_platform_asked() {
        let failure = Failure::new(FailureKind::ProviderError, "down");
        let first = Failed::new(failure.clone(), 0, Duration::ZERO);
        assert_eq!((first.until.as_secs(), first.in_a_row), (5, 1));
        let paused = Failure {
            retry_after: Some(Duration::from_secs(300)),
            ..failure
        };
        let failed = Failed::new(paused, 7, Duration::from_secs(10));
        assert_eq!((failed.until.as_secs(), failed.in_a_row), (310, 8));
        let left = failed.again(Duration::from_secs(110)).retry_after;
        assert_eq!(left, Some(Duration::from_secs(200)));
    }
}
