//! How much is held, and for how long.

use super::*;

/// Looks for an image of a project, with so many images asked about.
async fn in_project(bench: &Bench, project: usize, distinct: usize) -> Answer {
    let target = target(&project.to_string(), Query::NotebookId("i1".into()));
    let question = Question {
        distinct,
        ..many(&target)
    };
    bench.ask(&question).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_scope_not_used_for_longest_makes_room() {
    let bench = Bench::with(500, 2, 64 << 20);
    for project in [0, 1, 0, 2] {
        in_project(&bench, project, 500).await;
        sleep(CALL).await;
    }
    assert_eq!((bench.snapshots.len(), bench.calls()), (2, (3, 0)));
    in_project(&bench, 0, 500).await;
    assert_eq!(bench.calls(), (3, 0), "still there");
    in_project(&bench, 1, 500).await;
    assert_eq!(bench.calls(), (4, 0), "it had made room");
}

#[tokio::test(start_paused = true)]
async fn bytes_are_counted_and_bounded_and_given_back() {
    let one = {
        let bench = Bench::new(500);
        in_project(&bench, 0, 500).await;
        bench.snapshots.bytes()
    };
    assert!(
        (500 * 500..2_000_000).contains(&one),
        "{one} bytes for 500 images"
    );
    let bench = Bench::with(500, 1024, 3 * one);
    for project in 0..20 {
        in_project(&bench, project, 500).await;
        sleep(CALL).await;
        assert!(bench.snapshots.bytes() <= 4 * one);
    }
    assert_eq!(
        bench.snapshots.len(),
        4,
        "the one asked about, and what fits beside it"
    );
    sleep(24 * HOUR).await;
    bench.snapshots.forget_idle();
    assert_eq!((bench.snapshots.bytes(), bench.snapshots.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asks_for_is_dropped_after_hours_or_twice_the_largest_age() {
    let bench = Bench::new(500);
    bench.look("i1").await.unwrap();
    let target = by_id("i1");
    let old = Question {
        proof: proof("b"),
        max_age: 12 * HOUR,
        ..many(&target)
    };
    bench.ask(&old).await.unwrap().unwrap();
    for (hours, left) in [(2, 2), (2, 1), (19, 1), (2, 0)] {
        sleep(hours * HOUR).await;
        bench.snapshots.forget_idle();
        assert_eq!(bench.snapshots.len(), left);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_about_single_images_do_not_pile_up() {
    let bench = Bench::new(0);
    let ask = async |n: usize| {
        let target = by_id(&n.to_string());
        let failure = bench.ask(&few(&target)).await.unwrap().unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound);
    };
    let at_once = async |from: usize, to: usize| {
        futures::future::join_all((from..to).map(&ask)).await;
    };
    at_once(0, 20_000).await;
    at_once(20_000, 20_100).await;
    let one = 2048;
    assert!(bench.snapshots.bytes() <= entry::MOST_GETS * one);
    assert_eq!(bench.calls(), (0, 20_100), "one each");
    for round in 1..100 {
        sleep(2 * HOUR).await;
        at_once(round * 100_000, round * 100_000 + 50).await;
    }
    assert!(
        bench.snapshots.bytes() <= 300 * one,
        "{}",
        bench.snapshots.bytes()
    );
}
