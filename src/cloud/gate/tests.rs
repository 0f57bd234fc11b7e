//! What a gate promises, call by call.

use super::*;
use crate::cloud::Credential;
use crate::cloud::identity::{Identity, Region, Source};
use crate::facts::Facts;

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
    let gate = Gate::new();
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
async fn many_callers_try_an_unproven_credential_once() {
    let gate = Arc::new(Gate::new());
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
    let gate = Gate::new();
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
    let gate = Gate::new();
    for expected in [false, false, true] {
        pass(&gate, &keys("a"), 0, failure(FailureKind::Unreachable)).await;
        assert_eq!(matches!(gate.health(), Health::Failing(_)), expected);
    }
    pass(&gate, &keys("a"), 0, failure(FailureKind::Ambiguous)).await;
    assert_eq!(gate.health(), Health::Answering);
}

#[tokio::test]
async fn a_slow_platform_holds_a_bounded_number_of_callers() {
    let gate = Arc::new(Gate::new());
    pass(&gate, &keys("a"), 0, failure(FailureKind::NotFound)).await;
    let busy = |gate: Arc<Gate>| async move {
        let never = std::future::pending::<Result<Facts, Failure>>;
        gate.pass(&keys("a"), || at(0), never).await
    };
    for _ in 0..CONCURRENT + QUEUE {
        tokio::spawn(busy(gate.clone()));
    }
    tokio::task::yield_now().await;
    while gate.waiting.load(Ordering::Relaxed) < QUEUE {
        tokio::task::yield_now().await;
    }
    assert!(busy(gate).await.is_none());
}

#[tokio::test]
async fn an_answer_under_way_does_not_end_a_pause_nor_a_shorter_one_a_longer() {
    let gate = Gate::new();
    let throttled = |seconds| Failure {
        retry_after: Some(Duration::from_secs(seconds)),
        ..failure(FailureKind::Throttled).unwrap_err()
    };
    let missing = failure(FailureKind::NotFound).unwrap_err();
    for answer in [throttled(90), throttled(10), missing] {
        gate.record(&keys("a"), Some(&answer), at(0));
    }
    assert!(gate.pause(at(89)).is_some());
}

#[tokio::test]
async fn an_outage_keeps_its_first_failure() {
    let gate = Gate::new();
    for _ in 0..3 {
        pass(&gate, &keys("a"), 0, failure(FailureKind::Unreachable)).await;
    }
    let health = gate.health();
    pass(&gate, &keys("a"), 0, failure(FailureKind::ProviderError)).await;
    assert_eq!(gate.health(), health);
}

#[tokio::test]
async fn after_the_first_success_those_who_waited_go_side_by_side() {
    let gate = Gate::new();
    let calls = AtomicUsize::new(0);
    let together = tokio::sync::Barrier::new(CONCURRENT);
    let slow = || async {
        if calls.fetch_add(1, Ordering::Relaxed) > 0 {
            together.wait().await;
        }
        failure(FailureKind::NotFound)
    };
    let credential = keys("a");
    let all = (0..=CONCURRENT).map(|_| gate.pass(&credential, || at(0), slow));
    let all = futures::future::join_all(all);
    let ended = tokio::time::timeout(Duration::from_secs(10), all).await;
    assert!(ended.is_ok(), "one at a time");
}

fn proof(secret: &str) -> Proof {
    let source = Source::Static(Credential::HuaweiToken(secret.into()));
    let region = Region::new("cn-shanghai").unwrap();
    Identity::new(source, region).unwrap().proof()
}

fn account(endpoint: &str) -> Account {
    Account::Pai {
        endpoint: endpoint.into(),
        region: "cn-shanghai".into(),
        workspace_id: None,
    }
}

#[test]
fn another_account_or_proof_is_another_gate_and_an_equal_one_is_the_same() {
    let gates = Gates::default();
    let auth = failure(FailureKind::AuthenticationFailed).unwrap_err();
    let gate = gates.of(proof("a"), &account("https://wrong"));
    gate.record(&keys("a"), Some(&auth), at(0));
    let closed = |proof, endpoint| {
        let gate = gates.of(proof, &account(endpoint));
        gate.closed(&keys("a"), at(1)).is_some()
    };
    assert!(closed(proof("a"), "https://wrong"));
    assert!(!closed(proof("a"), "https://right"));
    assert!(!closed(proof("b"), "https://wrong"));
}

#[test]
fn a_gate_that_nobody_asks_for_is_forgotten_after_some_rounds() {
    let gates = Gates::default();
    let asked = || gates.of(proof("a"), &account("https://a"));
    let gate = asked();
    for _ in 0..5 {
        gates.tidy(2);
        assert!(Arc::ptr_eq(&gate, &asked()), "asked for in each round");
    }
    (0..2).for_each(|_| gates.tidy(2));
    assert!(Arc::ptr_eq(&gate, &asked()));
    (0..3).for_each(|_| gates.tidy(2));
    assert!(!Arc::ptr_eq(&gate, &asked()));
}

#[tokio::test]
async fn what_was_never_sent_says_nothing_about_the_platform() {
    let gate = Gate::new();
    pass(&gate, &keys("a"), 0, failure(FailureKind::InvalidSpec)).await;
    assert_eq!(gate.health(), Health::Unknown);
}

#[tokio::test]
async fn an_acceptance_after_a_refusal_is_counted_so_that_the_refused_ask_again() {
    let gate = Gate::new();
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
async fn while_a_platform_fails_one_caller_tries_and_nobody_waits_for_it() {
    let gate = Arc::new(Gate::new());
    let down = || failure(FailureKind::Unreachable);
    pass(&gate, &keys("a"), 0, failure(FailureKind::NotFound)).await;
    for _ in 0..FAILING_AFTER {
        assert!(pass(&gate, &keys("a"), 0, down()).await.0);
    }
    // A look that hangs is under way; the next callers learn at once what is known.
    let hanging = gate.clone();
    let probe = tokio::spawn(async move {
        hanging
            .pass(
                &keys("a"),
                || at(0),
                std::future::pending::<Result<Facts, Failure>>,
            )
            .await
    });
    while gate.places.available_permits() == CONCURRENT {
        tokio::task::yield_now().await;
    }
    let unreachable = Some(FailureKind::Unreachable);
    for _ in 0..100 {
        assert_eq!(
            pass(&gate, &keys("a"), 0, down()).await,
            (false, unreachable)
        );
    }
    probe.abort();
    assert!(probe.await.is_err());
    // Its answer ends the outage for everybody.
    assert!(
        pass(&gate, &keys("a"), 0, failure(FailureKind::NotFound))
            .await
            .0
    );
    assert_eq!((gate.health(), gate.recoveries()), (Health::Answering, 1));
    assert!(pass(&gate, &keys("a"), 0, down()).await.0);
}
