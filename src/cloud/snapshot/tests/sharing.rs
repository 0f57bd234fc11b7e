//! Who shares what, and how old it may be.

use super::*;

#[tokio::test(start_paused = true)]
async fn ten_thousand_looks_at_many_images_cost_one_list() {
    let bench = Bench::new(500);
    for answer in bench.crowd(10_000, 500).await {
        assert_eq!(answer.unwrap().by, By::List);
    }
    assert_eq!(bench.calls(), (1, 0));
    let state = bench
        .snapshots
        .state(proof("a"), &Scope::of(&by_id("i0")).unwrap());
    let state = state.unwrap();
    assert_eq!(
        (state.images, state.pages, state.whole, state.cut),
        (500, 3, true, None)
    );
}

#[tokio::test(start_paused = true)]
async fn few_images_cost_a_get_each_however_many_look() {
    let bench = Bench::new(500);
    for _ in 0..100 {
        for id in ["i1", "i2"] {
            let target = by_id(id);
            let answer = bench.ask(&few(&target)).await.unwrap().unwrap();
            assert_eq!((answer.by, answer.facts.image_id.as_str()), (By::Get, id));
        }
    }
    assert_eq!(bench.calls(), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn the_last_lists_pages_decide_the_next_time() {
    let bench = Bench::new(500);
    bench.platform.state().pages = 600;
    bench.look("i1").await.unwrap();
    sleep(2 * HOUR).await;
    assert_eq!(bench.look("i1").await.unwrap().by, By::Get);
    assert_eq!(
        bench.calls(),
        (1, 1),
        "600 pages for 500 images are too many"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_used_until_it_is_too_old_and_then_read_anew() {
    let bench = Bench::new(500);
    let first = bench.look("i1").await.unwrap();
    bench.change("i1");
    sleep(HOUR.saturating_sub(CALL)).await;
    let same = bench.look("i1").await.unwrap();
    assert_eq!(
        (same.as_of, same.facts.size),
        (first.as_of, Some(0)),
        "an hour old"
    );
    sleep(Duration::from_millis(1)).await;
    let next = bench.look("i1").await.unwrap();
    assert_eq!(next.facts.size, Some(1));
    assert!(next.as_of > first.as_of);
    assert_eq!(bench.calls(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn setting_the_wall_clock_back_makes_no_answer_young() {
    let bench = Bench::new(500);
    bench.look("i1").await.unwrap();
    bench.change("i1");
    bench.platform.skew.store(-7200, Ordering::Relaxed);
    sleep(HOUR).await;
    assert_eq!(bench.look("i1").await.unwrap().facts.size, Some(1));
    bench.change("i1");
    sleep(MINUTE).await;
    let target = by_id("i1");
    let edited = Question {
        not_before: Some(bench.platform.wall()),
        ..many(&target)
    };
    assert_eq!(
        bench.ask(&edited).await.unwrap().unwrap().facts.size,
        Some(2)
    );
}

#[tokio::test(start_paused = true)]
async fn an_urgent_look_gets_no_answer_of_before_it_and_many_share_one() {
    let bench = Bench::new(500);
    bench.look("i1").await.unwrap();
    // A list is under way when the image changes, and the urgent looks come.
    sleep(2 * HOUR).await;
    let early = tokio::spawn({
        let bench = bench.clone();
        async move { bench.look("i1").await }
    });
    sleep(CALL / 2).await;
    let urgent = (0..1000).map(|_| {
        let bench = bench.clone();
        tokio::spawn(async move {
            let target = by_id("i1");
            let asked_at = bench.platform.wall();
            let question = Question {
                not_before: Some(asked_at),
                ..many(&target)
            };
            let answer = bench.ask(&question).await.unwrap().unwrap();
            assert!(answer.as_of >= asked_at);
            answer
        })
    });
    let urgent = futures::future::join_all(urgent).await;
    assert!(
        urgent
            .into_iter()
            .all(|answer| answer.unwrap().by == By::List)
    );
    early.await.unwrap().unwrap();
    assert_eq!(
        bench.calls(),
        (3, 0),
        "the first, the early one, one for the urgent"
    );
    assert_eq!(bench.platform.overlapped.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_time_to_come_asks_for_an_answer_of_now() {
    let bench = Bench::new(500);
    let target = by_id("i1");
    let question = Question {
        max_age: Duration::ZERO,
        not_before: Some(bench.platform.wall() + SignedDuration::from_hours(1)),
        ..many(&target)
    };
    for asked in 1..4 {
        bench.ask(&question).await.unwrap().unwrap();
        assert_eq!(bench.calls(), (asked, 0));
        sleep(MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_cancels_nothing() {
    let bench = Bench::new(500);
    let target = by_id("i1");
    for question in [many(&target), few(&by_id("i2"))] {
        let given_up = tokio::time::timeout(CALL / 2, bench.ask(&question)).await;
        assert!(given_up.is_err());
    }
    sleep(CALL).await;
    let before = bench.calls();
    assert_eq!(bench.look("i1").await.unwrap().by, By::List);
    assert_eq!(bench.look("i2").await.unwrap().facts.image_id, "i2");
    assert_eq!(
        (before, bench.calls()),
        ((1, 1), (1, 1)),
        "both went on by themselves"
    );
}

#[tokio::test(start_paused = true)]
async fn an_absent_id_is_confirmed_by_one_get_for_all() {
    let bench = Bench::new(500);
    for hour in 1..3 {
        // `i500` and on are not there; the list has the others.
        for (n, answer) in bench.crowd(1000, 502).await.into_iter().enumerate() {
            match answer {
                Ok(_) => assert!(n % 502 < 500),
                Err(kind) => assert_eq!((kind, n % 502 >= 500), (FailureKind::NotFound, true)),
            }
        }
        assert_eq!(bench.look("i501").await.unwrap_err(), FailureKind::NotFound);
        assert_eq!(bench.calls(), (hour, 2 * hour));
        sleep(2 * HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_the_list_overlooks_is_found_by_its_get() {
    let bench = Bench::new(500);
    bench.look("i1").await.unwrap();
    let new = ("i1".to_owned(), 0);
    bench.platform.state().images.insert("late".into(), new);
    let answer = bench.look("late").await.unwrap();
    assert_eq!((answer.by, bench.calls()), (By::Get, (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn of_two_answers_the_later_one_counts() {
    let bench = Bench::new(500);
    bench.look("i1").await.unwrap();
    bench.change("i1");
    sleep(MINUTE).await;
    let target = by_id("i1");
    let urgent = Question {
        not_before: Some(bench.platform.wall()),
        ..few(&target)
    };
    assert_eq!(bench.ask(&urgent).await.unwrap().unwrap().by, By::Get);
    let after = bench.look("i1").await.unwrap();
    assert_eq!(
        (after.facts.size, after.by),
        (Some(1), By::Get),
        "the list is of before"
    );
    assert_eq!(bench.look("i2").await.unwrap().by, By::List);
    bench.change("i1");
    let target = by_id("i2");
    let urgent = Question {
        not_before: Some(bench.platform.wall()),
        ..many(&target)
    };
    bench.ask(&urgent).await.unwrap().unwrap();
    let after = bench.look("i1").await.unwrap();
    assert_eq!(
        (after.facts.size, after.by),
        (Some(2), By::List),
        "now it is the later one"
    );
    assert_eq!(bench.calls(), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn names_come_from_the_list_and_what_it_does_not_show_from_one_look_for_all() {
    let bench = Bench::new(500);
    for (name, bound, expected, by) in [
        ("i1", None, Ok("i1"), By::List),
        ("i1", Some("i1"), Ok("i1"), By::List),
        ("missing", None, Err(FailureKind::NotFound), By::Get),
        ("i1", Some("gone"), Err(FailureKind::NotFound), By::Get),
    ] {
        for _ in 0..3 {
            let target = named(name);
            let question = Question {
                bound,
                ..many(&target)
            };
            let answer = bench.ask(&question).await.unwrap();
            if let Ok(answer) = &answer {
                assert_eq!(answer.by, by);
            }
            let answer = answer.map(|answer| answer.facts.image_id.clone());
            let answer = answer.map_err(|failure| failure.kind);
            assert_eq!(answer, expected.map(str::to_owned), "{name} {bound:?}");
        }
    }
    assert_eq!(bench.calls(), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_cut_answers_what_it_shows_and_proves_nothing_absent() {
    let bench = Bench::new(500);
    bench.platform.state().partial = true;
    assert_eq!(bench.look("i1").await.unwrap().by, By::List);
    let target = named("i1");
    let bound = Question {
        bound: Some("i1"),
        ..many(&target)
    };
    assert_eq!(bench.ask(&bound).await.unwrap().unwrap().by, By::List);
    assert_eq!(
        bench.ask(&many(&target)).await.unwrap().unwrap().by,
        By::Get
    );
    assert_eq!(
        bench.look("missing").await.unwrap_err(),
        FailureKind::NotFound
    );
    assert_eq!(bench.calls(), (1, 2));
    let state = bench
        .snapshots
        .state(proof("a"), &Scope::of(&target).unwrap())
        .unwrap();
    assert_eq!((state.cut, state.whole), (Some(Cut::Pages), false));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_shared_between_proofs_or_scopes() {
    let bench = Bench::new(500);
    let (target, elsewhere) = (by_id("i1"), target("q", Query::NotebookId("i1".into())));
    let mut expected = 0;
    for (target, secret) in [(&target, "a"), (&target, "b"), (&elsewhere, "a")] {
        expected += 1;
        for distinct in [500, 2] {
            let question = Question {
                proof: proof(secret),
                distinct,
                ..many(target)
            };
            bench.ask(&question).await.unwrap().unwrap();
        }
        assert_eq!(bench.calls(), (expected, 0));
    }
    assert_eq!(bench.snapshots.len(), 3);
    let other = Question {
        proof: proof("c"),
        ..few(&target)
    };
    assert_eq!(bench.ask(&other).await.unwrap().unwrap().by, By::Get);
    assert_eq!(bench.calls(), (3, 1));
}
