//! The wait for what is on its way: a reference, or a namespace.

use super::reviews::review;
use super::served::{SOON, Served};
use crate::verdict::world::{TORCH, declared, pod, unusable};
use imageref::webhook::server::Limits;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Longer than any test takes: who waits for less has not waited for the end.
fn patient() -> Limits {
    Limits {
        wait: SOON * 2,
        ..Limits::default()
    }
}

async fn allowed(served: &Served, path: &str, review: &Value) -> Value {
    let (status, answer) = served.post(&served.client(), path, review).await;
    assert_eq!(status, 200, "{answer}");
    answer["response"]["allowed"].clone()
}

/// Waits until the server waits for a change, on behalf of a request.
async fn until_it_waits(asked: &mut (impl Future<Output = Value> + Unpin)) {
    let early = timeout(Duration::from_millis(200), asked).await;
    assert!(early.is_err(), "it did not wait: {early:?}");
}

#[tokio::test]
async fn an_image_that_is_declared_meanwhile_is_let_in_at_once() {
    let served = Served::of([declared("other", &format!("{TORCH}:1"))], patient()).await;
    let good = review(&pod(&format!("{TORCH}:3")));
    let mut asked = Box::pin(allowed(&served, "/validate/enforce", &good));
    until_it_waits(&mut asked).await;
    // A change that turns nothing is looked at, and waited on.
    served
        .state
        .put_reference(declared("another", &format!("{TORCH}:2")));
    until_it_waits(&mut asked).await;
    served
        .state
        .put_reference(declared("torch", &format!("{TORCH}:3")));
    assert_eq!(timeout(SOON, asked).await.unwrap(), true);
}

#[tokio::test]
async fn a_namespace_that_comes_to_be_known_meanwhile_is_judged_by_its_labels() {
    let served = Served::of([declared("new/torch", &format!("{TORCH}:3"))], patient()).await;
    let mut good = review(&pod(&format!("{TORCH}:3")));
    good["request"]["namespace"] = "new".into();
    let mut asked = Box::pin(allowed(&served, "/validate/enforce", &good));
    until_it_waits(&mut asked).await;
    served.state.put_namespace("new", BTreeMap::new());
    assert_eq!(timeout(SOON, asked).await.unwrap(), true);
}

#[tokio::test]
async fn what_no_change_can_turn_and_what_nobody_notices_does_not_wait() {
    let retired = unusable(
        declared("torch", &format!("{TORCH}:3")),
        "ImageNotActive",
        "it is retired",
    );
    let served = Served::of([retired], patient()).await;
    let unusable = review(&pod(&format!("{TORCH}:3")));
    let unknown = review(&pod("busybox"));
    let mut nameless = review(&pod("busybox"));
    nameless["request"]["namespace"] = "kube-system".into();
    for (path, review, wanted) in [
        ("/validate/enforce", &unusable, false),
        ("/validate/audit", &unknown, true),
        ("/validate/enforce", &nameless, true),
    ] {
        let asked = allowed(&served, path, review);
        assert_eq!(
            timeout(SOON, asked).await.expect("no wait"),
            wanted,
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_wait_ends_by_itself_and_before_the_asker_gives_up() {
    let wait = Duration::from_millis(300);
    let served = Served::of(
        [],
        Limits {
            wait,
            ..Limits::default()
        },
    )
    .await;
    let bad = review(&pod("busybox"));
    let begun = Instant::now();
    assert_eq!(allowed(&served, "/validate/enforce", &bad).await, false);
    assert!(begun.elapsed() >= wait, "{:?}", begun.elapsed());

    // It has half a second less than the asker has.
    let served = Served::of([], patient()).await;
    for (path, least) in [
        ("/validate/enforce?timeout=400ms", 0),
        ("/validate/warn?timeout=800ms", 300),
    ] {
        let begun = Instant::now();
        let answer = timeout(SOON, served.post(&served.client(), path, &bad)).await;
        let (status, answer) = answer.expect("within the asker's time");
        assert_eq!(
            (status, &answer["response"]["uid"]),
            (200, &bad["request"]["uid"])
        );
        assert!(begun.elapsed() >= Duration::from_millis(least), "{path}");
    }
}

#[tokio::test]
async fn many_changes_do_not_prolong_the_wait() {
    let wait = Duration::from_millis(300);
    let served = Served::of(
        [],
        Limits {
            wait,
            ..Limits::default()
        },
    )
    .await;
    let state = served.state.clone();
    let churn = tokio::spawn(async move {
        for n in 0_u64.. {
            state.put_reference(declared("churn", &format!("{TORCH}:{n}")));
            tokio::task::yield_now().await;
        }
    });
    let bad = review(&pod("busybox"));
    let asked = timeout(SOON, allowed(&served, "/validate/enforce", &bad)).await;
    assert_eq!(asked.expect("an end"), json!(false));
    churn.abort();
}

#[tokio::test]
async fn a_watch_that_is_broken_is_told_with_each_refusal() {
    let served = Served::of(
        [],
        Limits {
            wait: Duration::ZERO,
            ..Limits::default()
        },
    )
    .await;
    let minute = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    served
        .state
        .failed(imageref::webhook::Watched::ImageRefs, minute);
    let bad = review(&pod("busybox"));
    let (_, answer) = served
        .post(&served.client(), "/validate/enforce", &bad)
        .await;
    assert_eq!(answer["response"]["allowed"], false);
    let warning = answer["response"]["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("the watch of ImageRefs has been failing for 6"),
        "{warning}"
    );
}
