//! Answers that are late, broken, too large or not the platform's.

use super::{Bench, PATIENCE, by_id, huawei, lite_named, network, notebook, target};
use fakecloud::{FakeCloud, Fault, FaultKind, Operation, defaults};
use imageref::cloud::{Clouds, LARGEST_BODY, LONGEST_PAUSE};
use imageref::facts::FailureKind;
use imageref::plan::target::Query;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn throttling_brings_the_pause_that_was_asked_for() {
    let bench = Bench::new().await;
    let [notebook, server, pai] = by_id();
    for (query, fault, pause) in [
        (
            &notebook,
            FaultKind::ThrottledModelArts {
                retry_after_s: None,
            },
            None,
        ),
        (
            &notebook,
            FaultKind::ThrottledModelArts {
                retry_after_s: Some(7),
            },
            Some(Duration::from_secs(7)),
        ),
        (
            &server,
            FaultKind::ThrottledGateway {
                retry_after_s: Some(99_999),
            },
            Some(LONGEST_PAUSE),
        ),
        (
            &pai,
            FaultKind::ThrottledPai {
                retry_after_ms: Some(1500),
            },
            Some(Duration::from_millis(1500)),
        ),
        (
            &pai,
            FaultKind::ThrottledPai {
                retry_after_ms: None,
            },
            None,
        ),
    ] {
        for status in [400, 429] {
            bench
                .fake
                .configure(|options| options.pai_throttle_status = status);
            bench.fake.set_faults(vec![Fault::always(fault.clone())]);
            let failure = bench.look(query.clone()).await.unwrap_err();
            assert_eq!(
                (failure.kind, failure.retry_after),
                (FailureKind::Throttled, pause),
                "{fault:?}"
            );
            assert!(failure.request_id.is_some());
        }
    }
    for (text, pause) in [("soon", None), ("30", Some(Duration::from_secs(30)))] {
        bench.fake.set_faults(vec![Fault::always(FaultKind::Status {
            status: 503,
            error_code: "ModelArts.4302".into(),
            error_message: "busy".into(),
            retry_after: Some(text.into()),
        })]);
        let failure = bench.look(notebook.clone()).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.retry_after),
            (FailureKind::ProviderError, pause)
        );
    }
}

#[tokio::test]
async fn a_broken_answer_has_its_class_and_is_asked_for_once() {
    let bench = Bench::new().await;
    let invalid = FailureKind::ResponseInvalid;
    for (fault, kind) in [
        (FaultKind::Truncated, invalid),
        (
            FaultKind::Huge {
                bytes: LARGEST_BODY as u64 + 1,
            },
            invalid,
        ),
        // Within the bound, and an object, but no image.
        (
            FaultKind::Huge {
                bytes: LARGEST_BODY as u64,
            },
            invalid,
        ),
        (FaultKind::Malformed, invalid),
        (FaultKind::DeepNesting { levels: 3 }, invalid),
        (FaultKind::DeepNesting { levels: 200_000 }, invalid),
        (FaultKind::Internal500, FailureKind::ProviderError),
        (FaultKind::ConnectionReset, FailureKind::Unreachable),
        (FaultKind::ConnectionClose, FailureKind::Unreachable),
    ] {
        for query in by_id() {
            bench.fake.set_faults(vec![Fault::always(fault.clone())]);
            bench.fake.reset_calls();
            let failure = bench.look(query).await.unwrap_err();
            assert_eq!(failure.kind, kind, "{fault:?}: {failure}");
            assert_eq!(bench.fake.calls().total(), 1, "{fault:?}");
            assert!(!failure.message.contains(['?', '\n']), "{failure}");
        }
    }
    bench
        .fake
        .set_faults(vec![Fault::always(FaultKind::WrongContentType)]);
    for query in by_id() {
        assert!(
            bench.look(query).await.is_ok(),
            "what the body is decides, not what it is called"
        );
    }
}

#[tokio::test]
async fn the_time_of_a_look_is_bounded_whatever_is_slow() {
    let bench = Bench::new().await;
    let patience = Duration::from_millis(300);
    for fault in [
        FaultKind::Latency { ms: 60_000 },
        FaultKind::SlowDrip { ms: 100 },
    ] {
        bench.fake.set_faults(vec![Fault::always(fault)]);
        let target = target(&bench.fake.url(), notebook(defaults::SEED_NOTEBOOK_ID));
        let begun = Instant::now();
        let credential = huawei(defaults::HUAWEI_SK);
        let failure = bench
            .clouds
            .look(&target, &credential, None, patience)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(
            failure
                .message
                .ends_with("gave no whole answer within 0.3 s"),
            "{failure}"
        );
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    // All pages together, not each.
    bench
        .fake
        .configure(|options| options.max_page_size = Some(1));
    bench
        .fake
        .set_faults(vec![Fault::always(FaultKind::Latency { ms: 200 })]);
    let target = target(&bench.fake.url(), lite_named("missing", None));
    let failure = bench
        .clouds
        .look(&target, &huawei(defaults::HUAWEI_SK), None, patience)
        .await;
    assert_eq!(failure.unwrap_err().kind, FailureKind::Unreachable);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (bench, other) = (Bench::new().await, FakeCloud::start().await);
    for to in [
        other.url(),
        format!("{}/v1/x/images/y", bench.fake.url()),
        "/elsewhere".into(),
    ] {
        bench
            .fake
            .set_faults(vec![Fault::always(FaultKind::Redirect { to })]);
        for query in by_id() {
            let failure = bench.look(query).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::ProviderError);
            assert!(
                failure
                    .message
                    .ends_with("answered with a redirect, which is not followed"),
                "{failure}"
            );
        }
    }
    assert!(other.log().is_empty(), "no request arrives there");
    assert_eq!(bench.fake.log().len(), 9, "nor another one here");
}

#[tokio::test]
async fn an_answer_about_something_else_is_no_answer() {
    let bench = Bench::new().await;
    let other = "00000000-0000-4000-8000-000000000000";
    for body in [
        json!({"id": other, "image_id": other, "ImageId": "image-other", "name": "x", "Name": "x"}),
        json!({"current": 0, "data": [], "pages": 0, "size": 10, "total": 0, "Images": [], "TotalCount": 0}),
        json!({"error_code": "ModelArts.0001", "error_msg": "m", "Code": "X", "Message": "m"}),
        json!({}),
        json!([]),
        json!(null),
        json!("text"),
    ] {
        let content_type = "application/json".to_owned();
        let fault = FaultKind::Body {
            status: 200,
            content_type,
            body: body.to_string(),
        };
        bench.fake.set_faults(vec![Fault::always(fault)]);
        for query in by_id() {
            assert_eq!(
                bench.kind(query).await,
                FailureKind::ResponseInvalid,
                "{body}"
            );
        }
    }
    // An empty answer to a list is no empty list.
    let fault = FaultKind::Body {
        status: 200,
        content_type: String::new(),
        body: "{}".into(),
    };
    bench.fake.set_faults(vec![Fault::always(fault)]);
    assert_eq!(
        bench.kind(lite_named("x", None)).await,
        FailureKind::ResponseInvalid
    );
}

#[tokio::test]
async fn a_failure_of_one_page_or_one_list_is_a_failure() {
    let bench = Bench::new().await;
    let fault = Fault::always(FaultKind::Internal500).on(Operation::ListImage);
    bench.fake.set_faults(vec![
        Fault::always(FaultKind::Latency { ms: 0 }).times(1),
        fault.times(1),
    ]);
    assert_eq!(
        bench.kind(super::notebook_named("llm-serving")).await,
        FailureKind::ProviderError
    );
}

#[tokio::test]
async fn who_cannot_be_reached_is_named_without_the_request() {
    let bench = Bench::new().await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let tls = bench.fake.address();
    for (endpoint, host) in [
        (format!("http://{closed}"), closed.to_string()),
        (format!("https://{tls}"), tls.to_string()),
        (
            "https://nowhere.invalid".to_owned(),
            "nowhere.invalid".to_owned(),
        ),
    ] {
        let clouds = Clouds::new(network(&endpoint)).unwrap();
        for query in [by_id()[0].clone(), super::notebook_named("seen-name")] {
            let target = target(&endpoint, query);
            let credential = huawei(defaults::HUAWEI_SK);
            let failure = clouds
                .look(&target, &credential, None, PATIENCE)
                .await
                .unwrap_err();
            assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
            assert!(
                failure
                    .message
                    .starts_with(&format!("{host} cannot be reached: ")),
                "{failure}"
            );
            for part in [
                "seen-name",
                "/v1/",
                defaults::PROJECT_ID,
                defaults::HUAWEI_AK,
            ] {
                assert!(!failure.message.contains(part), "{failure}");
            }
        }
    }
    // Plain HTTP to another machine is refused before anything is sent.
    let target = target(
        "http://192.0.2.1",
        Query::LiteServerId(defaults::SEED_LITE_SERVER_ID.into()),
    );
    let failure = bench
        .clouds
        .look(&target, &huawei("s"), None, PATIENCE)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSpec);
}
