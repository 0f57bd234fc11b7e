//! Calls to the platform and to the registry: never above the budget of a principal, never in a pause
//! that was asked for, and none without a need.

use super::{Held, MINUTE};
use crate::controller::simulation::world::Who;
use std::collections::BTreeMap;

/// Requests a second and at once, as the providers and the registry of the simulation have them.
pub(in super::super) const RATE: u64 = 5;
pub(in super::super) const BURST: u64 = 10;

/// Half of the shortest interval of a reference in the simulation.
const SOON: u64 = 5 * MINUTE;

/// As late as a watch can be.
const LATE: u64 = 10 * MINUTE;

/// A process, with a key and the account that it is used at, or without any at a registry: what has a
/// budget and pauses of its own.
pub(super) type Asker = (Who, String, String);

pub(super) fn asker(who: Who, key: &str, path: &str) -> Asker {
    let project = path.split('/').nth(2).unwrap_or_default();
    (who, key.to_owned(), project.to_owned())
}

/// Whether an edit is so long ago that every process has seen it.
pub(super) fn is_past(edited: u64, now: u64) -> bool {
    edited == 0 || edited + LATE < now
}

#[derive(Default)]
pub(in super::super) struct Calls {
    /// Thousandths of requests that may still come, and since when.
    left: BTreeMap<Asker, (u64, u64)>,
    /// By the process's own clock.
    paused_until: BTreeMap<Asker, u64>,
    /// When a process last had a good answer about one image.
    good: BTreeMap<(Asker, String), u64>,
}

impl Calls {
    /// By the process's own clock, which may jump: budgets and pauses are kept by it.
    pub(super) fn in_budget(&mut self, asker: &Asker, now: u64) -> Held {
        let key = &asker.1;
        let full = BURST * 1000;
        let (left, since) = self.left.entry(asker.clone()).or_insert((full, now));
        // A millisecond of the executor's timer is not the operator's.
        *left = (*left + (now.saturating_sub(*since) + 1) * RATE).min(full);
        *since = now;
        *left = left.checked_sub(1000).ok_or_else(|| {
            format!("{key} is above its budget of {RATE} a second and {BURST} at once")
        })?;
        let paused = self.paused_until.get(asker).copied().unwrap_or(0);
        if now + 100 < paused {
            let left = paused - now;
            return Err(format!("{key} asks in a pause that has {left} ms to go"));
        }
        Ok(())
    }

    /// `settled`: since when every reference to it is; [`super::status::settled_since`].
    pub(super) fn needed(&self, asker: &Asker, path: &str, settled: Option<u64>, now: u64) -> Held {
        let good = self.good.get(&(asker.clone(), path.to_owned()));
        // An edit that came after the answer is owed one of its own, however late it is seen.
        let since = |good: u64| settled.is_some_and(|edited| is_past(edited, good));
        if let Some(good) = good.filter(|good| since(**good) && now < **good + SOON) {
            let ago = now - good;
            return Err(format!(
                "{path} is asked about again {ago} ms after a good answer, and every reference to it is settled"
            ));
        }
        Ok(())
    }

    pub(super) fn heard(
        &mut self,
        asker: &Asker,
        path: &str,
        is_good: bool,
        paused_until: Option<u64>,
        now: u64,
    ) {
        if let Some(until) = paused_until {
            self.paused_until.insert(asker.clone(), until);
        }
        if is_good {
            self.good.insert((asker.clone(), path.to_owned()), now);
        } else {
            // Who was refused may ask again.
            self.forget(asker);
        }
    }

    pub(super) fn forget(&mut self, asker: &Asker) {
        self.good.retain(|(of, _), _| of != asker);
    }
}
