//! Owns Alibaba Cloud Container Registry's API, as far as it names hosts and gives temporary logins.
//! Must not be known here: how a signature is computed, faults, the registry itself. What breaks
//! first: the code for an instance that is not there, which is not on record.
//! Sources: Container Registry API Reference, "`ListInstanceEndpoint`", "`GetAuthorizationToken`".

use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::state::State;
use crate::verify::WireRequest;
use crate::{pai, registry_logins};
use serde_json::{Value, json};

const VERSION: &str = "2018-12-01";

/// The operation that a call of the root path names.
pub(crate) fn operation(wire: &WireRequest<'_>) -> Option<Operation> {
    match wire.header("x-acs-action") {
        Some("ListInstanceEndpoint") => Some(Operation::AcrListInstanceEndpoint),
        Some("GetAuthorizationToken") => Some(Operation::AcrGetAuthorizationToken),
        _ => None,
    }
}

pub(crate) fn handle(state: &mut State, call: &mut Call<'_>, operation: Operation) -> Answer {
    let action = match operation {
        Operation::AcrListInstanceEndpoint => "ListInstanceEndpoint",
        _ => "GetAuthorizationToken",
    };
    if let Err(answer) = pai::authenticate(state, call, VERSION, action) {
        return answer;
    }
    if state.options.denied.contains(&operation) {
        return pai::error(
            state,
            call,
            403,
            "NoPrivilege",
            "Access denied for this user.",
        );
    }
    let Some(instance) = call.parameter("InstanceId") else {
        let message = "InstanceId is mandatory for this action.";
        return pai::error(state, call, 400, "MissingInstanceId", message);
    };
    if instance != state.options.acr_instance {
        return unknown(state, call);
    }
    match operation {
        Operation::AcrListInstanceEndpoint => endpoints(state, call),
        _ => token(state, call, &instance),
    }
}

fn unknown(state: &State, call: &Call<'_>) -> Answer {
    let message = "The instance is not exist.";
    if state.options.acr_failures_as_success {
        let body = json!({"Code": "INSTANCE_NOT_EXIST", "IsSuccess": false, "Message": message, "RequestId": call.alibaba_request_id()});
        return Answer::json(200, &body);
    }
    pai::error(state, call, 404, "INSTANCE_NOT_EXIST", message)
}

fn endpoints(state: &State, call: &Call<'_>) -> Answer {
    let domain = |domain: &String| json!({"Domain": domain, "Type": "SYSTEM"});
    let domains: Vec<Value> = state.options.acr_domains.iter().map(domain).collect();
    let internet = json!({
        "AclEnable": false, "Domains": domains, "Enable": true, "EndpointType": "internet",
        "LinkedVpcs": [], "Status": "RUNNING",
    });
    Answer::json(
        200,
        &json!({"Code": "success", "Endpoints": [internet], "IsSuccess": true, "RequestId": call.alibaba_request_id()}),
    )
}

fn token(state: &mut State, call: &Call<'_>, instance: &str) -> Answer {
    let login = registry_logins::issue(state, call.now, instance, "cr_temp_user".to_owned());
    let body = json!({
        "AuthorizationToken": login.password,
        "Code": "success",
        "ExpireTime": login.expires_at.as_millisecond(),
        "IsSuccess": true,
        "RequestId": call.alibaba_request_id(),
        "TempUsername": login.username,
    });
    registry_logins::dated(Answer::json(200, &body), call.now)
}
