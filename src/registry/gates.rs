//! The budget and the rests of each login at each registry.
//!
//! Owns which gate is whose. Must not know what is asked. The invariant that would break first: a
//! pause or a refusal is remembered to its end, however many others ask meanwhile.

use super::access::Key;
use super::contents::lock;
use super::room::make_room;
use crate::cloud::gate::{Gate, Limits};
use jiff::Timestamp;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A gate is kept so long after its last use: longer than any pause or refusal that it remembers.
const IDLE: Duration = Duration::from_secs(2 * 3600);
/// With so many at once those make room that remember nothing.
const MOST: usize = 1024;
/// Bound on all of them: whoever makes up logins for refusals fills no memory.
const MOST_RESTING: usize = 2 * MOST;

/// Who asks, and where.
type GateKey = (Key, String);
/// A gate, and when it was last asked for.
type Held = (Arc<Gate>, Duration);

pub(super) struct Gates {
    limits: Limits,
    held: Mutex<HashMap<GateKey, Held>>,
}

impl Gates {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            held: Mutex::default(),
        }
    }

    /// The gate of a login at a registry; `run` is the time that never goes back, `now` the wall's.
    pub(super) fn of(&self, access: Key, origin: &str, run: Duration, now: Timestamp) -> Arc<Gate> {
        let key = (access, origin.to_owned());
        let mut held = lock(&self.held);
        if !held.contains_key(&key) {
            let is_idle = |gate: &Arc<Gate>| Arc::strong_count(gate) == 1;
            if held.len() >= MOST_RESTING {
                make_room(&mut held, |(gate, used)| is_idle(gate).then_some(*used));
            } else if held.len() >= MOST {
                make_room(&mut held, |(gate, used)| {
                    (is_idle(gate) && !gate.is_resting(now)).then_some(*used)
                });
            }
        }
        let (gate, used) = held.entry(key).or_insert_with_key(|key| {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            (Arc::new(Gate::new(&self.limits, hasher.finish())), run)
        });
        *used = run;
        gate.clone()
    }

    /// The gate, if there is one.
    pub(super) fn held(&self, access: Key, origin: String) -> Option<Arc<Gate>> {
        lock(&self.held)
            .get(&(access, origin))
            .map(|(gate, _)| gate.clone())
    }

    pub(super) fn forget_idle(&self, run: Duration) {
        lock(&self.held).retain(|_, (gate, used)| {
            Arc::strong_count(gate) > 1 || run.saturating_sub(*used) <= IDLE
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Failure, FailureKind};

    #[tokio::test]
    async fn gates_that_rest_stay_while_others_make_room() {
        let (gates, now) = (Gates::new(Limits::default()), Timestamp::UNIX_EPOCH);
        let gate = |name: &str, second| {
            let run = Duration::from_secs(second);
            gates.of(Key::Anonymous, name, run, now)
        };
        for (name, kind) in [
            ("refused", FailureKind::AuthenticationFailed),
            ("paused", FailureKind::Throttled),
        ] {
            let call = || async { Err::<(), _>(Failure::new(kind, "no")) };
            let passed = gate(name, 0).pass(&[0; 32], || now, call).await;
            assert!(passed.unwrap().is_err());
        }
        for other in 0..1100 {
            gate(&other.to_string(), 1 + other);
        }
        let held = |name: &str| gates.held(Key::Anonymous, name.to_owned()).is_some();
        assert!(held("refused") && held("paused") && held("1099") && !held("0"));
        assert!(lock(&gates.held).len() <= MOST);
        // Those are bounded too.
        let refused = || async { Err::<(), _>(Failure::new(FailureKind::Throttled, "no")) };
        for other in 0..MOST_RESTING + 100 {
            let gate = gate(&format!("r{other}"), 9999);
            gate.pass(&[0; 32], || now, refused).await;
        }
        assert!(lock(&gates.held).len() <= MOST_RESTING);
        gates.forget_idle(Duration::from_secs(99_999));
        assert!(lock(&gates.held).is_empty());
    }
}
