//! What was issued, by proof.
//!
//! Owns one entry a proof, and one exchange under way per entry. Must not know how a proof is
//! exchanged. The invariant that would break first: what was issued for a proof is in its entry alone.

use super::entries::{Entries, Worth};
use super::exchange::{Clock, Exchanger};
use super::state::{Moment, State, Verdict};
use super::{Identity, Issued, Refusals, Source};
use crate::cloud::Credential;
use crate::facts::{Failure, FailureKind};
use crate::telemetry::Metrics;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use jiff::Timestamp;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument as _;

/// Bound on a whole exchange, of two or three calls.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a proof is exchanged.
pub type Exchange =
    Arc<dyn Fn(Arc<Identity>) -> BoxFuture<'static, Result<Issued, Failure>> + Send + Sync>;

/// What a cache needs to know beside proofs.
#[derive(Clone)]
pub struct CacheOptions {
    /// The wall clock.
    pub clock: Clock,
    /// Spreads renewals of several processes.
    pub seed: u64,
    /// Proofs held at once; one that is not used makes room.
    pub capacity: usize,
    /// Users and keys that were refused.
    pub refusals: Arc<Refusals>,
    /// Where exchanges are counted.
    pub metrics: Arc<Metrics>,
}

impl Default for CacheOptions {
    /// The system's clock, a random seed, 4096 proofs.
    fn default() -> Self {
        Self {
            clock: Arc::new(Timestamp::now),
            seed: uuid::Uuid::new_v4().as_u64_pair().0,
            capacity: 4096,
            refusals: Arc::default(),
            metrics: Arc::default(),
        }
    }
}

type Flight = Shared<BoxFuture<'static, Result<Arc<Credential>, Failure>>>;

#[derive(Default)]
struct Inner {
    state: State,
    flight: Option<Flight>,
}

#[derive(Default)]
struct Entry {
    inner: Mutex<Inner>,
}

impl Entry {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is one assignment; a panic in between leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worth(&self, now: Moment) -> Worth {
        let inner = self.lock();
        match inner.state.judge(now) {
            _ if inner.flight.is_some() || inner.state.rests(now) => Worth::Keep,
            Verdict::Serve(_) | Verdict::ServeAndRenew(_) => Worth::WhileInUse,
            Verdict::Exchange | Verdict::Fail(_) => Worth::Nothing,
        }
    }
}

struct Held {
    exchange: Exchange,
    options: CacheOptions,
    made: Instant,
    entries: Entries<Entry>,
}

/// Issued credentials. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct CredentialCache(Arc<Held>);

impl fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialCache({} proofs)", self.len())
    }
}

impl CredentialCache {
    /// Exchanges at the clouds.
    pub fn new(exchanger: Arc<Exchanger>, options: CacheOptions) -> Self {
        let exchange: Exchange = Arc::new(move |identity: Arc<Identity>| {
            let exchanger = exchanger.clone();
            async move { exchanger.exchange(&identity).await }.boxed()
        });
        Self::with_exchange(exchange, options)
    }

    /// Exchanges in a way of the caller's.
    pub fn with_exchange(exchange: Exchange, options: CacheOptions) -> Self {
        Self(Arc::new(Held {
            exchange,
            made: Instant::now(),
            entries: Entries::new(options.capacity),
            options,
        }))
    }

    /// The credential for a proof: what is held while it is good, else what an exchange brings. Many
    /// callers share one exchange, which goes on if they give up.
    ///
    /// # Errors
    /// The last exchange's failure, with the time until another is tried.
    pub async fn credential(&self, identity: &Arc<Identity>) -> Result<Arc<Credential>, Failure> {
        if let Source::Static(credential) = identity.source() {
            return Ok(Arc::new(credential.clone()));
        }
        let entry = self.0.entry(identity)?;
        let doubtful = {
            let mut inner = entry.lock();
            let now = self.0.moment();
            match inner.state.judge(now) {
                Verdict::Fail(failure) if inner.flight.is_none() => {
                    if !inner.state.may_have_changed(now) {
                        return Err(failure);
                    }
                    None
                }
                verdict => Some(self.0.act(&entry, identity, &mut inner, verdict)),
            }
        };
        let step = if let Some(step) = doubtful {
            step
        } else {
            let evidence = identity.evidence().await;
            let mut inner = entry.lock();
            inner.state.forgive(evidence);
            let verdict = inner.state.judge(self.0.moment());
            self.0.act(&entry, identity, &mut inner, verdict)
        };
        match step {
            Step::Done(result) => result,
            Step::Wait(flight) => flight.await,
        }
    }

    /// A platform refused the credential of this fingerprint ([`Credential::fingerprint`]). `true`:
    /// ask [`CredentialCache::credential`] once more and try again. `false`: the refusal stands, since
    /// nothing is issued for this proof, or the credential was renewed for a refusal already.
    pub fn invalidate(&self, identity: &Identity, fingerprint: &[u8; 32]) -> bool {
        if matches!(identity.source(), Source::Static(_)) {
            return false;
        }
        let now = self.0.moment();
        self.0
            .entry(identity)
            .is_ok_and(|entry| entry.lock().state.refuse(now, fingerprint))
    }

    /// Drops what is held for a proof: its provider is gone.
    pub fn forget(&self, identity: &Identity) {
        self.0.entries.forget(&identity.proof());
    }

    /// How many proofs are held.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

enum Step {
    Done(Result<Arc<Credential>, Failure>),
    Wait(Flight),
}

impl Held {
    fn moment(&self) -> Moment {
        Moment {
            wall: (self.options.clock)(),
            run: self.made.elapsed(),
        }
    }

    fn entry(&self, identity: &Identity) -> Result<Arc<Entry>, Failure> {
        let now = self.moment();
        self.entries
            .of(identity.proof(), now.run, |entry| entry.worth(now))
    }

    fn act(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        identity: &Arc<Identity>,
        inner: &mut Inner,
        verdict: Verdict,
    ) -> Step {
        match (verdict, &inner.flight) {
            (Verdict::Serve(credential), _) | (Verdict::ServeAndRenew(credential), Some(_)) => {
                Step::Done(Ok(credential))
            }
            (Verdict::ServeAndRenew(credential), None) => {
                // It goes on by itself.
                drop(self.fly(entry, identity, inner));
                Step::Done(Ok(credential))
            }
            (Verdict::Exchange | Verdict::Fail(_), Some(flight)) => Step::Wait(flight.clone()),
            (Verdict::Exchange, None) => Step::Wait(self.fly(entry, identity, inner)),
            (Verdict::Fail(failure), None) => Step::Done(Err(failure)),
        }
    }

    /// Begins an exchange in a task of its own. It ends with the lock that is held here.
    fn fly(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        identity: &Arc<Identity>,
        inner: &mut Inner,
    ) -> Flight {
        let task =
            tokio::spawn(run(self.clone(), entry.clone(), identity.clone()).in_current_span());
        let (held, entry) = (self.clone(), entry.clone());
        let flight = async move {
            task.await.unwrap_or_else(|_| {
                let message = "the exchange of the proof was interrupted";
                let failure = Failure::new(FailureKind::ProviderError, message);
                let now = held.moment();
                let mut inner = entry.lock();
                inner.flight = None;
                inner.state.record(now, now, Err(failure), 0, None).0
            })
        };
        let flight = flight.boxed().shared();
        inner.flight = Some(flight.clone());
        flight
    }
}

async fn run(
    held: Arc<Held>,
    entry: Arc<Entry>,
    identity: Arc<Identity>,
) -> Result<Arc<Credential>, Failure> {
    let began = held.moment();
    let form = identity.source().form();
    let evidence = identity.evidence().await;
    let seed = held.options.seed ^ identity.proof().seed();
    let principal = identity.source().principal();
    let clock = || (held.options.clock)();
    let attempt = held
        .options
        .refusals
        .attempt(principal, clock, || (held.exchange)(identity));
    let exchange = tokio::time::timeout(PATIENCE, attempt);
    let brought = exchange.await.unwrap_or_else(|_| {
        let message = format!(
            "the proof was not exchanged within {} s",
            PATIENCE.as_secs()
        );
        Err(Failure::new(FailureKind::Unreachable, message))
    });
    let ended = brought
        .as_ref()
        .map_or_else(|failure| failure.kind.as_str(), |_| "issued");
    held.options.metrics.sign_ins.count([form, ended]);
    let (result, first) = {
        let mut inner = entry.lock();
        inner.flight = None;
        inner
            .state
            .record(began, held.moment(), brought, seed, evidence)
    };
    if let Err(failure) = &result {
        let (reason, message) = (failure.kind.as_str(), failure.message.as_str());
        if first {
            tracing::warn!(form, reason, message, "no credential was issued");
        } else {
            tracing::debug!(form, reason, message, "still no credential was issued");
        }
    }
    result
}

#[cfg(test)]
mod tests;
