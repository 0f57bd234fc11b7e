//! Owns Huawei Cloud IAM: tokens by password and the list of projects.
//! Must not be known here: `ModelArts`, other ways to a token.

use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::defaults;
use crate::gateway;
use crate::options::IamErrorShape;
use crate::state::{State, Token};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// What of IAM is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Token,
    Projects,
}

impl Target {
    pub(crate) fn operation(self) -> Operation {
        match self {
            Target::Token => Operation::IamToken,
            Target::Projects => Operation::IamProjects,
        }
    }
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

pub(crate) fn handle(state: &mut State, call: &mut Call<'_>, target: Target) -> Answer {
    match target {
        Target::Token => token(state, call).unwrap_or_else(|refusal| refusal),
        Target::Projects => projects(state, call),
    }
}

fn token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let malformed = |state: &State, what: &str| {
        error(state, 400, "IAM.0011", &format!("Invalid request: {what}."))
    };
    let body: Value = serde_json::from_slice(call.wire.body)
        .map_err(|_| malformed(state, "the body is not JSON"))?;
    let identity = &body["auth"]["identity"];
    if identity["methods"] != json!(["password"]) {
        return Err(malformed(state, "the only method here is password"));
    }
    let user = &identity["password"]["user"];
    let name = user["name"]
        .as_str()
        .ok_or_else(|| malformed(state, "no user name"))?;
    let domain = user["domain"]["name"]
        .as_str()
        .ok_or_else(|| malformed(state, "no domain name"))?;
    let known = (domain, name) == (defaults::IAM_DOMAIN, defaults::IAM_USER);
    if !known || user["password"] != defaults::IAM_PASSWORD {
        return Err(error(
            state,
            401,
            "IAM.0062",
            "The username or password is wrong.",
        ));
    }
    call.principal = Some(format!("user:{name}"));
    if state.options.denied.contains(&Operation::IamToken) {
        return Err(error(
            state,
            403,
            "IAM.0003",
            "You are not authorized to perform the requested action.",
        ));
    }

    let domain = json!({"id": "fake-domain-id", "name": domain});
    let mut token = json!({
        "catalog": [],
        "expires_at": instant(call.now, state.options.token_ttl_s),
        "issued_at": instant(call.now, 0),
        "methods": ["password"],
        "roles": [{"id": "0", "name": "te_admin"}],
        "user": {"domain": domain, "id": "fake-user-id", "name": name, "password_expires_at": ""},
    });
    let scope = body["auth"]["scope"].get("project");
    let project_id = match scope {
        None => {
            token["domain"] = domain;
            None
        }
        Some(wanted) => {
            let found = state.projects.iter().find(|(id, name)| {
                wanted["id"].as_str() == Some(id.as_str())
                    || wanted["name"].as_str() == Some(name.as_str())
            });
            let Some((id, name)) = found else {
                return Err(error(
                    state,
                    404,
                    "IAM.0004",
                    "Could not find the project of the scope.",
                ));
            };
            token["project"] = json!({"domain": domain, "id": id, "name": name});
            Some(id.clone())
        }
    };
    let text = format!("MIIfake{}", call.id.simple());
    let expires_at = call
        .now
        .checked_add(SignedDuration::from_secs(state.options.token_ttl_s))
        .ok();
    state.tokens.insert(
        text.clone(),
        Token {
            project_id,
            expires_at,
        },
    );
    Ok(Answer::json(201, &json!({"token": token})).with("x-subject-token", text))
}

/// UTC with six decimals, so many seconds after a time.
fn instant(from: Timestamp, seconds: i64) -> String {
    let time = from
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(from);
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn projects(state: &mut State, call: &mut Call<'_>) -> Answer {
    if let Err(answer) = gateway::authenticate(state, call) {
        return answer;
    }
    if state.options.denied.contains(&Operation::IamProjects) {
        return error(
            state,
            403,
            "IAM.0003",
            "You are not authorized to perform the requested action.",
        );
    }
    let wanted = call.parameter("name");
    let projects: Vec<Value> = state
        .projects
        .iter()
        .filter(|(_, name)| wanted.as_ref().is_none_or(|wanted| wanted == *name))
        .map(|(id, name)| {
            json!({
                "description": "",
                "domain_id": "fake-domain-id",
                "enabled": true,
                "id": id,
                "is_domain": false,
                "name": name,
                "parent_id": "fake-domain-id",
            })
        })
        .collect();
    Answer::json(
        200,
        &json!({"links": {"next": null, "previous": null}, "projects": projects}),
    )
}
