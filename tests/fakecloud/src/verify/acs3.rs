//! Owns the check of Alibaba Cloud's `ACS3-HMAC-SHA256` signatures. Pure: request, clock and a lookup
//! of secrets in, a verdict out. Must not be known here: nonces seen before, which action a route
//! wants, the shape of error answers.

use super::{Secret, WireRequest, encode, hmac_sha256, sha256_hex, strict_instant, within_window};
use jiff::Timestamp;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// A signature that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The access key that signed.
    pub access_key: String,
    /// The nonce, which the caller must refuse if it was seen before.
    pub nonce: String,
}

/// Why a signature was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A header that must be there is not; its name.
    Missing(&'static str),
    /// The `Authorization` header cannot be read.
    Malformed,
    /// No such access key.
    UnknownAccessKey,
    /// `x-acs-date` is not `YYYY-MM-DDTHH:MM:SSZ`.
    DateFormat,
    /// The date is too far from the server's clock.
    Expired,
    /// A temporary key came without its token.
    NoSecurityToken,
    /// The security token is not the key's.
    SecurityToken,
    /// A header that must be signed is not; its name.
    Unsigned(String),
    /// `x-acs-content-sha256` is not the hash of the body.
    ContentHash,
    /// The signature differs from the server's.
    Signature {
        /// The text the server signed.
        string_to_sign: String,
        /// The request as the server canonicalised it.
        canonical_request: String,
    },
}

impl Refusal {
    /// Status, code and message of the answer.
    pub fn answer(&self) -> (u16, String, String) {
        // The exact text for this signature version is not on record; the first words are the older
        // version's, and both of the server's texts follow so that a client's author can compare.
        let mismatch = |detail: &str| {
            let message =
                format!("Specified signature is not matched with our calculation. {detail}");
            (400, "SignatureDoesNotMatch".to_owned(), message)
        };
        let fault =
            |status: u16, code: &str, message: &str| (status, code.to_owned(), message.to_owned());
        match self {
            Refusal::Missing(header) => {
                let parameter: String = header
                    .trim_start_matches("x-acs-")
                    .split('-')
                    .flat_map(|word| {
                        let mut letters = word.chars();
                        letters
                            .next()
                            .map(|first| first.to_ascii_uppercase())
                            .into_iter()
                            .chain(letters)
                    })
                    .collect();
                (
                    400,
                    format!("Missing{parameter}"),
                    format!("The header {header} is mandatory for this action."),
                )
            }
            Refusal::Malformed => fault(
                400,
                "IncompleteSignature",
                "The request signature does not conform to Aliyun standards.",
            ),
            Refusal::UnknownAccessKey => fault(
                404,
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            ),
            Refusal::DateFormat => fault(
                400,
                "InvalidTimeStamp.Format",
                "Specified time stamp or date value is not well formatted.",
            ),
            Refusal::Expired => fault(
                400,
                "InvalidTimeStamp.Expired",
                "Specified time stamp or date value is expired.",
            ),
            Refusal::NoSecurityToken => fault(
                400,
                "MissingSecurityToken",
                "SecurityToken is mandatory for this action.",
            ),
            Refusal::SecurityToken => fault(
                400,
                "InvalidSecurityToken.MismatchWithAccessKey",
                "Specified SecurityToken mismatch with the AccessKey.",
            ),
            Refusal::Unsigned(header) => mismatch(&format!("the header {header} must be signed.")),
            Refusal::ContentHash => mismatch("x-acs-content-sha256 is not the hash of the body."),
            Refusal::Signature {
                string_to_sign,
                canonical_request,
            } => mismatch(&format!(
                "server string to sign is:{string_to_sign} server canonical request is:{canonical_request}"
            )),
        }
    }
}

/// Checks the `Authorization` header of a request.
pub fn verify(
    request: &WireRequest<'_>,
    now: Timestamp,
    lookup: impl Fn(&str) -> Option<Secret>,
) -> Result<Accepted, Refusal> {
    let required = |name: &'static str| request.header(name).ok_or(Refusal::Missing(name));
    let header = required("authorization")?;
    let claim = Claim::parse(header).ok_or(Refusal::Malformed)?;
    required("x-acs-action")?;
    required("x-acs-version")?;
    let date = required("x-acs-date")?;
    let nonce = required("x-acs-signature-nonce")?;
    let content_hash = required("x-acs-content-sha256")?;

    let secret = lookup(claim.access_key).ok_or(Refusal::UnknownAccessKey)?;
    let instant = strict_instant(date, "0000-00-00T00:00:00Z", "%Y-%m-%dT%H:%M:%SZ")
        .ok_or(Refusal::DateFormat)?;
    if !within_window(instant, now) {
        return Err(Refusal::Expired);
    }
    match (
        &secret.security_token,
        request.header("x-acs-security-token"),
    ) {
        (Some(_), None) => return Err(Refusal::NoSecurityToken),
        (wanted, sent) if wanted.as_deref() != sent => return Err(Refusal::SecurityToken),
        _ => {}
    }
    for name in std::iter::once("host".to_owned()).chain(acs_headers(request)) {
        if !claim.signed_headers.contains(&name.as_str()) {
            return Err(Refusal::Unsigned(name));
        }
    }
    if content_hash != sha256_hex(request.body) {
        return Err(Refusal::ContentHash);
    }

    let canonical_request = canonical_request(request, &claim.signed_headers, content_hash);
    let string_to_sign = format!("{ALGORITHM}\n{}", sha256_hex(canonical_request.as_bytes()));
    let expected = hex::encode(hmac_sha256(
        secret.secret.as_bytes(),
        string_to_sign.as_bytes(),
    ));
    if expected != claim.signature {
        return Err(Refusal::Signature {
            string_to_sign,
            canonical_request,
        });
    }
    Ok(Accepted {
        access_key: claim.access_key.to_owned(),
        nonce: nonce.to_owned(),
    })
}

fn acs_headers(request: &WireRequest<'_>) -> impl Iterator<Item = String> {
    request
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .filter(|name| name.starts_with("x-acs-"))
}

/// The parts of an `Authorization` header.
struct Claim<'a> {
    access_key: &'a str,
    /// Sorted.
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let part = |wanted: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(wanted)?.strip_prefix('='))
        };
        let mut signed_headers: Vec<&str> = part("SignedHeaders")?.split(';').collect();
        signed_headers.sort_unstable();
        Some(Claim {
            access_key: part("Credential")?,
            signed_headers,
            signature: part("Signature")?,
        })
    }
}

fn canonical_request(
    request: &WireRequest<'_>,
    signed_headers: &[&str],
    content_hash: &str,
) -> String {
    let mut headers = String::new();
    for name in signed_headers {
        let mut values: Vec<&str> = request.header_values(name).collect();
        values.sort_unstable();
        headers.extend([name, ":", &values.join(","), "\n"]);
    }
    let path = if request.path.is_empty() {
        "/"
    } else {
        request.path
    };
    [
        request.method,
        path,
        &canonical_query(request),
        &headers,
        &signed_headers.join(";"),
        content_hash,
    ]
    .join("\n")
}

/// Sorted by key. Values are encoded, keys are not: neither official signer encodes them. A plus sign
/// on the wire is a space: the official Python SDK signs `%20` and sends `+`.
fn canonical_query(request: &WireRequest<'_>) -> String {
    let spaced = request.query.replace('+', "%20");
    let mut parameters = WireRequest {
        query: &spaced,
        ..*request
    }
    .parameters();
    parameters.sort();
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(key, value)| format!("{}={}", String::from_utf8_lossy(key), encode(value)))
        .collect();
    pairs.join("&")
}
