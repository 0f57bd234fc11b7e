//! What goes wrong, and what people read then.

use super::{Bench, account, own_host, want};
use fakecloud::{Fault, FaultKind, Operation, defaults};
use imageref::cloud::Credential;
use imageref::facts::FailureKind;
use std::time::Duration;

#[tokio::test]
async fn a_refusal_names_what_to_mend() {
    let bench = Bench::new().await;
    let [temporary, token, alibaba, _] = bench.exchanged();
    let rows = [
        (
            Operation::SwrCreateSecret,
            &temporary,
            "swr::createLoginSecret",
        ),
        (Operation::SwrCreateSecret, &token, "swr::createLoginSecret"),
        (
            Operation::AcrListInstanceEndpoint,
            &alibaba,
            "cr:ListInstanceEndpoint",
        ),
        (
            Operation::AcrGetAuthorizationToken,
            &alibaba,
            "cr:GetAuthorizationToken",
        ),
    ];
    for (operation, keys, right) in rows {
        bench
            .fake
            .configure(|options| options.denied = [operation].into());
        let failure = bench.ask(keys).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::PermissionDenied, "{failure}");
        assert!(
            failure.message.contains(right) && failure.message.contains("secretRef"),
            "{failure}"
        );
        assert!(failure.request_id.is_some());
        bench.pass(600);
    }
    bench.fake.configure(|options| options.denied.clear());

    let wrong = crate::cloud::alibaba("another-secret");
    let forged = Credential::HuaweiToken("another-token".into());
    for keys in [wrong, forged] {
        let failure = bench.ask(&keys).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::AuthenticationFailed);
        assert!(
            failure
                .message
                .contains("refused the provider's credentials"),
            "{failure}"
        );
        let before = bench.fake.calls().total();
        let again = bench.ask(&keys).await.unwrap_err();
        assert_eq!(again.kind, FailureKind::AuthenticationFailed);
        assert!(again.retry_after.unwrap() > Duration::from_secs(500));
        assert_eq!(bench.fake.calls().total(), before, "nobody asks again");
    }
}

#[tokio::test]
async fn an_instance_that_is_not_there_is_said_in_both_forms_of_the_answer() {
    let bench = Bench::new().await;
    let keys = crate::cloud::alibaba(defaults::ALIBABA_SECRET);
    for as_success in [false, true] {
        bench.fake.configure(|options| {
            options.acr_instance = "cri-other".into();
            options.acr_failures_as_success = as_success;
        });
        let failure = bench.ask(&keys).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadRequest, "{failure}");
        for words in ["acrInstanceId", "INSTANCE_NOT_EXIST"] {
            assert!(failure.message.contains(words), "{failure}");
        }
        bench.pass(600);
    }
}

#[tokio::test]
async fn credentials_of_another_cloud_are_sent_nowhere() {
    let bench = Bench::new().await;
    let all = bench.exchanged();
    for (of, keys) in [(&all[0], &all[2]), (&all[2], &all[0]), (&all[3], &all[1])] {
        let account = account(of);
        let failure = bench.logins.of(want(&account, keys, own_host(of))).await;
        assert_eq!(
            failure.unwrap().unwrap_err().kind,
            FailureKind::ProviderNotReady
        );
    }
    assert!(bench.fake.log().is_empty());
}

#[tokio::test]
async fn no_answer_of_a_management_api_says_that_an_image_is_not_there() {
    let bench = Bench::new().await;
    let [huawei, _, alibaba, _] = bench.exchanged();
    let json = "application/json";
    for (content_type, body) in [
        (json, ""),
        (json, "{}"),
        ("text/html", "<html>not found</html>"),
        (
            json,
            r#"{"error_code": "ModelArts.6404", "error_msg": "the image does not exist"}"#,
        ),
        (
            json,
            r#"{"error_code": "APIGW.0101", "error_msg": "The API does not exist"}"#,
        ),
        (
            json,
            r#"{"Code": "InvalidAction.NotFound", "Message": "no such action"}"#,
        ),
        (
            json,
            r#"{"Code": "Image.NotFound", "Message": "the image does not exist"}"#,
        ),
    ] {
        let fault = FaultKind::Body {
            status: 404,
            content_type: content_type.into(),
            body: body.into(),
        };
        bench.fake.set_faults(vec![Fault::always(fault)]);
        for (keys, name) in [(&huawei, "SWR"), (&alibaba, "Container Registry")] {
            let failure = bench.ask(keys).await.unwrap_err();
            assert_ne!(failure.kind, FailureKind::NotFound, "{body}: {failure}");
            assert!(failure.message.contains(name), "{body}: {failure}");
            bench.pass(600);
        }
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_a_failure_and_is_not_kept() {
    let body = |text: &str| FaultKind::Body {
        status: 200,
        content_type: "application/json".into(),
        body: text.into(),
    };
    let host = defaults::SWR_HOST;
    let rows = [
        (FaultKind::Malformed, FailureKind::ResponseInvalid),
        (FaultKind::Truncated, FailureKind::ResponseInvalid),
        (
            FaultKind::Huge {
                bytes: 8 * 1024 * 1024,
            },
            FailureKind::ResponseInvalid,
        ),
        (
            FaultKind::DeepNesting { levels: 5000 },
            FailureKind::ResponseInvalid,
        ),
        (
            FaultKind::Redirect {
                to: "https://evil.example/".into(),
            },
            FailureKind::ProviderError,
        ),
        (FaultKind::Internal500, FailureKind::ProviderError),
        (FaultKind::ConnectionReset, FailureKind::Unreachable),
        (
            FaultKind::ThrottledGateway {
                retry_after_s: Some(77),
            },
            FailureKind::Throttled,
        ),
        (
            FaultKind::ThrottledPai {
                retry_after_ms: Some(77_000),
            },
            FailureKind::Throttled,
        ),
        (body("{}"), FailureKind::ResponseInvalid),
        (body("[]"), FailureKind::ResponseInvalid),
        (body("{\"auths\": {}}"), FailureKind::ResponseInvalid),
        (
            body(&format!("{{\"auths\": {{\"{host}\": {{}}}}}}")),
            FailureKind::ResponseInvalid,
        ),
        (
            body(&format!(
                "{{\"auths\": {{\"{host}\": {{\"auth\": \"?\"}}}}}}"
            )),
            FailureKind::ResponseInvalid,
        ),
        (
            body("{\"IsSuccess\": true, \"Endpoints\": null}"),
            FailureKind::ResponseInvalid,
        ),
    ];
    let bench = Bench::new().await;
    let [huawei, _, alibaba, _] = bench.exchanged();
    for (fault, kind) in rows {
        for keys in [&huawei, &alibaba] {
            // Each cloud is throttled in its own words.
            let huawei = matches!(keys, Credential::HuaweiKeys { .. });
            if matches!(fault, FaultKind::ThrottledGateway { .. }) != huawei
                && kind == FailureKind::Throttled
            {
                continue;
            }
            let text = format!("{fault:?}");
            bench.fake.set_faults(vec![Fault::always(fault.clone())]);
            let failure = bench.ask(keys).await.unwrap_err();
            assert_eq!(failure.kind, kind, "{text}: {failure}");
            if kind == FailureKind::Throttled {
                assert_eq!(failure.retry_after, Some(Duration::from_secs(77)));
            }
            bench.fake.clear_faults();
            bench.pass(600);
            bench.login(keys).await;
            // Past its end.
            bench.pass(3600);
        }
    }
}

#[tokio::test]
async fn a_token_answer_without_a_login_is_a_failure() {
    let bench = Bench::new().await;
    let keys = crate::cloud::alibaba(defaults::ALIBABA_SECRET);
    for text in [
        "{\"IsSuccess\": true}",
        "{\"TempUsername\": \"u\", \"AuthorizationToken\": \"\"}",
        "{\"TempUsername\": \"a:b\", \"AuthorizationToken\": \"t\"}",
        "{\"TempUsername\": \"u\", \"AuthorizationToken\": 7}",
    ] {
        let fault = FaultKind::Body {
            status: 200,
            content_type: "application/json".into(),
            body: text.into(),
        };
        let fault = Fault::always(fault).on(Operation::AcrGetAuthorizationToken);
        bench.fake.set_faults(vec![fault]);
        assert_eq!(
            bench.kind(&keys).await,
            FailureKind::ResponseInvalid,
            "{text}"
        );
        bench.pass(600);
    }
}
