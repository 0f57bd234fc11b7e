//! Whether the process works, for whoever restarts it or sends it traffic.
//!
//! Owns the two verdicts. Must not know what the work is. The invariant that would break first: an
//! outage of a platform or of the API server is no reason to restart, so neither shows here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the task that turns the controllers says that it does.
pub const BEAT: Duration = Duration::from_secs(5);

/// How long it may be silent.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// How long one reconcile may be under way: each wait in it has a bound, the longest is a
/// reference's timeout of 5 minutes.
pub const LONGEST_RECONCILE: Duration = Duration::from_secs(900);

#[derive(Debug)]
struct State {
    beat: Instant,
    /// When each reconcile under way began, in the order of their beginning.
    under_way: BTreeMap<u64, Instant>,
    begun: u64,
}

/// What is known of the process's work.
#[derive(Debug)]
pub struct Health {
    /// Who turns, and the verb.
    who: &'static str,
    state: Mutex<State>,
    ready: AtomicBool,
    ending: AtomicBool,
}

impl Default for Health {
    fn default() -> Self {
        Self::of("the controllers have")
    }
}

impl Health {
    /// Of a process in which this turns, such as `the controllers have`.
    pub fn of(who: &'static str) -> Self {
        Self {
            who,
            state: Mutex::new(State {
                beat: Instant::now(),
                under_way: BTreeMap::new(),
                begun: 0,
            }),
            ready: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment; a panic in between leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task that turns the controllers is not stuck.
    pub fn beat(&self, now: Instant) {
        self.state().beat = now;
    }

    /// A reconcile begins; it ends when what this gives is dropped.
    pub fn begin(&self, now: Instant) -> UnderWay<'_> {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.under_way.insert(number, now);
        UnderWay {
            health: self,
            number,
        }
    }

    /// Everything that is watched has been listed.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// The process is about to end: nobody is to be sent to it any more.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Whether the process is about to end.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Whether everything that is watched has been listed, and the process is not about to end.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && !self.is_ending()
    }

    /// Whether the process should go on.
    ///
    /// # Errors
    /// One sentence: what has stopped to turn.
    pub fn check(&self, now: Instant) -> Result<(), String> {
        let state = self.state();
        let silent = now.saturating_duration_since(state.beat);
        if silent > LONGEST_SILENCE {
            let seconds = silent.as_secs();
            return Err(format!("{} not turned for {seconds} s", self.who));
        }
        let oldest = state.under_way.values().next();
        let oldest = oldest.map_or(Duration::ZERO, |begun| {
            now.saturating_duration_since(*begun)
        });
        if oldest > LONGEST_RECONCILE {
            let seconds = oldest.as_secs();
            return Err(format!("a reconcile has been under way for {seconds} s"));
        }
        Ok(())
    }
}

/// A reconcile under way.
#[derive(Debug)]
pub struct UnderWay<'a> {
    health: &'a Health,
    number: u64,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.health.state().under_way.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_a_reconcile_that_never_ends_are_told_and_a_long_one_is_not() {
        let health = Health::default();
        let start = Instant::now();
        health.beat(start);
        let second = Duration::from_secs(1);
        assert_eq!(health.check(start + LONGEST_SILENCE), Ok(()));
        let silent = health.check(start + LONGEST_SILENCE + second).unwrap_err();
        assert_eq!(silent, "the controllers have not turned for 61 s");

        let stuck = health.begin(start);
        let late = start + LONGEST_RECONCILE;
        let young = health.begin(late);
        health.beat(late + second);
        assert_eq!(health.check(late), Ok(()));
        let told = health.check(late + second).unwrap_err();
        assert_eq!(told, "a reconcile has been under way for 901 s");
        drop(stuck);
        assert_eq!(health.check(late + second), Ok(()));
        drop(young);
        assert!(health.state().under_way.is_empty());
    }
}
