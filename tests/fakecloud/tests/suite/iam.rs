//! Owns the tests of tokens and projects.

use crate::client::{Ask, Reply};
use fakecloud::{FakeCloud, IamErrorShape, Operation, defaults};
use serde_json::{Value, json};

async fn token(cloud: &FakeCloud, password: &str, scope: Value) -> Reply {
    let user = json!({
        "domain": {"name": defaults::IAM_DOMAIN},
        "name": defaults::IAM_USER,
        "password": password,
    });
    let body = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": scope,
    }});
    Ask::new("POST", "/v3/auth/tokens")
        .body(&body)
        .reply(cloud)
        .await
}

#[tokio::test]
async fn a_password_gives_a_token_that_works_until_it_expires() {
    let cloud = FakeCloud::start().await;
    let scope = json!({"project": {"name": defaults::REGION}});
    let reply = token(&cloud, defaults::IAM_PASSWORD, scope).await;
    assert_eq!(reply.status, 201);
    let expiry = reply.json()["token"]["expires_at"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        expiry.len(),
        "2026-11-22T08:09:10.123456Z".len(),
        "{expiry}"
    );
    assert_eq!(reply.json()["token"]["project"]["id"], defaults::PROJECT_ID);

    let ask =
        Ask::project("images").header("X-Auth-Token", reply.header("X-Subject-Token").unwrap());
    assert_eq!(ask.reply(&cloud).await.status, 200);
    cloud.configure(|options| options.clock_offset_s = 86_401);
    assert_eq!(ask.reply(&cloud).await.error(), (401, "APIGW.0307".into()));
    cloud.configure(|options| options.clock_offset_s = 0);
    assert!(cloud.revoke_token(reply.header("X-Subject-Token").unwrap()));
    assert_eq!(ask.reply(&cloud).await.error(), (401, "APIGW.0301".into()));
}

#[tokio::test]
async fn a_token_without_a_project_does_not_open_one() {
    let cloud = FakeCloud::start().await;
    let reply = token(&cloud, defaults::IAM_PASSWORD, Value::Null).await;
    let ask =
        Ask::project("images").header("X-Auth-Token", reply.header("X-Subject-Token").unwrap());
    assert_eq!(
        ask.reply(&cloud).await.error(),
        (401, "ModelArts.0204".into())
    );
}

#[tokio::test]
async fn errors_come_in_two_shapes() {
    let cloud = FakeCloud::start().await;
    let reply = token(&cloud, "wrong", Value::Null).await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.json()["error"]["title"], "Unauthorized");
    let missing = token(
        &cloud,
        defaults::IAM_PASSWORD,
        json!({"project": {"id": "none"}}),
    )
    .await;
    assert_eq!(missing.status, 404);
    cloud.configure(|options| options.iam_errors = IamErrorShape::Code);
    assert_eq!(
        token(&cloud, "wrong", Value::Null).await.error(),
        (401, "IAM.0062".into())
    );
    let malformed = Ask::new("POST", "/v3/auth/tokens")
        .body(&"{")
        .reply(&cloud)
        .await;
    assert_eq!(malformed.error(), (400, "IAM.0011".into()));
    cloud.configure(|options| options.denied = [Operation::IamToken].into());
    let denied = token(&cloud, defaults::IAM_PASSWORD, Value::Null).await;
    assert_eq!(denied.error(), (403, "IAM.0003".into()));
    assert_eq!(cloud.calls().of(Operation::IamToken), 5);
}

#[tokio::test]
async fn projects_are_found_by_name_with_a_signature() {
    let cloud = FakeCloud::start().await;
    let ask = |name: &str| Ask::get(&format!("/v3/projects?name={name}"));
    let reply = ask(defaults::REGION).huawei(&cloud).reply(&cloud).await;
    assert_eq!(reply.json()["projects"][0]["id"], defaults::PROJECT_ID);
    let none = ask("cn-south-1").huawei(&cloud).reply(&cloud).await.json();
    assert_eq!(none["projects"], json!([]));
    cloud.add_project("second", defaults::REGION);
    let two = ask(defaults::REGION).token().reply(&cloud).await.json();
    assert_eq!(two["projects"].as_array().unwrap().len(), 2);
    assert!(cloud.remove_project("second"));
    assert_eq!(
        ask("x").reply(&cloud).await.error(),
        (401, "APIGW.0301".into())
    );
    assert_eq!(cloud.calls().of(Operation::IamProjects), 4);
}
