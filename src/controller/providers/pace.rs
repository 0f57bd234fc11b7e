//! How fast providers are read when nobody waits for it.
//!
//! Owns the turns. Must not know what is read. The invariant that would break first: time in which
//! nothing was read is not saved up.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The least time between two reads that nobody waits for: at most 20 a second.
const READ_PACE: Duration = Duration::from_millis(50);

/// Turns for the reads that nobody waits for, of both kinds of provider.
pub(crate) struct Pace(Mutex<Instant>);

impl Default for Pace {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Pace {
    /// Waits for the next turn.
    pub(super) async fn turn(&self) {
        let turn = {
            let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + READ_PACE;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}
