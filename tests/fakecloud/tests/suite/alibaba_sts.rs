//! Owns the tests of Alibaba Cloud's `AssumeRoleWithOIDC`. Must not be known here: the insides of the
//! crate. What breaks first: a status that STS turns out to answer with.

use crate::client::{Ask, Reply};
use fakecloud::verify::encode;
use fakecloud::{FakeCloud, IdToken, IdentityProvider, Operation, Place, Role, defaults};

fn parameters(cloud: &FakeCloud, token: &IdToken) -> Vec<(&'static str, String)> {
    let time = cloud.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    vec![
        ("Action", "AssumeRoleWithOIDC".into()),
        ("Format", "JSON".into()),
        ("Version", "2015-04-01".into()),
        ("Timestamp", time),
        ("RoleArn", defaults::ALIBABA_ROLE_ARN.into()),
        (
            "OIDCProviderArn",
            defaults::ALIBABA_OIDC_PROVIDER_ARN.into(),
        ),
        ("OIDCToken", token.text()),
        ("RoleSessionName", "session".into()),
    ]
}

fn form(parameters: &[(&'static str, String)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value.as_bytes())))
        .collect();
    pairs.join("&")
}

async fn ask(cloud: &FakeCloud, parameters: &[(&'static str, String)]) -> Reply {
    Ask::new("POST", "/")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(&form(parameters))
        .reply(cloud)
        .await
}

fn with(
    parameters: &[(&'static str, String)],
    name: &'static str,
    value: &str,
) -> Vec<(&'static str, String)> {
    let mut changed = parameters.to_vec();
    changed.retain(|(other, _)| *other != name);
    changed.push((name, value.to_owned()));
    changed
}

#[tokio::test]
async fn an_identity_token_gives_keys_that_end() {
    let cloud = FakeCloud::start().await;
    let token = cloud.id_token(defaults::ALIBABA_ID_TOKEN_AUDIENCE);
    let reply = ask(&cloud, &parameters(&cloud, &token)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    let key = &answer["Credentials"];
    let text = |name: &str| key[name].as_str().unwrap();
    let list = |nonce: &str| {
        Ask::get("/api/v1/images")
            .header("x-acs-security-token", text("SecurityToken"))
            .alibaba_by(
                &cloud,
                "ListImages",
                nonce,
                text("AccessKeyId"),
                text("AccessKeySecret"),
            )
    };
    assert_eq!(list("n1").reply(&cloud).await.status, 200);
    cloud.configure(|options| options.clock_offset_s = 3601);
    assert_eq!(
        list("n2").reply(&cloud).await.error(),
        (400, "InvalidSecurityToken.Expired".into())
    );
    let seen = cloud.seen_tokens();
    assert_eq!(
        (seen[0].place, &seen[0].token),
        (Place::Body, &token.text())
    );
    assert_eq!(seen[0].request.path, "/");
    assert_eq!(cloud.sightings(&token.text()).len(), 1);
}

#[tokio::test]
async fn a_token_in_the_url_is_refused_unless_allowed() {
    let cloud = FakeCloud::start().await;
    let token = cloud.id_token(defaults::ALIBABA_ID_TOKEN_AUDIENCE);
    let target = format!("/?{}", form(&parameters(&cloud, &token)));
    let reply = Ask::get(&target).reply(&cloud).await;
    assert_eq!(reply.error(), (400, "InvalidParameter.OIDCToken".into()));
    assert!(reply.text().contains("body only"));
    cloud.configure(|options| options.sts_token_in_query = true);
    assert_eq!(Ask::get(&target).reply(&cloud).await.status, 200);
    assert_eq!(cloud.seen_tokens()[1].place, Place::Query);
}

#[tokio::test]
async fn every_parameter_and_claim_is_checked() {
    let cloud = FakeCloud::start().await;
    let token = cloud.id_token(defaults::ALIBABA_ID_TOKEN_AUDIENCE);
    let good = parameters(&cloud, &token);
    for (name, value, status, code) in [
        ("Version", "", 400, "MissingVersion"),
        ("Version", "2021-02-04", 400, "InvalidVersion"),
        ("Format", "XML", 400, "InvalidParameter.Format"),
        ("Timestamp", "", 400, "MissingTimestamp"),
        ("Timestamp", "yesterday", 400, "InvalidTimeStamp.Format"),
        (
            "Timestamp",
            "2020-01-01T00:00:00Z",
            400,
            "InvalidTimeStamp.Expired",
        ),
        ("RoleArn", "", 400, "MissingRoleArn"),
        ("RoleArn", "acs:ram::1:role/x", 404, "EntityNotExist.Role"),
        ("OIDCProviderArn", "x", 404, "EntityNotExist.OIDCProvider"),
        ("OIDCToken", "", 400, "MissingOIDCToken"),
        (
            "OIDCToken",
            "x",
            400,
            "AuthenticationFail.OIDCToken.Invalid",
        ),
        (
            "RoleSessionName",
            "x",
            400,
            "InvalidParameter.RoleSessionName",
        ),
        (
            "DurationSeconds",
            "899",
            400,
            "InvalidParameter.DurationSeconds",
        ),
        ("Action", "AssumeRole", 404, "InvalidAction.NotFound"),
    ] {
        let reply = ask(&cloud, &with(&good, name, value)).await;
        assert_eq!(reply.error(), (status, code.to_owned()), "{name}={value}");
    }
    let claims = |edit: &dyn Fn(&mut IdToken)| {
        let mut token = token.clone();
        edit(&mut token);
        with(&good, "OIDCToken", &token.text())
    };
    for (parameters, status, code) in [
        (
            claims(&|token| token.life_s = 0),
            400,
            "AuthenticationFail.OIDCToken.Expired",
        ),
        (
            claims(&|token| token.audiences = vec!["x".into()]),
            400,
            "AuthenticationFail.OIDCToken.AudienceNotMatch",
        ),
        (
            claims(&|token| token.issuer.clear()),
            400,
            "AuthenticationFail.OIDCToken.Invalid",
        ),
        (claims(&|token| token.subject.clear()), 403, "NoPermission"),
    ] {
        let reply = ask(&cloud, &parameters).await;
        assert_eq!(reply.error(), (status, code.to_owned()));
    }
    // Only a form is read.
    let reply = Ask::new("POST", "/").body(&form(&good)).reply(&cloud).await;
    assert_eq!(reply.error(), (404, "APIGW.0101".into()));
}

#[tokio::test]
async fn a_role_is_for_those_it_trusts() {
    let cloud = FakeCloud::start().await;
    let token = cloud.id_token("mine");
    let provider = IdentityProvider {
        urn: String::new(),
        issuer: token.issuer.clone(),
        audiences: vec!["mine".into()],
        subjects: Vec::new(),
    };
    cloud.add_alibaba_provider("acs:ram::2:oidc-provider/mine", provider);
    let good = parameters(&cloud, &token);
    let parameters = with(&good, "OIDCProviderArn", "acs:ram::2:oidc-provider/mine");
    let reply = ask(&cloud, &parameters).await;
    assert_eq!(reply.error(), (403, "NoPermission".into()));
    let role = Role {
        trusted: vec!["acs:ram::2:oidc-provider/mine".into()],
        account: "2".into(),
    };
    cloud.add_role("acs:ram::2:role/mine", role);
    let parameters = with(&parameters, "RoleArn", "acs:ram::2:role/mine");
    assert_eq!(ask(&cloud, &parameters).await.status, 200);
    let (key, _) = cloud
        .alibaba_accounts()
        .into_iter()
        .find(|(_, account)| account.account == "2")
        .unwrap();
    assert!(key.starts_with("STS."));
    cloud.configure(|options| options.denied = [Operation::AssumeRoleWithOidc].into());
    assert_eq!(
        ask(&cloud, &parameters).await.error(),
        (403, "NoPermission".into())
    );
}
