//! Snapshots under virtual time, with a platform of the test's own.

mod bounds;
mod day;
mod failures;
mod model;
mod sharing;

use super::*;
use crate::api::{ProviderKind, Upstream};
use crate::cloud::Credential;
use crate::cloud::identity::{Identity, Region, Source};
use crate::cloud::paging::Found;
use crate::facts::ImageStatus;
use crate::plan::target::{Account, ProviderId, Query};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// How long a call takes.
const CALL: Duration = Duration::from_secs(1);

/// What a call is to do instead of its work.
#[derive(Clone)]
enum Trouble {
    Fail(Failure),
    Busy,
    Panic,
    Hang,
}

#[derive(Default)]
struct State {
    /// By id: name, and how often it has changed.
    images: BTreeMap<String, (String, i64)>,
    partial: bool,
    pages: u32,
    list_trouble: Option<Trouble>,
    get_trouble: Option<Trouble>,
}

/// A platform that knows the time, and what its images are now.
struct Platform {
    state: Mutex<State>,
    start: Instant,
    /// Seconds that the wall clock is off.
    skew: AtomicI64,
    lists: AtomicU32,
    gets: AtomicU32,
    /// Lists under way, and the most there were.
    flying: AtomicU32,
    overlapped: AtomicU32,
}

#[derive(Clone)]
struct Bench {
    platform: Arc<Platform>,
    snapshots: Snapshots,
}

impl Platform {
    fn wall(&self) -> Timestamp {
        let run = SignedDuration::try_from(self.start.elapsed()).unwrap();
        let skew = SignedDuration::from_secs(self.skew.load(Ordering::Relaxed));
        Timestamp::from_second(1_800_000_000).unwrap() + run + skew
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a call in trouble.
async fn suffer<T>(trouble: Trouble) -> Option<Result<T, Failure>> {
    match trouble {
        Trouble::Fail(failure) => Some(Err(failure)),
        Trouble::Busy => None,
        Trouble::Panic => panic!("a call panics"),
        Trouble::Hang => std::future::pending().await,
    }
}

fn image(id: &str, name: &str, version: i64) -> Facts {
    Facts {
        image_id: id.into(),
        arch: None,
        status: ImageStatus::Active,
        swr_path: None,
        image: None,
        accelerators: Vec::new(),
        size: Some(version),
        created: None,
        updated: None,
        upstream: Upstream {
            name: Some(name.into()),
            ..Upstream::default()
        },
    }
}

fn not_found() -> Failure {
    Failure::new(FailureKind::NotFound, "it is not there")
}

impl Calls for Bench {
    fn list(&self, _: &Scope) -> BoxFuture<'static, Option<Result<Listing, Failure>>> {
        let platform = self.platform.clone();
        async move {
            platform.lists.fetch_add(1, Ordering::Relaxed);
            let flying = platform.flying.fetch_add(1, Ordering::Relaxed) + 1;
            platform.overlapped.fetch_max(flying, Ordering::Relaxed);
            let as_of = platform.wall();
            sleep(CALL).await;
            platform.flying.fetch_sub(1, Ordering::Relaxed);
            let trouble = platform.state().list_trouble.clone();
            if let Some(trouble) = trouble {
                return suffer(trouble).await;
            }
            let state = platform.state();
            let images = state.images.iter();
            let found = Found {
                matches: images.map(|(id, (name, n))| image(id, name, *n)).collect(),
                whole: !state.partial,
                cut: state.partial.then_some(Cut::Pages),
                pages: state.pages,
                bytes: 500 * state.images.len(),
            };
            Some(Ok(Listing::new(vec![(None, found)], as_of)))
        }
        .boxed()
    }

    fn get(
        &self,
        target: &Target,
        bound: Option<&str>,
    ) -> BoxFuture<'static, Option<Result<Facts, Failure>>> {
        let (platform, query) = (self.platform.clone(), target.query.clone());
        let bound = bound.map(str::to_owned);
        async move {
            platform.gets.fetch_add(1, Ordering::Relaxed);
            sleep(CALL).await;
            let trouble = platform.state().get_trouble.clone();
            if let Some(trouble) = trouble {
                return suffer(trouble).await;
            }
            let state = platform.state();
            let mut images = state.images.iter();
            let found = images.find(|(id, (name, _))| match &query {
                Query::NotebookId(asked) => *id == asked,
                Query::NotebookName { name: asked, .. } => {
                    name == asked && bound.as_ref().is_none_or(|bound| bound == *id)
                }
                _ => false,
            });
            let found = found.map(|(id, (name, version))| image(id, name, *version));
            Some(found.ok_or_else(not_found))
        }
        .boxed()
    }
}

impl Bench {
    /// A platform of so many images, `i0` and on, each named like its id.
    fn new(images: usize) -> Self {
        Self::with(images, 1024, 64 << 20)
    }

    fn with(images: usize, capacity: usize, bytes: usize) -> Self {
        let images = (0..images).map(|n| (format!("i{n}"), (format!("i{n}"), 0)));
        let platform = Arc::new(Platform {
            state: Mutex::new(State {
                images: images.collect(),
                pages: 3,
                ..State::default()
            }),
            start: Instant::now(),
            skew: AtomicI64::new(0),
            lists: AtomicU32::new(0),
            gets: AtomicU32::new(0),
            flying: AtomicU32::new(0),
            overlapped: AtomicU32::new(0),
        });
        let wall = platform.clone();
        let snapshots = Snapshots::new(SnapshotOptions {
            clock: Arc::new(move || wall.wall()),
            capacity,
            bytes,
        });
        Self {
            platform,
            snapshots,
        }
    }

    /// Lists and gets so far.
    fn calls(&self) -> (u32, u32) {
        let read = |count: &AtomicU32| count.load(Ordering::Relaxed);
        (read(&self.platform.lists), read(&self.platform.gets))
    }

    fn change(&self, id: &str) {
        if let Some((_, version)) = self.platform.state().images.get_mut(id) {
            *version += 1;
        }
    }

    async fn ask(&self, question: &Question<'_>) -> Option<Result<Answer, Failure>> {
        self.snapshots.look(question, self).await
    }

    /// Looks for one of many images, not older than an hour.
    async fn look(&self, id: &str) -> Result<Answer, FailureKind> {
        let target = by_id(id);
        let asked = self
            .ask(&many(&target))
            .await
            .expect("nobody is in the way");
        asked.map_err(|failure| failure.kind)
    }

    /// So many looks at once for images `i0` and on.
    async fn crowd(&self, looks: usize, images: usize) -> Vec<Result<Answer, FailureKind>> {
        let looks = (0..looks).map(|n| {
            let bench = self.clone();
            tokio::spawn(async move { bench.look(&format!("i{}", n % images)).await })
        });
        let all = futures::future::join_all(looks).await;
        all.into_iter().map(Result::unwrap).collect()
    }
}

fn proof(secret: &str) -> Proof {
    let source = Source::Static(Credential::HuaweiToken(secret.into()));
    let region = Region::new("cn-north-4").unwrap();
    Identity::new(source, region).unwrap().proof()
}

fn target(project: &str, query: Query) -> Target {
    Target {
        provider: ProviderId {
            kind: ProviderKind::Cluster,
            namespace: None,
            name: "p".into(),
        },
        account: Account::ModelArts {
            endpoint: "https://e".into(),
            region: "cn-north-4".into(),
            project_id: project.into(),
            workspace_id: "0".into(),
        },
        query,
    }
}

fn by_id(id: &str) -> Target {
    target("p", Query::NotebookId(id.into()))
}

fn named(name: &str) -> Target {
    let query = Query::NotebookName {
        name: name.into(),
        tag: None,
        organization: None,
        type_: None,
        workspace_id: "0".into(),
    };
    target("p", query)
}

/// A question of one among many, not older than an hour.
fn many(target: &Target) -> Question<'_> {
    Question {
        proof: proof("a"),
        target,
        bound: None,
        max_age: HOUR,
        not_before: None,
        distinct: 500,
    }
}

/// A question of one among few.
fn few(target: &Target) -> Question<'_> {
    Question {
        distinct: 2,
        ..many(target)
    }
}
