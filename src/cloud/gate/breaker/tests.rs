//! The breaker against a model of it, and in numbers.

use super::*;
use crate::facts::FailureKind;
use proptest::prelude::*;

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).unwrap()
}

fn unreachable() -> Failure {
    Failure::new(FailureKind::Unreachable, "no")
}

/// One that has just opened, at 0.
fn opened() -> Circuit {
    let mut circuit = Circuit::default();
    for n in 0..FAILING_AFTER {
        assert_eq!(circuit.state(at(0)), Breaker::Closed, "after {n}");
        circuit.failed(&unreachable(), None, at(0), 0);
    }
    circuit
}

#[test]
fn a_platform_is_left_alone_for_five_seconds_and_then_twice_as_long_each_time_up_to_five_minutes() {
    for (opening, seconds) in [
        (1, 5),
        (2, 10),
        (3, 20),
        (4, 40),
        (5, 80),
        (6, 160),
        (7, 300),
        (8, 300),
        (u32::MAX, 300),
    ] {
        let longest = Duration::from_secs(seconds);
        let all: Vec<_> = (0..1000).map(|seed| open_for(opening, seed)).collect();
        assert!(
            all.iter()
                .all(|open| (longest * 4 / 5..=longest).contains(open))
        );
        let early = all.iter().filter(|open| **open < longest * 9 / 10).count();
        assert!((400..600).contains(&early), "{early} of 1000");
        assert_eq!(open_for(opening, 7), open_for(opening, 7));
    }
}

#[test]
fn while_it_is_open_the_known_failure_says_how_long_it_stays_so() {
    let circuit = opened();
    let open = open_for(1, 0);
    let refused = circuit.refuses(at(1000)).unwrap();
    assert_eq!(refused.kind, FailureKind::Unreachable);
    let left = open.saturating_sub(Duration::from_secs(1));
    assert_eq!(refused.retry_after, Some(left));
    let end = at(0) + open;
    assert_eq!(circuit.state(end), Breaker::HalfOpen);
    assert!(circuit.refuses(end).is_none());
}

#[test]
fn a_probe_that_is_given_up_leaves_the_next_one_to_try_and_a_late_one_ends_nobody_elses() {
    let mut circuit = opened();
    let half = at(5000);
    let given_up = circuit.begin().unwrap();
    assert!(
        circuit
            .refuses(half)
            .is_some_and(|f| f.retry_after.is_none())
    );
    circuit.end(given_up);
    assert!(circuit.refuses(half).is_none());
    let probe = circuit.begin().unwrap();
    circuit.end(given_up);
    circuit.failed(&unreachable(), Some(given_up), half, 0);
    circuit.failed(&unreachable(), None, half, 0);
    assert!(circuit.refuses(half).is_some(), "{probe:?} is under way");
    assert_eq!(circuit.state(half), Breaker::HalfOpen);
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_it_open() {
    let circuit = opened();
    assert_eq!(circuit.state(at(-3_600_000)), Breaker::HalfOpen);
}

/// What happens to a breaker.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes.
    Wait(i64),
    /// Somebody wants to call.
    Call,
    /// The oldest, or newest, call under way ends well, badly, or without news.
    End(bool, Outcome),
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Good,
    Bad,
    Unclear,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        1 => Just(Outcome::Good),
        6 => Just(Outcome::Bad),
        1 => Just(Outcome::Unclear)
    ];
    prop_oneof![
        2 => prop_oneof![0i64..2000, 0i64..400_000].prop_map(Step::Wait),
        4 => Just(Step::Call),
        4 => (any::<bool>(), outcome).prop_map(|(oldest, outcome)| Step::End(oldest, outcome)),
    ]
}

/// What a breaker is, said more simply than it is built.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Model {
    Closed {
        in_a_row: u32,
    },
    Failing {
        openings: u32,
        until: i64,
        probe: Option<usize>,
    },
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn it_does_what_its_model_does(
        steps in prop::collection::vec(step(), 1..120),
        seed in any::<u64>(),
    ) {
        let mut circuit = Circuit::default();
        let mut model = Model::Closed { in_a_row: 0 };
        let (mut now, mut calls) = (0, Vec::new());
        for (id, step) in steps.into_iter().enumerate() {
            match step {
                Step::Wait(milliseconds) => now += milliseconds,
                Step::Call => {
                    let refused = circuit.refuses(at(now));
                    let may = match &mut model {
                        Model::Closed { .. } => true,
                        Model::Failing { until, probe, .. } => {
                            let may = now >= *until && probe.is_none();
                            if may {
                                *probe = Some(id);
                            }
                            may
                        }
                    };
                    prop_assert_eq!(refused.is_none(), may);
                    if may {
                        calls.push((id, circuit.begin()));
                    }
                }
                Step::End(oldest, outcome) => {
                    if calls.is_empty() {
                        continue;
                    }
                    let (id, token) = calls.remove(if oldest { 0 } else { calls.len() - 1 });
                    match outcome {
                        Outcome::Good => {
                            let recovered = circuit.answered();
                            prop_assert_eq!(recovered, matches!(model, Model::Failing { .. }));
                            model = Model::Closed { in_a_row: 0 };
                        }
                        Outcome::Bad => {
                            circuit.failed(&unreachable(), token, at(now), seed);
                            let opens = |openings| {
                                let open = open_for(openings, seed).as_nanos().div_ceil(1_000_000);
                                now + i64::try_from(open).unwrap()
                            };
                            model = match model {
                                Model::Closed { in_a_row } if in_a_row + 1 < FAILING_AFTER => {
                                    Model::Closed { in_a_row: in_a_row + 1 }
                                }
                                Model::Closed { .. } => {
                                    Model::Failing { openings: 1, until: opens(1), probe: None }
                                }
                                Model::Failing { openings, probe, .. } if probe == Some(id) => {
                                    let openings = openings + 1;
                                    Model::Failing { openings, until: opens(openings), probe: None }
                                }
                                unchanged @ Model::Failing { .. } => unchanged,
                            };
                        }
                        Outcome::Unclear => {
                            if let Some(token) = token {
                                circuit.end(token);
                            }
                            if let Model::Failing { probe, .. } = &mut model
                                && *probe == Some(id)
                            {
                                *probe = None;
                            }
                        }
                    }
                }
            }
            let expected = match model {
                Model::Closed { .. } => Breaker::Closed,
                Model::Failing { until, .. } if now < until => Breaker::Open,
                Model::Failing { .. } => Breaker::HalfOpen,
            };
            prop_assert_eq!(circuit.state(at(now)), expected);
        }
    }
}
