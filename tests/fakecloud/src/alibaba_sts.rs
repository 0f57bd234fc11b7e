//! Owns Alibaba Cloud STS: temporary keys for an identity token, `AssumeRoleWithOIDC`. Must not be
//! known here: signatures (the call has none), how a token's claims are read. What breaks first: the
//! statuses, most of which are not on record.
//! Source: Alibaba Cloud STS API Reference, "`AssumeRoleWithOIDC`"; the official Python credentials
//! client.

use crate::answer::{Answer, Call, parameters};
use crate::calls::Operation;
use crate::id_token::{self, Claims, Fault};
use crate::pai::error;
use crate::state::State;
use crate::temporary::{TemporaryKey, alibaba_body, issue_alibaba};
use crate::verify::{CLOCK_WINDOW_S, WireRequest, strict_instant};
use serde_json::{Value, json};

const ACTION: &str = "AssumeRoleWithOIDC";
const VERSION: &str = "2015-04-01";
const DEFAULT_S: i64 = 3600;
const MOST_S: i64 = 43_200;

/// The parameters of a call, those of the form before those of the URL.
struct Form {
    body: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

impl Form {
    fn of(wire: &WireRequest<'_>) -> Self {
        let is_form = wire.header("content-type").is_some_and(|kind| {
            kind.to_ascii_lowercase()
                .starts_with("application/x-www-form-urlencoded")
        });
        let body = if is_form {
            parameters(&String::from_utf8_lossy(wire.body))
        } else {
            Vec::new()
        };
        Form {
            body,
            query: parameters(wire.query),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .body
            .iter()
            .chain(&self.query)
            .find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn in_query(&self, name: &str) -> bool {
        self.query.iter().any(|(key, _)| key == name)
    }
}

/// The action that a call in the RPC style names: of a root path, in a query or a form.
pub(crate) fn action(wire: &WireRequest<'_>) -> Option<String> {
    if !["", "/"].contains(&wire.path) || !["GET", "POST"].contains(&wire.method) {
        return None;
    }
    Form::of(wire).get("Action").map(str::to_owned)
}

/// The operation of an action; none if STS has no such one here.
pub(crate) fn operation(action: &str) -> Option<Operation> {
    (action == ACTION).then_some(Operation::AssumeRoleWithOidc)
}

pub(crate) fn handle(state: &mut State, call: &mut Call<'_>) -> Answer {
    assume(state, call).unwrap_or_else(|refusal| refusal)
}

/// The answer where no action is.
pub(crate) fn no_such_action(state: &State, call: &Call<'_>) -> Answer {
    error(
        state,
        call,
        404,
        "InvalidAction.NotFound",
        "Specified api is not found, please check your url and method.",
    )
}

fn assume(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let form = Form::of(call.wire);
    let invalid = |name: &str, message: &str| {
        error(
            state,
            call,
            400,
            &format!("InvalidParameter.{name}"),
            message,
        )
    };
    let required = |name: &str| {
        form.get(name).ok_or_else(|| {
            let message = format!("{name} is mandatory for this action.");
            error(state, call, 400, &format!("Missing{name}"), &message)
        })
    };
    if required("Version")? != VERSION {
        let message = "Specified parameter Version is not valid.";
        return Err(error(state, call, 400, "InvalidVersion", message));
    }
    if form.get("Format") != Some("JSON") {
        return Err(invalid(
            "Format",
            "The fake cloud's STS speaks JSON only; the real one answers XML without Format=JSON.",
        ));
    }
    if form.in_query("OIDCToken") && !state.options.sts_token_in_query {
        return Err(invalid(
            "OIDCToken",
            "The fake cloud takes OIDCToken in the body only: in a URL it ends up in logs.",
        ));
    }
    let instant = strict_instant(
        required("Timestamp")?,
        "0000-00-00T00:00:00Z",
        "%Y-%m-%dT%H:%M:%SZ",
    );
    let instant = instant.ok_or_else(|| {
        let message = "Specified time stamp or date value is not well formatted.";
        error(state, call, 400, "InvalidTimeStamp.Format", message)
    })?;
    if (instant.as_second() - call.now.as_second()).abs() > CLOCK_WINDOW_S {
        let message = "Specified time stamp or date value is expired.";
        return Err(error(state, call, 400, "InvalidTimeStamp.Expired", message));
    }
    let role_arn = required("RoleArn")?;
    let provider_arn = required("OIDCProviderArn")?;
    let token = required("OIDCToken")?;
    let session = required("RoleSessionName")?;
    let name_fits = (2..=64).contains(&session.len())
        && session
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".@_-".contains(&byte));
    if !name_fits {
        return Err(invalid(
            "RoleSessionName",
            "The parameter RoleSessionName is wrongly formed.",
        ));
    }
    let seconds = match form.get("DurationSeconds") {
        None => DEFAULT_S,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (900..=MOST_S).contains(seconds))
            .ok_or_else(|| {
                invalid(
                    "DurationSeconds",
                    "The Min/Max value of DurationSeconds is 15min/12hr.",
                )
            })?,
    };
    let (account, claims) = trusted(state, call, role_arn, provider_arn, token)?;
    if state
        .options
        .denied
        .contains(&Operation::AssumeRoleWithOidc)
    {
        return Err(no_permission(state, call));
    }
    let (role_arn, session) = (role_arn.to_owned(), session.to_owned());
    call.principal = Some(format!("subject:{}", claims.subject));
    let key = issue_alibaba(state, call.now, &account, seconds);
    Ok(Answer::json(
        200,
        &answer(call, &key, &claims, &role_arn, &session),
    ))
}

fn no_permission(state: &State, call: &Call<'_>) -> Answer {
    error(
        state,
        call,
        403,
        "NoPermission",
        "You are not authorized to do this action. You should be authorized by RAM.",
    )
}

/// The account of the role, and the token's claims, if all three trust each other.
fn trusted(
    state: &State,
    call: &Call<'_>,
    role_arn: &str,
    provider_arn: &str,
    token: &str,
) -> Result<(String, Claims), Answer> {
    let refuse = |status: u16, code: &str, message: &str| error(state, call, status, code, message);
    let provider = state
        .trust
        .alibaba_providers
        .get(provider_arn)
        .ok_or_else(|| {
            refuse(
                404,
                "EntityNotExist.OIDCProvider",
                "The OIDC provider does not exist.",
            )
        })?;
    let claims = id_token::check(token, provider, call.now).map_err(|fault| {
        let failure = |code: &str, message: &str| {
            refuse(
                400,
                &format!("AuthenticationFail.OIDCToken.{code}"),
                message,
            )
        };
        match fault {
            Fault::Expired => failure("Expired", "This OIDC token has expired."),
            Fault::Audience => failure(
                "AudienceNotMatch",
                "The audience of this OIDC token is not a client id of the provider.",
            ),
            Fault::Issuer | Fault::Malformed | Fault::NotYetValid => failure(
                "Invalid",
                "The parameter OIDCToken is invalid, please check it.",
            ),
            // The condition on the subject is in the role's trust policy.
            Fault::Subject => no_permission(state, call),
        }
    })?;
    let role = state.trust.roles.get(role_arn).ok_or_else(|| {
        refuse(
            404,
            "EntityNotExist.Role",
            "The specified role does not exist.",
        )
    })?;
    if !role.trusted.iter().any(|arn| arn == provider_arn) {
        return Err(no_permission(state, call));
    }
    Ok((role.account.clone(), claims))
}

fn answer(
    call: &Call<'_>,
    key: &TemporaryKey,
    claims: &Claims,
    role_arn: &str,
    session: &str,
) -> Value {
    json!({
        "AssumedRoleUser": {
            "Arn": format!("{role_arn}/{session}"),
            "AssumedRoleId": format!("300000000000000001:{session}"),
        },
        "Credentials": alibaba_body(key),
        "OIDCTokenInfo": {
            "ClientIds": claims.audiences.join(","),
            "Issuer": claims.issuer,
            "Subject": claims.subject,
        },
        "RequestId": call.alibaba_request_id(),
    })
}
