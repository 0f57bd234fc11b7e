//! Owns the check of Huawei Cloud signatures: `SDK-HMAC-SHA256` and its variant with a derived key,
//! `V11-HMAC-SHA256`. Pure: request, clock and a lookup of secrets in, a verdict out.
//! Must not be known here: accounts' projects, lock-outs, the shape of error answers.

use super::{
    Secret, WireRequest, decode, encode, hmac_sha256, sha256_hex, strict_instant, within_window,
};
use jiff::Timestamp;
use std::fmt;

const PLAIN: &str = "SDK-HMAC-SHA256";
const DERIVED: &str = "V11-HMAC-SHA256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// A signature that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The access key that signed.
    pub access_key: String,
    /// What the key was derived for, with a derived key only.
    pub scope: Option<Scope>,
}

/// What a derived key is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Region; `globe` for global services.
    pub region: String,
    /// Service.
    pub service: String,
}

/// Why a signature was refused. Displays as the gateway's message after
/// "Incorrect IAM authentication information: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No `Authorization` header.
    NoAuthorization,
    /// The `Authorization` header cannot be read; what is wrong with it.
    Malformed(&'static str),
    /// No such access key.
    UnknownAccessKey(String),
    /// `x-sdk-date` is missing or not `YYYYMMDDTHHMMSSZ`.
    Date,
    /// The date is too far from the server's clock.
    Expired,
    /// The security token is missing, wrong, or sent with a permanent key.
    SecurityToken(String),
    /// The signature differs from the server's.
    Signature {
        /// The access key that was named.
        access_key: String,
        /// The request as the server canonicalised it.
        canonical_request: String,
    },
}

impl Refusal {
    /// The known access key whose failure this is; such failures count towards its lock-out.
    pub fn failed_key(&self) -> Option<&str> {
        match self {
            Refusal::SecurityToken(key)
            | Refusal::Signature {
                access_key: key, ..
            } => Some(key),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoAuthorization => f.write_str("x-auth-token not found"),
            Refusal::Malformed(what) => write!(
                f,
                "verify aksk signature fail, authorization header: {what}"
            ),
            Refusal::UnknownAccessKey(key) => write!(f, "ak {key} not exist"),
            Refusal::Date => {
                f.write_str("verify aksk signature fail, x-sdk-date is missing or invalid")
            }
            Refusal::Expired => f.write_str("verify aksk signature fail, x-sdk-date expired"),
            Refusal::SecurityToken(_) => f.write_str("verify security token fail"),
            Refusal::Signature {
                canonical_request, ..
            } => {
                let request = canonical_request.replace('\n', "|");
                write!(f, "verify aksk signature fail, canonicalRequest:{request}")
            }
        }
    }
}

/// Checks the `Authorization` header of a request.
///
/// The list of signed headers comes from the request, because official clients disagree on what they
/// sign; only `x-sdk-date` must be in it.
pub fn verify(
    request: &WireRequest<'_>,
    now: Timestamp,
    lookup: impl Fn(&str) -> Option<Secret>,
) -> Result<Accepted, Refusal> {
    let header = request
        .header("authorization")
        .ok_or(Refusal::NoAuthorization)?;
    let claim = Claim::parse(header)?;
    let secret = lookup(claim.access_key)
        .ok_or_else(|| Refusal::UnknownAccessKey(claim.access_key.to_owned()))?;

    if !claim.signed_headers.contains(&"x-sdk-date") {
        return Err(Refusal::Malformed("x-sdk-date is not signed"));
    }
    let date = request.header("x-sdk-date").ok_or(Refusal::Date)?;
    let instant =
        strict_instant(date, "00000000T000000Z", "%Y%m%dT%H%M%SZ").ok_or(Refusal::Date)?;
    if !within_window(instant, now) {
        return Err(Refusal::Expired);
    }
    // The token's value is compared, not that it was signed: one official client family adds the
    // header after signing.
    if request.header("x-security-token") != secret.security_token.as_deref() {
        return Err(Refusal::SecurityToken(claim.access_key.to_owned()));
    }

    let canonical_request = canonical_request(request, &claim.signed_headers);
    let expected = claim.signature_of(&canonical_request, date, &secret.secret)?;
    if expected != claim.signature || !payload_holds(request) {
        return Err(Refusal::Signature {
            access_key: claim.access_key.to_owned(),
            canonical_request,
        });
    }
    Ok(Accepted {
        access_key: claim.access_key.to_owned(),
        scope: claim.scope(),
    })
}

/// The parts of an `Authorization` header.
struct Claim<'a> {
    access_key: &'a str,
    /// `date/region/service`, with a derived key only.
    info: Option<&'a str>,
    /// Sorted.
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(header: &'a str) -> Result<Self, Refusal> {
        let (algorithm, rest) = header
            .split_once(' ')
            .ok_or(Refusal::Malformed("no space after the algorithm"))?;
        let part = |wanted: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(wanted)?.strip_prefix('='))
        };
        let (access_key, info) = match algorithm {
            PLAIN => (part("Access").ok_or(Refusal::Malformed("no Access"))?, None),
            DERIVED => {
                let credential = part("Credential").ok_or(Refusal::Malformed("no Credential"))?;
                let (key, info) = credential.split_once('/').ok_or(Refusal::Malformed(
                    "no date, region and service in Credential",
                ))?;
                (key, Some(info))
            }
            _ => return Err(Refusal::Malformed("unknown algorithm")),
        };
        let list = part("SignedHeaders").ok_or(Refusal::Malformed("no SignedHeaders"))?;
        let mut signed_headers: Vec<&str> = list.split(';').collect();
        signed_headers.sort_unstable();
        let signature = part("Signature").ok_or(Refusal::Malformed("no Signature"))?;
        Ok(Claim {
            access_key,
            info,
            signed_headers,
            signature,
        })
    }

    fn scope(&self) -> Option<Scope> {
        let mut parts = self.info?.split('/').skip(1);
        Some(Scope {
            region: parts.next()?.to_owned(),
            service: parts.next()?.to_owned(),
        })
    }

    fn signature_of(
        &self,
        canonical_request: &str,
        date: &str,
        secret: &str,
    ) -> Result<String, Refusal> {
        let hash = sha256_hex(canonical_request.as_bytes());
        let (key, text) = match self.info {
            None => (secret.to_owned(), format!("{PLAIN}\n{date}\n{hash}")),
            Some(info) => {
                let day = date.get(..8).unwrap_or_default();
                if info.split('/').count() != 3 || info.split('/').next() != Some(day) {
                    return Err(Refusal::Malformed(
                        "Credential is not <key>/<day of x-sdk-date>/<region>/<service>",
                    ));
                }
                let key = derived_key(secret, self.access_key, info);
                (key, format!("{DERIVED}\n{date}\n{info}\n{hash}"))
            }
        };
        Ok(hex::encode(hmac_sha256(key.as_bytes(), text.as_bytes())))
    }
}

/// HKDF-SHA256 with the access key as salt; 32 bytes are a single round of its expansion. The key is
/// used as hex text.
fn derived_key(secret: &str, access_key: &str, info: &str) -> String {
    let extracted = hmac_sha256(access_key.as_bytes(), secret.as_bytes());
    let mut round = info.as_bytes().to_vec();
    round.push(1);
    hex::encode(hmac_sha256(&extracted, &round))
}

fn canonical_request(request: &WireRequest<'_>, signed_headers: &[&str]) -> String {
    let mut headers = String::new();
    for name in signed_headers {
        let values: Vec<&str> = request.header_values(name).collect();
        headers.extend([name, ":", &values.join(","), "\n"]);
    }
    [
        request.method.to_ascii_uppercase(),
        canonical_path(request.path),
        canonical_query(request),
        headers,
        signed_headers.join(";"),
        payload_hash(request),
    ]
    .join("\n")
}

/// Decoded once as a whole, so an encoded slash becomes a separator; then encoded by segment, with a
/// slash at the end.
fn canonical_path(path: &str) -> String {
    let decoded = decode(path);
    let mut canonical = decoded
        .split(|byte| *byte == b'/')
        .map(encode)
        .collect::<Vec<_>>()
        .join("/");
    if !canonical.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

/// Sorted before encoding, by key, then by value.
fn canonical_query(request: &WireRequest<'_>) -> String {
    let mut parameters = request.parameters();
    parameters.sort();
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect();
    pairs.join("&")
}

fn payload_hash(request: &WireRequest<'_>) -> String {
    match request.header("x-sdk-content-sha256") {
        Some(claimed) if !request.body.is_empty() => claimed.to_owned(),
        _ => sha256_hex(request.body),
    }
}

/// The canonical request takes the header's word for the payload; the server does not.
fn payload_holds(request: &WireRequest<'_>) -> bool {
    request.body.is_empty()
        || request
            .header("x-sdk-content-sha256")
            .is_none_or(|claimed| {
                claimed == UNSIGNED_PAYLOAD || claimed == sha256_hex(request.body)
            })
}
