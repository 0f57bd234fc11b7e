//! Owns the tests of what both clouds give to whom they host: metadata, pod identity, credentials URI.
//! Must not be known here: the insides of the crate. What breaks first: a status that an instance turns
//! out to answer with.

use crate::client::Ask;
use fakecloud::{EcsMetadata, FakeCloud, MetadataToken, Operation, defaults};
use serde_json::{Value, json};

fn token_ask(life: &str) -> Ask {
    Ask::new("PUT", "/meta-data/latest/api/token").header("X-Metadata-Token-Ttl-Seconds", life)
}

fn security_key() -> Ask {
    Ask::get("/openstack/latest/securitykey")
}

#[tokio::test]
async fn metadata_has_token_modes() {
    let cloud = FakeCloud::start().await;
    let token = token_ask("21600").reply(&cloud).await.text();
    let sent = || security_key().header("X-Metadata-Token", &token);
    let wrong = || security_key().header("X-Metadata-Token", "wrong");
    for (mode, given, without, with, with_wrong) in [
        (MetadataToken::Required, 200, 401, 200, 401),
        (MetadataToken::Optional, 200, 200, 200, 401),
        (MetadataToken::Off404, 404, 200, 200, 200),
        (MetadataToken::Off405, 405, 200, 200, 200),
        (MetadataToken::Off503, 503, 200, 200, 200),
    ] {
        cloud.configure(|options| options.metadata_token = mode);
        assert_eq!(
            token_ask("60").reply(&cloud).await.status,
            given,
            "{mode:?}"
        );
        assert_eq!(
            security_key().reply(&cloud).await.status,
            without,
            "{mode:?}"
        );
        assert_eq!(sent().reply(&cloud).await.status, with, "{mode:?}");
        assert_eq!(wrong().reply(&cloud).await.status, with_wrong, "{mode:?}");
    }
    cloud.configure(|options| options.metadata_token = MetadataToken::Required);
    for life in ["0", "21601", "soon"] {
        assert_eq!(token_ask(life).reply(&cloud).await.status, 400, "{life}");
    }
    assert!(cloud.expire_token(&token));
    assert_eq!(sent().reply(&cloud).await.status, 401);
}

#[tokio::test]
async fn metadata_gives_the_same_key_until_it_is_nearly_over() {
    let cloud = FakeCloud::start().await;
    let key = async || -> Value { security_key().reply(&cloud).await.json()["credential"].clone() };
    let first = key().await;
    assert_eq!(key().await, first);
    cloud.configure(|options| options.clock_offset_s = 86_400 - 600);
    let second = key().await;
    assert_ne!(second["access"], first["access"]);
    assert!(cloud.expire_key(second["access"].as_str().unwrap()));
    assert_ne!(key().await["access"], second["access"]);

    cloud.configure(|options| options.metadata_agency = false);
    let reply = security_key().reply(&cloud).await;
    assert_eq!(
        (reply.status, reply.text().as_str()),
        (401, "Please configure Cloud Service Agency first")
    );
}

#[tokio::test]
async fn pod_identity_takes_the_whole_token_and_nothing_else() {
    let cloud = FakeCloud::start().await;
    let text = cloud.id_token(defaults::POD_IDENTITY_AUDIENCE).text();
    let ask = |path: &str, value: &str, body: &str| {
        Ask::new("POST", path)
            .header("Authorization", value)
            .body(&body)
    };
    let path = cloud.options().pod_identity_path;
    let reply = ask(&path, &text, "{}").reply(&cloud).await;
    assert!(reply.json()["credential"]["securitytoken"].is_string());
    assert_eq!(ask(&path, &text, "").reply(&cloud).await.status, 400);
    let bearer = format!("Bearer {text}");
    assert_eq!(ask(&path, &bearer, "{}").reply(&cloud).await.status, 401);
    let other = cloud.id_token("other").text();
    assert_eq!(ask(&path, &other, "{}").reply(&cloud).await.status, 401);
    cloud.configure(|options| options.pod_identity_path = "/elsewhere".into());
    assert_eq!(ask(&path, &text, "{}").reply(&cloud).await.status, 404);
    assert_eq!(
        ask("/elsewhere", &text, "{}").reply(&cloud).await.status,
        200
    );
    assert_eq!(cloud.calls().of(Operation::PodIdentity), 5);
}

#[tokio::test]
async fn ecs_metadata_has_modes_and_one_role() {
    let cloud = FakeCloud::start().await;
    let root = "/latest/meta-data/ram/security-credentials/";
    let token_ask = || {
        Ask::new("PUT", "/latest/api/token")
            .header("X-aliyun-ecs-metadata-token-ttl-seconds", "21600")
    };
    let token = token_ask().reply(&cloud).await.text();
    let role = format!("{root}{}", defaults::ALIBABA_ROLE);
    let with = |path: &str| Ask::get(path).header("X-aliyun-ecs-metadata-token", &token);
    for (mode, given, without) in [
        (EcsMetadata::Hardened, 200, 403),
        (EcsMetadata::V1Allowed, 200, 200),
        (EcsMetadata::V1Only, 404, 200),
    ] {
        cloud.configure(|options| options.ecs_metadata = mode);
        assert_eq!(token_ask().reply(&cloud).await.status, given, "{mode:?}");
        assert_eq!(
            Ask::get(&role).reply(&cloud).await.status,
            without,
            "{mode:?}"
        );
        assert_eq!(
            with(root).reply(&cloud).await.text(),
            defaults::ALIBABA_ROLE
        );
    }
    let key = with(&role).reply(&cloud).await.json();
    assert_eq!(key["Code"], "Success");
    let ask = Ask::get("/api/v1/images").header(
        "x-acs-security-token",
        key["SecurityToken"].as_str().unwrap(),
    );
    let (ak, secret) = (
        key["AccessKeyId"].as_str().unwrap(),
        key["AccessKeySecret"].as_str().unwrap(),
    );
    let signed = |nonce: &str| {
        ask.clone()
            .alibaba_by(&cloud, "ListImages", nonce, ak, secret)
    };
    assert_eq!(signed("n1").reply(&cloud).await.status, 200);
    assert!(cloud.expire_key(ak));
    assert_eq!(
        signed("n2").reply(&cloud).await.error(),
        (400, "InvalidSecurityToken.Expired".into())
    );
    assert_eq!(
        with(&format!("{root}other")).reply(&cloud).await.status,
        404
    );
    cloud.configure(|options| options.ecs_role = String::new());
    assert_eq!(with(root).reply(&cloud).await.status, 404);
    assert_eq!(with(root).reply(&cloud).await.status, 404);

    let uri = cloud.options().credentials_uri_path;
    let key = Ask::get(&uri).reply(&cloud).await.json();
    assert_ne!(key["AccessKeyId"], json!(ak));
    assert_eq!(cloud.calls().of(Operation::CredentialsUri), 1);
}
