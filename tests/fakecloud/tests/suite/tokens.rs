//! Owns the tests of what IAM and STS of Huawei Cloud give for keys, agencies and identity tokens. Must
//! not be known here: the insides of the crate. What breaks first: a code that the vendor turns out to
//! spell otherwise.

use crate::client::{Ask, Reply};
use fakecloud::{
    Agency, FakeCloud, HuaweiAccount, IamErrorShape, IdToken, IdentityProvider, KeyEnvelope,
    KeyNames, Operation, defaults,
};
use serde_json::{Value, json};

async fn post(cloud: &FakeCloud, path: &str, body: Value) -> Reply {
    Ask::new("POST", path).body(&body).reply(cloud).await
}

fn key_of(members: &Value) -> (String, String, String) {
    let text = |name: &str| members[name].as_str().unwrap().to_owned();
    (text("access"), text("secret"), text("securitytoken"))
}

/// The status of a call with a temporary key.
async fn opens(cloud: &FakeCloud, (key, secret, token): &(String, String, String)) -> u16 {
    Ask::project("images")
        .header("X-Security-Token", token)
        .huawei_by(cloud, key, secret)
        .reply(cloud)
        .await
        .status
}

fn by_key(key: &str, secret: &str, token: Option<&str>) -> Value {
    let mut method = json!({"access": {"key": key}, "secret": {"key": secret}});
    if let Some(token) = token {
        method["security_token"] = json!({"key": token});
    }
    json!({"auth": {
        "identity": {"methods": ["hw_ak_sk"], "hw_ak_sk": method},
        "scope": {"project": {"id": defaults::PROJECT_ID}},
    }})
}

fn assume(agency: &str) -> Value {
    json!({"auth": {
        "identity": {
            "methods": ["assume_role"],
            "assume_role": {"agency_name": agency, "domain_id": defaults::IAM_DOMAIN_ID},
        },
        "scope": {"project": {"name": defaults::REGION}},
    }})
}

fn keys_for(token: &str, seconds: i64) -> Value {
    json!({"auth": {"identity": {
        "methods": ["token"],
        "token": {"id": token, "duration_seconds": seconds},
    }}})
}

#[tokio::test]
async fn an_access_key_gives_a_token() {
    let cloud = FakeCloud::start().await;
    let good = by_key(defaults::HUAWEI_AK, defaults::HUAWEI_SK, None);
    let reply = post(&cloud, "/v3/auth/tokens?nocatalog=any", good).await;
    assert_eq!(reply.status, 201);
    let ask =
        Ask::project("images").header("X-Auth-Token", reply.header("X-Subject-Token").unwrap());
    assert_eq!(ask.reply(&cloud).await.status, 200);

    cloud.configure(|options| options.iam_errors = IamErrorShape::Code);
    let wrong = by_key(defaults::HUAWEI_AK, "wrong", None);
    assert_eq!(
        post(&cloud, "/v3/auth/tokens", wrong).await.error(),
        (401, "IAM.0001".into())
    );
    let account = HuaweiAccount {
        sk: "s".into(),
        security_token: Some("t".into()),
        project_id: defaults::PROJECT_ID.into(),
    };
    cloud.add_huawei_account("TEMPORARY", account);
    for (token, status) in [(Some("t"), 201), (None, 401), (Some("u"), 401)] {
        let reply = post(&cloud, "/v3/auth/tokens", by_key("TEMPORARY", "s", token)).await;
        assert_eq!(reply.status, status, "{token:?}");
    }
    assert!(cloud.expire_key("TEMPORARY"));
    let reply = post(
        &cloud,
        "/v3/auth/tokens",
        by_key("TEMPORARY", "s", Some("t")),
    )
    .await;
    assert_eq!(reply.error(), (401, "IAM.0066".into()));
    let seen = cloud.seen_tokens();
    assert!(seen.iter().all(|seen| seen.token != defaults::HUAWEI_SK));
    assert_eq!(cloud.sightings(defaults::HUAWEI_SK).len(), 1);
}

#[tokio::test]
async fn an_agency_is_for_those_it_trusts() {
    let cloud = FakeCloud::start().await;
    cloud.configure(|options| options.iam_errors = IamErrorShape::Code);
    let ask = Ask::new("POST", "/v3/auth/tokens").body(&assume(defaults::AGENCY));
    assert_eq!(ask.clone().token().reply(&cloud).await.status, 201);
    assert_eq!(ask.reply(&cloud).await.error(), (401, "APIGW.0301".into()));
    let agency = Agency {
        urn: "iam::x:agency:private".into(),
        trusted: vec!["somebody".into()],
        project_id: defaults::PROJECT_ID.into(),
    };
    cloud.add_agency("private", agency);
    for (name, answer) in [("private", (403, "IAM.0003")), ("none", (404, "IAM.0004"))] {
        let ask = Ask::new("POST", "/v3/auth/tokens").body(&assume(name));
        let (status, code) = answer;
        assert_eq!(
            ask.token().reply(&cloud).await.error(),
            (status, code.to_owned())
        );
    }
    cloud.add_user("somebody", "pass");
    let user =
        json!({"domain": {"name": defaults::IAM_DOMAIN}, "name": "somebody", "password": "pass"});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    let domain = json!({"domain": {"name": defaults::IAM_DOMAIN}});
    let body = json!({"auth": {"identity": identity, "scope": domain}});
    let reply = post(&cloud, "/v3/auth/tokens", body).await;
    assert_eq!(
        reply.json()["token"]["domain"]["id"],
        defaults::IAM_DOMAIN_ID
    );
    let token = reply.header("X-Subject-Token").unwrap();
    let ask = Ask::new("POST", "/v3/auth/tokens").body(&assume("private"));
    assert_eq!(
        ask.header("X-Auth-Token", token).reply(&cloud).await.status,
        201
    );
}

#[tokio::test]
async fn temporary_keys_end() {
    let cloud = FakeCloud::start().await;
    let path = "/v3.0/OS-CREDENTIAL/securitytokens";
    let reply = post(&cloud, path, keys_for(defaults::AUTH_TOKEN, 900)).await;
    assert_eq!(reply.status, 201);
    let key = key_of(&reply.json()["credential"]);
    assert_eq!(opens(&cloud, &key).await, 200);
    assert!(cloud.key_expiry(&key.0).is_some());
    cloud.configure(|options| options.clock_offset_s = 899);
    assert_eq!(opens(&cloud, &key).await, 200);
    cloud.configure(|options| options.clock_offset_s = 901);
    assert_eq!(opens(&cloud, &key).await, 401);

    cloud.configure(|options| {
        options.clock_offset_s = 0;
        options.iam_errors = IamErrorShape::Code;
    });
    for (token, seconds, error) in [
        ("none", 900, (401, "IAM.0067")),
        (defaults::AUTH_TOKEN, 899, (400, "IAM.1105")),
        (defaults::AUTH_TOKEN, 86_401, (400, "IAM.1105")),
    ] {
        let reply = post(&cloud, path, keys_for(token, seconds)).await;
        assert_eq!(reply.error(), (error.0, error.1.to_owned()), "{seconds}");
    }
    cloud.expire_token(defaults::AUTH_TOKEN);
    let reply = post(&cloud, path, keys_for(defaults::AUTH_TOKEN, 900)).await;
    assert_eq!(reply.error(), (401, "IAM.0066".into()));
    let ask = Ask::new("POST", path).body(&assume(defaults::AGENCY));
    let reply = ask.huawei(&cloud).reply(&cloud).await;
    assert_eq!(
        opens(&cloud, &key_of(&reply.json()["credential"])).await,
        200
    );
    cloud.configure(|options| options.temporary_ttl_s = Some(-1));
    cloud.add_token("again", None);
    let reply = post(&cloud, path, keys_for("again", 900)).await;
    assert_eq!(
        opens(&cloud, &key_of(&reply.json()["credential"])).await,
        401
    );
}

#[tokio::test]
async fn an_identity_token_gives_tokens_by_both_routes() {
    let cloud = FakeCloud::start().await;
    let text = cloud.id_token(defaults::HUAWEI_ID_TOKEN_AUDIENCE).text();
    let scope = json!({"project": {"name": defaults::REGION}});
    let ask = |text: &str, scope: &Value| {
        Ask::new("POST", "/v3.0/OS-AUTH/id-token/tokens")
            .body(&json!({"auth": {"id_token": {"id": text}, "scope": scope}}))
    };
    let by = |ask: Ask| ask.header("X-Idp-Id", defaults::OIDC_PROVIDER);
    let reply = by(ask(&text, &scope)).reply(&cloud).await;
    assert_eq!(reply.json()["token"]["project"]["id"], defaults::PROJECT_ID);
    let unscoped = by(ask(&text, &Value::Null)).reply(&cloud).await;
    assert_eq!(unscoped.status, 201);
    assert!(unscoped.json()["token"].get("project").is_none());
    assert_eq!(ask(&text, &scope).reply(&cloud).await.status, 400);
    let other = ask(&text, &scope).header("X-Idp-Id", "other");
    assert_eq!(other.reply(&cloud).await.status, 404);

    let federation = |protocol: &str, header: &str| {
        let provider = defaults::OIDC_PROVIDER;
        Ask::new(
            "POST",
            &format!("/v3/OS-FEDERATION/identity_providers/{provider}/protocols/{protocol}/auth"),
        )
        .header("Authorization", header)
    };
    let bearer = format!("Bearer {text}");
    assert_eq!(federation("oidc", &bearer).reply(&cloud).await.status, 201);
    assert_eq!(federation("saml", &bearer).reply(&cloud).await.status, 404);
    assert_eq!(federation("oidc", &text).reply(&cloud).await.status, 401);
    assert_eq!(cloud.calls().of(Operation::IamFederation), 3);
    cloud.configure(|options| options.denied = [Operation::IamFederation].into());
    assert_eq!(federation("oidc", &bearer).reply(&cloud).await.status, 403);
}

fn sts(token: &IdToken) -> Value {
    json!({
        "provider_urn": defaults::OIDC_PROVIDER_URN,
        "agency_urn": defaults::AGENCY_URN,
        "agency_session_name": "session",
        "id_token": token.text(),
    })
}

#[tokio::test]
async fn sts_checks_everything() {
    let cloud = FakeCloud::start().await;
    cloud.configure(|options| options.iam_errors = IamErrorShape::Code);
    let token = cloud.id_token(defaults::HUAWEI_ID_TOKEN_AUDIENCE);
    let path = "/v5/agencies/assume-with-oidc";
    let with = |member: &str, value: Value| {
        let mut body = sts(&token);
        body[member] = value;
        body
    };
    let claims = |edit: &dyn Fn(&mut IdToken)| {
        let mut token = token.clone();
        edit(&mut token);
        sts(&token)
    };
    let refusals = [
        (with("provider_urn", Value::Null), 400, "IAM.0011"),
        (with("agency_session_name", json!("a/b")), 400, "IAM.0011"),
        (with("policy", json!({})), 400, "IAM.0011"),
        (with("policy_ids", json!("p")), 400, "IAM.0011"),
        (with("duration_seconds", json!(43_201)), 400, "IAM.1105"),
        (with("duration_seconds", json!("3600")), 400, "IAM.1105"),
        (with("provider_urn", json!("x")), 404, "IAM.0004"),
        (with("agency_urn", json!("x")), 404, "IAM.0004"),
        (with("id_token", json!("x.y.z")), 401, "IAM.0067"),
        (claims(&|token| token.audiences.clear()), 401, "IAM.0067"),
        (claims(&|token| token.issuer.clear()), 401, "IAM.0067"),
        (claims(&|token| token.life_s = -1), 401, "IAM.0066"),
        (claims(&|token| token.subject.push('x')), 403, "IAM.0003"),
    ];
    for (body, status, code) in refusals {
        let reply = post(&cloud, path, body.clone()).await;
        assert_eq!(reply.error(), (status, code.to_owned()), "{body}");
    }
    let reply = post(&cloud, path, with("duration_seconds", json!(43_200))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        cloud.log().last().unwrap().principal.as_deref(),
        Some("subject:system:serviceaccount:fake-namespace:fake-account")
    );
    let provider = IdentityProvider {
        urn: "urn-of-a-stranger".into(),
        issuer: token.issuer.clone(),
        audiences: token.audiences.clone(),
        subjects: Vec::new(),
    };
    cloud.add_huawei_provider("stranger", provider);
    let reply = post(
        &cloud,
        path,
        with("provider_urn", json!("urn-of-a-stranger")),
    )
    .await;
    assert_eq!(reply.error(), (403, "IAM.0003".into()));
}

#[tokio::test]
async fn sts_spells_keys_as_told() {
    let cloud = FakeCloud::start().await;
    let body = sts(&cloud.id_token(defaults::HUAWEI_ID_TOKEN_AUDIENCE));
    let path = "/v5/agencies/assume-with-oidc";
    let vendor = post(&cloud, path, body.clone()).await.json();
    assert!(vendor["credentials"]["secret_access_key"].is_string());
    assert!(vendor["assumed_agency"]["urn"].is_string());
    for (names, envelope, pointer) in [
        (
            KeyNames::Short,
            KeyEnvelope::Credential,
            "/credential/securitytoken",
        ),
        (
            KeyNames::Camel,
            KeyEnvelope::Credentials,
            "/credentials/securityToken",
        ),
        (KeyNames::Snake, KeyEnvelope::None, "/security_token"),
    ] {
        cloud.configure(|options| {
            options.key_names = names;
            options.key_envelope = envelope;
        });
        let answer = post(&cloud, path, body.clone()).await.json();
        assert!(answer.pointer(pointer).is_some(), "{answer}");
    }
}

#[tokio::test]
async fn a_caller_learns_who_it_is() {
    let cloud = FakeCloud::start().await;
    let domains = Ask::get("/v3/auth/domains").huawei(&cloud);
    assert_eq!(
        domains.reply(&cloud).await.json()["domains"][0]["id"],
        defaults::IAM_DOMAIN_ID
    );
    cloud.configure(|options| options.domains_listed = false);
    assert_eq!(domains.reply(&cloud).await.json()["domains"], json!([]));
    let identity = Ask::get("/v5/caller-identity").token().reply(&cloud).await;
    assert_eq!(identity.json()["account_id"], defaults::IAM_DOMAIN_ID);
    assert_eq!(
        Ask::get("/v5/caller-identity").reply(&cloud).await.status,
        401
    );
}
