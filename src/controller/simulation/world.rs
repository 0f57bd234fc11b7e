//! Everything outside of the operators, and the time that passes for all.
//!
//! Owns the store, the cloud, the weather and the rules, behind one lock: each thing that happens is one
//! step. Must not know how an operator works. The invariant that would break first: whatever happens
//! goes through [`World::step`], so that nothing is left unchecked.

use super::chance::Draw;
use super::cloud::Cloud;
use super::history::History;
use super::registry::Registry;
use super::rules::Rules;
use super::store::{Key, Store};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// When every history begins.
const EPOCH: i64 = 1_800_000_000;

/// Processes.
pub(super) const INSTANCES: usize = 2;

/// Milliseconds.
const KEEPER_LATE: u64 = 50;

/// How an operator reaches the API server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    #[default]
    Fine,
    /// Connections break at once.
    Away,
    /// Nothing is answered.
    Hanging,
    /// Everything is refused with this code.
    Refusing(u16),
}

/// A process as the world sees it.
#[derive(Default)]
pub(super) struct Instance {
    pub(super) way: Way,
    /// How often it was started. A call of an earlier life is not heard of any more.
    pub(super) life: u64,
    /// Stopped by a signal, until then.
    pub(super) frozen_until: u64,
    /// Until when the thread sleeps that keeps the lease: what is under way may wake up before it.
    keeper_until: u64,
    pub(super) wakers: Vec<Waker>,
    /// It will be stopped for so long as it is about to write, the most awkward moment.
    pub(super) freezes_at_write: Option<u64>,
    /// How far its wall clock is ahead, in milliseconds.
    pub(super) skew: i64,
}

impl Instance {
    /// Its wall clock, in milliseconds; never below zero.
    pub(super) fn clock(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.skew)
    }
}

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) cloud: Cloud,
    pub(super) registry: Registry,
    pub(super) history: History,
    pub(super) rules: Rules,
    pub(super) instances: [Instance; INSTANCES],
    /// No more faults: all must come right.
    pub(super) calm: bool,
    counts: BTreeMap<String, u64>,
    /// The first rule that was broken.
    pub(super) broken: Option<String>,
}

pub(super) struct World {
    pub(super) seed: u64,
    begun: Instant,
    inner: Mutex<Inner>,
    /// The store's version: for watches.
    pub(super) changed: watch::Sender<u64>,
}

/// One life of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) instance: usize,
    pub(super) life: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let inner = Inner {
            store: Store::default(),
            cloud: Cloud::new(),
            registry: Registry::new(),
            history: History::default(),
            rules: Rules::default(),
            instances: Default::default(),
            calm: false,
            counts: BTreeMap::new(),
            broken: None,
        };
        Arc::new(Self {
            seed,
            begun: Instant::now(),
            inner: Mutex::new(inner),
            changed: watch::Sender::new(0),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Milliseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap()
    }

    /// The wall clock of a process.
    pub(super) fn clock(&self, instance: usize) -> Timestamp {
        let skew = self.lock().instances[instance].skew;
        let now = i64::try_from(self.now()).unwrap();
        Timestamp::from_millisecond(EPOCH * 1000 + now + skew).unwrap()
    }

    /// What is drawn for something that happens again and again.
    pub(super) fn draw(&self, what: &str) -> Draw {
        let mut inner = self.lock();
        let nth = inner.counts.entry(what.to_owned()).or_default();
        *nth += 1;
        Draw::of(self.seed, what, *nth)
    }

    /// One thing that happens, and the rules after it.
    pub(super) fn step<T>(
        &self,
        kind: &'static str,
        what: &str,
        happens: impl FnOnce(&mut Inner, u64) -> Result<T, String>,
    ) -> Option<T> {
        let now = self.now();
        let mut inner = self.lock();
        inner.history.step(now, kind, what);
        let version = inner.store.version;
        let happened = happens(&mut inner, now);
        let held = Rules::hold(&inner, now);
        let version = (inner.store.version != version).then_some(inner.store.version);
        let mut break_with = |why: String| {
            inner.broken.get_or_insert(why);
        };
        if let Err(why) = held {
            break_with(why);
        }
        let happened = happened.map_err(&mut break_with).ok();
        drop(inner);
        if let Some(version) = version {
            self.changed.send_replace(version);
        }
        happened
    }

    /// Waits until a process runs.
    pub(super) async fn awake(&self, instance: usize) {
        loop {
            let until = self.lock().instances[instance].frozen_until;
            let now = self.now();
            if until <= now {
                return;
            }
            tokio::time::sleep(Duration::from_millis(until - now)).await;
        }
    }

    /// Stops a process for a while.
    pub(super) fn freeze(self: &Arc<Self>, instance: usize, lasts: u64) {
        self.step(
            "weather",
            &format!("process {instance} is frozen for {lasts} ms"),
            |inner, now| {
                let until = now + lasts;
                inner.instances[instance].frozen_until = until;
                inner.instances[instance].keeper_until = until + until % 2 * KEEPER_LATE;
                inner.rules.stirred(now);
                Ok(())
            },
        );
        let world = self.clone();
        tokio::spawn(async move {
            world.awake(instance).await;
            tokio::time::sleep(milliseconds(KEEPER_LATE)).await;
            let wakers = std::mem::take(&mut world.lock().instances[instance].wakers);
            for waker in wakers {
                waker.wake();
            }
        });
    }

    pub(super) fn is_frozen(&self, instance: usize, waker: &Waker) -> bool {
        let now = self.now();
        let instance = &mut self.lock().instances[instance];
        let frozen = instance.keeper_until > now;
        if frozen {
            instance.wakers.push(waker.clone());
        }
        frozen
    }

    pub(super) fn is_alive(&self, who: Who) -> bool {
        self.lock().instances[who.instance].life == who.life
    }
}

impl Inner {
    pub(super) fn spec(&self, key: &Key) -> Option<&serde_json::Value> {
        self.store.objects.get(key).map(|object| &object["spec"])
    }
}

pub(super) fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}
