//! What PAI's error answers mean, in JSON and in XML.

use imageref::cloud::pai;
use imageref::cloud::refusal::Refusal;
use imageref::facts::FailureKind::{
    self, AuthenticationFailed, BadRequest, NotFound, PermissionDenied, ProviderError, Throttled,
};
use serde_json::json;

pub(super) fn answer(status: u16, code: &str, message: &str) -> Refusal {
    let body = json!({"RequestId": "R-1", "HostId": "h", "Code": code, "Message": message});
    pai::error::classify(status, body.to_string().as_bytes())
}

const PAI: &[(u16, &[&str], FailureKind)] = &[
    (
        400,
        &["SignatureDoesNotMatch", "IncompleteSignature"],
        AuthenticationFailed,
    ),
    (403, &["SignatureDoesNotMatch"], AuthenticationFailed),
    (
        400,
        &["InvalidTimeStamp.Expired", "InvalidTimeStamp.Format"],
        AuthenticationFailed,
    ),
    (400, &["SignatureNonceUsed"], ProviderError),
    // The first misleading 404.
    (404, &["InvalidAccessKeyId.NotFound"], AuthenticationFailed),
    (
        400,
        &["InvalidAccessKeyId.NotFound", "InvalidAccessKeyId.Inactive"],
        AuthenticationFailed,
    ),
    (
        400,
        &[
            "InvalidSecurityToken.Expired",
            "InvalidSecurityToken.Malformed",
        ],
        AuthenticationFailed,
    ),
    (
        403,
        &[
            "InvalidSecurityToken.MismatchWithAccessKey",
            "InvalidSecurityToken",
        ],
        AuthenticationFailed,
    ),
    (
        400,
        &["MissingParameter", "MissingVersion", "MissingDate"],
        BadRequest,
    ),
    (400, &["MissingSecurityToken"], AuthenticationFailed),
    // The second.
    (404, &["InvalidApi.NotFound"], ProviderError),
    (
        404,
        &["InvalidAction.NotFound", "InvalidVersion"],
        ProviderError,
    ),
    (
        400,
        &["Throttling", "Throttling.User", "Throttling.Api"],
        Throttled,
    ),
    (
        429,
        &["Throttling", "Throttling.User", "Throttling.Api", "Other"],
        Throttled,
    ),
    (503, &["ServiceUnavailable"], ProviderError),
    (500, &["InternalError", "Other"], ProviderError),
    (
        403,
        &[
            "Forbidden.RAM",
            "Forbidden",
            "NoPermission",
            "StatusForbidden",
            "Other",
        ],
        PermissionDenied,
    ),
    (
        400,
        &[
            "100400008",
            "100700008",
            "100400027",
            "100400009",
            "100600017",
        ],
        BadRequest,
    ),
    (
        404,
        &[
            "100400008",
            "100700008",
            "100400027",
            "100400009",
            "100600017",
        ],
        BadRequest,
    ),
    // A missing image, whose code is not on record.
    (
        404,
        &["100800404", "EntityNotExist.Image", "Other"],
        NotFound,
    ),
    (
        400,
        &["ImageNotFound", "EntityNotExist.Image", "Image.NotExist"],
        NotFound,
    ),
    (400, &["Other", "InvalidParameter"], BadRequest),
    (401, &["Other"], AuthenticationFailed),
];

#[test]
fn every_code_of_pai_has_its_class_in_json_and_in_xml() {
    for &(status, codes, kind) in PAI {
        for code in codes {
            let refusal = answer(status, code, "the message");
            assert_eq!(refusal.kind, kind, "{status} {code}");
            assert_eq!(refusal.request_id.as_deref(), Some("R-1"));
            let lower =
                json!({"requestId": "R-1", "code": code, "message": "the message"}).to_string();
            assert_eq!(pai::error::classify(status, lower.as_bytes()), refusal);
            let xml = format!(
                "<?xml version='1.0'?>\n<Error><RequestId>R-1</RequestId><Code>{code}</Code><Message>the message</Message></Error>"
            );
            assert_eq!(pai::error::classify(status, xml.as_bytes()), refusal);
        }
    }
}

#[test]
fn a_message_can_say_that_an_image_does_not_exist_and_a_refusal_cannot() {
    let kind = |status, message| answer(status, "100800001", message).kind;
    assert_eq!(kind(400, "Image not found, ImageId: image-1."), NotFound);
    assert_eq!(kind(400, "The specified image does not exist."), NotFound);
    assert_eq!(kind(400, "The parameter is not valid."), BadRequest);
    assert_eq!(
        kind(403, "The image does not exist or you may not see it."),
        PermissionDenied
    );
    assert_eq!(kind(500, "Image not found."), ProviderError);
    assert_eq!(
        answer(404, "InvalidAccessKeyId.NotFound", "image not found").kind,
        AuthenticationFailed
    );
}

#[test]
fn xml_is_read_as_far_as_it_goes() {
    let read = |xml: &str| {
        let refusal = pai::error::classify(400, xml.as_bytes());
        (refusal.code.clone().unwrap_or_default(), refusal.message())
    };
    let (code, message) =
        read("<Error><Code> Throttling </Code><Message>a &lt;b&gt; &amp;lt; c</Message>");
    assert_eq!(code, "Throttling");
    assert!(message.ends_with("(Throttling: a <b> &lt; c)"), "{message}");
    for broken in [
        "<Error",
        "<Error><Code>",
        "<Error><Code></Code>",
        "<Error></Code><Code>",
    ] {
        assert_eq!(read(broken).0, "HTTP 400", "{broken}");
    }
    // An element beyond the bound is not looked for.
    let far = format!("<Error>{}<Code>Throttling</Code>", " ".repeat(70_000));
    assert_eq!(read(&far).0, "HTTP 400");
}
