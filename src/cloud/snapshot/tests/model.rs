//! Random schedules against what may be said at any time.

use super::*;
use proptest::prelude::*;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Change(usize),
    Remove(usize),
    Look {
        image: usize,
        max_age: u64,
        urgent: bool,
        distinct: usize,
        patience: u64,
    },
    List(Option<FailureKind>),
    Get(Option<FailureKind>),
}

const IMAGES: usize = 4;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let trouble = || {
        prop::option::of(prop::sample::select(vec![
            FailureKind::ProviderError,
            FailureKind::PermissionDenied,
            FailureKind::Throttled,
        ]))
    };
    let look = (
        0..IMAGES,
        prop::sample::select(vec![0, 100, 3_000, 60_000, 3_600_000]),
        any::<bool>(),
        prop::sample::select(vec![1, 3, 4, 9]),
        prop::sample::select(vec![300, 1_500, 600_000]),
    );
    let look = look.prop_map(|(image, max_age, urgent, distinct, patience)| Step::Look {
        image,
        max_age,
        urgent,
        distinct,
        patience,
    });
    let step = prop_oneof![
        3 => prop::sample::select(vec![1, 300, 700, 2_000, 30_000, 700_000]).prop_map(Step::Pass),
        3 => (0..IMAGES).prop_map(Step::Change),
        1 => (0..IMAGES).prop_map(Step::Remove),
        9 => look,
        1 => trouble().prop_map(Step::List),
        1 => trouble().prop_map(Step::Get),
    ];
    prop::collection::vec(step, 1..60)
}

/// What an image was, and since when: its version, or `None` while it is gone.
type History = Arc<Mutex<Vec<Vec<(Timestamp, Option<i64>)>>>>;

/// Whether the image was so at any time from `from` to `to`.
fn was(
    history: &[(Timestamp, Option<i64>)],
    seen: Option<i64>,
    from: Timestamp,
    to: Timestamp,
) -> bool {
    history.iter().enumerate().any(|(at, (since, version))| {
        let until = history
            .get(at + 1)
            .map_or(Timestamp::MAX, |(until, _)| *until);
        *version == seen && *since <= to && until >= from
    })
}

async fn run(steps: Vec<Step>) {
    let bench = Bench::new(IMAGES);
    let start = bench.platform.wall();
    let history: History = Arc::new(Mutex::new(vec![vec![(start, Some(0))]; IMAGES]));
    let mut looks = Vec::new();
    for step in steps {
        match step {
            Step::Pass(millis) => sleep(Duration::from_millis(millis)).await,
            Step::Change(n) => {
                let id = format!("i{n}");
                let now = bench.platform.wall();
                let mut history = history.lock().unwrap();
                let last = history[n].iter().rev().find_map(|(_, version)| *version);
                let next = last.unwrap() + 1;
                history[n].push((now, Some(next)));
                bench.platform.state().images.insert(id.clone(), (id, next));
            }
            Step::Remove(n) => {
                let now = bench.platform.wall();
                history.lock().unwrap()[n].push((now, None));
                bench.platform.state().images.remove(&format!("i{n}"));
            }
            Step::List(kind) => {
                let failure = kind.map(|kind| Trouble::Fail(Failure::new(kind, "no")));
                bench.platform.state().list_trouble = failure;
            }
            Step::Get(kind) => {
                let failure = kind.map(|kind| Trouble::Fail(Failure::new(kind, "no")));
                bench.platform.state().get_trouble = failure;
            }
            Step::Look {
                image,
                max_age,
                urgent,
                distinct,
                patience,
            } => {
                let (bench, history) = (bench.clone(), history.clone());
                looks.push(tokio::spawn(async move {
                    let target = by_id(&format!("i{image}"));
                    let asked = bench.platform.wall();
                    let question = Question {
                        max_age: Duration::from_millis(max_age),
                        not_before: urgent.then_some(asked),
                        distinct,
                        ..many(&target)
                    };
                    let patience = Duration::from_millis(patience);
                    let answer = tokio::time::timeout(patience, bench.ask(&question)).await;
                    let Ok(Some(answer)) = answer else { return };
                    let age = SignedDuration::from_millis(i64::try_from(max_age).unwrap());
                    let oldest = if urgent { asked } else { asked - age };
                    let now = bench.platform.wall();
                    let seen = match &answer {
                        Ok(answer) => {
                            assert!(answer.as_of >= oldest, "too old");
                            assert!(answer.as_of <= now, "of the future");
                            answer.facts.size
                        }
                        Err(failure) if failure.kind == FailureKind::NotFound => None,
                        Err(_) => return,
                    };
                    let history = history.lock().unwrap();
                    assert!(
                        was(&history[image], seen, oldest, now),
                        "i{image} was not {seen:?} from {oldest} to {now}"
                    );
                }));
            }
        }
    }
    for look in looks {
        look.await.unwrap();
    }
    assert!(
        bench.platform.overlapped.load(Ordering::Relaxed) <= 1,
        "two lists at once"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_answer_is_older_than_its_question_allows_and_no_two_lists_overlap(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(steps));
    }
}
