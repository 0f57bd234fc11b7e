//! What stands between many references and one account at its platform.
//!
//! Owns the order in which callers are let through, the pauses a platform asks for, and credentials
//! that were refused. Must not know what is asked or who asks. The invariant that would break first: a
//! refused credential is not tried again by the next reference, since a handful of failures locks
//! an access key for everybody.
//!
//! Beside it: how much may be asked ([`Limits`], the bucket, the places), whether a failing platform
//! is asked at all ([`Breaker`]), which providers share a gate ([`Gates`]), and how the requests of
//! one pass are counted (the meter).

mod breaker;
mod bucket;
mod gates;
mod limits;
mod meter;
mod places;

pub use breaker::{Breaker, FAILING_AFTER, LONGEST_OPEN, SHORTEST_OPEN};
pub use gates::Gates;
pub use limits::Limits;
pub(crate) use meter::turn;
pub(super) use meter::waited;
pub use places::QUEUE;

use crate::facts::{Failure, FailureKind};
use crate::telemetry::metrics::Budget;
use breaker::{Circuit, Probe};
use bucket::Bucket;
use jiff::Timestamp;
use meter::Meter;
use places::Places;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a caller waits for a place among the calls under way, and then for its turn in the
/// budget. Whoever would wait longer comes back later, so that it holds no worker.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long a refused credential is left alone; a changed Secret ends it at once.
pub const REFUSED_FOR: Duration = Duration::from_secs(600);

/// A clock that goes back by more than this was set. By less, two callers have read it in one order
/// and arrived in the other.
const SET_BACK: Duration = Duration::from_secs(1);

/// How long to pause when a throttling platform does not say.
pub const DEFAULT_PAUSE: Duration = Duration::from_secs(30);

/// Callers that wait at once for what a gate brings, for a call of their own or one that they share.
pub const SEATS: usize = 16;

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

/// A time in which nobody asks.
#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Timestamp,
    long: Duration,
}

impl Rest {
    fn new(now: Timestamp, long: Duration) -> Self {
        let until = now.checked_add(long).unwrap_or(now);
        Self { until, long }
    }

    /// What is left of it. More than it is long comes of a clock that was set back: then it is over. A key
    /// that was refused for the time of its signature may be good by the time that is now.
    fn left(&self, now: Timestamp) -> Option<Duration> {
        let left = Duration::try_from(now.duration_until(self.until)).ok()?;
        (!left.is_zero() && left <= self.long + SET_BACK).then_some(left)
    }
}

struct State {
    paused: Option<(Rest, Failure)>,
    refused: Option<([u8; 32], Rest, Failure)>,
    accepted: Option<[u8; 32]>,
    answered: bool,
    circuit: Circuit,
    bucket: Bucket,
    recoveries: u32,
}

impl State {
    /// What the platform said when it asked for a pause that is not over.
    fn paused(&self, now: Timestamp) -> Option<Failure> {
        let (rest, failure) = self.paused.as_ref()?;
        rest.left(now).map(|left| Failure {
            retry_after: Some(left),
            ..failure.clone()
        })
    }

    /// Why no call may be made now.
    fn refuses(&self, fingerprint: &[u8; 32], now: Timestamp) -> Option<Failure> {
        if let Some((refused, rest, failure)) = &self.refused
            && refused == fingerprint
            && rest.left(now).is_some()
        {
            return Some(failure.clone());
        }
        self.paused(now).or_else(|| self.circuit.refuses(now))
    }
}

/// The gate of one account.
pub struct Gate {
    places: Places,
    seats: Semaphore,
    /// Held by the one who tries a credential that was never accepted.
    first: tokio::sync::Mutex<()>,
    state: Arc<Mutex<State>>,
    seed: u64,
}

impl Gate {
    pub(crate) fn new(limits: &Limits, seed: u64) -> Self {
        Self {
            places: Places::new(limits.max_concurrent),
            seats: Semaphore::new(SEATS),
            first: tokio::sync::Mutex::new(()),
            state: Arc::new(Mutex::new(State {
                paused: None,
                refused: None,
                accepted: None,
                answered: false,
                circuit: Circuit::default(),
                bucket: Bucket::new(limits.requests_per_second, limits.burst),
                recoveries: 0,
            })),
            seed,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is a few plain values; a panic in between leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the limits; whoever waits goes on waiting, and nothing that was learned is lost.
    fn limit(&self, limits: &Limits) {
        self.places.resize(limits.max_concurrent);
        self.state()
            .bucket
            .set(limits.requests_per_second, limits.burst);
    }

    /// A seat for somebody who waits for an answer, asked for by whomever. `None`: all are taken, and
    /// more waiting would hold up those who ask other platforms.
    pub fn seat(&self) -> Option<SemaphorePermit<'_>> {
        self.seats.try_acquire().ok()
    }

    /// How the platform has been answering.
    pub fn health(&self) -> Health {
        let state = self.state();
        let refused = state.refused.as_ref().map(|(.., failure)| failure);
        match state.circuit.outage().or(refused) {
            Some(failure) => Health::Failing(failure.clone()),
            None if state.answered => Health::Answering,
            None => Health::Unknown,
        }
    }

    /// The state of the breaker.
    pub fn breaker(&self, now: Timestamp) -> Breaker {
        self.state().circuit.state(now)
    }

    /// How often the platform answered again after an outage or a refusal.
    pub fn recoveries(&self) -> u32 {
        self.state().recoveries
    }

    /// The pause that the platform asked for, if it is not over.
    pub fn pause(&self, now: Timestamp) -> Option<(Timestamp, Failure)> {
        let paused = self.state().paused.clone();
        paused
            .filter(|(rest, _)| rest.left(now).is_some())
            .map(|(rest, failure)| (rest.until, failure))
    }

    /// What may be asked, and what is left of it.
    pub(crate) fn budget(&self, now: Timestamp) -> Budget {
        let mut state = self.state();
        Budget {
            requests_per_second: state.bucket.rate(),
            requests_left: state.bucket.left(now),
            calls: self.places.wanted(),
            calls_under_way: self.places.taken(),
            calls_waiting: self.places.waiting(),
        }
    }

    /// Whether it remembers a pause or a refused credential whose time is not over.
    pub(crate) fn is_resting(&self, now: Timestamp) -> bool {
        let state = self.state();
        let refused = state.refused.as_ref();
        refused.is_some_and(|(_, rest, _)| rest.left(now).is_some()) || state.paused(now).is_some()
    }

    /// Makes a call with the credential of this fingerprint, or says at once why none can be made.
    /// `None`: too many are waiting already, come back later.
    ///
    /// The call is a pass: what it sends through [`crate::cloud::Clouds`] is counted request by
    /// request. Times are `clock`'s; only waiting, never longer than [`LONGEST_WAIT`] for a place and
    /// as long for the first request's turn, is the runtime's. A credential that has never been
    /// accepted is tried by one caller at a time, and so is a platform that fails everybody.
    pub async fn pass<T, F>(
        &self,
        fingerprint: &[u8; 32],
        clock: impl Fn() -> Timestamp,
        call: impl FnOnce() -> F,
    ) -> Option<Result<T, Failure>>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        if let Some(failure) = self.state().refuses(fingerprint, clock()) {
            return Some(Err(failure));
        }
        let waiting = self.places.wait()?;
        if self.state().bucket.wait_behind(waiting.ahead, clock()) > LONGEST_WAIT {
            return None;
        }
        let entry = async {
            let unproven = || self.state().accepted != Some(*fingerprint);
            let first = if unproven() {
                // Proven by the one before: those who waited need not go one by one.
                Some(self.first.lock().await).filter(|_| unproven())
            } else {
                None
            };
            self.places.take().await.map(|place| (first, place))
        };
        let (_first, _place) = tokio::time::timeout(LONGEST_WAIT, entry).await.ok()??;
        drop(waiting);
        // While waiting, another caller may have learned that there is no point.
        if let Some(failure) = self.state().refuses(fingerprint, clock()) {
            return Some(Err(failure));
        }
        let wait = self.state().bucket.book_within(clock(), LONGEST_WAIT)?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let begun = match self.begin(fingerprint, clock()) {
            Ok(begun) => begun,
            Err(failure) => return Some(Err(failure)),
        };
        let result = Meter::new(self.state.clone()).over(call()).await;
        self.record(fingerprint, result.as_ref().err(), begun.probe, clock());
        Some(result)
    }

    /// The last look before a call, and its beginning, in one: of many callers one is the probe.
    fn begin(&self, fingerprint: &[u8; 32], now: Timestamp) -> Result<Begun<'_>, Failure> {
        let mut state = self.state();
        match state.refuses(fingerprint, now) {
            Some(failure) => Err(failure),
            None => Ok(Begun {
                probe: state.circuit.begin(),
                gate: self,
            }),
        }
    }

    fn record(
        &self,
        fingerprint: &[u8; 32],
        failure: Option<&Failure>,
        probe: Option<Probe>,
        now: Timestamp,
    ) {
        let mut state = self.state();
        match failure.map(|failure| (failure.kind, failure)) {
            Some((FailureKind::Throttled, failure)) => {
                let pause = failure.retry_after.unwrap_or(DEFAULT_PAUSE);
                let rest = Rest::new(now, pause);
                // Several calls were under way: the longest pause holds.
                let left = state.paused.as_ref().and_then(|(rest, _)| rest.left(now));
                if left.is_none_or(|left| left < pause) {
                    state.paused = Some((rest, failure.clone()));
                }
            }
            Some((FailureKind::AuthenticationFailed, failure)) => {
                let rest = Rest::new(now, REFUSED_FOR);
                state.refused = Some((*fingerprint, rest, failure.clone()));
                state.accepted = None;
                // It is there; that it can be used again is news only when it accepts somebody.
                state.circuit.answered();
            }
            // It was not even asked.
            Some((FailureKind::InvalidSpec | FailureKind::ProviderNotReady, _)) => {}
            Some((kind, failure)) if is_passing(kind) => {
                state.circuit.failed(failure, probe, now, self.seed);
            }
            // The platform knows us and answered.
            Some(_) | None => {
                let failed = state.circuit.answered();
                if state.refused.take().is_some() || failed {
                    state.recoveries = state.recoveries.wrapping_add(1);
                }
                state.accepted = Some(*fingerprint);
                // A pause ends by its time alone: this call may have begun before it was asked for.
                state.answered = true;
            }
        }
    }
}

/// A call under way. One that is given up, or learned nothing, leaves the next one to try.
struct Begun<'a> {
    gate: &'a Gate,
    probe: Option<Probe>,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(probe) = self.probe {
            self.gate.state().circuit.end(probe);
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

#[cfg(test)]
mod tests;
