//! What must never be seen: planted credentials, and every text that comes out of a look.

use super::{Bench, by_id, target};
use fakecloud::{AlibabaAccount, Fault, FaultKind, HuaweiAccount, defaults};
use imageref::cloud::refusal::LONGEST_MESSAGE;
use imageref::cloud::{Clouds, Credential, Network};
use imageref::plan::target::Query;
use serde_json::json;
use std::time::Duration;

/// In every planted part, so that one search finds them all.
const MARK: &str = "SEEN";

/// Credentials with their parts.
fn credentials() -> [(Credential, Vec<String>); 3] {
    let [key, secret] = [format!("{MARK}-key"), format!("{MARK}+/secret==")];
    let token = format!("{MARK}-token-{}", "x".repeat(300));
    let keys = vec![key.clone(), secret.clone(), token.clone()];
    [
        (
            Credential::HuaweiKeys {
                access_key: key.clone(),
                secret_key: secret.clone().into(),
                security_token: Some(token.clone().into()),
            },
            keys.clone(),
        ),
        (
            Credential::HuaweiToken(token.clone().into()),
            vec![token.clone()],
        ),
        (
            Credential::AlibabaKeys {
                access_key: key,
                secret_key: secret.into(),
                security_token: Some(token.into()),
            },
            keys,
        ),
    ]
}

/// Answers that repeat a part of what they were sent, in the ways on record and in worse ones.
fn echoes(part: &str) -> Vec<FaultKind> {
    let body = |status, body: String| FaultKind::Body {
        status,
        content_type: "x/y".into(),
        body,
    };
    let texts = [
        format!("ak {part} not exist"),
        format!("{part} is not valid"),
        // Cut in the middle, were it not taken out before.
        format!("{} {part}", "padding ".repeat(24)),
        format!("secret={part}"),
        format!("verify fail, canonicalRequest:GET|/|x-security-token:{part}|"),
    ];
    let mut faults = vec![
        FaultKind::Redirect {
            to: format!("https://evil.example/?token={part}"),
        },
        // A reader of types would quote a text where an object must be.
        body(200, json!(part).to_string()),
        body(200, format!("{{\"id\": {part}")),
    ];
    for text in &texts {
        for status in [400, 403, 404, 500] {
            let bodies = [
                json!({"error_code": text, "error_msg": text, "request_id": text, "encoded_authorization_message": text}),
                json!({"Code": text, "Message": text, "RequestId": text}),
                json!({"error": {"code": text, "message": text}}),
                json!(text),
            ];
            faults.extend(bodies.iter().map(|json| body(status, json.to_string())));
            faults.push(body(status, text.clone()));
            let xml = format!("<Error><Code>{text}</Code><Message>{text}</Message></Error>");
            faults.push(body(status, xml));
        }
    }
    faults
}

#[tokio::test]
async fn no_part_of_a_credential_is_in_any_failure_or_debug() {
    let bench = Bench::new().await;
    bench
        .fake
        .configure(|options| options.lock_after_failures = None);
    let mut texts = vec![format!("{:?}", bench.clouds)];
    let questions = by_id();
    for ((credential, parts), query) in credentials().iter().zip(&questions) {
        texts.push(format!("{credential:?}"));
        // Unknown to the platform, then known with another secret, for the platform's own echo.
        for known in [false, true] {
            if known {
                know(&bench);
            }
            bench.fake.clear_faults();
            let failure = bench.look_as(query.clone(), credential).await.unwrap_err();
            texts.push(format!("{failure:?} {failure}"));
        }
        for fault in parts.iter().flat_map(|part| echoes(part)) {
            bench.fake.set_faults(vec![Fault::always(fault)]);
            let failure = bench.look_as(query.clone(), credential).await.unwrap_err();
            assert!(
                failure.message.chars().count() <= LONGEST_MESSAGE
                    && !failure.message.contains('\n'),
                "{failure}"
            );
            texts.push(format!("{failure:?} {failure}"));
        }
    }
    assert!(
        texts.len() > 800 && bench.fake.calls().total() > 800,
        "the faults were met"
    );
    for text in texts {
        assert!(!text.contains(MARK) && !text.contains("xxxxxx"), "{text}");
        assert!(
            !text.contains("Signature=") && !text.contains("SignedHeaders"),
            "{text}"
        );
    }
}

fn know(bench: &Bench) {
    let (key, security_token) = (
        format!("{MARK}-key"),
        Some(format!("{MARK}-token-{}", "x".repeat(300))),
    );
    bench.fake.add_huawei_account(
        &key,
        HuaweiAccount {
            sk: "other".into(),
            security_token: security_token.clone(),
            project_id: defaults::PROJECT_ID.into(),
        },
    );
    bench.fake.add_alibaba_account(
        &key,
        AlibabaAccount {
            secret: "other".into(),
            security_token,
            account: "1".into(),
        },
    );
}

#[tokio::test]
async fn an_endpoint_that_nobody_allowed_shows_no_more() {
    let clouds = Clouds::new(Network::default()).unwrap();
    let [(keys, _), ..] = credentials();
    for endpoint in [
        "https://user:pass@nowhere.invalid",
        "https://nowhere.invalid/path",
        "http://nowhere.invalid",
        "nowhere",
    ] {
        let target = target(
            endpoint,
            Query::LiteServerId(defaults::SEED_LITE_SERVER_ID.into()),
        );
        let failure = clouds
            .look(&target, &keys, None, Duration::from_secs(5))
            .await
            .unwrap_err();
        assert!(!format!("{failure:?}").contains(MARK), "{failure:?}");
        assert!(!failure.message.contains("pass"), "{failure}");
    }
}
