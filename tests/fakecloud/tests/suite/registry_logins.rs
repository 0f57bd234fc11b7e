//! Owns the tests of registries' logins: who is given one, and where it is good. Must not be known
//! here: the insides of the crate. What breaks first: the form of an end.

use crate::client::{Ask, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fakecloud::verify::hmac_sha256;
use fakecloud::{FakeCloud, Fault, FaultKind, Operation, Service, defaults};
use jiff::Timestamp;

const SECRET: &str = "/v2/manage/utils/secret?projectname=cn-north-4";

fn acr(cloud: &FakeCloud, action: &str, instance: &str) -> Ask {
    Ask::new("POST", &format!("/?InstanceId={instance}"))
        .header("x-acs-version", "2018-12-01")
        .alibaba(cloud, action)
}

fn pair(reply: &Reply) -> (String, String) {
    let body = reply.json();
    let auth = body["auths"][defaults::SWR_HOST]["auth"].as_str().unwrap();
    let text = String::from_utf8(STANDARD.decode(auth).unwrap()).unwrap();
    let (name, password) = text.split_once(':').unwrap();
    (name.to_owned(), password.to_owned())
}

#[tokio::test]
async fn swr_gives_who_signs_in_a_login_that_ends() {
    let cloud = FakeCloud::start().await;
    for ask in [
        Ask::new("POST", SECRET).huawei(&cloud),
        Ask::new("POST", SECRET).token(),
    ] {
        let reply = ask.reply(&cloud).await;
        assert_eq!(reply.status, 200);
        let (name, password) = pair(&reply);
        assert!(name.starts_with("cn-north-4@"));
        let command = reply.header("x-swr-dockerlogin").unwrap();
        assert!(command.contains(&format!("-u {name} -p {password} ")));
        let end: Timestamp = reply.header("x-swr-expireat").unwrap().parse().unwrap();
        assert_eq!(end.as_second() - cloud.now().as_second(), 3600);
        let good = |host: &str| cloud.accepts_registry_login(host, &name, &password);
        assert!(good(defaults::SWR_HOST) && !good(defaults::ACR_HOST) && !good("docker.io"));
        cloud.configure(|options| options.clock_offset_s += 3601);
        assert!(!good(defaults::SWR_HOST), "it has ended");
    }
    let unsigned = Ask::new("POST", SECRET).reply(&cloud).await;
    assert_eq!(unsigned.status, 401);
    let forged = Ask::new("POST", SECRET).huawei_by(&cloud, defaults::HUAWEI_AK, "x");
    assert_eq!(forged.reply(&cloud).await.status, 401);
    cloud.configure(|options| options.denied = [Operation::SwrCreateSecret].into());
    let denied = Ask::new("POST", SECRET).huawei(&cloud).reply(&cloud).await;
    assert_eq!(denied.status, 403);
    assert!(denied.text().contains("SVCSTG.SWR.4039002"));
    assert_eq!(cloud.calls().of(Operation::SwrCreateSecret), 5);
    assert_eq!(cloud.registry_logins().len(), 2);
}

#[tokio::test]
async fn the_long_term_login_of_a_permanent_key_is_good() {
    let cloud = FakeCloud::start().await;
    let (key, secret) = (defaults::HUAWEI_AK, defaults::HUAWEI_SK);
    let password = hex::encode(hmac_sha256(secret.as_bytes(), key.as_bytes()));
    let name = format!("cn-north-4@{key}");
    let good = |name: &str, password: &str| {
        cloud.accepts_registry_login(defaults::SWR_HOST, name, password)
    };
    assert!(good(&name, &password));
    assert!(!good(key, &password) && !good(&name, "x"));
    assert!(!cloud.accepts_registry_login(defaults::ACR_HOST, &name, &password));
    assert!(cloud.remove_huawei_account(key));
    assert!(!good(&name, &password), "the key is gone");
}

#[tokio::test]
async fn an_instance_names_its_hosts_and_gives_a_login_for_them() {
    let cloud = FakeCloud::start().await;
    let own = defaults::ACR_INSTANCE;
    let listed = acr(&cloud, "ListInstanceEndpoint", own).reply(&cloud).await;
    let domain = &listed.json()["Endpoints"][0]["Domains"][0]["Domain"];
    assert_eq!(domain, defaults::ACR_HOST);
    let given = acr(&cloud, "GetAuthorizationToken", own)
        .reply(&cloud)
        .await;
    let body = given.json();
    let end = Timestamp::from_millisecond(body["ExpireTime"].as_i64().unwrap()).unwrap();
    assert_eq!(end.as_second() - cloud.now().as_second(), 3600);
    let good = |host: &str| {
        let text = |member: &str| body[member].as_str().unwrap().to_owned();
        cloud.accepts_registry_login(host, &text("TempUsername"), &text("AuthorizationToken"))
    };
    assert!(good(defaults::ACR_HOST) && !good(defaults::SWR_HOST));

    let cloud = &cloud;
    let error = async |ask: Ask| ask.reply(cloud).await.error();
    let other = acr(cloud, "GetAuthorizationToken", "cri-other");
    assert_eq!(error(other).await, (404, "INSTANCE_NOT_EXIST".into()));
    let wrong_version = Ask::new("POST", "/?InstanceId=x").alibaba(cloud, "GetAuthorizationToken");
    assert_eq!(error(wrong_version).await, (400, "InvalidVersion".into()));
    let unknown = acr(cloud, "DeleteInstance", own);
    assert_eq!(error(unknown).await, (404, "InvalidApi.NotFound".into()));
    let mut twice = acr(cloud, "GetAuthorizationToken", own);
    twice.reply(cloud).await;
    assert_eq!(
        error(twice.clone()).await,
        (400, "SignatureNonceUsed".into())
    );
    twice.query = "InstanceId=cri-other".into();
    assert_eq!(error(twice).await, (400, "SignatureDoesNotMatch".into()));
}

#[tokio::test]
async fn both_have_places_and_faults_of_their_own() {
    let cloud = FakeCloud::start().await;
    let iam = cloud.also_for(&[Service::Iam]).await;
    let swr = Ask::new("POST", SECRET).token();
    assert_eq!(swr.reply(&iam).await.error(), (404, "APIGW.0101".into()));
    let elsewhere = acr(&iam, "GetAuthorizationToken", defaults::ACR_INSTANCE);
    assert_eq!(
        elsewhere.reply(&iam).await.error(),
        (404, "InvalidApi.NotFound".into())
    );
    cloud.set_faults(vec![Fault::always(FaultKind::Internal500)]);
    let failed = swr.reply(&cloud).await;
    assert!(failed.status == 500 && failed.text().contains("SVCSTG.SWR."));
    let failed = acr(&cloud, "GetAuthorizationToken", defaults::ACR_INSTANCE);
    assert_eq!(
        failed.reply(&cloud).await.error(),
        (500, "InternalError".into())
    );
}
