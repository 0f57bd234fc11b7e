//! Signs Huawei Cloud requests with an access key: `SDK-HMAC-SHA256` and `V11-HMAC-SHA256`.
//!
//! Owns the text that is signed and the headers that carry the signature. Must not know a clock, a
//! network, where credentials come from or which API is called: the same arguments give the same
//! bytes. The invariant that would break first: **what is signed is what is sent**. So [`sign`]
//! takes a request by reference and returns everything that goes on the wire, or an error; there is
//! no half-signed request.
//!
//! Encoding, once for the whole file:
//!
//! * the path comes in wire form, percent-encoded exactly once, and is sent unchanged. It must have
//!   no `.` or `..` segments, which HTTP clients resolve after signing;
//! * the query comes in decoded, is encoded here exactly once, and is sent as returned. It then
//!   consists of unreserved characters, `%`, `=` and `&`, which no client rewrites;
//! * header values are text, signed as UTF-8 and sent as returned, without blanks around them.
//!
//! Odd input is refused with a [`SignError`], never repaired: a control character in a header value
//! would be another header on the wire.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, civil::DateTime};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";

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
    /// Query parameters, decoded, in any order; keys may repeat.
    pub query: &'a [(String, String)],
    /// Headers set by the caller. A name given twice, whatever its case, is refused.
    pub headers: &'a [(String, String)],
    /// Body, empty for none.
    pub body: &'a [u8],
}

/// What a credential speaks for. Sent as a header of its own, and signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A project, for regional services: `X-Project-Id`.
    Project(String),
    /// A domain (an account), for global services: `X-Domain-Id`.
    Domain(String),
}

/// An access key. Printing it shows no secret.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Access key id (AK).
    pub access_key: String,
    /// Secret key (SK).
    pub secret_key: SecretString,
    /// Present with temporary keys, sent as `X-Security-Token`; an empty one counts as absent.
    pub security_token: Option<SecretString>,
    /// Project or domain; an empty id counts as absent.
    pub scope: Option<Scope>,
}

/// How to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `SDK-HMAC-SHA256`, the rule for `ModelArts` and SWR (Huawei Cloud API Signing Guide).
    SdkHmacSha256,
    /// `V11-HMAC-SHA256`: the key is derived for a day, a region and a service, as the vendor's SDKs
    /// (Python package `huaweicloudsdkcore`) do when a service asks for derived authentication.
    V11HmacSha256 {
        /// Region id; `globe` for a global service.
        region: String,
        /// Short name of the service.
        service: String,
    },
}

/// Everything that goes on the wire next to method, path and body.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The query string without the question mark; empty for none.
    pub query: String,
    /// All headers to send; if the request was signed, `Host` and `Authorization` are among them.
    /// Values are kept as secrets, so that printing a signed request shows nothing to replay.
    pub headers: Vec<(String, SecretString)>,
    /// How the signature came about; `None` if the caller had set `Authorization`.
    pub steps: Option<Steps>,
}

/// The intermediate results, in the terms of the Huawei Cloud API Signing Guide. For comparing with
/// another signer; a client does not need them.
#[derive(Clone, Debug)]
pub struct Steps {
    /// Canonical request. Contains a security token in clear text.
    pub canonical_request: SecretString,
    /// String to sign.
    pub string_to_sign: String,
    /// `V11-HMAC-SHA256` only: the text that is used as HMAC key.
    pub derived_key: Option<SecretString>,
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
    /// The named header is given twice, but one value a name is signed.
    #[error("header {0} is given twice")]
    RepeatedHeader(String),
}

/// Signs `request` as of `now`.
///
/// Sets the headers that Huawei's SDKs set: those of the credential (over the caller's), and
/// `X-Sdk-Date`, `Host` and, for a body that is not JSON, `X-Sdk-Content-Sha256`. A caller's
/// `X-Sdk-Date` or `Host` is respected. Signs every header but those with an underscore in their
/// name, which proxies drop. If the caller has set `Authorization`, nothing is signed. Sources:
/// Huawei Cloud API Signing Guide, and the signer of the Python package `huaweicloudsdkcore`.
///
/// # Errors
///
/// Input that cannot be sent as it is signed, see [`SignError`].
pub fn sign(
    request: &Request<'_>,
    credential: &Credential,
    scheme: &Scheme,
    now: Timestamp,
) -> Result<Signed, SignError> {
    check("method", is_token(request.method))?;
    check("host", is_plain(request.host, "/?#@\\,"))?;
    let path = canonical_path(request.path)?;
    let query = canonical_query(request.query);
    let mut headers = Headers::read(request.headers)?;
    match &credential.scope {
        Some(Scope::Project(id)) if !id.is_empty() => headers.set("X-Project-Id", id)?,
        Some(Scope::Domain(id)) if !id.is_empty() => headers.set("X-Domain-Id", id)?,
        _ => {}
    }
    if let Some(token) = &credential.security_token
        && !token.expose_secret().is_empty()
    {
        headers.set("X-Security-Token", token.expose_secret())?;
    }
    if headers.get("authorization").is_some() {
        return Ok(Signed {
            query,
            headers: headers.into_wire(),
            steps: None,
        });
    }

    let secret_key = credential.secret_key.expose_secret();
    // Without a secret anyone can make the signature.
    check("secret key", !secret_key.is_empty())?;
    check("access key", is_plain(&credential.access_key, ",/"))?;
    if leaves_payload_unsigned(request.headers) {
        headers.set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD")?;
    }
    if headers.get("x-sdk-date").is_none() {
        headers.set("X-Sdk-Date", &now.strftime(DATE_FORMAT).to_string())?;
    }
    if headers.get("host").is_none() {
        headers.set("Host", request.host)?;
    }
    let date = headers
        .get("x-sdk-date")
        .filter(|date| is_date(date))
        .ok_or(SignError::Malformed("header X-Sdk-Date"))?;

    let (signed_headers, canonical_headers) = headers.canonical();
    let canonical_request = format!(
        "{}\n{path}\n{query}\n{canonical_headers}\n{signed_headers}\n{}",
        request.method.to_ascii_uppercase(),
        payload_hash(request.body, headers.get("x-sdk-content-sha256")),
    );
    let hash = hex::encode(Sha256::digest(&canonical_request));
    let access_key = &credential.access_key;
    let (string_to_sign, derived_key, prefix) = match scheme {
        Scheme::SdkHmacSha256 => (
            format!("SDK-HMAC-SHA256\n{date}\n{hash}"),
            None,
            format!("SDK-HMAC-SHA256 Access={access_key}"),
        ),
        Scheme::V11HmacSha256 { region, service } => {
            check("region", is_plain(region, ",/"))?;
            check("service", is_plain(service, ",/"))?;
            // The day of the header, not of `now`: the caller may have set the date.
            let day = date.split('T').next().unwrap_or_default();
            let info = format!("{day}/{region}/{service}");
            (
                format!("V11-HMAC-SHA256\n{date}\n{info}\n{hash}"),
                Some(derived_key(access_key, secret_key, &info)),
                format!("V11-HMAC-SHA256 Credential={access_key}/{info}"),
            )
        }
    };
    // The hex text of a derived key is the HMAC key, not the bytes it stands for.
    let key = derived_key
        .as_ref()
        .map_or(secret_key, SecretString::expose_secret);
    let signature = hmac_sha256_hex(key, &string_to_sign);
    let authorization = format!("{prefix}, SignedHeaders={signed_headers}, Signature={signature}");
    headers.set("Authorization", &authorization)?;

    Ok(Signed {
        query,
        headers: headers.into_wire(),
        steps: Some(Steps {
            canonical_request: canonical_request.into(),
            string_to_sign,
            derived_key,
            signed_headers,
            signature: signature.into(),
        }),
    })
}

/// The headers to be sent: names unique regardless of case, values checked and trimmed.
struct Headers(Vec<(String, String)>);

impl Headers {
    fn read(given: &[(String, String)]) -> Result<Self, SignError> {
        let mut headers = Self(Vec::with_capacity(given.len() + 6));
        for (name, value) in given {
            check("header name", is_token(name))?;
            if headers.get(name).is_some() {
                return Err(SignError::RepeatedHeader(name.to_ascii_lowercase()));
            }
            headers.set(name, value)?;
        }
        Ok(headers)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SignError> {
        // Before trimming, which would take a line feed at the end for a blank.
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(SignError::HeaderValue(name.to_owned()));
        }
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.0.push((name.to_owned(), value.trim().to_owned()));
        Ok(())
    }

    /// The list of signed names, and their lines.
    fn canonical(&self) -> (String, String) {
        let mut signed: Vec<_> = self
            .0
            .iter()
            .filter(|(name, _)| !name.contains('_'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        signed.sort_unstable();
        let names: Vec<_> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let lines: Vec<_> = signed.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        (names.join(";"), lines.concat())
    }

    fn into_wire(self) -> Vec<(String, SecretString)> {
        self.0
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect()
    }
}

/// Decoded once, encoded by segment, with a slash at the end. An encoded slash comes out as a
/// separator, as in Huawei's own signer; identifiers must be checked before they get into a path.
fn canonical_path(wire: &str) -> Result<String, SignError> {
    check(
        "path",
        wire.is_empty() || wire.starts_with('/') && is_plain(wire, "?#"),
    )?;
    let decoded = percent_decode_str(wire).decode_utf8();
    let decoded = decoded.map_err(|_| SignError::Malformed("path"))?;
    let mut path = decoded.split('/').map(encode).collect::<Vec<_>>().join("/");
    if !path.ends_with('/') {
        path.push('/');
    }
    Ok(path)
}

/// Sorted by raw key, then raw value: encoding comes after sorting, and the orders differ.
fn canonical_query(query: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = query.iter().collect();
    sorted.sort_unstable();
    let pairs = sorted
        .into_iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The vendor's signer looks up exactly `Content-Type` and compares the value as given. Any other
/// spelling means that the body is hashed, which is the documented rule for a signed body.
fn leaves_payload_unsigned(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, value)| {
        name == "Content-Type"
            && !value.is_empty()
            && !value.starts_with("application/json")
            && !value.starts_with("application/bson")
    })
}

/// No body has the hash of nothing, even where a header says something else.
fn payload_hash(body: &[u8], header: Option<&str>) -> String {
    match header {
        Some(value) if !body.is_empty() && !value.is_empty() => value.to_owned(),
        _ => hex::encode(Sha256::digest(body)),
    }
}

fn is_date(text: &str) -> bool {
    // Written back, because parsing accepts fewer digits.
    DateTime::strptime(DATE_FORMAT, text)
        .is_ok_and(|date| date.strftime(DATE_FORMAT).to_string() == text)
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

#[expect(
    clippy::expect_used,
    reason = "HKDF-SHA256 gives up to 8160 bytes, and 32 are asked for"
)]
fn derived_key(access_key: &str, secret_key: &str, info: &str) -> SecretString {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(access_key.as_bytes()), secret_key.as_bytes())
        .expand(info.as_bytes(), &mut key)
        .expect("32 bytes are not too many");
    hex::encode(key).into()
}

#[expect(clippy::expect_used, reason = "HMAC accepts keys of any length")]
fn hmac_sha256_hex(key: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length is accepted");
    mac.update(message.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
