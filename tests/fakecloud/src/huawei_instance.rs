//! Owns what Huawei Cloud gives to whom it hosts: keys by the instance metadata service, and by the pod
//! identity endpoint. Must not be known here: IAM, how a key is checked. What breaks first: the words
//! that an official client looks for in a 401.
//! Source: the official Python SDK's metadata and pod identity providers.

use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::defaults;
use crate::id_token;
use crate::options::{KeyEnvelope, KeyNames, MetadataToken};
use crate::state::State;
use crate::temporary::{for_instance, fresh, huawei_body, issue_huawei, later};
use crate::trust::Identity;

/// Keys of an instance and of a pod last this long.
const LIFE_S: i64 = 24 * 3600;
const LONGEST_TOKEN_S: i64 = 21_600;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Token,
    SecurityKey,
    PodIdentity,
}

impl Target {
    pub(crate) fn operation(self) -> Operation {
        match self {
            Target::Token => Operation::MetadataToken,
            Target::SecurityKey => Operation::MetadataSecurityKey,
            Target::PodIdentity => Operation::PodIdentity,
        }
    }
}

fn text(status: u16, text: &str) -> Answer {
    Answer::new(status, "text/plain", text)
}

pub(crate) fn handle(state: &mut State, call: &mut Call<'_>, target: Target) -> Answer {
    if state.options.denied.contains(&target.operation()) {
        return text(403, "Forbidden");
    }
    match target {
        Target::Token => token(state, call),
        Target::SecurityKey => security_key(state, call),
        Target::PodIdentity => pod_identity(state, call),
    }
}

fn token(state: &mut State, call: &Call<'_>) -> Answer {
    match state.options.metadata_token {
        MetadataToken::Required | MetadataToken::Optional => {}
        MetadataToken::Off404 => return text(404, "Not Found"),
        MetadataToken::Off405 => return text(405, "Method Not Allowed"),
        MetadataToken::Off503 => return text(503, "Service Unavailable"),
    }
    match token_for(state, call, "x-metadata-token-ttl-seconds") {
        Some(token) => text(200, &token),
        None => text(400, "Bad Request"),
    }
}

/// A new token of a metadata service, if its life is said and not too long.
pub(crate) fn token_for(state: &mut State, call: &Call<'_>, header: &str) -> Option<String> {
    let life: i64 = call.wire.header(header)?.parse().ok()?;
    if !(1..=LONGEST_TOKEN_S).contains(&life) {
        return None;
    }
    let token = format!("fakemetadata{}", fresh(44));
    state
        .metadata_tokens
        .insert(token.clone(), later(call.now, life));
    Some(token)
}

/// Whether a token of a metadata service is good.
pub(crate) fn token_holds(state: &State, call: &Call<'_>, token: &str) -> bool {
    state
        .metadata_tokens
        .get(token)
        .is_some_and(|expiry| *expiry > call.now)
}

fn security_key(state: &mut State, call: &mut Call<'_>) -> Answer {
    let holds = match (
        call.wire.header("x-metadata-token"),
        state.options.metadata_token,
    ) {
        (Some(token), MetadataToken::Required | MetadataToken::Optional) => {
            token_holds(state, call, token)
        }
        (None, MetadataToken::Required) => false,
        _ => true,
    };
    if !holds {
        return text(401, "Unauthorized");
    }
    if !state.options.metadata_agency {
        return text(401, "Please configure Cloud Service Agency first");
    }
    let now = call.now;
    let key = for_instance(state, "huawei", now, |state| {
        let identity = agency_identity(state);
        issue_huawei(state, now, identity, LIFE_S)
    });
    call.principal = Some("instance".to_owned());
    let body = huawei_body(state, &key, KeyNames::Short, KeyEnvelope::Credential);
    Answer::json(200, &body)
}

fn agency_identity(state: &State) -> Identity {
    let agency = state.trust.agencies.get(defaults::AGENCY);
    let project_id = agency.map_or(defaults::PROJECT_ID, |agency| &agency.project_id);
    Identity {
        name: defaults::AGENCY.to_owned(),
        project_id: project_id.to_owned(),
    }
}

fn pod_identity(state: &mut State, call: &mut Call<'_>) -> Answer {
    let body: Result<serde_json::Value, _> = serde_json::from_slice(call.wire.body);
    if !body.is_ok_and(|body| body.is_object()) {
        return text(400, "The body is not a JSON object");
    }
    let Some(provider) = state
        .trust
        .huawei_providers
        .get(defaults::POD_IDENTITY_PROVIDER)
    else {
        return text(404, "Not Found");
    };
    // The whole value is the token: no scheme goes before it.
    let token = call.wire.header("authorization").unwrap_or_default();
    let claims = match id_token::check(token, provider, call.now) {
        Ok(claims) => claims,
        Err(id_token::Fault::Subject) => return text(403, "Forbidden"),
        Err(fault) => return text(401, &format!("Unauthorized: {fault:?}")),
    };
    call.principal = Some(format!("subject:{}", claims.subject));
    let identity = agency_identity(state);
    let key = issue_huawei(state, call.now, identity, LIFE_S);
    let body = huawei_body(state, &key, KeyNames::Short, KeyEnvelope::Credential);
    Answer::json(200, &body)
}
