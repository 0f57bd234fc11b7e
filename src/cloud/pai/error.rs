//! What an error answer of PAI or the gateway in front of it means.
//!
//! Owns the codes. Pure: status and body in, meaning out. The invariant that would break first:
//! the code decides before the status, because throttling comes as 400, and an unknown access key
//! and an unknown API come as 404.
//!
//! Sources: Alibaba Cloud *common error codes*, *V3 request syntax and signature method*; the client
//! of the Python package `alibabacloud_tea_openapi`. The code of a missing image is not on record.

use crate::cloud::refusal::Refusal;
use crate::facts::FailureKind::{
    self, AuthenticationFailed, BadRequest, NotFound, PermissionDenied, ProviderError, Throttled,
};
use serde_json::{Map, Value};

/// An error in XML is looked for in so many bytes.
const LONGEST_XML: usize = 64 * 1024;

/// Reads an answer that is no success.
pub fn classify(status: u16, body: &[u8]) -> Refusal {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let top = json.as_ref().and_then(Value::as_object);
    let markup = json.is_none() && body.trim_ascii_start().starts_with(b"<");
    let xml = markup.then(|| String::from_utf8_lossy(body.get(..LONGEST_XML).unwrap_or(body)));
    let xml = xml.filter(|xml| xml.contains("<Error"));
    // Products of the same style differ in the case of the first letter.
    let field = |upper: &str, lower: &str| match (&top, &xml) {
        (Some(top), _) => member(top, upper).or_else(|| member(top, lower)),
        (None, Some(xml)) => element(xml, upper),
        (None, None) => None,
    };
    let (code, said) = (field("Code", "code"), field("Message", "message"));
    let kind = code.as_deref().and_then(by_code);
    let (kind, sentence) = kind.unwrap_or_else(|| match status {
        400 | 404 | 410 if says_image_is_gone(code.as_deref(), said.as_deref()) => {
            (NotFound, IMAGE_GONE)
        }
        404 if code.as_deref().is_some_and(is_gateways) => (ProviderError, NO_ROUTE),
        // A page in markup is a proxy's, so its 404 says nothing about the image.
        404 if markup && xml.is_none() => (ProviderError, "the answer is not the platform's"),
        _ => by_status(status),
    });
    let said = match (&code, &said, &json) {
        (None, None, None) if !markup => Some(String::from_utf8_lossy(body).into_owned()),
        _ => said,
    };
    let request_id = field("RequestId", "requestId");
    let code = code.or_else(|| Some(format!("HTTP {status}")));
    Refusal {
        kind,
        code,
        sentence,
        said,
        request_id,
    }
}

const IMAGE_GONE: &str = "the platform has no such image";
const KEY: &str = "the platform refused the credentials; renew what the provider's Secret holds";
const CLOCK: &str =
    "the platform refused the time of the request; check the clock of the operator's node";
const DENIED: &str = "the credentials are valid and may not do this; the call needs paiimage:GetImage and paiimage:ListImages";
const BUSY: &str = "the platform asks for a pause";
const INTERNAL: &str = "the platform has a fault of its own";
const MALFORMED: &str = "the platform refused the request as malformed";
const WORKSPACE: &str = "the workspace does not exist";
const NO_ROUTE: &str = "the endpoint has no such API; check the provider's endpoint and region";

fn by_code(code: &str) -> Option<(FailureKind, &'static str)> {
    Some(match code {
        "InvalidApi.NotFound" => (ProviderError, NO_ROUTE),
        // A new request has a new nonce: nothing is wrong with the key, something sent one twice.
        "SignatureNonceUsed" => (
            ProviderError,
            "the platform has had this very request before",
        ),
        "SignatureDoesNotMatch" | "IncompleteSignature" | "MissingSecurityToken" => {
            (AuthenticationFailed, KEY)
        }
        "100400008" | "100700008" | "100400027" | "100400009" => (BadRequest, WORKSPACE),
        // A data set that does not exist: no answer to a question about images, and no word on one.
        "100600017" => (BadRequest, MALFORMED),
        "NoPermission" | "StatusForbidden" => (PermissionDenied, DENIED),
        _ if is(code, "InvalidTimeStamp") => (AuthenticationFailed, CLOCK),
        // Unknown or inactive key, expired, malformed or foreign token.
        _ if is(code, "InvalidAccessKeyId") || is(code, "InvalidSecurityToken") => {
            (AuthenticationFailed, KEY)
        }
        _ if is(code, "Throttling") => (Throttled, BUSY),
        _ if is(code, "ServiceUnavailable") || is(code, "InternalError") => {
            (ProviderError, INTERNAL)
        }
        _ if is(code, "Forbidden") => (PermissionDenied, DENIED),
        // `Missing<Parameter>`
        _ if code.starts_with("Missing") => (BadRequest, MALFORMED),
        _ => return None,
    })
}

/// The code itself, or one below it: `Throttling.User`.
fn is(code: &str, family: &str) -> bool {
    code.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What the gateway does not find is an API, its version or its product.
fn is_gateways(code: &str) -> bool {
    [
        "InvalidApi",
        "InvalidAction",
        "InvalidVersion",
        "InvalidProduct",
        "InvalidDomain",
    ]
    .iter()
    .any(|family| is(code, family))
}

fn says_image_is_gone(code: Option<&str>, said: Option<&str>) -> bool {
    [code, said].into_iter().flatten().any(|text| {
        let text = text.to_lowercase();
        let gone = [
            "not found",
            "notfound",
            "not exist",
            "notexist",
            "doesn't exist",
            "cannot be found",
            "不存在",
        ];
        (text.contains("image") || text.contains("镜像"))
            && gone.iter().any(|gone| text.contains(gone))
    })
}

/// Without a code that is known.
fn by_status(status: u16) -> (FailureKind, &'static str) {
    match status {
        401 => (AuthenticationFailed, KEY),
        403 => (PermissionDenied, DENIED),
        404 => (NotFound, IMAGE_GONE),
        429 => (Throttled, BUSY),
        // A proxy's on the way, or a slow network's.
        407 | 408 => (ProviderError, INTERNAL),
        400..=499 => (BadRequest, MALFORMED),
        _ => (ProviderError, INTERNAL),
    }
}

/// Codes come as text; a number is taken as well.
fn member(object: &Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The text of the first such element. No parser: three flat elements, no attributes, and whatever
/// else comes is shown as it is.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    let text = entities
        .iter()
        .fold(text.trim().to_owned(), |text, (from, to)| {
            text.replace(from, to)
        });
    Some(text).filter(|text| !text.is_empty())
}
