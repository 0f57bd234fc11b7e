//! Owns `POST /v3.0/OS-CREDENTIAL/securitytokens`: temporary keys for a token or an agency. Must not be
//! known here: identity tokens, how a key is checked. What breaks first: who may ask without a
//! signature.
//! Source: Huawei Cloud IAM API Reference, "Obtaining Temporary Access Keys and Security Tokens Through
//! a Token" and "… of an Agency".

use super::tokens::agency_of;
use super::{body, duration, error, malformed, refuse_denied};
use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::gateway::{self, Caller};
use crate::options::{KeyEnvelope, KeyNames};
use crate::state::State;
use crate::temporary::{huawei_body, issue_huawei};
use crate::trust::Identity;
use serde_json::{Value, json};

const DEFAULT_S: i64 = 900;
const MOST_S: i64 = 86_400;

pub(super) fn create(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let body = body(state, call)?;
    let identity = &body["auth"]["identity"];
    let methods = &identity["methods"];
    let (holder, seconds) = if *methods == json!(["token"]) {
        let token = &identity["token"];
        let caller = match token["id"].as_str() {
            // The official client proves itself by this token alone.
            Some(text) => by_token(state, call, text)?,
            None => gateway::authenticate(state, call)?,
        };
        let project_id = caller.project_id.unwrap_or(caller.identity.project_id);
        let holder = Identity {
            name: caller.identity.name,
            project_id,
        };
        (holder, &token["duration_seconds"])
    } else if *methods == json!(["assume_role"]) {
        let caller = gateway::authenticate(state, call)?;
        let assume = &identity["assume_role"];
        let holder = agency_of(state, &caller.identity, assume)?;
        (holder, &assume["duration_seconds"])
    } else {
        return Err(malformed(state, "the methods are token and assume_role"));
    };
    refuse_denied(state, Operation::IamSecurityTokens)?;
    let seconds = duration(state, seconds, DEFAULT_S, MOST_S)?;
    let key = issue_huawei(state, call.now, holder, seconds);
    let body: Value = huawei_body(state, &key, KeyNames::Short, KeyEnvelope::Credential);
    Ok(Answer::json(201, &body))
}

fn by_token(state: &State, call: &mut Call<'_>, text: &str) -> Result<Caller, Answer> {
    let invalid = || error(state, 401, "IAM.0067", "The token is invalid.");
    let token = state.tokens.get(text).ok_or_else(invalid)?;
    if token.expires_at.is_some_and(|expiry| expiry <= call.now) {
        return Err(error(state, 401, "IAM.0066", "The token has expired."));
    }
    call.principal = Some(gateway::principal_of_token(text));
    Ok(Caller {
        project_id: token.project_id.clone(),
        identity: token.identity.clone(),
    })
}
