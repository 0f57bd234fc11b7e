//! What the platforms' error answers mean: every code on record, and anything else.
//!
//! The tables follow the vendors' documents: `ModelArts` and API Gateway *Error Codes*, IAM *Error
//! Codes*, Alibaba Cloud *common error codes*.

mod alibaba;

use imageref::cloud::refusal::{LONGEST_MESSAGE, Refusal};
use imageref::cloud::{modelarts, pai};
use imageref::facts::FailureKind::{
    self, AuthenticationFailed, BadRequest, NotFound, PermissionDenied, ProviderError, Throttled,
};
use proptest::prelude::*;
use serde_json::json;

fn huawei(status: u16, code: &str) -> Refusal {
    let body = json!({"error_code": code, "error_msg": "the message"}).to_string();
    modelarts::error::classify(status, body.as_bytes())
}

/// `ModelArts`: the codes that matter for images.
const MODELARTS: &[(u16, &[&str], FailureKind)] = &[
    (400, &["6404", "6797"], NotFound),
    (404, &["6404", "6797", "9999"], NotFound),
    // A fault's status outweighs the code: absence is concluded from nothing else.
    (500, &["6404", "6797"], ProviderError),
    (400, &["6309", "6357"], BadRequest),
    (404, &["2786"], PermissionDenied),
    (403, &["2786"], PermissionDenied),
    (
        400,
        &["6400", "0104", "6303", "0102", "7005", "7000", "9999"],
        BadRequest,
    ),
    (
        401,
        &[
            "0201", "0202", "0203", "0204", "0205", "0206", "0207", "0212",
        ],
        AuthenticationFailed,
    ),
    (
        401,
        &["6201", "6203", "6620", "6401", "9999"],
        AuthenticationFailed,
    ),
    (
        403,
        &["0108", "0112", "2785", "6407", "9999"],
        PermissionDenied,
    ),
    (403, &["0203", "0206", "0210"], PermissionDenied),
    (429, &["6101", "2799", "4206", "4395", "9999"], Throttled),
    (400, &["6101"], Throttled),
    (500, &["5039", "9999"], ProviderError),
    (503, &["4302", "4700", "4503"], ProviderError),
    (504, &["4302", "4700", "4503"], ProviderError),
];

/// The gateway, with either prefix.
const GATEWAY: &[(u16, &[&str], FailureKind)] = &[
    (404, &["0101", "9999"], ProviderError),
    (400, &["0201"], BadRequest),
    (413, &["0201"], BadRequest),
    (414, &["0201"], BadRequest),
    (494, &["0201"], BadRequest),
    (500, &["0201"], ProviderError),
    (
        502,
        &["0201", "0202", "0203", "0610", "0613"],
        ProviderError,
    ),
    (504, &["0201", "0202", "0203"], ProviderError),
    (401, &["0301", "0303", "0305", "0307"], AuthenticationFailed),
    (
        403,
        &["0302", "0304", "0306", "0310", "0401", "0402", "0802"],
        PermissionDenied,
    ),
    (429, &["0308"], Throttled),
    (500, &["0601", "0605", "0606", "0608"], ProviderError),
    (400, &["0602", "0607"], BadRequest),
    (503, &["0610", "0613"], ProviderError),
];

const IAM: &[(u16, &[&str], FailureKind)] = &[
    (
        401,
        &["0001", "0061", "0062", "0066", "0067"],
        AuthenticationFailed,
    ),
    (403, &["0002", "0003"], PermissionDenied),
    // The user or the project, never an image.
    (404, &["0004", "9999"], AuthenticationFailed),
    (500, &["0006"], ProviderError),
    (400, &["0011"], BadRequest),
    (429, &["0012"], Throttled),
    (
        400,
        &["1104", "1105", "1106", "1107", "1108", "1109"],
        AuthenticationFailed,
    ),
];

#[test]
fn every_code_of_huawei_cloud_has_its_class() {
    for (prefixes, table) in [
        (&["ModelArts"][..], MODELARTS),
        (&["APIGW", "APIG"][..], GATEWAY),
        (&["IAM"][..], IAM),
    ] {
        for &(status, numbers, kind) in table {
            for (prefix, number) in prefixes
                .iter()
                .flat_map(|p| numbers.iter().map(move |n| (p, n)))
            {
                let code = format!("{prefix}.{number}");
                let refusal = huawei(status, &code);
                assert_eq!(refusal.kind, kind, "{status} {code}");
                let message = refusal.message();
                assert!(
                    message.ends_with(&format!(" ({code}: the message)")),
                    "{message}"
                );
            }
        }
    }
}

#[test]
fn the_shapes_of_huaweis_bodies_are_read_in_the_sdks_order() {
    let read = |status, body: serde_json::Value| {
        let refusal = modelarts::error::classify(status, body.to_string().as_bytes());
        (refusal.kind, refusal.code.unwrap_or_default())
    };
    let gone = || (NotFound, "ModelArts.6404".to_owned());
    assert_eq!(
        read(
            400,
            json!({"error_code": "ModelArts.6404", "error_msg": "m"})
        ),
        gone()
    );
    assert_eq!(
        read(400, json!({"errorCode": "ModelArts.6404", "errorMsg": "m"})),
        gone()
    );
    assert_eq!(
        read(400, json!({"code": "ModelArts.6404", "message": "m"})),
        gone()
    );
    assert_eq!(
        read(
            400,
            json!({"a": 1, "b": {"error_code": "ModelArts.6404", "error_msg": "m"}})
        ),
        gone()
    );
    assert_eq!(
        read(400, json!({"code": "X", "error_code": "ModelArts.6404"})),
        gone()
    );
    assert_eq!(
        read(
            400,
            json!({"b": {"error_code": "APIGW.0301"}, "error_code": "ModelArts.6404"})
        ),
        gone()
    );
    // Keystone: the number is the status, and a 404 is about the caller.
    let keystone =
        |code: serde_json::Value| json!({"error": {"code": code, "message": "m", "title": "t"}});
    assert_eq!(
        read(401, keystone(json!(401))),
        (AuthenticationFailed, "401".into())
    );
    assert_eq!(
        read(403, keystone(json!("403"))),
        (PermissionDenied, "403".into())
    );
    assert_eq!(
        read(404, keystone(json!(404))),
        (AuthenticationFailed, "404".into())
    );
    assert_eq!(
        read(500, keystone(json!(500))),
        (ProviderError, "500".into())
    );
    let id = br#"{"error_msg": "m", "error_code": "APIGW.0301", "request_id": "abc"}"#;
    assert_eq!(
        modelarts::error::classify(401, id).request_id.as_deref(),
        Some("abc")
    );
}

#[test]
fn without_a_code_the_status_decides() {
    for (status, kind) in [
        (400, BadRequest),
        (401, AuthenticationFailed),
        (403, PermissionDenied),
        (404, NotFound),
        (405, BadRequest),
        (407, ProviderError),
        (408, ProviderError),
        (429, Throttled),
        (500, ProviderError),
        (502, ProviderError),
        (503, ProviderError),
        (599, ProviderError),
        (199, ProviderError),
    ] {
        for body in [
            "",
            "{}",
            "null",
            "plain text",
            "[1]",
            "{\"error_code\": null}",
            "{\"Code\": \"\"}",
        ] {
            for classify in [modelarts::error::classify, pai::error::classify] {
                let refusal = classify(status, body.as_bytes());
                assert_eq!(refusal.kind, kind, "{status} {body}");
                assert_eq!(refusal.code, Some(format!("HTTP {status}")));
            }
        }
    }
    // A proxy's page: its 404 is no word on an image, and it is not quoted.
    for classify in [modelarts::error::classify, pai::error::classify] {
        let refusal = classify(404, b"\n<html><h1>404 Not Found</h1></html>");
        assert_eq!(refusal.kind, ProviderError);
        assert!(!refusal.message().contains('<'));
    }
}

#[test]
fn the_echo_of_a_signed_request_is_never_quoted() {
    let echo = "verify aksk signature fail, canonicalRequest:GET|/v1/|x-security-token:SEEN||host;x-sdk-date|";
    let body = json!({"error_code": "APIGW.0301", "error_msg": echo, "encoded_authorization_message": "SEEN"});
    let message = modelarts::error::classify(401, body.to_string().as_bytes()).message();
    assert!(
        message.ends_with("(APIGW.0301: verify aksk signature fail)"),
        "{message}"
    );
    let echo =
        "Specified signature is not matched with our calculation. server string to sign is:SEEN";
    let message = alibaba::answer(400, "SignatureDoesNotMatch", echo).message();
    assert!(
        message.ends_with("not matched with our calculation)"),
        "{message}"
    );
    let locked = json!({"error_code": "APIGW.0301", "error_msg": "AK access failed to reach the limit,forbidden"});
    assert!(
        modelarts::error::classify(401, locked.to_string().as_bytes())
            .message()
            .contains("locked")
    );
}

proptest! {
    #[test]
    fn any_answer_has_a_class_and_a_bounded_line(
        status in 0..1000_u16,
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            r#"\{"(error_code|code|Code)": ?("[A-Za-z.]{0,20}\.?[0-9]{0,5}"|[0-9]{1,9}), "(error_msg|message|Message)": ".{0,400}"\}"#
                .prop_map(String::into_bytes),
            r"<Error>(<Code>|</Code>|<Message>|</Message>|.){0,40}".prop_map(String::into_bytes),
            "(\\[|\\{\"a\":){0,400}".prop_map(String::into_bytes),
        ],
    ) {
        for classify in [modelarts::error::classify, pai::error::classify] {
            let refusal = classify(status, &body);
            let message = refusal.message();
            prop_assert!(message.chars().count() <= LONGEST_MESSAGE, "{message}");
            prop_assert!(!message.chars().any(char::is_control), "{message:?}");
            prop_assert!(!message.to_ascii_lowercase().contains("canonicalrequest"));
            if refusal.kind == NotFound {
                prop_assert!((400..500).contains(&status));
            }
        }
    }
}
