//! Owns the tests of several origins, rotation, and the account of tokens seen. Must not be known here:
//! the insides of the crate. What breaks first: the order of the log.

use crate::client::Ask;
use fakecloud::{FakeCloud, Fault, FaultKind, Operation, Service, TokenKind, defaults};
use serde_json::{Value, json};

#[tokio::test]
async fn origins_share_what_they_remember_and_have_services_of_their_own() {
    let cloud = FakeCloud::start().await;
    let iam = cloud.also_for(&[Service::Iam]).await;
    let all = cloud.also_for(&[]).await;
    assert_ne!(iam.address(), cloud.address());
    cloud.add_token("new", Some(defaults::PROJECT_ID));
    let projects = Ask::get("/v3/projects").header("X-Auth-Token", "new");
    let images = Ask::project("images").header("X-Auth-Token", "new");
    assert_eq!(projects.reply(&iam).await.status, 200);
    assert_eq!(images.reply(&iam).await.error(), (404, "APIGW.0101".into()));
    assert_eq!(images.reply(&all).await.status, 200);
    let pai = Ask::get("/api/v1/images").alibaba(&iam, "ListImages");
    assert_eq!(
        pai.reply(&iam).await.error(),
        (404, "InvalidApi.NotFound".into())
    );
    assert_eq!(cloud.calls().of(Operation::ListImage), 1);

    let origins: Vec<String> = cloud.log().into_iter().map(|entry| entry.origin).collect();
    assert_eq!(origins[0], iam.address().to_string());
    assert_eq!(origins[2], all.address().to_string());
    let wrong: Vec<_> = cloud
        .seen_tokens()
        .into_iter()
        .filter(|seen| seen.request.operation.is_none())
        .collect();
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].kind, TokenKind::Iam);

    drop(iam);
    assert_eq!(images.reply(&cloud).await.status, 200);
    assert_eq!(Ask::get("/_fake/health").reply(&all).await.status, 200);
}

#[tokio::test]
async fn rotation_keeps_rights_and_ends_the_old_key() {
    let cloud = FakeCloud::start().await;
    let images = || Ask::project("images");
    let new = cloud.rotate_huawei(defaults::HUAWEI_AK).unwrap();
    let by_new = images().huawei_by(&cloud, &new.ak, &new.account.sk);
    assert_eq!(by_new.reply(&cloud).await.status, 200);
    let by_old = images().huawei(&cloud);
    assert_eq!(
        by_old.reply(&cloud).await.error(),
        (401, "APIGW.0301".into())
    );
    assert!(cloud.rotate_huawei(defaults::HUAWEI_AK).is_none());
    assert!(cloud.huawei_accounts().contains_key(&new.ak));
    assert!(cloud.expire_key(&new.ak));
    let by_new = images().huawei_by(&cloud, &new.ak, &new.account.sk);
    assert_eq!(by_new.reply(&cloud).await.status, 401);

    cloud.add_huawei_account(&new.ak, new.account.clone());
    assert_eq!(by_new.reply(&cloud).await.status, 200);

    let new = cloud.rotate_alibaba(defaults::ALIBABA_AK).unwrap();
    let list = Ask::get("/api/v1/images").alibaba_by(
        &cloud,
        "ListImages",
        "n",
        &new.ak,
        &new.account.secret,
    );
    assert_eq!(list.reply(&cloud).await.status, 200);
    assert!(!cloud.expire_key("nobody"));
}

#[tokio::test]
async fn the_admin_api_does_the_same() {
    let cloud = FakeCloud::start().await;
    let admin = async |method: &str, path: &str, body: Value| {
        Ask::new(method, &format!("/_fake/{path}"))
            .body(&body)
            .reply(&cloud)
            .await
    };
    let path = format!("accounts/huawei/{}/rotate", defaults::HUAWEI_AK);
    let new = admin("POST", &path, Value::Null).await.json();
    assert_eq!(new["project_id"], defaults::PROJECT_ID);
    assert_eq!(admin("POST", &path, Value::Null).await.status, 404);
    let path = format!("accounts/huawei/{}/expire", new["ak"].as_str().unwrap());
    assert_eq!(admin("POST", &path, Value::Null).await.status, 200);
    let path = format!("accounts/alibaba/{}", defaults::ALIBABA_AK);
    let rotate = format!("{path}/rotate");
    assert!(admin("POST", &rotate, Value::Null).await.json()["secret"].is_string());
    let path = format!("tokens/{}/expire", defaults::AUTH_TOKEN);
    assert_eq!(admin("POST", &path, Value::Null).await.status, 200);
    let images = Ask::project("images").token();
    assert_eq!(
        images.reply(&cloud).await.error(),
        (401, "APIGW.0307".into())
    );

    let provider = json!({"issuer": "i", "audiences": ["a"]});
    let agency = json!({"urn": "u", "trusted": [], "project_id": "p"});
    for (path, body) in [
        ("users/u", json!({"password": "p"})),
        ("agencies/a", agency),
        ("roles/acs:ram::1:role/r", json!({"trusted": []})),
        ("providers/huawei/p", provider.clone()),
        ("providers/alibaba/acs:ram::1:oidc-provider/p", provider),
    ] {
        assert_eq!(admin("PUT", path, body).await.status, 200, "{path}");
        assert_eq!(
            admin("DELETE", path, Value::Null).await.status,
            200,
            "{path}"
        );
        assert_eq!(
            admin("DELETE", path, Value::Null).await.status,
            404,
            "{path}"
        );
        assert_eq!(
            admin("PUT", path, json!({"x": 1})).await.status,
            400,
            "{path}"
        );
    }
    let token = admin("POST", "id-tokens", json!({"audience": "a", "life_s": 1})).await;
    assert_eq!(
        token.json()["token"].as_str().unwrap().split('.').count(),
        3
    );

    let seen = admin("GET", "seen", Value::Null).await.json();
    assert_eq!(seen[0]["kind"], "Iam");
    assert_eq!(seen[0]["place"], "Header");
    let text = json!({"text": defaults::AUTH_TOKEN});
    let sightings = admin("POST", "sightings", text).await.json();
    assert_eq!(sightings[0]["operation"], "ListImage");
    admin("DELETE", "log", Value::Null).await;
    assert!(cloud.log().is_empty() && cloud.seen_tokens().is_empty());
}

#[tokio::test]
async fn faults_have_the_shape_of_their_service() {
    let cloud = FakeCloud::start().await;
    cloud.set_faults(vec![Fault::always(FaultKind::Internal500)]);
    let reply = Ask::new("POST", "/v5/agencies/assume-with-oidc")
        .reply(&cloud)
        .await;
    assert_eq!(reply.json()["error"]["code"], 500);
    let reply = Ask::get("/?Action=AssumeRoleWithOIDC").reply(&cloud).await;
    assert_eq!(reply.error(), (500, "InternalError".into()));
    let reply = Ask::get("/openstack/latest/securitykey")
        .reply(&cloud)
        .await;
    assert_eq!(
        (reply.status, reply.text().as_str()),
        (500, "Internal error.")
    );
}

#[tokio::test]
async fn a_request_through_a_proxy_is_known_by_its_host() {
    let cloud = FakeCloud::start().await;
    let ask = Ask::get("http://169.254.169.254/openstack/latest/securitykey");
    assert_eq!(ask.reply(&cloud).await.status, 200);
    assert_eq!(cloud.log()[0].host, "169.254.169.254");
    assert_eq!(cloud.log()[0].path, "/openstack/latest/securitykey");
}
