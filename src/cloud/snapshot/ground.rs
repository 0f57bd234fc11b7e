//! What all slots stand on: the time, and how much is held.
//!
//! Owns two clocks and one sum. Must not know what is held. The invariant that would break first:
//! ages are measured by the clock that never goes back, so that setting the other one makes no old
//! answer young.

use crate::cloud::identity::Clock;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub(crate) struct Ground {
    clock: Clock,
    made: Instant,
    held: Arc<AtomicUsize>,
}

/// A time by both clocks.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) wall: Timestamp,
    /// Since the ground was made.
    pub(crate) run: Duration,
}

impl Ground {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            made: Instant::now(),
            held: Arc::default(),
        }
    }

    pub(crate) fn run(&self) -> Duration {
        self.made.elapsed()
    }

    pub(crate) fn now(&self) -> Moment {
        Moment {
            wall: (self.clock)(),
            run: self.run(),
        }
    }

    /// The earliest time that an answer may be of, if it is given now.
    pub(crate) fn floor(&self, max_age: Duration, not_before: Option<Timestamp>) -> Duration {
        let now = self.now();
        let ago = not_before.map_or(Duration::MAX, |time| {
            let ago = now.wall.duration_since(time);
            // What is to come cannot be waited for.
            if ago.is_positive() {
                ago.unsigned_abs()
            } else {
                Duration::ZERO
            }
        });
        now.run.saturating_sub(max_age.min(ago))
    }

    /// Adds to what is held, until it is dropped.
    pub(crate) fn weight(&self, bytes: usize) -> Weight {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Weight {
            held: self.held.clone(),
            bytes,
        }
    }

    /// About how many bytes are held.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// A part of what is held.
pub(crate) struct Weight {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
