//! What an error answer of `ModelArts`, its gateway or IAM means.
//!
//! Owns the codes. Pure: status and body in, meaning out. The invariant that would break first:
//! the code decides before the status, because "not found" comes as 400 and a gateway that knows no
//! such route answers 404.
//!
//! Sources: `ModelArts` API Reference, *Error Codes*; API Gateway, *Error Codes*; IAM API Reference,
//! *Status Codes* and *Error Codes*; the exception handler of the Python package
//! `huaweicloudsdkcore`.

use crate::cloud::refusal::Refusal;
use crate::facts::FailureKind::{
    self, AuthenticationFailed, BadRequest, NotFound, PermissionDenied, ProviderError, Throttled,
};
use serde_json::{Map, Value};

/// How deep an error is looked for in an answer's objects; the vendor's SDK looks one level down.
const DEEPEST: usize = 4;
/// Names of code and message, in the order in which the vendor's SDK looks for them.
const NAMES: [(&str, &str); 3] = [
    ("error_code", "error_msg"),
    ("errorCode", "errorMsg"),
    ("code", "message"),
];

/// Reads an answer that is no success.
pub fn classify(status: u16, body: &[u8]) -> Refusal {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let top = json.as_ref().and_then(Value::as_object);
    let found = top.and_then(|top| find(top, DEEPEST)).unwrap_or_default();
    // Keystone's shape is IAM's, whatever number it carries.
    let keystone = top
        .and_then(|top| top.get("error"))
        .is_some_and(|error| error.get("title").is_some() || error.get("code").is_some());
    // A page in markup is a proxy's, so its 404 says nothing about the image.
    let markup = json.is_none() && body.trim_ascii_start().starts_with(b"<");
    let (kind, sentence) = match found.code.as_deref() {
        Some(code) => by_code(status, code, found.said.as_deref().unwrap_or_default()),
        None => None,
    }
    .unwrap_or_else(|| match status {
        404 if keystone => (AuthenticationFailed, IAM_UNKNOWN),
        404 if markup => (ProviderError, "the answer is not the platform's"),
        _ => by_status(status),
    });
    let said = match (&found.code, &found.said, &json) {
        (None, None, None) if !markup => Some(String::from_utf8_lossy(body).into_owned()),
        _ => found.said,
    };
    let request_id = top.and_then(|top| text(top.get("request_id")?));
    let code = found.code.or_else(|| Some(format!("HTTP {status}")));
    Refusal {
        kind,
        code,
        sentence,
        said,
        request_id,
    }
}

const IMAGE_GONE: &str = "the platform has no such image";
const TOKEN: &str = "the platform refused the credentials; renew what the provider's Secret holds";
const DENIED: &str = "the credentials are valid and may not do this; the call needs modelarts:image:get and modelarts:image:list";
const MISMATCH: &str = "the credentials belong to another project than the provider's projectId";
const BUSY: &str = "the platform asks for a pause";
const INTERNAL: &str = "the platform has a fault of its own";
const MALFORMED: &str = "the platform refused the request as malformed";
const WORKSPACE: &str = "the workspace does not exist";
const NO_ROUTE: &str = "the endpoint has no such API; check the provider's endpoint and region";
const IAM_UNKNOWN: &str = "the platform does not know the user or project of the credentials";

fn by_code(status: u16, code: &str, said: &str) -> Option<(FailureKind, &'static str)> {
    let (family, number) = code.split_once('.')?;
    match family {
        "ModelArts" => modelarts(status, number),
        "APIGW" | "APIG" => Some(gateway(status, number, said)),
        "IAM" => Some(iam(status, number)),
        _ => None,
    }
}

fn modelarts(status: u16, number: &str) -> Option<(FailureKind, &'static str)> {
    Some(match number {
        // The most expensive mistake, so a fault's status (5xx) outweighs the code.
        "6404" | "6797" if (400..500).contains(&status) => (NotFound, IMAGE_GONE),
        // 6309 and 6357 speak of an instance that is gone or in some state: too little to call an
        // image gone.
        "6400" | "0104" | "6303" | "7000" | "6309" | "6357" => (BadRequest, MALFORMED),
        "0102" | "7005" => (BadRequest, WORKSPACE),
        // The same numbers come with 401 and 403. With 403 the proof is good and for another
        // project: a new token would not help, so that is no failed authentication.
        "0203" | "0206" if status == 401 => (AuthenticationFailed, TOKEN),
        "0203" | "0206" | "0210" | "2786" => (PermissionDenied, MISMATCH),
        "0201" | "0202" | "0204" | "0205" | "0207" | "0212" | "6201" | "6203" | "6401" | "6620" => {
            (AuthenticationFailed, TOKEN)
        }
        "0108" | "0112" | "2785" | "6407" => (PermissionDenied, DENIED),
        "6101" | "2799" | "4206" | "4395" => (Throttled, BUSY),
        "5039" | "4302" | "4700" | "4503" => (ProviderError, INTERNAL),
        _ => return None,
    })
}

/// The gateway answers before `ModelArts` does, so it never speaks of an image.
fn gateway(status: u16, number: &str, said: &str) -> (FailureKind, &'static str) {
    match number {
        "0101" => (ProviderError, NO_ROUTE),
        "0201" if status < 500 => (BadRequest, MALFORMED),
        "0202" | "0203" | "0601" | "0605" | "0606" | "0608" | "0610" | "0613" => {
            (ProviderError, INTERNAL)
        }
        "0301" if said.contains("reach the limit") => (
            AuthenticationFailed,
            "the platform has locked the access key for some minutes after failures in a row",
        ),
        "0301" | "0303" | "0305" | "0307" => (AuthenticationFailed, TOKEN),
        "0302" | "0304" | "0306" => (PermissionDenied, DENIED),
        "0308" => (Throttled, BUSY),
        "0310" => (PermissionDenied, "the provider's project is not available"),
        "0401" | "0402" => (
            PermissionDenied,
            "the operator's address or the user is on a deny list",
        ),
        "0602" | "0607" => (BadRequest, MALFORMED),
        "0802" => (PermissionDenied, "the account is forbidden"),
        _ if status == 404 => (ProviderError, NO_ROUTE),
        _ => by_status(status),
    }
}

fn iam(status: u16, number: &str) -> (FailureKind, &'static str) {
    match number {
        // 1104 to 1109: faults of access keys and temporary tokens.
        "0001" | "0061" | "0062" | "0066" | "0067" | "1104" | "1105" | "1106" | "1107" | "1108"
        | "1109" => (AuthenticationFailed, TOKEN),
        "0002" | "0003" => (PermissionDenied, DENIED),
        "0006" => (ProviderError, INTERNAL),
        "0011" => (BadRequest, MALFORMED),
        "0012" => (Throttled, BUSY),
        // What IAM does not find is the user or the project, never an image.
        _ if number == "0004" || status == 404 => (AuthenticationFailed, IAM_UNKNOWN),
        _ => by_status(status),
    }
}

/// Without a code that is known.
fn by_status(status: u16) -> (FailureKind, &'static str) {
    match status {
        401 => (AuthenticationFailed, TOKEN),
        403 => (PermissionDenied, DENIED),
        404 => (NotFound, IMAGE_GONE),
        429 => (Throttled, BUSY),
        // A proxy's on the way, or a slow network's.
        407 | 408 => (ProviderError, INTERNAL),
        400..=499 => (BadRequest, MALFORMED),
        _ => (ProviderError, INTERNAL),
    }
}

#[derive(Default)]
struct Found {
    code: Option<String>,
    said: Option<String>,
}

/// Code and message of an object, or of the first object within it that has any.
fn find(object: &Map<String, Value>, depth: usize) -> Option<Found> {
    for (code, said) in NAMES {
        let code = object.get(code).and_then(text);
        let said = object.get(said).and_then(text);
        if code.is_some() || said.is_some() {
            return Some(Found { code, said });
        }
    }
    let depth = depth.checked_sub(1)?;
    object
        .values()
        .filter_map(Value::as_object)
        .find_map(|inner| find(inner, depth))
}

/// Codes come as text or number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
