//! Owns what Huawei Cloud gives for an identity token: IAM tokens by two routes, temporary keys by STS.
//! Must not be known here: how a token's claims are read. What breaks first: the errors of STS, which
//! are not on record.
//! Source: Huawei Cloud IAM API Reference, "Obtaining a Token with an `OpenID` Connect ID Token",
//! "Obtaining an Unscoped Token with an `OpenID` Connect ID Token"; the official Python SDK for STS.

use super::tokens::{Scope, give, scope};
use super::{
    body, duration, error, forbidden, id_token_refused, malformed, not_found, refuse_denied,
    required,
};
use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::id_token;
use crate::options::{KeyEnvelope, KeyNames};
use crate::state::State;
use crate::temporary::{huawei_body, issue_huawei};
use crate::trust::Identity;
use serde_json::{Value, json};

const DEFAULT_S: i64 = 3600;
const MOST_S: i64 = 43_200;

/// Who an identity token is of, for a provider by its id.
pub(crate) fn subject(
    state: &State,
    call: &mut Call<'_>,
    provider: &str,
    text: &str,
) -> Result<Identity, Answer> {
    let known = state.trust.huawei_providers.get(provider);
    let known = known.ok_or_else(|| not_found(state, "the identity provider"))?;
    let claims =
        id_token::check(text, known, call.now).map_err(|fault| id_token_refused(state, fault))?;
    call.principal = Some(format!("subject:{}", claims.subject));
    Ok(Identity {
        name: claims.subject,
        ..Identity::default()
    })
}

pub(super) fn by_id_token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let body = body(state, call)?;
    let provider = call
        .wire
        .header("x-idp-id")
        .ok_or_else(|| malformed(state, "no header X-Idp-Id"))?;
    let text = required(state, &body, "/auth/id_token/id")?;
    let identity = subject(state, call, provider, text)?;
    refuse_denied(state, Operation::IamIdToken)?;
    let scope = scope(state, &body["auth"]["scope"])?;
    Ok(give(state, call, identity, &scope, "mapped"))
}

pub(super) fn by_protocol(
    state: &mut State,
    call: &mut Call<'_>,
    provider: &str,
    protocol: &str,
) -> Result<Answer, Answer> {
    if protocol != "oidc" {
        return Err(not_found(state, "the protocol"));
    }
    let header = call.wire.header("authorization").unwrap_or_default();
    let Some(text) = header.strip_prefix("Bearer ") else {
        return Err(error(
            state,
            401,
            "IAM.0001",
            "No id token in Authorization: Bearer.",
        ));
    };
    let identity = subject(state, call, provider, text)?;
    refuse_denied(state, Operation::IamFederation)?;
    Ok(give(state, call, identity, &Scope::None, "mapped"))
}

/// `POST /v5/agencies/assume-with-oidc`. What the real STS answers to a wrong token is not on record;
/// the errors are IAM's.
pub(super) fn assume(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let body = body(state, call)?;
    let [provider_urn, agency_urn, session, text] = [
        "/provider_urn",
        "/agency_urn",
        "/agency_session_name",
        "/id_token",
    ]
    .map(|pointer| required(state, &body, pointer).map(str::to_owned));
    let (provider_urn, agency_urn, session, text) = (provider_urn?, agency_urn?, session?, text?);
    let name_fits = (2..=64).contains(&session.len())
        && session
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"=,.@_-".contains(&byte));
    if !name_fits {
        return Err(malformed(
            state,
            "agency_session_name has 2 to 64 letters, digits and =,.@_-",
        ));
    }
    if !matches!(body["policy"], Value::Null | Value::String(_)) {
        return Err(malformed(state, "policy is not a text"));
    }
    if !matches!(body["policy_ids"], Value::Null | Value::Array(_)) {
        return Err(malformed(state, "policy_ids is not a list"));
    }
    let seconds = duration(state, &body["duration_seconds"], DEFAULT_S, MOST_S)?;

    let provider = state
        .trust
        .huawei_providers
        .iter()
        .find(|(_, provider)| provider.urn == provider_urn)
        .map(|(id, _)| id.clone())
        .ok_or_else(|| not_found(state, "the identity provider"))?;
    let subject = subject(state, call, &provider, &text)?;
    let agency = state
        .trust
        .agencies
        .iter()
        .find(|(_, agency)| agency.urn == agency_urn)
        .map(|(name, agency)| (name.clone(), agency.clone()));
    let (name, agency) = agency.ok_or_else(|| not_found(state, "the agency"))?;
    if !agency.trusted.contains(&provider) {
        return Err(forbidden(state));
    }
    refuse_denied(state, Operation::AssumeWithOidc)?;
    let identity = Identity {
        name: name.clone(),
        project_id: agency.project_id,
    };
    let key = issue_huawei(state, call.now, identity, seconds);
    let mut answer = huawei_body(state, &key, KeyNames::Snake, KeyEnvelope::Credentials);
    answer["assumed_agency"] = json!({
        "id": format!("{name}-id:{session}"),
        "urn": format!("{}:{session}", agency.urn.replace(":agency:", ":assumed-agency:")),
    });
    answer["source_identity"] = Value::from(subject.name);
    Ok(Answer::json(200, &answer))
}
