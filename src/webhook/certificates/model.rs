//! Replicas in a cluster of a model, under every order of their steps.
//!
//! Owns the model: a Secret and two configurations with versions, API servers that lag behind, and
//! replicas that stop between any two calls, sleep, crash, and have clocks of their own. What a replica
//! does is the real [`Keeper::look`]; only its calls are the model's.

use super::Pace;
use super::bundle::{Authority, Bundle};
use super::held::{Data, Held, KEYS};
use super::look::{Again, Cluster, Configuration, Failure, Keeper, Stored};
use super::pair::Pair;
use super::serving::Serving;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

mod long;
mod orders;
mod repairs;
mod rules;

const KIND: &str = "ValidatingWebhookConfiguration";
const NAME: &str = "imageref-webhook.imageref-system.svc";
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// How long an API server may go by a configuration that was replaced: less than [`Pace::settle`].
const LAG: Duration = Duration::from_secs(20);

struct Object {
    version: u64,
    bundle: Vec<u8>,
    /// Bundles that were there before, and until when.
    past: Vec<(Duration, Vec<u8>)>,
}

#[derive(Default)]
struct State {
    /// True time since the beginning.
    elapsed: Duration,
    versions: u64,
    secret: Option<(u64, Data)>,
    configurations: Vec<Object>,
    secret_writes: u32,
    configuration_writes: u32,
    /// What the API server refuses, for want of rights.
    refused: Vec<&'static str>,
    /// What is known of who trusts what: verifying takes most of the time.
    verified: HashMap<(Vec<u8>, Vec<u8>), bool>,
    /// When the last authority of a bundle ends.
    ends: HashMap<Vec<u8>, Option<Timestamp>>,
}

impl State {
    fn version(&mut self) -> u64 {
        self.versions += 1;
        self.versions
    }

    fn put_secret(&mut self, data: Data) {
        let version = self.version();
        self.secret = Some((version, data));
    }

    fn put_bundle(&mut self, at: usize, bundle: Vec<u8>) {
        let (version, now) = (self.version(), self.elapsed);
        let object = &mut self.configurations[at];
        let before = std::mem::replace(&mut object.bundle, bundle);
        object
            .past
            .retain(|(until, _)| now.saturating_sub(*until) <= LAG);
        object.past.push((now, before));
        object.version = version;
    }

    fn end(&mut self, bundle: &[u8]) -> Option<Timestamp> {
        let last = || Bundle::read(bundle).iter().map(Authority::not_after).max();
        *self.ends.entry(bundle.to_vec()).or_insert_with(last)
    }

    fn trusts(&mut self, bundle: &[u8], pair: &Pair) -> bool {
        let key = (bundle.to_vec(), pair.chain().as_bytes().to_vec());
        let trusts = || pair.is_trusted_by(&Bundle::read(bundle));
        *self.verified.entry(key).or_insert_with(trusts)
    }
}

/// The cluster: clones are the same one.
#[derive(Clone)]
struct World(Arc<Mutex<State>>);

fn begin() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

impl World {
    /// No Secret, and configurations that trust nobody.
    fn new() -> Self {
        let empty = |version| Object {
            version,
            bundle: Vec::new(),
            past: Vec::new(),
        };
        Self(Arc::new(Mutex::new(State {
            configurations: vec![empty(1), empty(2)],
            versions: 2,
            ..State::default()
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn pass(&self, time: Duration) {
        self.state().elapsed += time;
    }

    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.state().elapsed).unwrap();
        begin().saturating_add(elapsed).unwrap()
    }

    fn held(&self) -> Held {
        let state = self.state();
        let secret = state.secret.as_ref();
        secret.map(|(_, data)| Held::read(data)).unwrap_or_default()
    }

    /// Fails if a client would refuse this certificate: one that goes by what any configuration holds,
    /// or held until a moment ago. One that trusts nobody but who has ended can be answered by no one.
    fn assert_accepted(&self, pair: &Pair) {
        let now = self.now();
        let mut state = self.state();
        if pair.not_after() <= now {
            return;
        }
        let since = state.elapsed.saturating_sub(LAG);
        let mut seen = Vec::new();
        for object in &state.configurations {
            seen.push(object.bundle.clone());
            let past = object.past.iter().filter(|(until, _)| *until > since);
            seen.extend(past.map(|(_, bundle)| bundle.clone()));
        }
        for bundle in &seen {
            if state.end(bundle).is_none_or(|end| end <= now) {
                continue;
            }
            let trusted = state.trusts(bundle, pair);
            assert!(
                trusted,
                "{pair:?} is served; trusted are {:?}",
                Bundle::read(bundle)
            );
        }
    }
}

/// A call takes its time: others act before it arrives, and before its answer does.
async fn on_the_way() {
    let mut arrived = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut arrived, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

impl World {
    async fn call<T>(
        &self,
        name: &'static str,
        call: impl FnOnce(&mut State) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        on_the_way().await;
        let answer = {
            let mut state = self.state();
            if state.refused.contains(&name) {
                Err(Failure::Failed(format!("{name}: forbidden")))
            } else {
                call(&mut state)
            }
        };
        on_the_way().await;
        answer
    }
}

impl Cluster for World {
    async fn configurations(&self) -> Result<Vec<Configuration>, Failure> {
        let mut all = Vec::new();
        for at in 0..2 {
            let read = self.call("read configurations", |state| {
                let object = &state.configurations[at];
                let hook = |name: &str| (name.to_owned(), Bundle::read(&object.bundle));
                Ok(Configuration {
                    id: (KIND, at.to_string()),
                    version: Some(object.version.to_string()),
                    hooks: vec![hook("one"), hook("two")],
                })
            });
            all.push(read.await?);
        }
        Ok(all)
    }

    async fn secret(&self) -> Result<Option<Stored>, Failure> {
        let read = |state: &mut State| {
            let secret = state.secret.as_ref();
            Ok(secret.map(|(version, data)| Stored {
                version: version.to_string(),
                data: data.clone(),
            }))
        };
        self.call("read secret", read).await
    }

    async fn write(&self, data: Data, over: Option<&str>) -> Result<(), Failure> {
        assert!(data.keys().all(|key| KEYS.contains(&key.as_str())));
        let write = |state: &mut State| {
            let version = state
                .secret
                .as_ref()
                .map(|(version, _)| version.to_string());
            if version.as_deref() != over {
                return Err(Failure::Conflict);
            }
            state.put_secret(data);
            state.secret_writes += 1;
            Ok(())
        };
        self.call("write secret", write).await
    }

    async fn trust(&self, to: &Configuration, bundle: &Bundle) -> Result<(), Failure> {
        let at: usize = to.id.1.parse().unwrap();
        let write = |state: &mut State| {
            if to.version != Some(state.configurations[at].version.to_string()) {
                return Err(Failure::Conflict);
            }
            state.put_bundle(at, bundle.pem().into_bytes());
            state.configuration_writes += 1;
            Ok(())
        };
        self.call("write configurations", write).await
    }
}

type Look = BoxFuture<'static, (Keeper, Result<Again, String>)>;

/// One process.
struct Replica {
    world: World,
    /// What its clock shows beyond the true time.
    skew: SignedDuration,
    serving: Arc<Serving>,
    idle: Option<Keeper>,
    look: Option<Look>,
    ended: Option<Result<Again, String>>,
}

impl Replica {
    fn new(world: &World) -> Self {
        let serving = Arc::new(Serving::default());
        let keeper = Keeper::new(vec![NAME.into()], Pace::default(), serving.clone());
        Self {
            world: world.clone(),
            skew: SignedDuration::ZERO,
            serving,
            idle: Some(keeper),
            look: None,
            ended: None,
        }
    }

    /// Loses what it remembers, and what it was doing.
    fn crash(&mut self) {
        let skew = self.skew;
        *self = Self::new(&self.world);
        self.skew = skew;
    }

    /// Begins a look, or lets the one under way get on to the next moment at which others may act.
    fn step(&mut self) {
        let world = self.world.clone();
        let mut look = match (self.look.take(), self.idle.take()) {
            (Some(look), _) => look,
            (None, Some(mut keeper)) => {
                let now = world.now().saturating_add(self.skew).unwrap();
                async move {
                    let looked = keeper.look(&world, now, || world.state().elapsed).await;
                    (keeper, looked)
                }
                .boxed()
            }
            (None, None) => unreachable!("a keeper looks or is idle"),
        };
        let mut context = Context::from_waker(futures::task::noop_waker_ref());
        match look.as_mut().poll(&mut context) {
            Poll::Pending => self.look = Some(look),
            Poll::Ready((keeper, looked)) => {
                self.idle = Some(keeper);
                self.ended = Some(looked);
            }
        }
    }

    /// A whole look, with nobody else acting in between.
    fn look(&mut self) -> Result<Again, String> {
        self.ended = None;
        loop {
            self.step();
            if let Some(ended) = self.ended.take() {
                return ended;
            }
        }
    }

    fn served(&self) -> Option<Arc<Pair>> {
        self.serving.pair()
    }
}
