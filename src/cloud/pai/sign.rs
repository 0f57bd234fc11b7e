//! Signs Alibaba Cloud requests with an access key: `ACS3-HMAC-SHA256`.
//!
//! Owns the text that is signed and the headers that carry the signature. Must not know a clock, a
//! source of nonces, a network, where credentials come from or what an action does: the same
//! arguments give the same bytes. The invariant that would break first: **what is signed is what is
//! sent**. So [`sign`] takes a request by reference and returns everything that goes on the wire,
//! or an error; there is no half-signed request.
//!
//! Encoding, once for the whole file:
//!
//! * the path comes in wire form, percent-encoded exactly once, and is signed and sent unchanged.
//!   It must have no `.` or `..` segments, which HTTP clients resolve after signing;
//! * the query comes in decoded, is encoded here exactly once, and is sent as returned. It then
//!   consists of unreserved characters, `%`, `=` and `&`, which no client rewrites;
//! * header values are text, signed as UTF-8 and sent as returned, without blanks around them.
//!
//! Odd input is refused with a [`SignError`], never repaired: a control character in a header value
//! would be another header on the wire.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";
const SET_BY_SIGNING: [&str; 9] = [
    "authorization",
    "host",
    "x-acs-accesskey-id",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-security-token",
    "x-acs-signature-nonce",
    "x-acs-version",
];
/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A request as the caller sees it, before any header of the signature is set.
///
/// Has no `Debug`: headers and body may carry secrets.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// HTTP method; signed in upper case.
    pub method: &'a str,
    /// Host, with the port when it is not the default one of the scheme.
    pub host: &'a str,
    /// Path in wire form; see the module's contract.
    pub path: &'a str,
    /// Query parameters, decoded, in any order. The scheme writes lists as `Key.1`, `Key.2`; keys
    /// that repeat all the same are sorted by value.
    pub query: &'a [(String, String)],
    /// Further headers, among them the content type of a body. The values of a name given twice are
    /// signed sorted and joined by commas, and sent as given.
    pub headers: &'a [(String, String)],
    /// Body, empty for none.
    pub body: &'a [u8],
}

/// The operation that is called, by name and version of its API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action<'a> {
    /// Name, as `GetImage`.
    pub name: &'a str,
    /// Version of the API, as `2021-02-04`.
    pub version: &'a str,
}

/// An access key. Printing it shows no secret.
#[derive(Clone, Debug)]
pub struct Credential {
    /// `AccessKey` id.
    pub access_key: String,
    /// `AccessKey` secret.
    pub secret_key: SecretString,
    /// Present with temporary keys from STS; an empty one counts as absent.
    pub security_token: Option<SecretString>,
}

/// Which headers are signed. The other side follows the list in the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderRule {
    /// `host`, `content-type` and all `x-acs-*`, as the V3 request syntax and signature method says.
    #[default]
    Documented,
    /// Every header, as the vendor's Python package `alibabacloud_tea_openapi` does.
    All,
}

/// Everything that goes on the wire next to method, path and body.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The query string without the question mark; empty for none.
    pub query: String,
    /// All headers to send, `host` and `Authorization` among them. Values are kept as secrets, so
    /// that printing a signed request shows nothing to replay.
    pub headers: Vec<(String, SecretString)>,
    /// How the signature came about.
    pub steps: Steps,
}

/// The intermediate results, in the terms of the V3 request syntax and signature method. For
/// comparing with another signer; a client does not need them.
#[derive(Clone, Debug)]
pub struct Steps {
    /// Canonical request. Contains a security token in clear text.
    pub canonical_request: SecretString,
    /// String to sign.
    pub string_to_sign: String,
    /// Names of the signed headers, joined by semicolons.
    pub signed_headers: String,
    /// Signature in lower-case hex.
    pub signature: SecretString,
}

/// Why a request cannot be signed. Every case is a mistake in the input; trying again is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The named part is empty, or would not reach the other side as it was signed.
    #[error("the {0} is empty or not of the form it must have")]
    Malformed(&'static str),
    /// The named header would bring another header with it.
    #[error("the value of header {0} has a control character")]
    HeaderValue(String),
    /// The named header is set by the signature, so a caller's would make two of it.
    #[error("header {0} is set by signing and cannot be given")]
    ReservedHeader(String),
}

/// Signs `request` to call `action` as of `now`. The `nonce` must never have been used before.
///
/// Sets `host`, `Authorization` and the `x-acs-*` headers of action, date, nonce, body hash and, with
/// a security token, of the token and the access key. Sources: Alibaba Cloud V3 request syntax and
/// signature method, and the signer of the Python package `alibabacloud_tea_openapi`.
///
/// # Errors
///
/// Input that cannot be sent as it is signed, see [`SignError`].
pub fn sign(
    request: &Request<'_>,
    credential: &Credential,
    action: Action<'_>,
    now: Timestamp,
    nonce: &str,
    rule: HeaderRule,
) -> Result<Signed, SignError> {
    let path = if request.path.is_empty() {
        "/"
    } else {
        request.path
    };
    let secret_key = credential.secret_key.expose_secret();
    let access_key = &credential.access_key;
    check("method", is_token(request.method))?;
    check("host", is_plain(request.host, "/?#@\\,"))?;
    check("path", path.starts_with('/') && is_plain(path, "?#"))?;
    check("action", is_token(action.name))?;
    check("version", is_token(action.version))?;
    check("nonce", is_token(nonce))?;
    check("access key", is_plain(access_key, ",/"))?;
    // Without a secret anyone can make the signature.
    check("secret key", !secret_key.is_empty())?;

    let date = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let body_hash = hex::encode(Sha256::digest(request.body));
    let mut headers: Vec<(&str, &str)> = vec![
        ("host", request.host),
        ("x-acs-action", action.name),
        ("x-acs-version", action.version),
        ("x-acs-date", &date),
        ("x-acs-signature-nonce", nonce),
        ("x-acs-content-sha256", &body_hash),
    ];
    if let Some(token) = &credential.security_token
        && !token.expose_secret().is_empty()
    {
        headers.push(("x-acs-accesskey-id", access_key));
        headers.push((
            "x-acs-security-token",
            checked_value("x-acs-security-token", token.expose_secret())?,
        ));
    }
    for (name, value) in request.headers {
        check("header name", is_token(name))?;
        if SET_BY_SIGNING
            .iter()
            .any(|set| set.eq_ignore_ascii_case(name))
        {
            return Err(SignError::ReservedHeader(name.to_ascii_lowercase()));
        }
        headers.push((name, checked_value(name, value)?));
    }

    let query = canonical_query(request.query);
    let (signed_headers, canonical_headers) = canonical_headers(&headers, rule);
    let canonical_request = format!(
        "{}\n{path}\n{query}\n{canonical_headers}\n{signed_headers}\n{body_hash}",
        request.method.to_ascii_uppercase(),
    );
    let hash = hex::encode(Sha256::digest(&canonical_request));
    let string_to_sign = format!("{ALGORITHM}\n{hash}");
    let signature = hmac_sha256_hex(secret_key, &string_to_sign);
    let authorization = format!(
        "{ALGORITHM} Credential={access_key},SignedHeaders={signed_headers},Signature={signature}"
    );
    headers.push(("Authorization", &authorization));

    Ok(Signed {
        query,
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect(),
        steps: Steps {
            canonical_request: canonical_request.into(),
            string_to_sign,
            signed_headers,
            signature: signature.into(),
        },
    })
}

/// The list of signed names, and their lines.
fn canonical_headers(headers: &[(&str, &str)], rule: HeaderRule) -> (String, String) {
    let mut signed: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let documented = name == "host" || name == "content-type" || name.starts_with("x-acs-");
        if documented || rule == HeaderRule::All {
            signed.entry(name).or_default().push(value);
        }
    }
    let mut lines = String::new();
    for (name, values) in &mut signed {
        values.sort_unstable();
        lines.extend([name, ":", &values.join(","), "\n"]);
    }
    let names: Vec<_> = signed.into_keys().collect();
    (names.join(";"), lines)
}

/// Sorted by raw key, then raw value: encoding comes after sorting, and the orders differ.
///
/// Keys are encoded too. The vendor's signers leave them as they are, which is the same for the
/// unreserved characters all documented keys consist of, and lets no key end itself.
fn canonical_query(query: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = query.iter().collect();
    sorted.sort_unstable();
    let pairs = sorted
        .into_iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The value as sent and signed.
fn checked_value<'a>(name: &str, value: &'a str) -> Result<&'a str, SignError> {
    // Before trimming, which would take a line feed at the end for a blank.
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(SignError::HeaderValue(name.to_owned()));
    }
    Ok(value.trim())
}

fn check(part: &'static str, holds: bool) -> Result<(), SignError> {
    if holds {
        Ok(())
    } else {
        Err(SignError::Malformed(part))
    }
}

/// Some visible ASCII without the characters of `except`.
fn is_plain(text: &str, except: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && !except.contains(c))
}

fn is_token(text: &str) -> bool {
    is_plain(text, "\"(),/:;<=>?@[\\]{}")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[expect(clippy::expect_used, reason = "HMAC accepts keys of any length")]
fn hmac_sha256_hex(key: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length is accepted");
    mac.update(message.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
