//! How many calls many looks cost.

use super::{Bench, PATIENCE, notebook};
use crate::cloud::{huawei, notebook_named};
use fakecloud::{Fault, FaultKind, Operation, defaults};
use imageref::cloud::snapshot::{By, Question, Scope};
use imageref::facts::FailureKind;
use imageref::plan::target::Query;
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn ten_thousand_looks_at_five_hundred_images_cost_four_calls_and_as_many_to_refresh() {
    let bench = Bench::new().await;
    let ids = bench.put_notebooks(500);
    let targets: Vec<_> = (0..10_000)
        .map(|n| match n % 3 {
            0 => notebook(&ids[n % 500]),
            _ => notebook_named(&format!("image-{}", n % 500)),
        })
        .map(|query| bench.target(query))
        .collect();
    for refresh in [false, true] {
        bench.fake.reset_calls();
        let not_before = refresh.then(Timestamp::now);
        let answers = bench.crowd(targets.clone(), not_before).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let answer = answer.unwrap();
            let name = format!("image-{}", n % 500);
            assert_eq!(answer.facts.upstream.name, Some(name));
            assert_eq!(answer.by, By::List);
        }
        // 504 own images and 2 presets, in pages of 200.
        assert_eq!(bench.fake.calls().of(Operation::ListImage), 4);
        assert_eq!(bench.fake.calls().total(), 4);
    }
    let bytes = bench.snapshots.bytes();
    assert!(bytes < 1024 * 1024, "{bytes} bytes for 506 images");
}

#[tokio::test]
async fn a_lite_server_and_a_pai_list_are_shared_too() {
    let [modelarts, pai] = [Bench::new().await, Bench::of_pai().await];
    for n in 0..300 {
        let name = format!("image-{n}");
        modelarts
            .fake
            .put_lite_server_image(json!({"name": name, "arch": "ARM"}));
        pai.fake.put_pai_image(json!({"Name": name}));
    }
    for n in 0..300 {
        let name = format!("image-{n}");
        let lite = Query::LiteServerName {
            name: name.clone(),
            server_type: None,
        };
        assert_eq!(modelarts.look(lite).await.unwrap().by, By::List);
        let named = Query::PaiName {
            name,
            workspace_id: None,
        };
        assert_eq!(pai.look(named).await.unwrap().by, By::List);
    }
    assert_eq!(modelarts.fake.calls().total(), 2, "302 in pages of 200");
    assert_eq!(pai.fake.calls().total(), 4, "303 in pages of 100");
}

#[tokio::test]
async fn an_absent_id_is_confirmed_by_one_call_for_a_thousand() {
    let bench = Bench::new().await;
    let missing = bench.target(notebook("00000000-0000-4000-8000-000000000000"));
    for answer in bench.crowd(vec![missing; 1000], None).await {
        let failure = answer.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound);
        assert!(failure.message.contains("ModelArts.6404"), "the get's word");
    }
    assert_eq!(bench.fake.calls().of(Operation::ShowImage), 1);
    assert_eq!(bench.fake.calls().of(Operation::ListImage), 2);
}

#[tokio::test]
async fn what_one_key_was_told_is_not_told_to_another() {
    let bench = Bench::new().await;
    let query = notebook(defaults::ASCEND_NOTEBOOK_ID);
    let target = bench.target(query.clone());
    bench.look(query.clone()).await.unwrap();
    let mut thief = bench.asker.clone();
    thief.credential = huawei("another-secret");
    for distinct in [1, 500] {
        let question = Question {
            proof: thief.proof(),
            distinct,
            ..bench.question(&target)
        };
        let answer = bench.snapshots.look(&question, &thief).await.unwrap();
        assert_eq!(answer.unwrap_err().kind, FailureKind::AuthenticationFailed);
    }
    let scope = Scope::of(&target).unwrap();
    assert!(bench.snapshots.state(thief.proof(), &scope).is_none());
    bench.fake.reset_calls();
    bench.look(query).await.unwrap();
    assert_eq!(bench.fake.calls().total(), 0, "the owner's is as it was");
}

#[tokio::test]
async fn where_listing_is_forbidden_gets_answer() {
    let bench = Bench::new().await;
    bench
        .fake
        .configure(|options| options.denied = [Operation::ListImage].into());
    for _ in 0..10 {
        let answer = bench.look(notebook(defaults::ASCEND_NOTEBOOK_ID)).await;
        assert_eq!(answer.unwrap().by, By::Get);
    }
    assert_eq!(bench.fake.calls().of(Operation::ListImage), 1);
    assert_eq!(bench.fake.calls().of(Operation::ShowImage), 1);
}

#[tokio::test]
async fn a_dead_list_is_left_alone_while_gets_are_fine() {
    let bench = Bench::new().await;
    bench
        .fake
        .add_fault(Fault::always(FaultKind::Internal500).on(Operation::ListImage));
    let mut failures = 0;
    loop {
        match bench.look(notebook(defaults::ASCEND_NOTEBOOK_ID)).await {
            Ok(answer) => break assert_eq!(answer.by, By::Get),
            Err(failure) => assert_eq!(failure.kind, FailureKind::ProviderError),
        }
        failures += 1;
        assert!(failures < 9);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(21)).await;
        tokio::time::resume();
    }
    assert_eq!(bench.fake.calls().of(Operation::ListImage), 3);
    assert_eq!(bench.fake.calls().of(Operation::ShowImage), 1);
}

#[tokio::test]
async fn callers_that_give_up_leave_the_list_to_the_others() {
    let bench = Bench::new().await;
    let slow = FaultKind::Latency { ms: 200 };
    bench
        .fake
        .add_fault(Fault::always(slow).on(Operation::ListImage));
    let target = bench.target(notebook(defaults::ASCEND_NOTEBOOK_ID));
    let question = bench.question(&target);
    let look = || bench.snapshots.look(&question, &bench.asker);
    let given_up = async {
        let asked = async {
            while bench.fake.calls().of(Operation::ListImage) == 0 {
                tokio::task::yield_now().await;
            }
        };
        // The first to ask is dropped as soon as its call has arrived.
        tokio::select! {
            _ = look() => panic!("the answer is late"),
            () = asked => {}
        }
    };
    given_up.await;
    let answers = futures::future::join_all((0..100).map(|_| look())).await;
    assert!(
        answers
            .into_iter()
            .all(|answer| answer.unwrap().unwrap().by == By::List)
    );
    assert_eq!(bench.fake.calls().total(), 2, "one list of two pages");
}

#[tokio::test]
async fn all_pages_together_have_one_time_limit() {
    let bench = Bench::new().await;
    let slow = FaultKind::Latency { ms: 150 };
    bench
        .fake
        .add_fault(Fault::always(slow).on(Operation::ListImage));
    let target = bench.target(notebook(defaults::ASCEND_NOTEBOOK_ID));
    let scope = Scope::of(&target).unwrap();
    let list = async |limit| {
        let (clouds, credential) = (&bench.asker.clouds, &bench.asker.credential);
        clouds.list(&scope, credential, limit).await
    };
    let failure = list(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(
        failure.message.contains("no whole answer within 0.2 s"),
        "{failure}"
    );
    assert_eq!(list(PATIENCE).await.unwrap().pages, 2);
}
