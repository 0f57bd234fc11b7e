//! What was issued, by credential and place.
//!
//! Owns one entry each, one request under way per entry, who may wait for it, and when the next is due.
//! Must not know how a login is made. The invariant that would break first: what was issued for one credential is served
//! for that whole credential alone.

use super::ground::Ground;
use super::{Brought, Granted};
use crate::cloud::gate::SEATS;
use crate::cloud::identity::renewal::{self, EXCHANGE_GAP, REFUSED_FOR};
use crate::facts::{Failure, FailureKind};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

/// Entries at once; the one that was not used for longest makes room.
const CAPACITY: usize = 4096;
/// What nobody has asked for in so long is dropped, and its password wiped.
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// The fingerprint of a credential, and the place.
pub(super) type Subject = ([u8; 32], Ground);

struct Held {
    granted: Granted,
    since: Timestamp,
    renew_after: Duration,
    good_for: Duration,
}

struct Trouble {
    failure: Failure,
    at: Timestamp,
    wait: Duration,
    in_a_row: u32,
}

type Flight = Shared<BoxFuture<'static, Result<Granted, Failure>>>;

#[derive(Default)]
struct State {
    held: Option<Held>,
    trouble: Option<Trouble>,
    flight: Option<Flight>,
}

struct Entry {
    state: Mutex<State>,
    seats: Semaphore,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            seats: Semaphore::new(SEATS),
        }
    }
}

struct Used {
    entry: Arc<Entry>,
    at: Timestamp,
}

#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<Subject, Used>>);

enum Verdict {
    Serve(Granted),
    /// Still good, and due.
    Renew(Granted),
    Issue,
    Fail(Failure),
}

/// The time since; none if the clock was set back.
fn age(since: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(since.duration_until(now)).ok()
}

impl State {
    fn judge(&self, now: Timestamp) -> Verdict {
        let trouble = self.trouble.as_ref().and_then(|trouble| {
            let left = trouble.wait.checked_sub(age(trouble.at, now)?)?;
            (!left.is_zero()).then_some((trouble, left))
        });
        let held = self.held.as_ref().and_then(|held| {
            let age = age(held.since, now)?;
            (age < held.good_for).then_some((held, age))
        });
        match (held, trouble) {
            (Some((held, age)), None) if age >= held.renew_after => {
                Verdict::Renew(held.granted.clone())
            }
            (Some((held, _)), _) => Verdict::Serve(held.granted.clone()),
            (None, Some((trouble, left))) => Verdict::Fail(Failure {
                retry_after: Some(left),
                ..trouble.failure.clone()
            }),
            (None, None) => Verdict::Issue,
        }
    }

    /// The request under way is over.
    fn record(
        &mut self,
        brought: Result<Brought, Failure>,
        began: Timestamp,
        now: Timestamp,
    ) -> Result<Granted, Failure> {
        self.flight = None;
        let failure = match brought {
            Ok(Brought { granted, life }) => {
                self.trouble = None;
                self.held = Some(Held {
                    granted: granted.clone(),
                    since: began,
                    renew_after: renewal::renew_after(life, seed(&granted)),
                    good_for: renewal::good_for(life),
                });
                return Ok(granted);
            }
            Err(failure) => failure,
        };
        let in_a_row = self.trouble.as_ref().map_or(0, |trouble| trouble.in_a_row);
        let in_a_row = in_a_row.saturating_add(1);
        let wait = match failure.kind {
            FailureKind::AuthenticationFailed => REFUSED_FOR,
            _ => renewal::backoff(in_a_row).max(failure.retry_after.unwrap_or_default()),
        };
        self.trouble = Some(Trouble {
            failure: failure.clone(),
            at: now,
            wait,
            in_a_row,
        });
        Err(failure)
    }
}

/// Spreads renewals of logins that were issued together.
fn seed(granted: &Granted) -> u64 {
    let proof = match granted {
        Granted::Login(issued) => issued.proof,
        Granted::Without(_) => [0; 32],
    };
    proof
        .iter()
        .take(8)
        .fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

impl Entry {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change leaves a whole state; a panic in between leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the request in a task of its own, so that it goes on if those who wait give up.
    fn fly<F>(
        self: &Arc<Self>,
        clock: impl Fn() -> Timestamp + Clone + Send + Sync + 'static,
        issue: F,
    ) -> Flight
    where
        F: Future<Output = Result<Brought, Failure>> + Send + 'static,
    {
        let began = clock();
        let task = tokio::spawn({
            let (entry, clock) = (self.clone(), clock.clone());
            let issued = async move {
                let brought = issue.await;
                entry.state().record(brought, began, clock())
            };
            issued.in_current_span()
        });
        // Not the entry itself, which holds the flight.
        let entry = Arc::downgrade(self);
        let flight = async move {
            task.await.unwrap_or_else(|_| {
                let message = "the question for a registry's login was interrupted";
                let failure = Failure::new(FailureKind::ProviderError, message);
                match entry.upgrade() {
                    Some(entry) => entry.state().record(Err(failure), began, clock()),
                    None => Err(failure),
                }
            })
        };
        flight.boxed().shared()
    }
}

impl Cache {
    fn entries(&self) -> MutexGuard<'_, HashMap<Subject, Used>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, subject: Subject, now: Timestamp) -> Arc<Entry> {
        let mut entries = self.entries();
        if !entries.contains_key(&subject) {
            entries.retain(|_, used| age(used.at, now).is_none_or(|age| age <= IDLE));
            if entries.len() >= CAPACITY {
                let oldest = entries.iter().min_by_key(|(_, used)| used.at);
                let oldest = oldest.map(|(subject, _)| subject.clone());
                oldest.and_then(|subject| entries.remove(&subject));
            }
        }
        let used = entries.entry(subject).or_insert_with(|| Used {
            entry: Arc::default(),
            at: now,
        });
        used.at = now;
        used.entry.clone()
    }

    /// What is held while it is good, else what `issue` brings. Callers share one request, which goes
    /// on if they give up; while the old answer is good, nobody but the one who renews it waits.
    /// `None`: too many wait already, come back later.
    pub(super) async fn get<F>(
        &self,
        subject: Subject,
        clock: impl Fn() -> Timestamp + Clone + Send + Sync + 'static,
        issue: impl FnOnce() -> F,
    ) -> Option<Result<Granted, Failure>>
    where
        F: Future<Output = Result<Brought, Failure>> + Send + 'static,
    {
        let entry = self.entry(subject, clock());
        let (flight, good, _seat) = {
            let mut state = entry.state();
            let good = match state.judge(clock()) {
                Verdict::Serve(granted) => return Some(Ok(granted)),
                Verdict::Fail(failure) => return Some(Err(failure)),
                Verdict::Renew(granted) => Some(granted),
                Verdict::Issue => None,
            };
            let seat = match (entry.seats.try_acquire(), &state.flight, &good) {
                (_, Some(_), Some(granted)) | (Err(_), None, Some(granted)) => {
                    return Some(Ok(granted.clone()));
                }
                (seat, ..) => seat.ok()?,
            };
            let flight = state
                .flight
                .get_or_insert_with(|| entry.fly(clock, issue()))
                .clone();
            (flight, good, seat)
        };
        match (flight.await, good) {
            (Err(_), Some(granted)) => Some(Ok(granted)),
            (result, _) => Some(result),
        }
    }

    /// A registry refused the login of this proof: it is dropped, unless it is so new that another
    /// would be refused too. Whether asking again can help.
    pub(super) fn refuse(&self, subject: &Subject, proof: &[u8; 32], now: Timestamp) -> bool {
        let Some(entry) = self.entries().get(subject).map(|used| used.entry.clone()) else {
            return true;
        };
        let mut state = entry.state();
        let Some(held) = &state.held else {
            return true;
        };
        match &held.granted {
            Granted::Login(issued) if issued.proof == *proof => {
                let old = age(held.since, now).is_none_or(|age| age >= EXCHANGE_GAP);
                if old {
                    state.held = None;
                }
                old
            }
            _ => true,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries().len()
    }
}

#[cfg(test)]
mod tests;
