//! What a gate promises, call by call.

use super::*;

fn keys(secret: &str) -> Credential {
    Credential::HuaweiToken(secret.into())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

async fn pass(
    gate: &Gate,
    credential: &Credential,
    now: i64,
    result: Result<Facts, Failure>,
) -> (bool, Option<FailureKind>) {
    let mut called = false;
    let outcome = gate
        .pass(
            credential,
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
        let (gate, calls, credential) = (gate.clone(), calls.clone(), credential.clone());
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
        gate.pass(&keys("a"), || at(0), std::future::pending).await
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
    let throttled = |seconds| {
        Err(Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..failure(FailureKind::Throttled).unwrap_err()
        })
    };
    let fingerprint = keys("a").fingerprint();
    gate.record(&fingerprint, &throttled(90), at(0));
    gate.record(&fingerprint, &throttled(10), at(0));
    gate.record(&fingerprint, &failure(FailureKind::NotFound), at(0));
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

#[test]
fn another_account_is_another_gate() {
    let account = |endpoint: &str| Account::Pai {
        endpoint: endpoint.into(),
        region: "cn-shanghai".into(),
        workspace_id: None,
    };
    let provider = ProviderId {
        kind: crate::api::ProviderKind::Cluster,
        namespace: None,
        name: "p".into(),
    };
    let gates = Gates::default();
    let auth = failure(FailureKind::AuthenticationFailed);
    let gate = gates.of(&provider, &account("https://wrong"));
    gate.record(&keys("a").fingerprint(), &auth, at(0));
    let same = gates.of(&provider, &account("https://wrong"));
    assert!(same.closed(&keys("a").fingerprint(), at(1)).is_some());
    let mended = gates.of(&provider, &account("https://right"));
    assert!(mended.closed(&keys("a").fingerprint(), at(1)).is_none());
    gates.retain(|_| false);
    assert!(gates.find(&provider).is_none());
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
            .pass(&keys("a"), || at(0), std::future::pending)
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
