//! Requests counted where they are sent.
//!
//! Owns the way from a request to the budget that it is made on. Must not know who asks what. The
//! invariant that would break first: a pass of many requests has as many turns.
//!
//! One pass may be several requests: a list is read page by page, a name looked for in two lists. A
//! pass waits for the turn of its first request; each further one waits for its own just before it
//! is sent. Charging them afterwards would be simpler to wire, but a list of 50 pages would go out
//! as fast as the platform answers, and the budget would be none. The meter is the task's own, put
//! there by the gate, so that neither the clients nor those who ask through them carry it about. A
//! request outside of any pass has no budget.

use super::State;
use crate::facts::Failure;
use jiff::Timestamp;
use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

tokio::task_local! {
    static METER: Meter;
}

/// The budget of one pass.
pub(super) struct Meter {
    state: Arc<Mutex<State>>,
    /// Whether the turn of the first request was waited for, and the request not yet sent.
    paid: Cell<bool>,
    waited: Cell<Duration>,
}

impl Meter {
    /// For a pass whose first request has had its turn.
    pub(super) fn new(state: Arc<Mutex<State>>) -> Self {
        Self {
            state,
            paid: Cell::new(true),
            waited: Cell::new(Duration::ZERO),
        }
    }

    /// Does something on this budget.
    pub(super) async fn over<F: Future>(self, call: F) -> F::Output {
        METER.scope(self, call).await
    }

    /// Books a request: how long to wait for its turn.
    fn book(&self, now: Timestamp) -> Result<Duration, Failure> {
        if self.paid.replace(false) {
            return Ok(Duration::ZERO);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(paused) = state.paused(now) {
            return Err(paused);
        }
        // No wait without bound: each call under way has at most one request booked.
        let wait = state.bucket.book(now);
        self.waited.set(self.waited.get().saturating_add(wait));
        Ok(wait)
    }
}

/// Waits for the turn of a request that is about to be sent.
///
/// # Errors
/// The platform has asked for a pause meanwhile: the rest of a list is not read in it.
pub(crate) async fn turn(now: Timestamp) -> Result<(), Failure> {
    let booked = METER.try_with(|meter| meter.book(now));
    let wait = booked.unwrap_or(Ok(Duration::ZERO))?;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    Ok(())
}

/// How long the requests of this pass have waited for their turns, the one that waits now included:
/// no time of the platform's.
pub(in crate::cloud) fn waited() -> Duration {
    METER
        .try_with(|meter| meter.waited.get())
        .unwrap_or_default()
}
