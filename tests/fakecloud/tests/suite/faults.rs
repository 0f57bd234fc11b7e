//! Owns the tests of faults: what each does on the wire, which calls it hits, when it ends.

use crate::client::Ask;
use fakecloud::{FakeCloud, Fault, FaultKind, Operation, defaults};
use jiff::Timestamp;
use std::time::{Duration, Instant};

fn show() -> Ask {
    Ask::project(&format!("images/{}", defaults::SEED_NOTEBOOK_ID)).token()
}

async fn with(kind: FaultKind) -> FakeCloud {
    let cloud = FakeCloud::start().await;
    cloud.set_faults(vec![Fault::always(kind).times(1)]);
    cloud
}

#[tokio::test]
async fn a_fault_hits_its_operation_so_many_times() {
    let cloud = FakeCloud::start().await;
    cloud.add_fault(
        Fault::always(FaultKind::Internal500)
            .on(Operation::ShowImage)
            .times(2),
    );
    assert_eq!(
        Ask::project("images").token().reply(&cloud).await.status,
        200
    );
    assert_eq!(
        show().reply(&cloud).await.error(),
        (500, "ModelArts.5039".into())
    );
    assert_eq!(cloud.faults()[0].times, Some(1));
    assert_eq!(show().reply(&cloud).await.status, 500);
    assert_eq!(show().reply(&cloud).await.status, 200);
    assert!(cloud.faults().is_empty());
    assert_eq!(cloud.calls().of(Operation::ShowImage), 3);
    cloud.set_faults(vec![Fault::always(FaultKind::Internal500)]);
    assert_eq!(show().reply(&cloud).await.status, 500);
    cloud.clear_faults();
    assert_eq!(show().reply(&cloud).await.status, 200);
}

#[tokio::test]
async fn errors_take_the_shape_of_their_cloud() {
    let cloud = FakeCloud::start().await;
    let status = |code: &str| FaultKind::Status {
        status: 503,
        error_code: code.into(),
        error_message: "busy".into(),
        retry_after: Some("7".into()),
    };
    cloud.set_faults(vec![Fault::always(status("X.1"))]);
    let reply = show().reply(&cloud).await;
    assert_eq!(
        (reply.error(), reply.header("retry-after")),
        ((503, "X.1".into()), Some("7"))
    );
    assert!(reply.json().get("request_id").is_none());
    let reply = Ask::get("/api/v1/images").reply(&cloud).await;
    assert_eq!(reply.json()["Code"], "X.1");
    let reply = Ask::get("/v3/projects").reply(&cloud).await;
    assert_eq!(reply.json()["error"]["message"], "busy");
    cloud.set_faults(vec![Fault::always(status("APIGW.0613"))]);
    assert!(show().reply(&cloud).await.json()["request_id"].is_string());
}

#[tokio::test]
async fn throttling_comes_from_service_gateway_and_pai() {
    let cloud = with(FaultKind::ThrottledModelArts {
        retry_after_s: Some(3),
    })
    .await;
    let reply = show().reply(&cloud).await;
    assert_eq!(
        (reply.error(), reply.header("retry-after")),
        ((429, "ModelArts.6101".into()), Some("3"))
    );
    cloud.add_fault(
        Fault::always(FaultKind::ThrottledGateway {
            retry_after_s: None,
        })
        .times(1),
    );
    let reply = show().reply(&cloud).await;
    assert_eq!(
        (reply.error(), reply.header("retry-after")),
        ((429, "APIGW.0308".into()), None)
    );
    let pai = FaultKind::ThrottledPai {
        retry_after_ms: Some(1500),
    };
    cloud.add_fault(Fault::always(pai));
    let reply = Ask::get("/api/v1/images/image-x").reply(&cloud).await;
    assert_eq!(reply.error(), (400, "Throttling.User".into()));
    assert_eq!(reply.header("x-acs-retry-after"), Some("1500"));
    cloud.configure(|options| options.pai_throttle_status = 429);
    assert_eq!(
        Ask::get("/api/v1/images/image-x")
            .reply(&cloud)
            .await
            .status,
        429
    );
}

#[tokio::test]
async fn latency_delays_and_combines_with_other_faults() {
    let cloud = with(FaultKind::Latency { ms: 80 }).await;
    cloud.add_fault(Fault::always(FaultKind::Internal500).times(1));
    let start = Instant::now();
    assert_eq!(show().reply(&cloud).await.status, 500);
    assert!(start.elapsed() >= Duration::from_millis(80));
    let late = Timestamp::now().duration_since(cloud.log()[0].at);
    assert!(
        late.as_millis() >= 80,
        "the log has the time at which it came"
    );
}

#[tokio::test]
async fn a_truncated_answer_promises_more_than_it_sends() {
    let cloud = with(FaultKind::Truncated).await;
    let reply = show().reply(&cloud).await;
    let whole = include_bytes!("../../../fixtures/seeds/notebook-show-image.json");
    assert_eq!(reply.status, 200);
    assert!(!reply.is_whole());
    assert_eq!(reply.body, whole[..whole.len() / 2]);
    assert!(show().reply(&cloud).await.is_whole());
}

#[tokio::test]
async fn a_dripping_answer_is_whole_in_the_end() {
    let cloud = with(FaultKind::SlowDrip { ms: 1 }).await;
    let start = Instant::now();
    let reply = show().reply(&cloud).await;
    assert!(reply.is_whole());
    assert_eq!(reply.json()["arch"], "x86_64");
    assert!(start.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn a_huge_answer_is_valid_json_of_that_size() {
    let cloud = with(FaultKind::Huge { bytes: 3_000_000 }).await;
    let reply = show().reply(&cloud).await;
    assert_eq!(reply.body.len(), 3_000_000);
    assert_eq!(reply.header("content-length"), None);
    assert!(reply.json()["filler"].is_string());
}

#[tokio::test]
async fn answers_can_be_nonsense_in_several_ways() {
    let cloud = with(FaultKind::Malformed).await;
    let reply = show().reply(&cloud).await;
    assert!(serde_json::from_slice::<serde_json::Value>(&reply.body).is_err());
    assert_eq!(reply.header("content-type"), Some("application/json"));

    cloud.set_faults(vec![Fault::always(FaultKind::WrongContentType)]);
    assert_eq!(
        show().reply(&cloud).await.header("content-type"),
        Some("text/html")
    );

    cloud.set_faults(vec![Fault::always(FaultKind::DeepNesting { levels: 1000 })]);
    assert!(
        show()
            .reply(&cloud)
            .await
            .text()
            .contains(&"[".repeat(1000))
    );

    let body = String::from_utf8_lossy(include_bytes!(
        "../../../fixtures/seeds/notebook-list-images.json"
    ));
    let kind = FaultKind::Body {
        status: 200,
        content_type: "a/b".into(),
        body: body.clone().into(),
    };
    cloud.set_faults(vec![Fault::always(kind)]);
    assert_eq!(Ask::project("images").reply(&cloud).await.text(), body);

    cloud.set_faults(vec![Fault::always(FaultKind::Redirect {
        to: "http://127.0.0.1:9/x".into(),
    })]);
    let reply = show().reply(&cloud).await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (302, Some("http://127.0.0.1:9/x"))
    );
}

#[tokio::test]
async fn a_connection_can_end_without_an_answer() {
    let cloud = with(FaultKind::ConnectionClose).await;
    let error = show().send(&cloud).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    cloud.set_faults(vec![Fault::always(FaultKind::ConnectionReset).times(1)]);
    let error = show().send(&cloud).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(show().reply(&cloud).await.status, 200);
    let statuses: Vec<Option<u16>> = cloud.log().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [None, None, Some(200)]);
}

#[tokio::test]
async fn a_dropped_cloud_is_gone() {
    let cloud = FakeCloud::start().await;
    let address = cloud.address();
    drop(cloud);
    for _ in 0..1000 {
        if tokio::net::TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("still listening");
}
