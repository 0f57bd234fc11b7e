//! Owns the tests of the admin API.

use crate::client::{Ask, Reply};
use fakecloud::{FakeCloud, Fault, FaultKind, ImageApi, Operation, defaults};
use serde_json::{Value, json};

async fn admin(cloud: &FakeCloud, method: &str, path: &str, body: Value) -> Reply {
    let ask = Ask::new(method, &format!("/_fake/{path}"));
    let ask = if body.is_null() { ask } else { ask.body(&body) };
    ask.reply(cloud).await
}

#[tokio::test]
async fn images_are_put_patched_and_deleted() {
    let cloud = FakeCloud::start().await;
    let target = format!("images/notebook/{}", defaults::ASCEND_NOTEBOOK_ID);
    let patch = json!({"status": "ERROR", "size": null, "more": {"a": 1}});
    assert_eq!(admin(&cloud, "PATCH", &target, patch).await.status, 200);
    let image = admin(&cloud, "GET", &target, Value::Null).await.json();
    assert_eq!(
        (&image["status"], &image["more"]["a"]),
        (&json!("ERROR"), &json!(1))
    );
    assert!(image.get("size").is_none());
    assert_eq!(image["arch"], "aarch64");

    assert_eq!(
        admin(&cloud, "PUT", "images/pai/image-x", json!({"Name": "x"}))
            .await
            .status,
        200
    );
    assert_eq!(
        cloud.image(ImageApi::Pai, "image-x").unwrap()["ImageId"],
        "image-x"
    );
    assert_eq!(
        admin(&cloud, "DELETE", "images/pai/image-x", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        admin(&cloud, "DELETE", "images/pai/image-x", Value::Null)
            .await
            .status,
        404
    );
    assert_eq!(
        admin(&cloud, "PATCH", "images/pai/image-x", json!({}))
            .await
            .status,
        404
    );
    assert_eq!(
        admin(&cloud, "PUT", "images/pai/image-x", json!([]))
            .await
            .status,
        400
    );
    assert_eq!(
        admin(&cloud, "GET", "images/other", Value::Null)
            .await
            .status,
        404
    );
    let made = admin(&cloud, "POST", "images/lite-server", json!({"name": "n"})).await;
    assert_eq!(made.status, 201);
    let all = admin(&cloud, "GET", "images/lite-server", Value::Null)
        .await
        .json();
    assert_eq!(all.as_array().unwrap().len(), 3);
    admin(&cloud, "DELETE", "images/lite-server", Value::Null).await;
    assert!(cloud.images(ImageApi::LiteServer).is_empty());
}

#[tokio::test]
async fn calls_and_log_are_shown_and_reset() {
    let cloud = FakeCloud::start().await;
    Ask::project("images?limit=1").token().reply(&cloud).await;
    assert_eq!(
        admin(&cloud, "GET", "calls", Value::Null).await.json(),
        json!({"ListImage": 1})
    );
    let log = admin(&cloud, "GET", "log", Value::Null).await.json();
    assert_eq!(log.as_array().unwrap().len(), 1);
    assert_eq!(log[0]["query"], "limit=1");
    assert_eq!(log[0]["operation"], "ListImage");
    assert_eq!(log[0]["principal"], "token:fake-auth-to");
    admin(&cloud, "DELETE", "calls", Value::Null).await;
    assert_eq!(cloud.calls().total(), 0);
}

#[tokio::test]
async fn every_kind_of_fault_can_be_written_as_json() {
    let cloud = FakeCloud::start().await;
    let faults = json!([
        {"kind": "latency", "ms": 5, "on": "ShowImage", "times": 2},
        {"kind": "status", "status": 503, "error_code": "c", "error_message": "m", "retry_after": "3"},
        {"kind": "body", "status": 200, "content_type": "text/plain", "body": "x"},
        {"kind": "throttled-modelarts", "retry_after_s": 2},
        {"kind": "throttled-gateway"},
        {"kind": "throttled-pai", "retry_after_ms": 200},
        {"kind": "internal-500", "percent": 10},
        {"kind": "truncated"},
        {"kind": "slow-drip", "ms": 5},
        {"kind": "huge", "bytes": 100},
        {"kind": "malformed"},
        {"kind": "wrong-content-type"},
        {"kind": "deep-nesting", "levels": 5},
        {"kind": "redirect", "to": "http://127.0.0.1/"},
        {"kind": "connection-reset"},
        {"kind": "connection-close"},
    ]);
    let reply = admin(&cloud, "PUT", "faults", faults.clone()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(cloud.faults().len(), faults.as_array().unwrap().len());
    let latency = Fault::always(FaultKind::Latency { ms: 5 })
        .on(Operation::ShowImage)
        .times(2);
    assert_eq!(cloud.faults()[0], latency);
    let shown = admin(&cloud, "GET", "faults", Value::Null).await.json();
    assert_eq!(
        shown[0],
        json!({"kind": "latency", "ms": 5, "on": "ShowImage", "times": 2})
    );
    admin(&cloud, "DELETE", "faults", Value::Null).await;
    assert!(cloud.faults().is_empty());
    admin(&cloud, "POST", "faults", json!({"kind": "malformed"})).await;
    assert_eq!(cloud.faults(), [Fault::always(FaultKind::Malformed)]);
    assert_eq!(
        admin(&cloud, "PUT", "faults", json!([{"kind": "nothing"}]))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn options_are_changed_one_by_one() {
    let cloud = FakeCloud::start().await;
    let patch = json!({"clock_offset_s": 60, "denied": ["ShowImage"], "list_lie": "repeat-page",
        "lock_after_failures": null});
    let options = admin(&cloud, "PATCH", "options", patch).await.json();
    assert_eq!(options["list_lie"], "repeat-page");
    assert_eq!(cloud.options().clock_offset_s, 60);
    assert_eq!(cloud.options().lock_after_failures, None);
    assert!(cloud.options().denied.contains(&Operation::ShowImage));
    assert_eq!(
        admin(&cloud, "PATCH", "options", json!({"typo": 1}))
            .await
            .status,
        400
    );
    admin(&cloud, "PUT", "options", json!({})).await;
    assert_eq!(cloud.options(), fakecloud::Options::default());
    cloud.configure(|options| options.unknown_fields = true);
    cloud.set_options(fakecloud::Options::default());
    assert!(!cloud.options().unknown_fields);
}

#[tokio::test]
async fn accounts_tokens_and_projects_are_added_and_removed() {
    let cloud = FakeCloud::start().await;
    let project = json!({"project_id": defaults::PROJECT_ID});
    admin(&cloud, "PUT", "tokens/mine", project).await;
    let ask = Ask::project("images").header("x-auth-token", "mine");
    assert_eq!(ask.reply(&cloud).await.status, 200);
    admin(&cloud, "DELETE", "tokens/mine", Value::Null).await;
    assert_eq!(ask.reply(&cloud).await.status, 401);

    let account = json!({"sk": "s", "project_id": defaults::PROJECT_ID});
    admin(&cloud, "PUT", "accounts/huawei/AK2", account).await;
    assert_eq!(
        Ask::project("images")
            .huawei_by(&cloud, "AK2", "s")
            .reply(&cloud)
            .await
            .status,
        200
    );
    assert_eq!(
        admin(&cloud, "DELETE", "accounts/huawei/AK2", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        admin(&cloud, "PUT", "accounts/huawei/AK2", json!({}))
            .await
            .status,
        400
    );

    admin(
        &cloud,
        "PUT",
        "accounts/alibaba/AK3",
        json!({"secret": "s"}),
    )
    .await;
    let ask = Ask::get("/api/v1/images").alibaba_by(&cloud, "ListImages", "n", "AK3", "s");
    assert_eq!(ask.reply(&cloud).await.status, 200);
    assert_eq!(
        admin(&cloud, "DELETE", "accounts/alibaba/AK3", Value::Null)
            .await
            .status,
        200
    );

    admin(&cloud, "PUT", "projects/p2", json!({"name": "cn-south-1"})).await;
    let found = Ask::get("/v3/projects?name=cn-south-1")
        .token()
        .reply(&cloud)
        .await
        .json();
    assert_eq!(found["projects"][0]["id"], "p2");
    assert_eq!(
        admin(&cloud, "DELETE", "projects/p2", Value::Null)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_reset_forgets_everything() {
    let cloud = FakeCloud::start().await;
    Ask::project("images").token().reply(&cloud).await;
    cloud.clear_images(ImageApi::Notebook);
    assert_eq!(
        admin(&cloud, "POST", "reset", Value::Null).await.status,
        200
    );
    assert_eq!(cloud.images(ImageApi::Notebook).len(), 6);
    assert!(cloud.log().is_empty());
    cloud.reset_calls();
    cloud.reset();
    assert_eq!(
        admin(&cloud, "GET", "health", Value::Null).await.status,
        200
    );
    assert_eq!(
        admin(&cloud, "GET", "nothing", Value::Null).await.status,
        404
    );
}
