//! Owns SWR's management API, as far as it gives temporary logins. Must not be known here: signatures,
//! faults, the registry itself. What breaks first: the errors, whose shape is SWR's own.
//! Source: SWR API Reference, "Generating a Temporary Login Command".

use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::state::State;
use crate::temporary::{fresh, six_decimals};
use crate::{defaults, gateway, registry_logins};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// An error in SWR's shape.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Answer {
    let one = json!({"errorCode": code, "errorMessage": message});
    Answer::json(status, &json!({ "errors": [one] }))
}

pub(crate) fn create_secret(state: &mut State, call: &mut Call<'_>) -> Answer {
    let caller = match gateway::authenticate(state, call) {
        Ok(caller) => caller,
        Err(answer) => return answer,
    };
    if caller.project_id.is_none() {
        return error(401, "SVCSTG.SWR.4010000", "Authentication failed.");
    }
    if state.options.denied.contains(&Operation::SwrCreateSecret) {
        return error(403, "SVCSTG.SWR.4039002", "No permission.");
    }
    let project = call.parameter("projectname");
    let project = project.unwrap_or_else(|| defaults::REGION.to_owned());
    let host = state.options.swr_host.clone();
    let username = format!("{project}@{}", fresh(20).to_uppercase());
    let login = registry_logins::issue(state, call.now, &host, username);
    let pair = format!("{}:{}", login.username, login.password);
    let body = json!({"auths": {host.as_str(): {"auth": STANDARD.encode(pair)}}});
    let command = format!(
        "docker login -u {} -p {} {host}",
        login.username, login.password
    );
    let answer = Answer::json(200, &body).with("x-swr-dockerlogin", command);
    let answer = registry_logins::dated(answer, call.now);
    if state.options.swr_expireat {
        answer.with("x-swr-expireat", six_decimals(login.expires_at))
    } else {
        answer
    }
}
