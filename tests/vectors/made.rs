//! What the signers make of a vector, in one form for both schemes.
//!
//! Owns how a vector becomes a call of a signer. Must not know what is expected of it. The invariant
//! that would break first: a vector that cannot be signed as it stands is an error, not a guess.

use super::{Derived, Made, Pairs, Rule, Vector};
use imageref::cloud::{modelarts::sign as huawei, pai::sign as alibaba};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

pub(super) fn huawei_made(vector: &Vector) -> Result<Made, String> {
    let (request, credentials) = (&vector.request, &vector.credentials);
    let scheme = match &vector.derived {
        None if vector.algorithm == "SDK-HMAC-SHA256" => huawei::Scheme::SdkHmacSha256,
        Some(Derived {
            region, service, ..
        }) if vector.algorithm == "V11-HMAC-SHA256" => huawei::Scheme::V11HmacSha256 {
            region: region.clone(),
            service: service.clone(),
        },
        _ => return Err("`derived` does not go with the algorithm".to_owned()),
    };
    let now = DateTime::strptime("%Y%m%dT%H%M%SZ", &vector.datetime)
        .and_then(|date| date.to_zoned(TimeZone::UTC))
        .map_err(|error| error.to_string())?;
    let scope = match (&credentials.project_id, &credentials.domain_id) {
        (None, None) => None,
        (Some(id), None) => Some(huawei::Scope::Project(id.clone())),
        (None, Some(id)) => Some(huawei::Scope::Domain(id.clone())),
        (Some(_), Some(_)) => return Err("both a project and a domain".to_owned()),
    };
    let signed = huawei::sign(
        &huawei::Request {
            method: &request.method,
            host: &request.host,
            path: &request.wire_path,
            query: &request.query,
            headers: &request.headers,
            body: request.body.as_bytes(),
        },
        &huawei::Credential {
            access_key: credentials.ak.clone(),
            secret_key: credentials.sk.as_str().into(),
            security_token: credentials.security_token.as_deref().map(Into::into),
            scope,
        },
        &scheme,
        now.timestamp(),
    )
    .map_err(|error| error.to_string())?;
    let steps = signed.steps.ok_or("nothing was signed")?;
    let mut headers = signed.headers;
    let later = request.headers_added_after_signing.iter().cloned();
    headers.extend(later.map(|(name, value)| (name, value.into())));
    Ok(Made {
        canonical_request: steps.canonical_request,
        string_to_sign: steps.string_to_sign,
        derived_key: steps.derived_key,
        signed_headers: steps.signed_headers,
        signature: steps.signature,
        query: signed.query,
        headers,
    })
}

pub(super) fn alibaba_made(vector: &Vector) -> Result<Made, String> {
    let (request, credentials) = (&vector.request, &vector.credentials);
    let rule = vector.signed_header_rule.ok_or("no signed_header_rule")?;
    let content_type = request.content_type.iter();
    let mut given: Pairs = content_type
        .map(|value| ("content-type".to_owned(), value.clone()))
        .collect();
    given.extend_from_slice(&request.extra_headers);
    // Under the documented rule the signer itself has to leave these out.
    let mut later = request.unsigned_headers.clone();
    if rule == Rule::AcsHostContentType {
        given.append(&mut later);
    }
    let now: Timestamp = vector
        .datetime
        .parse()
        .map_err(|error: jiff::Error| error.to_string())?;
    let signed = alibaba::sign(
        &alibaba::Request {
            method: &request.method,
            host: &request.host,
            path: &request.wire_path,
            query: &request.query,
            headers: &given,
            body: request.body.as_bytes(),
        },
        &alibaba::Credential {
            access_key: credentials.ak.clone(),
            secret_key: credentials.sk.as_str().into(),
            security_token: credentials.security_token.as_deref().map(Into::into),
        },
        alibaba::Action {
            name: vector.action.as_deref().ok_or("no action")?,
            version: vector.version.as_deref().ok_or("no version")?,
        },
        now,
        vector.nonce.as_deref().ok_or("no nonce")?,
        match rule {
            Rule::AcsHostContentType => alibaba::HeaderRule::Documented,
            Rule::AllHeaders => alibaba::HeaderRule::All,
        },
    )
    .map_err(|error| error.to_string())?;
    let mut headers = signed.headers;
    headers.extend(later.into_iter().map(|(name, value)| (name, value.into())));
    Ok(Made {
        canonical_request: signed.steps.canonical_request,
        string_to_sign: signed.steps.string_to_sign,
        derived_key: None,
        signed_headers: signed.steps.signed_headers,
        signature: signed.steps.signature,
        query: signed.query,
        headers,
    })
}
