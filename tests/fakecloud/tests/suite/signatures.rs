//! Owns the tests of who is let in, at both clouds.

use crate::client::Ask;
use fakecloud::verify::{hmac_sha256, sha256_hex};
use fakecloud::{AlibabaAccount, FakeCloud, HuaweiAccount, defaults};

fn show() -> Ask {
    Ask::project(&format!("images/{}?b=2&a=1", defaults::SEED_NOTEBOOK_ID))
}

fn get() -> Ask {
    Ask::get(&format!(
        "/api/v1/images/{}?Verbose=true",
        defaults::SEED_PAI_ID
    ))
}

#[tokio::test]
async fn huawei_signatures_are_checked() {
    let cloud = FakeCloud::start().await;
    let good = show().huawei(&cloud);
    assert_eq!(good.reply(&cloud).await.status, 200);
    assert_eq!(
        cloud.log()[0].principal.as_deref(),
        Some("ak:FAKEHUAWEIAK00000001")
    );

    let mut changed = good.clone();
    changed.query = "b=2&a=2".into();
    let reply = changed.reply(&cloud).await;
    assert_eq!(reply.error(), (401, "APIGW.0301".into()));
    let message = reply.json()["error_msg"].as_str().unwrap().to_owned();
    let start = format!(
        "Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:GET|{}/|a=2&b=2|host:",
        good.path
    );
    assert!(message.starts_with(&start), "{message}");
    assert_eq!(
        reply.json()["request_id"].as_str(),
        reply.header("x-request-id")
    );

    let unknown = show().huawei_by(&cloud, "NOBODY", "x").reply(&cloud).await;
    assert!(unknown.text().contains("ak NOBODY not exist"));
    let nothing = show().reply(&cloud).await;
    assert_eq!(nothing.error(), (401, "APIGW.0301".into()));
    let nonsense = show()
        .header("authorization", "Basic eA==")
        .reply(&cloud)
        .await;
    assert_eq!(nonsense.error(), (401, "APIGW.0301".into()));
    let token = show().header("x-auth-token", "wrong").reply(&cloud).await;
    assert!(token.text().contains("decrypt token fail"));
}

#[tokio::test]
async fn a_huawei_signature_expires_after_fifteen_minutes() {
    let cloud = FakeCloud::start().await;
    let ask = show().huawei(&cloud);
    cloud.configure(|options| options.clock_offset_s = 14 * 60);
    assert_eq!(ask.reply(&cloud).await.status, 200);
    for offset in [16 * 60, -16 * 60] {
        cloud.configure(|options| options.clock_offset_s = offset);
        let reply = ask.reply(&cloud).await;
        assert_eq!(reply.error(), (401, "APIGW.0301".into()));
    }
}

#[tokio::test]
async fn a_huawei_key_is_locked_after_more_than_five_failures_in_a_row() {
    let cloud = FakeCloud::start().await;
    let fail = async || {
        let ask = show().huawei_by(&cloud, defaults::HUAWEI_AK, "wrong");
        ask.reply(&cloud).await.text()
    };
    for _ in 0..5 {
        assert!(fail().await.contains("canonicalRequest"));
    }
    assert_eq!(
        show().huawei(&cloud).reply(&cloud).await.status,
        200,
        "a success ends the row"
    );
    for _ in 0..6 {
        assert!(fail().await.contains("canonicalRequest"));
    }
    let locked = show().huawei(&cloud).reply(&cloud).await;
    assert!(
        locked
            .text()
            .contains("AK access failed to reach the limit,forbidden")
    );
    cloud.configure(|options| options.clock_offset_s = 5 * 60 + 1);
    assert_eq!(show().huawei(&cloud).reply(&cloud).await.status, 200);
}

#[tokio::test]
async fn temporary_huawei_keys_need_their_token() {
    let cloud = FakeCloud::start().await;
    let account = HuaweiAccount {
        sk: "secret".into(),
        security_token: Some("session".into()),
        project_id: defaults::PROJECT_ID.into(),
    };
    cloud.add_huawei_account("TEMPORARY", account);
    let ask = show().huawei_by(&cloud, "TEMPORARY", "secret");
    assert_eq!(
        ask.clone()
            .header("X-Security-Token", "session")
            .reply(&cloud)
            .await
            .status,
        200
    );
    assert_eq!(
        ask.clone()
            .header("X-Security-Token", "other")
            .reply(&cloud)
            .await
            .status,
        401
    );
    assert_eq!(ask.reply(&cloud).await.status, 401);
    assert!(cloud.remove_huawei_account("TEMPORARY"));
    assert!(
        ask.reply(&cloud)
            .await
            .text()
            .contains("ak TEMPORARY not exist")
    );
}

#[tokio::test]
async fn alibaba_signatures_are_checked() {
    let cloud = FakeCloud::start().await;
    let good = get().alibaba(&cloud, "GetImage");
    let mut changed = good.clone();
    changed.query = "Verbose=false".into();
    let reply = changed.reply(&cloud).await;
    assert_eq!(reply.error(), (400, "SignatureDoesNotMatch".into()));
    let message = reply.json()["Message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("server string to sign is:ACS3-HMAC-SHA256\n"),
        "{message}"
    );
    assert!(message.contains("\nVerbose=false\n"), "{message}");
    assert_eq!(
        good.reply(&cloud).await.status,
        200,
        "a refused request does not use its nonce up"
    );
    assert_eq!(
        good.reply(&cloud).await.error(),
        (400, "SignatureNonceUsed".into())
    );

    let unknown = get()
        .alibaba_by(&cloud, "GetImage", "n", "NOBODY", "x")
        .reply(&cloud)
        .await;
    assert_eq!(unknown.error(), (404, "InvalidAccessKeyId.NotFound".into()));
    assert_eq!(
        get().reply(&cloud).await.error(),
        (400, "MissingAuthorization".into())
    );
    let unsigned = get()
        .alibaba(&cloud, "GetImage")
        .header("x-acs-meta", "x")
        .reply(&cloud)
        .await;
    assert_eq!(unsigned.error(), (400, "SignatureDoesNotMatch".into()));
    let body = get()
        .alibaba(&cloud, "GetImage")
        .body(&"x")
        .reply(&cloud)
        .await;
    assert_eq!(body.error(), (400, "SignatureDoesNotMatch".into()));
    let mut dateless = get().alibaba(&cloud, "GetImage");
    dateless.headers.retain(|(name, _)| name != "x-acs-date");
    assert_eq!(
        dateless.reply(&cloud).await.error(),
        (400, "MissingDate".into())
    );
}

#[tokio::test]
async fn an_alibaba_signature_expires_after_fifteen_minutes() {
    let cloud = FakeCloud::start().await;
    let ask = get().alibaba(&cloud, "GetImage");
    cloud.configure(|options| options.clock_offset_s = 16 * 60);
    assert_eq!(
        ask.reply(&cloud).await.error(),
        (400, "InvalidTimeStamp.Expired".into())
    );
    let mut odd = get().alibaba(&cloud, "GetImage");
    for (name, value) in &mut odd.headers {
        if name == "x-acs-date" {
            *value = "20260115T080910Z".into();
        }
    }
    assert_eq!(
        odd.reply(&cloud).await.error(),
        (400, "InvalidTimeStamp.Format".into())
    );
}

#[tokio::test]
async fn temporary_alibaba_keys_need_their_token() {
    let cloud = FakeCloud::start().await;
    let account = AlibabaAccount {
        secret: "secret".into(),
        security_token: Some("session".into()),
        account: "1".into(),
    };
    cloud.add_alibaba_account("STS.1", account);
    let sign = |ask: Ask, nonce: &str| ask.alibaba_by(&cloud, "GetImage", nonce, "STS.1", "secret");
    let right = sign(get().header("x-acs-security-token", "session"), "1")
        .reply(&cloud)
        .await;
    assert_eq!(right.status, 200);
    let none = sign(get(), "2").reply(&cloud).await;
    assert_eq!(none.error(), (400, "MissingSecurityToken".into()));
    let wrong = sign(get().header("x-acs-security-token", "x"), "3")
        .reply(&cloud)
        .await;
    assert_eq!(
        wrong.error(),
        (400, "InvalidSecurityToken.MismatchWithAccessKey".into())
    );
    assert!(cloud.remove_alibaba_account("STS.1"));
}

#[tokio::test]
async fn a_derived_key_may_have_to_be_for_a_region_and_a_service() {
    let cloud = FakeCloud::start().await;
    let ask = |scope: &str| {
        let date = cloud.now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let info = format!("{}/{scope}", &date[..8]);
        let (key, secret) = (defaults::HUAWEI_AK, defaults::HUAWEI_SK);
        let extracted = hmac_sha256(key.as_bytes(), secret.as_bytes());
        let derived = hex::encode(hmac_sha256(&extracted, format!("{info}\u{1}").as_bytes()));
        let ask = Ask::project("images").header("X-Sdk-Date", &date);
        let canonical = format!(
            "GET\n{}/\n\nx-sdk-date:{date}\n\nx-sdk-date\n{}",
            ask.path,
            sha256_hex(b"")
        );
        let text = format!(
            "V11-HMAC-SHA256\n{date}\n{info}\n{}",
            sha256_hex(canonical.as_bytes())
        );
        let signature = hex::encode(hmac_sha256(derived.as_bytes(), text.as_bytes()));
        ask.header(
            "Authorization",
            &format!(
                "V11-HMAC-SHA256 Credential={key}/{info}, SignedHeaders=x-sdk-date, Signature={signature}"
            ),
        )
    };
    assert_eq!(ask("anywhere/anything").reply(&cloud).await.status, 200);
    cloud.configure(|options| {
        options.v11_region = Some(defaults::REGION.to_owned());
        options.v11_service = Some("modelarts".to_owned());
    });
    assert_eq!(ask("cn-north-4/modelarts").reply(&cloud).await.status, 200);
    for scope in ["cn-north-4/swr", "cn-south-1/modelarts"] {
        let reply = ask(scope).reply(&cloud).await;
        assert_eq!(reply.error(), (401, "APIGW.0301".into()), "{scope}");
    }
}
