//! Answers of registries that many references share, so that what they cost depends on the images.
//!
//! Owns what registries said lately, and the budget of each login at each registry. Must not know
//! how a registry is asked. The invariants that would break first: **what one login was told is told
//! to that login alone**, no answer is older than its question allows, and what an asker claims to
//! know is told to nobody else.

use super::access::Key;
use super::gates::Gates;
use super::look::{Missed, Seen, look};
use super::room::make_room;
use super::session::Session;
use super::tokens::Tokens;
use super::wire::Wire;
use super::{Access, RegistryHosts};
use crate::cloud::Network;
use crate::cloud::gate::{Gate, Limits};
use crate::cloud::identity::Clock;
use crate::cloud::snapshot::ground::Ground;
use crate::cloud::snapshot::slot::{Call, Kept, Slot};
use crate::facts::{Content, Digest, Failure, FailureKind, Platform, Reference};
use crate::telemetry::Metrics;
use futures::FutureExt;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// An answer is kept so long, or twice the largest age that was asked for.
const IDLE: Duration = Duration::from_secs(3 * 3600);
/// What an answer is taken to hold beside its words, in bytes; and on average, whatever it holds.
const WEIGHT: usize = 1024;
/// Bound on one look-up, all its requests and their waiting for a turn included.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked, and how fresh the answer has to be.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The image: by its digest if it has one, else by its tag.
    pub reference: &'a Reference,
    /// Who asks.
    pub access: &'a Access,
    /// Whether to read a host inside a VPC at its public twin.
    pub public: bool,
    /// What the asker knows of the reference: if the registry says that its digest stands, nothing
    /// is read.
    pub known: Option<&'a Content>,
    /// How old the answer may be when the question is asked.
    pub max_age: Duration,
    /// The answer may not be of before this, whatever its age. In the future it means now.
    pub not_before: Option<Timestamp>,
}

/// What a registry says.
#[derive(Clone, Debug)]
pub struct Read {
    /// What the reference means.
    pub content: Arc<Content>,
    /// The content is of this time or later.
    pub as_of: Timestamp,
}

/// What reading needs to know beside questions.
#[derive(Clone)]
pub struct RegistryOptions {
    /// The wall clock.
    pub clock: Clock,
    /// What each login may ask of each registry; `min_interval` is for the caller.
    pub limits: Limits,
    /// Answers held at once, each for one login, and of long ones fewer: 1 KiB is meant for each.
    /// Those not used for longest make room.
    pub capacity: usize,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
}

impl Default for RegistryOptions {
    /// The system's clock, 20 requests a second with 40 at once, 8 look-ups under way, 16384 answers.
    fn default() -> Self {
        Self {
            clock: Arc::new(Timestamp::now),
            limits: Limits {
                requests_per_second: 20,
                burst: 40,
                max_concurrent: 8,
                ..Limits::default()
            },
            capacity: 16 * 1024,
            metrics: Arc::default(),
        }
    }
}

/// An answer about an image: what it is, or that it is not there, not shown or broken.
type Said = Result<Seen, Failure>;

/// What answers are kept by: who asks, where, and what.
type EntryKey = (Key, String, Reference);

struct Entry {
    slot: Arc<Slot<Said>>,
    /// The fingerprint of the login that the last look-up was refused with, if that is how it ended.
    refused: Mutex<Option<[u8; 32]>>,
    /// Whether somebody needs more than that a digest stands.
    whole: AtomicBool,
    /// When it was last asked for, in milliseconds since the ground was made.
    used: AtomicU64,
    /// The largest age that was asked for, in milliseconds.
    max_age: AtomicU64,
}

impl Entry {
    fn is_idle(&self, now: Duration) -> bool {
        let max_age = Duration::from_millis(self.max_age.load(Ordering::Relaxed));
        now.saturating_sub(self.used()) > max_age.saturating_mul(2).max(IDLE)
    }

    /// Forgets a refusal if it was of another login than this: that says nothing of this one. Whether
    /// there was such.
    fn forgets_refusal(&self, fingerprint: &[u8; 32]) -> bool {
        let of_another = lock(&self.refused)
            .take_if(|refused| refused != fingerprint)
            .is_some();
        if of_another {
            self.slot.forget_failure();
        }
        of_another
    }

    fn used(&self) -> Duration {
        Duration::from_millis(self.used.load(Ordering::Relaxed))
    }
}

struct Inner {
    wire: Wire,
    tokens: Tokens,
    ground: Ground,
    gates: Gates,
    capacity: usize,
    entries: Mutex<HashMap<EntryKey, Arc<Entry>>>,
}

/// What registries said lately, and the way to ask them. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Registries(Arc<Inner>);

impl fmt::Debug for Registries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registries({} answers)", self.len())
    }
}

impl Registries {
    /// Reaches registries as `network` says, and those alone that `hosts` lets through: origins that
    /// `network` allows are of clouds.
    ///
    /// # Errors
    /// One sentence: the certificates cannot be read, or the system has none.
    pub fn new(
        network: Network,
        hosts: RegistryHosts,
        options: RegistryOptions,
    ) -> Result<Self, String> {
        let RegistryOptions {
            clock,
            limits,
            capacity,
            metrics,
        } = options;
        Ok(Self(Arc::new(Inner {
            wire: Wire::new(network, hosts, clock.clone(), metrics)?,
            tokens: Tokens::default(),
            ground: Ground::new(clock),
            gates: Gates::new(limits),
            capacity: capacity.max(1),
            entries: Mutex::default(),
        })))
    }

    /// Has requests answered in process.
    #[cfg(test)]
    pub(crate) fn with_stand_in(mut self, stand_in: super::wire::StandIn) -> Self {
        Arc::get_mut(&mut self.0).unwrap().wire.stand_in = Some(stand_in);
        self
    }

    /// Says what a reference means, from what is known or with as few requests as many askers
    /// together need. `None`: too many others wait for this registry, come back later.
    ///
    /// Many callers share one look-up, which goes on if they give up; it is bounded by itself to a
    /// minute. That an image is not there, not shown or broken is an answer like any other. A look-up
    /// that failed stands for all who ask within a few seconds, or for as long as the
    /// registry asked to wait.
    pub async fn read(&self, asking: &Asking<'_>) -> Option<Result<Read, Failure>> {
        let Asking {
            reference, access, ..
        } = *asking;
        if let Err(what) = reference.wanted() {
            return Some(Err(Failure::new(FailureKind::InvalidSpec, what)));
        }
        let hosts = &self.0.wire.hosts;
        let origin = match hosts.origin(reference.host(), asking.public) {
            Ok(origin) => origin,
            Err(failure) => return Some(Err(failure)),
        };
        let ground = &self.0.ground;
        let mut floor = ground.floor(asking.max_age, asking.not_before);
        let entry = self.0.entry(
            (access.key(), origin.clone(), reference.clone()),
            asking.max_age,
        );
        if let Some(read) = entry
            .slot
            .fresh(floor)
            .and_then(|kept| answer(&kept, asking))
        {
            return Some(read);
        }
        let now = ground.now();
        let gate = self.0.gates.of(access.key(), &origin, now.run, now.wall);
        let _seat = gate.seat()?;
        let question = Arc::new(Lookup {
            inner: self.0.clone(),
            gate: gate.clone(),
            access: access.clone(),
            origin,
            reference: reference.clone(),
            known: asking.known.map(|known| known.digest.clone()),
        });
        let fingerprint = access.fingerprint();
        loop {
            let call = || question.clone().call(entry.clone());
            let kept = match entry.slot.obtain(floor, ground, call).await? {
                Ok(kept) => kept,
                Err(failure)
                    if failure.kind == FailureKind::AuthenticationFailed
                        && entry.forgets_refusal(&fingerprint) =>
                {
                    continue;
                }
                Err(failure) => return Some(Err(failure)),
            };
            if let Some(read) = answer(&kept, asking) {
                return Some(read);
            }
            // Somebody else knew the digest and this one does not: from here on it is read whole.
            entry.whole.store(true, Ordering::Relaxed);
            floor = ground.run();
        }
    }

    /// The pause that a registry asked this login for, if it is not over; `None` also if `host` is
    /// not asked at all.
    pub fn pause(&self, access: &Access, host: &str, public: bool) -> Option<(Timestamp, Failure)> {
        let origin = self.0.wire.hosts.origin(host, public).ok()?;
        let gate = self.0.gates.held(access.key(), origin)?;
        gate.pause((self.0.wire.clock)())
    }

    /// Drops what nobody has asked for in a long time.
    pub fn forget_idle(&self) {
        let now = self.0.ground.run();
        lock(&self.0.entries).retain(|_, entry| !entry.is_idle(now));
        self.0.gates.forget_idle(now);
        self.0.tokens.forget_ended((self.0.wire.clock)());
    }

    /// How many answers are held.
    pub fn len(&self) -> usize {
        lock(&self.0.entries).len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What was kept, for this asker; `None` if it needs more than that.
fn answer(kept: &Kept<Said>, asking: &Asking<'_>) -> Option<Result<Read, Failure>> {
    let seen = match &kept.value {
        Ok(seen) => seen,
        Err(failure) => return Some(Err(failure.clone())),
    };
    let known = || asking.known.filter(|known| known.digest == seen.digest);
    let content = seen
        .content
        .clone()
        .or_else(|| Some(Arc::new(known()?.clone())))?;
    Some(Ok(Read {
        content,
        as_of: kept.began.wall,
    }))
}

/// About how many bytes an answer holds.
fn weight(said: &Said) -> usize {
    let words = match said {
        Ok(seen) => seen.content.as_ref().map_or(0, |content| {
            let platforms = content.platforms.iter();
            let words = platforms.map(|platform| {
                let variant = platform.variant.as_ref().map_or(0, String::len);
                size_of::<Platform>() + platform.os.len() + platform.architecture.len() + variant
            });
            words.sum()
        }),
        Err(failure) => failure.message.len(),
    };
    WEIGHT + words
}

/// One question, as it is put to the registry for all who wait.
struct Lookup {
    inner: Arc<Inner>,
    gate: Arc<Gate>,
    access: Access,
    origin: String,
    reference: Reference,
    known: Option<Digest>,
}

impl Lookup {
    /// The call for an entry; it is made while the entry's slot is locked, so it looks there later.
    fn call(self: Arc<Self>, entry: Arc<Entry>) -> Call<Said> {
        async move {
            let before = entry.slot.kept();
            let before = before.and_then(|kept| kept.value.as_ref().ok()?.content.clone());
            let claimed = !entry.whole.load(Ordering::Relaxed);
            let known = self.known.clone().filter(|_| claimed);
            let known: Vec<_> = before
                .iter()
                .map(|read| read.digest.clone())
                .chain(known)
                .collect();
            let clock = self.inner.wire.clock.clone();
            let asked = || async { self.ask(&known).await };
            let fingerprint = self.access.fingerprint();
            let passed = self.gate.pass(&fingerprint, || clock(), asked).await?;
            *lock(&entry.refused) = passed
                .as_ref()
                .err()
                .filter(|failure| failure.kind == FailureKind::AuthenticationFailed)
                .map(|_| fingerprint);
            let said = match passed {
                Ok(said) => said,
                Err(failure) => return Some(Err(failure)),
            };
            Some(match said {
                Ok(mut seen) => {
                    // What was read of it before still stands.
                    let same = before.filter(|read| read.digest == seen.digest);
                    seen.content = seen.content.or(same);
                    Ok(Ok(seen))
                }
                Err(Missed::Answer(failure)) => Ok(Err(failure)),
                Err(Missed::Trouble(failure)) => Err(failure),
            })
        }
        .boxed()
    }

    /// A bad answer is an answer: the gate must not take it for a registry that is away, or one broken
    /// image would stop all others there.
    async fn ask(&self, known: &[Digest]) -> Result<Result<Seen, Missed>, Failure> {
        let session = Session {
            wire: &self.inner.wire,
            tokens: &self.inner.tokens,
            access: &self.access,
            origin: &self.origin,
            reference: &self.reference,
            shown: Mutex::default(),
        };
        match tokio::time::timeout(PATIENCE, look(&session, known)).await {
            Ok(Ok(seen)) => Ok(Ok(seen)),
            Ok(Err(Missed::Trouble(failure))) if failure.kind != FailureKind::ResponseInvalid => {
                Err(failure)
            }
            Ok(Err(missed)) => Ok(Err(missed)),
            Err(_) => {
                let host = self.reference.host();
                let message = format!(
                    "registry {host} did not say within {} s what {} is",
                    PATIENCE.as_secs(),
                    self.reference
                );
                Err(Failure::new(FailureKind::Unreachable, message))
            }
        }
    }
}

impl Inner {
    fn entry(&self, key: EntryKey, max_age: Duration) -> Arc<Entry> {
        let now = self.ground.run();
        let mut entries = lock(&self.entries);
        let is_full = |number: usize| {
            let held = self.ground.held();
            number >= self.capacity || held >= self.capacity.saturating_mul(WEIGHT)
        };
        if is_full(entries.len()) && !entries.contains_key(&key) {
            entries.retain(|_, entry| !entry.is_idle(now));
            if is_full(entries.len()) {
                make_room(&mut entries, |entry| {
                    (Arc::strong_count(entry) == 1).then(|| entry.used())
                });
            }
        }
        let entry = entries.entry(key).or_insert_with(|| {
            Arc::new(Entry {
                slot: Arc::new(Slot::new(weight)),
                refused: Mutex::default(),
                whole: AtomicBool::new(false),
                used: AtomicU64::new(0),
                max_age: AtomicU64::new(0),
            })
        });
        entry.used.store(millis(now), Ordering::Relaxed);
        entry.max_age.fetch_max(millis(max_age), Ordering::Relaxed);
        entry.clone()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one insertion or a removal; a panic in between leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
