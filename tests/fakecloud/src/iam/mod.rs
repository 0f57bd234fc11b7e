//! Owns Huawei Cloud IAM and the identity half of its STS: which routes they have and the shape of
//! their errors. Must not be known here: `ModelArts`, metadata services. What breaks first: the codes,
//! of which the vendor lists more than it explains.

mod directory;
mod federation;
mod keys;
mod tokens;

use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::id_token::Fault;
use crate::options::IamErrorShape;
use crate::state::State;
use serde_json::{Value, json};

/// What of IAM is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Token,
    Projects,
    SecurityTokens,
    IdToken,
    Federation { provider: String, protocol: String },
    Domains,
    CallerIdentity,
    AssumeWithOidc,
}

impl Target {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Target::Token => Operation::IamToken,
            Target::Projects => Operation::IamProjects,
            Target::SecurityTokens => Operation::IamSecurityTokens,
            Target::IdToken => Operation::IamIdToken,
            Target::Federation { .. } => Operation::IamFederation,
            Target::Domains => Operation::IamDomains,
            Target::CallerIdentity => Operation::CallerIdentity,
            Target::AssumeWithOidc => Operation::AssumeWithOidc,
        }
    }
}

pub(crate) fn handle(state: &mut State, call: &mut Call<'_>, target: &Target) -> Answer {
    let answer = match target {
        Target::Token => tokens::create(state, call),
        Target::Projects => directory::projects(state, call),
        Target::SecurityTokens => keys::create(state, call),
        Target::IdToken => federation::by_id_token(state, call),
        Target::Federation { provider, protocol } => {
            federation::by_protocol(state, call, provider, protocol)
        }
        Target::Domains => directory::domains(state, call),
        Target::CallerIdentity => directory::caller_identity(state, call),
        Target::AssumeWithOidc => federation::assume(state, call),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

/// An error in the shape that is switched on.
pub(crate) fn error(state: &State, status: u16, code: &str, message: &str) -> Answer {
    let title = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        _ => "Internal Server Error",
    };
    let body = match state.options.iam_errors {
        IamErrorShape::Keystone => {
            json!({"error": {"code": status, "message": message, "title": title}})
        }
        IamErrorShape::Code => json!({"error_code": code, "error_msg": message}),
    };
    Answer::json(status, &body)
}

/// A request that cannot be read.
fn malformed(state: &State, what: &str) -> Answer {
    error(state, 400, "IAM.0011", &format!("Invalid request: {what}."))
}

/// Something that is named and not there.
fn not_found(state: &State, what: &str) -> Answer {
    error(state, 404, "IAM.0004", &format!("Could not find {what}."))
}

/// A caller who may not.
fn forbidden(state: &State) -> Answer {
    error(
        state,
        403,
        "IAM.0003",
        "You are not authorized to perform the requested action.",
    )
}

fn refuse_denied(state: &State, operation: Operation) -> Result<(), Answer> {
    if state.options.denied.contains(&operation) {
        return Err(forbidden(state));
    }
    Ok(())
}

/// An identity token that was not accepted.
pub(crate) fn id_token_refused(state: &State, fault: Fault) -> Answer {
    let invalid = |what: &str| {
        let message = format!("The id token is invalid: {what}.");
        error(state, 401, "IAM.0067", &message)
    };
    match fault {
        Fault::Malformed => invalid("it is not a JSON Web Token"),
        Fault::Issuer => invalid("iss is not the identity provider's issuer"),
        Fault::Audience => invalid("aud is not the identity provider's client id"),
        Fault::NotYetValid => invalid("it is not valid yet"),
        Fault::Expired => error(state, 401, "IAM.0066", "The id token has expired."),
        Fault::Subject => forbidden(state),
    }
}

/// The JSON body of a call.
fn body(state: &State, call: &Call<'_>) -> Result<Value, Answer> {
    // The gateway takes a body without a content type; one of another type it cannot read.
    let is_json = call
        .wire
        .header("content-type")
        .is_none_or(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
    if !is_json {
        return Err(malformed(state, "the content type is not application/json"));
    }
    serde_json::from_slice(call.wire.body).map_err(|_| malformed(state, "the body is not JSON"))
}

/// A member that must be a text that is not empty.
fn required<'v>(state: &State, document: &'v Value, pointer: &str) -> Result<&'v str, Answer> {
    document
        .pointer(pointer)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| malformed(state, &format!("no {}", pointer.trim_start_matches('/'))))
}

/// A duration that is asked for, within limits.
fn duration(state: &State, value: &Value, default: i64, most: i64) -> Result<i64, Answer> {
    match value {
        Value::Null => Ok(default),
        value => value
            .as_i64()
            .filter(|seconds| (900..=most).contains(seconds))
            .ok_or_else(|| {
                let message = format!("duration_seconds must be from 900 to {most}.");
                error(state, 400, "IAM.1105", &message)
            }),
    }
}
