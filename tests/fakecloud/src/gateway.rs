//! Owns Huawei Cloud's API gateway: who the caller is, and the gateway's own errors.
//! Must not be known here: what the APIs behind the gateway answer.

use crate::answer::{Answer, Call};
use crate::options::Options;
use crate::state::State;
use crate::trust::Identity;
use crate::verify::huawei;
use serde_json::json;

const PREFIX: &str = "Incorrect IAM authentication information: ";

/// A caller the gateway let through.
pub(crate) struct Caller {
    /// The project of the credentials; none for a token that is not of a project.
    pub(crate) project_id: Option<String>,
    pub(crate) identity: Identity,
}

/// An error in the gateway's shape.
pub(crate) fn error(call: &Call<'_>, status: u16, code: &str, message: &str) -> Answer {
    let body =
        json!({"error_msg": message, "error_code": code, "request_id": call.huawei_request_id()});
    Answer::json(status, &body)
}

/// The gateway's answer where no API is.
pub(crate) fn no_such_api(call: &Call<'_>) -> Answer {
    error(
        call,
        404,
        "APIGW.0101",
        "The API does not exist or has not been published in the environment",
    )
}

/// How the log names the holder of a token.
pub(crate) fn principal_of_token(text: &str) -> String {
    let shown: String = text.chars().take(12).collect();
    format!("token:{shown}")
}

/// Checks the token or, without one, the signature.
pub(crate) fn authenticate(state: &mut State, call: &mut Call<'_>) -> Result<Caller, Answer> {
    let refuse = |call: &Call<'_>, reason: &str| {
        error(call, 401, "APIGW.0301", &format!("{PREFIX}{reason}"))
    };

    if let Some(text) = call.wire.header("x-auth-token") {
        let Some(token) = state.tokens.get(text) else {
            return Err(refuse(call, "decrypt token fail"));
        };
        if token.expires_at.is_some_and(|expiry| expiry <= call.now) {
            return Err(error(call, 401, "APIGW.0307", "The token must be updated."));
        }
        call.principal = Some(principal_of_token(text));
        return Ok(Caller {
            project_id: token.project_id.clone(),
            identity: token.identity.clone(),
        });
    }

    let verdict = huawei::verify(call.wire, call.now, |key| state.huawei_secret(key));
    let key = match &verdict {
        Ok(accepted) => Some(accepted.access_key.as_str()),
        Err(refusal) => refusal.failed_key(),
    };
    if key.is_some_and(|key| state.is_locked(key, call.now)) {
        return Err(refuse(
            call,
            "AK access failed to reach the limit,forbidden",
        ));
    }
    match verdict {
        Ok(accepted) => {
            state.key_succeeded(&accepted.access_key);
            // The vendor's words for an ended security token are not on record.
            if state.key_expired(&accepted.access_key, call.now) {
                return Err(refuse(call, "verify security token fail, token expired"));
            }
            if !in_scope(&state.options, accepted.scope.as_ref()) {
                return Err(refuse(
                    call,
                    "verify aksk signature fail, wrong region or service in Credential",
                ));
            }
            call.principal = Some(format!("ak:{}", accepted.access_key));
            let account = state.huawei.get(&accepted.access_key);
            Ok(Caller {
                project_id: account.map(|account| account.project_id.clone()),
                identity: state.key_identity(&accepted.access_key),
            })
        }
        Err(refusal) => {
            if let Some(key) = refusal.failed_key() {
                state.key_failed(key, call.now);
            }
            Err(refuse(call, &refusal.to_string()))
        }
    }
}

/// Whether a derived key was derived for the region and the service that are asked for.
fn in_scope(options: &Options, scope: Option<&huawei::Scope>) -> bool {
    let fits = |wanted: &Option<String>, named: &str| {
        wanted.as_deref().is_none_or(|wanted| wanted == named)
    };
    scope.is_none_or(|scope| {
        fits(&options.v11_region, &scope.region) && fits(&options.v11_service, &scope.service)
    })
}
