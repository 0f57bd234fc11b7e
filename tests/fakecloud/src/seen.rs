//! Owns the account of what secrets the clouds were sent, and where, so that a test can say that none
//! went to a wrong place. Must not be known here: whether a token was accepted. What breaks first: a
//! new place for a token that is not listed here.

use crate::answer::parameters;
use crate::calls::{Entry, LoggedRequest};
use crate::verify::encode;
use serde::Serialize;
use serde_json::Value;

/// What kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TokenKind {
    /// A Huawei Cloud IAM token.
    Iam,
    /// The security token of a temporary key, of either cloud.
    Security,
    /// An identity token.
    Identity,
    /// A token of a metadata service, of either cloud.
    Metadata,
}

/// The part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Place {
    /// A header.
    Header,
    /// The URL's query.
    Query,
    /// The body.
    Body,
}

/// A token on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenToken {
    /// What kind of token it is meant as.
    pub kind: TokenKind,
    /// The part of the request it was in.
    pub place: Place,
    /// The whole token.
    pub token: String,
    /// The request.
    pub request: LoggedRequest,
}

const HEADERS: [(&str, TokenKind); 6] = [
    ("x-auth-token", TokenKind::Iam),
    ("x-subject-token", TokenKind::Iam),
    ("x-security-token", TokenKind::Security),
    ("x-acs-security-token", TokenKind::Security),
    ("x-metadata-token", TokenKind::Metadata),
    ("x-aliyun-ecs-metadata-token", TokenKind::Metadata),
];

const PARAMETERS: [(&str, TokenKind); 2] = [
    ("OIDCToken", TokenKind::Identity),
    ("SecurityToken", TokenKind::Security),
];

const MEMBERS: [(&str, TokenKind); 4] = [
    ("/auth/id_token/id", TokenKind::Identity),
    ("/id_token", TokenKind::Identity),
    ("/auth/identity/token/id", TokenKind::Iam),
    (
        "/auth/identity/hw_ak_sk/security_token/key",
        TokenKind::Security,
    ),
];

/// Every token in a request.
pub(crate) fn tokens(entry: &Entry) -> Vec<SeenToken> {
    let mut seen = Vec::new();
    let mut push = |kind, place, token: &str| {
        seen.push(SeenToken {
            kind,
            place,
            token: token.to_owned(),
            request: entry.request.clone(),
        });
    };
    for (name, value) in &entry.headers {
        let value = value.trim();
        for (header, kind) in HEADERS {
            if name.eq_ignore_ascii_case(header) {
                push(kind, Place::Header, value);
            }
        }
        if name.eq_ignore_ascii_case("authorization") {
            let bare = value.strip_prefix("Bearer ").unwrap_or(value);
            if !bare.contains(' ') {
                push(TokenKind::Identity, Place::Header, bare);
            }
        }
    }
    let body = String::from_utf8_lossy(&entry.body);
    for (place, text) in [
        (Place::Query, entry.request.query.as_str()),
        (Place::Body, &body),
    ] {
        for (name, value) in parameters(text) {
            for (parameter, kind) in PARAMETERS {
                if name == parameter {
                    push(kind, place, &value);
                }
            }
        }
    }
    let document: Value = serde_json::from_slice(&entry.body).unwrap_or_default();
    for (pointer, kind) in MEMBERS {
        if let Some(token) = document.pointer(pointer).and_then(Value::as_str) {
            push(kind, Place::Body, token);
        }
    }
    seen
}

/// Whether a text was anywhere in a request, as it is or percent-encoded.
pub(crate) fn holds(entry: &Entry, text: &str) -> bool {
    let encoded = encode(text.as_bytes());
    let body = String::from_utf8_lossy(&entry.body);
    let request = &entry.request;
    let parts = [request.path.as_str(), &request.query, &body];
    let headers = entry.headers.iter().map(|(_, value)| value.as_str());
    parts
        .into_iter()
        .chain(headers)
        .any(|part| part.contains(text) || part.contains(&encoded))
}
