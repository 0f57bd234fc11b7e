//! Owns what Alibaba Cloud gives to whom it hosts: keys by the ECS metadata service, and by a
//! credentials URI. Must not be known here: STS, how a key is checked. What breaks first: the fallback
//! of official clients from tokens to none.
//! Source: Alibaba Cloud ECS, "View instance metadata" and "RAM roles of instances"; the official
//! Python credentials client.

use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::defaults;
use crate::huawei_instance::{token_for, token_holds};
use crate::options::EcsMetadata;
use crate::state::State;
use crate::temporary::{TemporaryKey, alibaba_body, for_instance, issue_alibaba};
use serde_json::Value;

/// Keys of an instance last this long.
const LIFE_S: i64 = 6 * 3600;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Token,
    Role,
    Keys(String),
    Uri,
}

impl Target {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Target::Token => Operation::EcsMetadataToken,
            Target::Role => Operation::EcsMetadataRole,
            Target::Keys(_) => Operation::EcsMetadataKeys,
            Target::Uri => Operation::CredentialsUri,
        }
    }
}

fn page(status: u16, title: &str) -> Answer {
    let body = format!(
        "<html><head><title>{status} - {title}</title></head><body><h1>{status} - {title}</h1></body></html>"
    );
    Answer::new(status, "text/html", body)
}

pub(crate) fn handle(state: &mut State, call: &mut Call<'_>, target: &Target) -> Answer {
    if state.options.denied.contains(&target.operation()) {
        return page(403, "Forbidden");
    }
    match target {
        Target::Token => token(state, call),
        Target::Uri => keys(state, call),
        Target::Role | Target::Keys(_) => metadata(state, call, target),
    }
}

fn token(state: &mut State, call: &Call<'_>) -> Answer {
    if state.options.ecs_metadata == EcsMetadata::V1Only {
        return page(404, "Not Found");
    }
    match token_for(state, call, "x-aliyun-ecs-metadata-token-ttl-seconds") {
        Some(token) => Answer::new(200, "text/plain", token),
        None => page(400, "Bad Request"),
    }
}

fn metadata(state: &mut State, call: &mut Call<'_>, target: &Target) -> Answer {
    let holds = match (
        call.wire.header("x-aliyun-ecs-metadata-token"),
        state.options.ecs_metadata,
    ) {
        (Some(token), EcsMetadata::Hardened | EcsMetadata::V1Allowed) => {
            token_holds(state, call, token)
        }
        (None, EcsMetadata::Hardened) => false,
        _ => true,
    };
    if !holds {
        return page(403, "Forbidden");
    }
    let role = state.options.ecs_role.clone();
    match target {
        Target::Keys(wanted) if *wanted == role && !role.is_empty() => keys(state, call),
        Target::Role if !role.is_empty() => Answer::new(200, "text/plain", role),
        _ => page(404, "Not Found"),
    }
}

fn keys(state: &mut State, call: &mut Call<'_>) -> Answer {
    let now = call.now;
    let key = for_instance(state, "alibaba", now, |state| {
        issue_alibaba(state, now, defaults::ALIBABA_ACCOUNT, LIFE_S)
    });
    call.principal = Some("instance".to_owned());
    Answer::json(200, &body(&key, call))
}

fn body(key: &TemporaryKey, call: &Call<'_>) -> Value {
    let mut body = alibaba_body(key);
    body["Code"] = Value::from("Success");
    body["LastUpdated"] = Value::from(call.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    body
}
