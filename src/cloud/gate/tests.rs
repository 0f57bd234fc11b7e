//! What a gate promises, call by call.

use super::*;
use crate::cloud::Credential;
use crate::facts::Facts;
use std::sync::atomic::{AtomicUsize, Ordering};

fn gate() -> Gate {
    Gate::new(&Limits::default(), 0)
}

/// So many calls may be under way at once.
fn concurrent() -> usize {
    usize::try_from(Limits::default().max_concurrent).unwrap()
}

fn keys(secret: &str) -> [u8; 32] {
    Credential::HuaweiToken(secret.into()).fingerprint()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

async fn pass(
    gate: &Gate,
    fingerprint: &[u8; 32],
    now: i64,
    result: Result<Facts, Failure>,
) -> (bool, Option<FailureKind>) {
    let mut called = false;
    let outcome = gate
        .pass(
            fingerprint,
            || at(now),
            || {
                called = true;
                async { result }
            },
        )
        .await
        .unwrap();
    (called, outcome.err().map(|f| f.kind))
}

fn failure(kind: FailureKind) -> Result<Facts, Failure> {
    Err(Failure::new(kind, "no"))
}

#[tokio::test]
async fn a_refused_credential_is_left_alone_until_it_changes() {
    let gate = gate();
    let auth = FailureKind::AuthenticationFailed;
    assert_eq!(
        pass(&gate, &keys("a"), 0, failure(auth)).await,
        (true, Some(auth))
    );
    assert_eq!(
        pass(&gate, &keys("a"), 599, failure(auth)).await,
        (false, Some(auth))
    );
    let missing = FailureKind::NotFound;
    assert_eq!(
        pass(&gate, &keys("b"), 599, failure(missing)).await,
        (true, Some(missing))
    );
    assert_eq!(gate.health(), Health::Answering);
}

#[tokio::test]
async fn a_clock_that_is_set_back_ends_a_rest_from_the_future_and_no_other() {
    let hour = 3_600;
    let (auth, missing) = (FailureKind::AuthenticationFailed, FailureKind::NotFound);
    let ahead = gate();
    pass(&ahead, &keys("a"), hour, failure(auth)).await;
    assert!(!pass(&ahead, &keys("a"), hour - 1, failure(auth)).await.0);
    let then = pass(&ahead, &keys("a"), 9, failure(missing)).await;
    assert_eq!(then, (true, Some(missing)));
    let paused = gate();
    let throttled = || failure(FailureKind::Throttled);
    pass(&paused, &keys("a"), hour, throttled()).await;
    assert!(!pass(&paused, &keys("a"), hour - 1, throttled()).await.0);
    assert!(pass(&paused, &keys("a"), 9, throttled()).await.0);
    let until = paused.pause(at(10)).map(|(until, _)| until);
    assert_eq!(until, Some(at(9) + DEFAULT_PAUSE), "of this clock");
}

#[tokio::test]
async fn many_callers_try_an_unproven_credential_once() {
    let gate = Arc::new(gate());
    let calls = Arc::new(AtomicUsize::new(0));
    let credential = keys("a");
    let tasks = (0..QUEUE).map(|_| {
        let (gate, calls, credential) = (gate.clone(), calls.clone(), credential);
        async move {
            gate.pass(
                &credential,
                || at(0),
                || async {
                    calls.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    failure(FailureKind::AuthenticationFailed)
                },
            )
            .await
        }
    });
    let results = futures::future::join_all(tasks).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert!(
        results
            .iter()
            .all(|r| r.as_ref().is_some_and(Result::is_err))
    );
}

#[tokio::test]
async fn a_pause_holds_everybody_for_as_long_as_it_was_asked_for() {
    let gate = gate();
    let throttled = Err(Failure {
        retry_after: Some(Duration::from_secs(90)),
        ..failure(FailureKind::Throttled).unwrap_err()
    });
    pass(&gate, &keys("a"), 0, throttled).await;
    let throttled = Some(FailureKind::Throttled);
    assert_eq!(
        pass(&gate, &keys("a"), 89, failure(FailureKind::NotFound)).await,
        (false, throttled)
    );
    assert!(gate.pause(at(89)).is_some() && gate.pause(at(90)).is_none());
    assert!(
        pass(&gate, &keys("a"), 90, failure(FailureKind::NotFound))
            .await
            .0
    );
}

#[tokio::test]
async fn one_error_is_a_passing_matter_and_three_are_not() {
    let gate = gate();
    for expected in [false, false, true] {
        pass(&gate, &keys("a"), 0, failure(FailureKind::Unreachable)).await;
        assert_eq!(matches!(gate.health(), Health::Failing(_)), expected);
    }
    pass(&gate, &keys("a"), 5, failure(FailureKind::Ambiguous)).await;
    assert_eq!(gate.health(), Health::Answering);
}

#[tokio::test]
async fn a_slow_platform_holds_a_bounded_number_of_callers() {
    let gate = Arc::new(gate());
    pass(&gate, &keys("a"), 0, failure(FailureKind::NotFound)).await;
    let busy = |gate: Arc<Gate>| async move {
        let never = std::future::pending::<Result<Facts, Failure>>;
        gate.pass(&keys("a"), || at(0), never).await
    };
    for _ in 0..concurrent() + QUEUE {
        tokio::spawn(busy(gate.clone()));
    }
    tokio::task::yield_now().await;
    while gate.places.waiting() < QUEUE {
        tokio::task::yield_now().await;
    }
    assert!(busy(gate).await.is_none());
}

#[tokio::test]
async fn an_answer_under_way_does_not_end_a_pause_nor_a_shorter_one_a_longer() {
    let gate = gate();
    let throttled = |seconds| Failure {
        retry_after: Some(Duration::from_secs(seconds)),
        ..failure(FailureKind::Throttled).unwrap_err()
    };
    let missing = failure(FailureKind::NotFound).unwrap_err();
    for answer in [throttled(90), throttled(10), missing] {
        gate.record(&keys("a"), Some(&answer), None, at(0));
    }
    assert!(gate.pause(at(89)).is_some());
}

#[tokio::test]
async fn an_outage_keeps_its_first_failure() {
    let gate = gate();
    for _ in 0..3 {
        pass(&gate, &keys("a"), 0, failure(FailureKind::Unreachable)).await;
    }
    let health = gate.health();
    pass(&gate, &keys("a"), 0, failure(FailureKind::ProviderError)).await;
    assert_eq!(gate.health(), health);
}

#[tokio::test]
async fn after_the_first_success_those_who_waited_go_side_by_side() {
    let gate = gate();
    let calls = AtomicUsize::new(0);
    let together = tokio::sync::Barrier::new(concurrent());
    let slow = || async {
        if calls.fetch_add(1, Ordering::Relaxed) > 0 {
            together.wait().await;
        }
        failure(FailureKind::NotFound)
    };
    let credential = keys("a");
    let all = (0..=concurrent()).map(|_| gate.pass(&credential, || at(0), slow));
    let all = futures::future::join_all(all);
    let ended = tokio::time::timeout(Duration::from_secs(10), all).await;
    assert!(ended.is_ok(), "one at a time");
}

#[tokio::test]
async fn what_was_never_sent_says_nothing_about_the_platform() {
    let gate = gate();
    pass(&gate, &keys("a"), 0, failure(FailureKind::InvalidSpec)).await;
    assert_eq!(gate.health(), Health::Unknown);
}

#[tokio::test]
async fn an_acceptance_after_a_refusal_is_counted_so_that_the_refused_ask_again() {
    let gate = gate();
    let auth = failure(FailureKind::AuthenticationFailed);
    pass(&gate, &keys("a"), 0, failure(FailureKind::NotFound)).await;
    assert_eq!(gate.recoveries(), 0);
    pass(&gate, &keys("a"), 0, auth).await;
    assert_eq!(gate.recoveries(), 0);
    pass(&gate, &keys("a"), 600, failure(FailureKind::NotFound)).await;
    pass(&gate, &keys("a"), 601, failure(FailureKind::NotFound)).await;
    assert_eq!(gate.recoveries(), 1);
}

#[tokio::test]
async fn while_a_platform_fails_one_caller_at_a_time_tries_and_nobody_waits_for_it() {
    let gate = Arc::new(gate());
    let down = || failure(FailureKind::Unreachable);
    let unreachable = Some(FailureKind::Unreachable);
    pass(&gate, &keys("a"), 0, failure(FailureKind::NotFound)).await;
    for _ in 0..FAILING_AFTER {
        assert_eq!(gate.breaker(at(0)), Breaker::Closed);
        assert!(pass(&gate, &keys("a"), 0, down()).await.0);
    }
    assert_eq!(gate.breaker(at(3)), Breaker::Open);
    for _ in 0..100 {
        let refused = pass(&gate, &keys("a"), 3, down()).await;
        assert_eq!(refused, (false, unreachable));
    }
    assert_eq!(gate.breaker(at(5)), Breaker::HalfOpen);
    // A look that hangs is under way; the next callers learn at once what is known.
    let hanging = gate.clone();
    let probe = tokio::spawn(async move {
        let never = std::future::pending::<Result<Facts, Failure>>;
        hanging.pass(&keys("a"), || at(5), never).await
    });
    while gate.places.taken() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        let refused = pass(&gate, &keys("a"), 5, down()).await;
        assert_eq!(refused, (false, unreachable));
    }
    probe.abort();
    assert!(probe.await.is_err());
    // The next one fails, and the platform is left alone for longer.
    assert!(pass(&gate, &keys("a"), 5, down()).await.0);
    assert!(!pass(&gate, &keys("a"), 12, down()).await.0);
    // A pause is no answer, and so no end.
    let throttled = failure(FailureKind::Throttled);
    assert!(pass(&gate, &keys("a"), 15, throttled).await.0);
    assert_eq!(gate.breaker(at(15)), Breaker::HalfOpen);
    assert_eq!(gate.recoveries(), 0);
    // An answer ends the outage for everybody.
    let missing = failure(FailureKind::NotFound);
    assert!(pass(&gate, &keys("a"), 45, missing).await.0);
    assert_eq!((gate.health(), gate.recoveries()), (Health::Answering, 1));
    assert_eq!(gate.breaker(at(45)), Breaker::Closed);
    assert!(pass(&gate, &keys("a"), 45, down()).await.0);
}

#[tokio::test]
async fn a_refused_credential_is_no_matter_of_the_breaker() {
    let gate = gate();
    for n in 0..FAILING_AFTER {
        let refused = failure(FailureKind::AuthenticationFailed);
        let key = keys(&n.to_string());
        assert!(pass(&gate, &key, 0, refused).await.0);
    }
    assert_eq!(gate.breaker(at(0)), Breaker::Closed);
    // Nor does it end an outage as a success does.
    for _ in 0..FAILING_AFTER {
        pass(&gate, &keys("a"), 0, failure(FailureKind::ResponseInvalid)).await;
    }
    let auth = failure(FailureKind::AuthenticationFailed);
    assert!(pass(&gate, &keys("a"), 5, auth.clone()).await.0);
    assert_eq!(gate.health(), Health::Failing(auth.unwrap_err()));
    assert_eq!(
        (gate.breaker(at(5)), gate.recoveries()),
        (Breaker::Closed, 0)
    );
}

/// The time since a test began, on the runtime's paused clock.
fn since(begun: tokio::time::Instant) -> Timestamp {
    at(0) + begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_its_turn_in_order_and_who_would_wait_too_long_comes_back_later() {
    let limits = Limits {
        requests_per_second: 2,
        burst: 2,
        ..Limits::default()
    };
    let gate = Gate::new(&limits, 0);
    let begun = tokio::time::Instant::now();
    let missing = || failure(FailureKind::NotFound).map(|_: Facts| ());
    let key = keys("a");
    let first = gate.pass(&key, || since(begun), || async { missing() });
    assert!(first.await.is_some(), "the credential is proven");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let together = tokio::time::Instant::now();
    let went = Mutex::new(Vec::new());
    let all = (0..20).map(|n| {
        let (gate, went) = (&gate, &went);
        async move {
            let call = || async {
                went.lock()
                    .unwrap()
                    .push((n, together.elapsed().as_millis()));
                missing()
            };
            gate.pass(&keys("a"), || since(begun), call).await.is_some()
        }
    });
    let passed = futures::future::join_all(all).await;
    // 5 s at 2 a second, and the burst.
    let expected: Vec<_> = (0..20).map(|n| n < 12).collect();
    assert_eq!(passed, expected);
    let expected = (0..12).map(|n: u128| (n, n.saturating_sub(1) * 500));
    let went = went.into_inner().unwrap();
    assert_eq!(went, expected.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn each_request_of_a_pass_has_its_turn_and_none_is_sent_in_a_pause() {
    let limits = Limits {
        requests_per_second: 1,
        burst: 2,
        ..Limits::default()
    };
    let gate = Gate::new(&limits, 0);
    let begun = tokio::time::Instant::now();
    let pages = async {
        let call = || async {
            let mut sent = Vec::new();
            for _ in 0..5 {
                turn(since(begun)).await?;
                sent.push(begun.elapsed().as_secs());
            }
            Ok((sent, waited().as_secs()))
        };
        gate.pass(&keys("a"), || since(begun), call).await.unwrap()
    };
    assert_eq!(pages.await.unwrap(), (vec![0, 0, 1, 2, 3], 3));
    // While one reads pages, the platform asks another for a pause.
    let list = || async {
        turn(since(begun)).await?;
        let throttled = failure(FailureKind::Throttled).unwrap_err();
        gate.record(&keys("a"), Some(&throttled), None, since(begun));
        turn(since(begun)).await
    };
    let list = gate.pass(&keys("a"), || since(begun), list).await.unwrap();
    let cut = list.unwrap_err();
    assert_eq!(
        (cut.kind, cut.retry_after),
        (FailureKind::Throttled, Some(DEFAULT_PAUSE))
    );
    // Outside of a pass nothing is counted.
    assert!(turn(since(begun)).await.is_ok() && waited().is_zero());
}

#[tokio::test]
async fn new_limits_hold_for_the_next_call_and_forget_nothing() {
    let gate = gate();
    for _ in 0..FAILING_AFTER {
        pass(&gate, &keys("a"), 0, failure(FailureKind::ProviderError)).await;
    }
    gate.limit(&Limits::LOOSEST);
    assert_eq!(gate.breaker(at(0)), Breaker::Open);
    assert!(
        !pass(&gate, &keys("a"), 3, failure(FailureKind::NotFound))
            .await
            .0
    );
}
