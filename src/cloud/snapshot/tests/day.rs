//! A day of ten thousand references under virtual time: an outage of two hours, throttling, another
//! process in the middle. What the platform sees, and what is written.

use super::*;
use crate::api::condition::{has_reason, is_true};
use crate::api::{
    ConditionType, ImageRefSpec, ImageRefStatus, NotebookSource, Reason, Source as Origin,
};
use crate::cloud::gate::{Gate, Gates};
use crate::plan::{self, Contents, Due, Input, Look, Memory, Object, Provided};

/// All of them where the code is optimised; a fifth is slow enough without.
const REFS: usize = if cfg!(debug_assertions) {
    2_000
} else {
    10_000
};
const IMAGES: usize = 500;
const DAY: u64 = 24 * 3600;

/// One reference as a controller holds it.
struct Held {
    uid: String,
    spec: ImageRefSpec,
    provided: Provided,
    status: ImageRefStatus,
    memory: Memory,
    writes: u32,
}

/// Calls as the controller makes them: through the gate of the proof.
#[derive(Clone)]
struct Asked {
    bench: Bench,
    gate: Arc<Gate>,
    /// Calls by minute of the day.
    minutes: Arc<Mutex<Vec<u32>>>,
}

impl Asked {
    fn count(&self, calls: u32) {
        let minute = self.bench.platform.start.elapsed().as_secs() / 60;
        let mut minutes = self.minutes.lock().unwrap();
        let at = usize::try_from(minute).unwrap();
        if minutes.len() <= at {
            minutes.resize(at + 1, 0);
        }
        minutes[at] += calls;
    }

    async fn pass<T, F>(&self, calls: u32, call: F) -> Option<Result<T, Failure>>
    where
        F: Future<Output = Option<Result<T, Failure>>>,
    {
        let clock = || self.bench.platform.wall();
        let made = || async {
            self.count(calls);
            let busy = || Err(Failure::new(FailureKind::Throttled, "busy"));
            call.await.unwrap_or_else(busy)
        };
        self.gate.pass(&[7; 32], clock, made).await
    }
}

impl Calls for Asked {
    fn list(&self, scope: &Scope) -> BoxFuture<'static, Option<Result<Listing, Failure>>> {
        let (asked, call) = (self.clone(), self.bench.list(scope));
        async move { asked.pass(3, call).await }.boxed()
    }

    fn get(
        &self,
        target: &Target,
        bound: Option<&str>,
    ) -> BoxFuture<'static, Option<Result<Facts, Failure>>> {
        let (asked, call) = (self.clone(), self.bench.get(target, bound));
        async move { asked.pass(1, call).await }.boxed()
    }
}

fn references() -> Vec<Held> {
    let held = |n: usize| {
        let id = format!("i{}", n % IMAGES);
        let source = Origin {
            notebook: Some(NotebookSource {
                id: Some(id.clone()),
                ..NotebookSource::default()
            }),
            ..Origin::default()
        };
        Held {
            uid: format!("uid-{n}"),
            spec: ImageRefSpec {
                source,
                interval: "1h".into(),
                timeout: "20s".into(),
                history_limit: 5,
                ..ImageRefSpec::default()
            },
            provided: Provided::Target {
                target: by_id(&id),
                accept: None,
                suspended: false,
                min_interval: MINUTE,
            },
            status: ImageRefStatus {
                observed_generation: Some(-1),
                ..ImageRefStatus::default()
            },
            memory: Memory::default(),
            writes: 0,
        }
    };
    (0..REFS).map(held).collect()
}

/// A reconcile: returns when to come back.
async fn reconcile(held: &mut Held, asked: &Asked) -> Option<Duration> {
    let now = || asked.bench.platform.wall();
    let object = Object {
        spec: &held.spec,
        generation: 1,
        uid: &held.uid,
        requested_at: None,
    };
    let Provided::Target { target, .. } = &held.provided else {
        unreachable!()
    };
    let look = match plan::due(&object, &held.provided, &held.status, &held.memory, now()) {
        Due::Now => {
            let question = Question {
                proof: proof("a"),
                target,
                bound: held.status.image_id.as_deref(),
                max_age: plan::max_age(HOUR, &held.status),
                not_before: held
                    .memory
                    .missed_since
                    .max(plan::confirms_from(&held.status)),
                distinct: IMAGES,
            };
            match asked.bench.snapshots.look(&question, asked).await {
                None => return Some(Duration::from_secs(2)),
                Some(Ok(answer)) => Look::Found {
                    facts: answer.facts,
                    as_of: answer.as_of,
                    contents: Contents::NotAsked,
                },
                Some(Err(failure)) => Look::Failed(failure),
            }
        }
        Due::At(_) | Due::Never => Look::NotDue,
    };
    let plan = plan::plan(Input {
        object,
        previous: &held.status,
        provided: &held.provided,
        look,
        memory: held.memory.clone(),
        now: now(),
    });
    held.memory = plan.memory;
    if plan.write {
        held.status = plan.status;
        held.writes += 1;
    }
    plan.requeue
}

/// Lets every reference come when it is due, until this second of the day.
async fn run(refs: &mut [Held], asked: &Asked, until: u64) {
    let until = asked.bench.platform.start + Duration::from_secs(until);
    let each = refs.iter_mut().map(|held| async move {
        let mut next = Some(Duration::ZERO);
        while let Some(wait) = next {
            let at = Instant::now() + wait;
            if at >= until {
                break;
            }
            tokio::time::sleep_until(at).await;
            next = reconcile(held, asked).await;
        }
    });
    futures::future::join_all(each).await;
    tokio::time::sleep_until(until).await;
}

fn gate(bench: &Bench) -> Asked {
    Asked {
        gate: Gates::default().of(proof("a"), &by_id("i0").account),
        bench: bench.clone(),
        minutes: Arc::default(),
    }
}

fn calls(asked: &Asked, hours: std::ops::Range<usize>) -> u32 {
    let minutes = asked.minutes.lock().unwrap();
    let range = hours.start * 60..(hours.end * 60).min(minutes.len());
    minutes.get(range).map_or(0, |all| all.iter().sum())
}

fn trouble(bench: &Bench, failure: Option<Failure>) {
    let mut state = bench.platform.state();
    state.list_trouble = failure.clone().map(Trouble::Fail);
    state.get_trouble = failure.map(Trouble::Fail);
}

fn count(refs: &[Held], reason: Reason) -> usize {
    let of = |held: &&Held| has_reason(&held.status.conditions, ConditionType::Ready, reason);
    refs.iter().filter(of).count()
}

#[expect(clippy::print_stdout, reason = "the figures of the day")]
#[tokio::test(start_paused = true)]
async fn a_day_with_an_outage_and_throttling_and_a_new_process_costs_few_calls_and_writes() {
    let bench = Bench::new(IMAGES);
    let mut refs = references();
    let mut asked = gate(&bench);

    // A cold start and a quiet morning.
    run(&mut refs, &asked, 6 * 3600).await;
    assert_eq!(count(&refs, Reason::Resolved), REFS);
    assert!(calls(&asked, 0..1) <= 2 * 3, "{}", calls(&asked, 0..1));
    assert!(
        calls(&asked, 0..6) <= 8 * 3,
        "a list every 51 minutes: {}",
        calls(&asked, 0..6)
    );
    assert!(
        refs.iter().all(|held| held.writes <= 2),
        "one answer and at most one heartbeat"
    );

    // Another process takes over: nothing is due but in its own time.
    let writes = |refs: &[Held]| refs.iter().map(|held| u64::from(held.writes)).sum::<u64>();
    let before = writes(&refs);
    for held in &mut refs {
        held.memory = Memory::default();
    }
    let minutes = asked.minutes.clone();
    asked = gate(&Bench {
        platform: bench.platform.clone(),
        snapshots: Bench::new(0).snapshots,
    });
    let wall = bench.platform.clone();
    asked.bench.snapshots = Snapshots::new(SnapshotOptions {
        clock: Arc::new(move || wall.wall()),
        ..SnapshotOptions::default()
    });
    asked.minutes = minutes;
    run(&mut refs, &asked, 8 * 3600).await;
    assert!(calls(&asked, 6..8) <= 4 * 3, "{}", calls(&asked, 6..8));
    assert_eq!(count(&refs, Reason::Resolved), REFS);

    // Two hours of outage.
    let quiet = writes(&refs);
    let each: Vec<u32> = refs.iter().map(|held| held.writes).collect();
    trouble(
        &bench,
        Some(Failure::new(FailureKind::ProviderError, "HTTP 503")),
    );
    run(&mut refs, &asked, 10 * 3600).await;
    assert!(
        refs.iter()
            .all(|held| is_true(&held.status.conditions, ConditionType::Ready))
    );
    assert_eq!(count(&refs, Reason::ServingStale), REFS);
    let during = calls(&asked, 8..10);
    trouble(&bench, None);
    run(&mut refs, &asked, 12 * 3600).await;
    assert_eq!(
        count(&refs, Reason::Resolved),
        REFS,
        "it recovers by itself"
    );
    assert!(
        during <= 3 * 2 * 120,
        "two lists a minute at most: {during}"
    );
    for (held, before) in refs.iter().zip(each) {
        // Stale and recovered; a heartbeat falls into four hours as well.
        assert!(held.writes - before <= 3, "{} writes", held.writes - before);
    }

    // An hour of throttling, with a pause that is asked for.
    let pause = Failure {
        retry_after: Some(Duration::from_secs(300)),
        ..Failure::new(FailureKind::Throttled, "slow down")
    };
    trouble(&bench, Some(pause));
    run(&mut refs, &asked, 13 * 3600).await;
    assert!(
        calls(&asked, 12..13) <= 3 * 13,
        "one call a pause: {}",
        calls(&asked, 12..13)
    );
    trouble(&bench, None);
    run(&mut refs, &asked, DAY).await;
    assert_eq!(count(&refs, Reason::Resolved), REFS);
    assert!(calls(&asked, 14..24) <= 12 * 3, "{}", calls(&asked, 14..24));

    // At no minute more than the budget: five requests a second, and a burst of ten.
    let minutes = asked.minutes.lock().unwrap();
    let most = minutes.iter().max().copied().unwrap_or_default();
    assert!(most <= 5 * 60 + 10, "{most} calls in a minute");
    let all = minutes.iter().sum::<u32>();
    let written = writes(&refs);
    assert!(
        quiet - before <= u64::try_from(REFS).unwrap(),
        "a heartbeat at most"
    );
    println!("{all} calls in the day, {most} in its busiest minute, {written} status writes");
}
