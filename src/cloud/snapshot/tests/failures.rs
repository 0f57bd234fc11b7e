//! Failures: who shares them, for how long, and what is tried instead.

use super::*;

fn down() -> Failure {
    Failure::new(FailureKind::ProviderError, "down")
}

fn of(kind: FailureKind) -> Trouble {
    Trouble::Fail(Failure::new(kind, "as the platform says"))
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_and_stands_for_seconds() {
    let bench = Bench::new(500);
    bench.platform.state().list_trouble = Some(Trouble::Fail(down()));
    let mut failed = 0;
    // Each second from 1 to 9: calls at 0 s and, after a hold of 5 s, at 6 s.
    for _ in 0..9 {
        for answer in bench.crowd(100, 100).await {
            assert_eq!(answer.unwrap_err(), FailureKind::ProviderError);
            failed += 1;
        }
        sleep(CALL).await;
    }
    assert_eq!((failed, bench.calls()), (900, (2, 0)));
    bench.platform.state().list_trouble = None;
    sleep(10 * CALL).await;
    assert_eq!(bench.look("i1").await.unwrap().by, By::List);
    assert_eq!(bench.calls(), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_list_takes_no_answer_away_that_is_young_enough() {
    let bench = Bench::new(500);
    bench.look("i1").await.unwrap();
    bench.platform.state().list_trouble = Some(Trouble::Fail(down()));
    sleep(MINUTE).await;
    let target = by_id("i1");
    let urgent = Question {
        not_before: Some(bench.platform.wall()),
        ..many(&target)
    };
    assert_eq!(
        bench.ask(&urgent).await.unwrap().unwrap_err().kind,
        FailureKind::ProviderError
    );
    assert_eq!(bench.look("i1").await.unwrap().by, By::List);
}

#[tokio::test(start_paused = true)]
async fn gets_share_failures_too() {
    let bench = Bench::new(500);
    bench.platform.state().get_trouble = Some(Trouble::Fail(Failure {
        retry_after: Some(Duration::from_secs(300)),
        ..down()
    }));
    let target = by_id("i1");
    for left in [300, 200, 100] {
        let failure = bench.ask(&few(&target)).await.unwrap().unwrap_err();
        assert_eq!(failure.retry_after, Some(Duration::from_secs(left)));
        sleep(Duration::from_secs(100)).await;
    }
    assert_eq!(bench.calls(), (0, 1));
    bench.ask(&few(&target)).await.unwrap().unwrap_err();
    assert_eq!(bench.calls(), (0, 2), "the pause is over");
}

#[tokio::test(start_paused = true)]
async fn where_the_list_is_refused_gets_are_made_for_ten_minutes() {
    for kind in [FailureKind::PermissionDenied, FailureKind::BadRequest] {
        let bench = Bench::new(500);
        bench.platform.state().list_trouble = Some(of(kind));
        for answer in bench.crowd(1000, 10).await {
            assert_eq!(answer.unwrap().by, By::Get);
        }
        assert_eq!(bench.calls(), (1, 10));
        let why = || {
            let scope = Scope::of(&by_id("i1")).unwrap();
            let failure = bench.snapshots.unlisted(proof("a"), &scope)?;
            Some(failure.kind)
        };
        assert_eq!(why(), Some(kind));
        sleep(Duration::from_secs(590)).await;
        bench.look("i11").await.unwrap();
        assert_eq!(bench.calls(), (1, 11), "remembered");
        sleep(Duration::from_secs(20)).await;
        bench.platform.state().list_trouble = None;
        assert_eq!(bench.look("i12").await.unwrap().by, By::List);
        assert_eq!((bench.calls(), why()), ((2, 11), None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_could_not_be_read_for_a_while_brings_everybody_back_soon_after() {
    let bench = Bench::new(500);
    bench.platform.state().list_trouble = Some(of(FailureKind::ResponseInvalid));
    // The list is tried at 0 s and at 30 s.
    for image in ["i1", "i2", "i3", "i4"] {
        assert_eq!(bench.look(image).await.unwrap().by, By::Get);
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(bench.calls(), (2, 4));
    bench.platform.state().list_trouble = None;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.look("i5").await.unwrap().by, By::List);
    assert_eq!(bench.calls(), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn a_dead_list_is_given_up_for_gets_after_three_failures() {
    let bench = Bench::new(500);
    bench.platform.state().list_trouble = Some(Trouble::Fail(down()));
    let mut failures = 0;
    while bench.look("i1").await.is_err() {
        failures += 1;
        assert!(failures < 99);
        sleep(CALL).await;
    }
    assert_eq!(bench.calls(), (3, 1));
    assert!(bench.platform.start.elapsed() < Duration::from_secs(30));
    for answer in bench.crowd(1000, 500).await {
        assert_eq!(answer.unwrap().by, By::Get);
    }
    assert_eq!(bench.calls(), (3, 500));
}

#[tokio::test(start_paused = true)]
async fn a_pause_or_a_refused_credential_holds_for_gets_too() {
    for kind in [
        FailureKind::Throttled,
        FailureKind::AuthenticationFailed,
        FailureKind::ProviderNotReady,
    ] {
        let bench = Bench::new(500);
        bench.platform.state().list_trouble = Some(of(kind));
        for _ in 0..9 {
            assert_eq!(bench.look("i1").await.unwrap_err(), kind);
            sleep(2 * MINUTE).await;
        }
        assert_eq!(bench.calls(), (9, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_platform_turns_all_away_and_nothing_is_remembered() {
    let bench = Bench::new(500);
    bench.platform.state().list_trouble = Some(Trouble::Busy);
    bench.platform.state().get_trouble = Some(Trouble::Busy);
    let target = by_id("i1");
    let (many, few) = (many(&target), few(&target));
    let asked = futures::future::join_all((0..100).map(|_| bench.ask(&many))).await;
    assert!(asked.iter().all(Option::is_none));
    assert!(bench.ask(&few).await.is_none());
    assert_eq!(bench.calls(), (1, 1));
    bench.platform.state().list_trouble = None;
    assert!(bench.ask(&many).await.unwrap().is_ok(), "at once");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_fails_those_who_wait_and_harms_no_later_one() {
    let bench = Bench::new(500);
    bench.platform.state().list_trouble = Some(Trouble::Panic);
    bench.platform.state().get_trouble = Some(Trouble::Panic);
    for answer in bench.crowd(100, 100).await {
        assert_eq!(answer.unwrap_err(), FailureKind::ProviderError);
    }
    let target = by_id("i1");
    // Nobody waits when it happens.
    let given_up = tokio::time::timeout(CALL / 2, bench.ask(&few(&target))).await;
    assert!(given_up.is_err());
    sleep(MINUTE).await;
    *bench.platform.state() = State {
        images: BTreeMap::from([("i1".into(), ("i1".into(), 0))]),
        ..State::default()
    };
    assert_eq!(bench.look("i1").await.unwrap().by, By::List);
    let elsewhere = by_id("i2");
    assert_eq!(
        bench.ask(&few(&target)).await.unwrap().unwrap().by,
        By::List
    );
    let failure = bench.ask(&few(&elsewhere)).await.unwrap().unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_end_is_ended() {
    let bench = Bench::new(500);
    bench.platform.state().list_trouble = Some(Trouble::Hang);
    let began = Instant::now();
    assert_eq!(
        bench.look("i1").await.unwrap_err(),
        FailureKind::Unreachable
    );
    assert_eq!(began.elapsed(), slot::PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_source_of_another_platform_is_refused_without_a_call() {
    let bench = Bench::new(500);
    let target = target("p", Query::PaiId("image-1".into()));
    let failure = bench.ask(&many(&target)).await.unwrap().unwrap_err();
    assert_eq!(
        (failure.kind, bench.calls()),
        (FailureKind::InvalidSpec, (0, 0))
    );
    assert!(bench.snapshots.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_list_came_to_is_told_to_its_own_proof_and_account_alone() {
    let bench = Bench::new(500);
    let of_a = || {
        let told = bench.snapshots.lists(proof("a"), &by_id("i1").account);
        told.into_iter()
            .map(|(_, listed)| listed)
            .collect::<Vec<_>>()
    };
    let listed_again = async || {
        sleep(2 * HOUR).await;
        drop(bench.look("i1").await);
    };
    let target = by_id("i1");
    bench.ask(&few(&target)).await;
    assert_eq!(of_a(), [], "no list was asked for");
    listed_again().await;
    assert_eq!(of_a(), [Listed::Whole]);
    bench.platform.state().partial = true;
    listed_again().await;
    let (cut, images) = (Cut::Pages, 500);
    assert_eq!(of_a(), [Listed::Cut { cut, images }]);
    bench.platform.state().list_trouble = Some(of(FailureKind::PermissionDenied));
    listed_again().await;
    assert!(matches!(of_a()[..], [Listed::Refused(_)]), "{:?}", of_a());
    bench.platform.state().list_trouble = Some(Trouble::Fail(down()));
    listed_again().await;
    assert_eq!(
        of_a(),
        [Listed::Unclear],
        "an outage says nothing of a list"
    );
    bench.platform.state().list_trouble = None;
    bench.platform.state().partial = false;
    listed_again().await;
    assert_eq!(of_a(), [Listed::Whole]);

    assert!(
        bench
            .snapshots
            .lists(proof("b"), &target.account)
            .is_empty()
    );
    let elsewhere = super::target("q", Query::NotebookId("i1".into()));
    assert!(
        bench
            .snapshots
            .lists(proof("a"), &elsewhere.account)
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_wanted_and_cannot_be_read_is_overdue_and_one_that_nobody_wants_is_not() {
    let bench = Bench::new(500);
    let ages = || {
        let ages = bench.snapshots.list_ages();
        let minutes = |(api, age, overdue): (Api, Duration, bool)| {
            (api.as_str(), age.as_secs() / 60, overdue)
        };
        ages.into_iter().map(minutes).collect::<Vec<_>>()
    };
    assert_eq!(ages(), []);
    bench.look("i1").await.unwrap();
    bench.platform.state().list_trouble = Some(Trouble::Fail(down()));
    sleep(70 * MINUTE).await;
    bench.look("i1").await.unwrap_err();
    assert_eq!(ages(), [("notebook", 70, false)]);
    sleep(60 * MINUTE).await;
    bench.look("i1").await.unwrap_err();
    assert_eq!(ages(), [("notebook", 130, true)]);
    bench.platform.state().list_trouble = None;
    sleep(MINUTE).await;
    bench.look("i1").await.unwrap();
    assert_eq!(ages(), [("notebook", 0, false)]);
    sleep(121 * MINUTE).await;
    assert_eq!(ages(), []);
}
