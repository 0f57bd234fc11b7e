//! Owns `POST /v3/auth/tokens`: tokens by password, by access key and by agency, and what a token is
//! scoped to. Must not be known here: identity tokens, temporary keys. What breaks first: the method
//! `hw_ak_sk`, known from public code only.
//! Source: Huawei Cloud IAM API Reference, "Obtaining a User Token", "Obtaining an Agency Token".

use super::{body, error, forbidden, malformed, not_found, refuse_denied, required};
use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::defaults;
use crate::gateway;
use crate::state::{State, Token};
use crate::temporary::{later, six_decimals};
use crate::trust::Identity;
use serde_json::{Value, json};

/// What a token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Project { id: String, name: String },
    Domain,
    None,
}

pub(super) fn create(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let body = body(state, call)?;
    let identity = &body["auth"]["identity"];
    let methods: Vec<&str> = identity["methods"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let [method] = methods.as_slice() else {
        return Err(malformed(state, "exactly one method is taken here"));
    };
    let holder = match *method {
        "password" => by_password(state, identity)?,
        "hw_ak_sk" => by_key(state, call, identity)?,
        "assume_role" => {
            let caller = gateway::authenticate(state, call)?;
            agency_of(state, &caller.identity, &identity["assume_role"])?
        }
        _ => {
            return Err(malformed(
                state,
                "the methods are password, hw_ak_sk and assume_role",
            ));
        }
    };
    if call.principal.is_none() {
        call.principal = Some(format!("user:{}", holder.name));
    }
    refuse_denied(state, Operation::IamToken)?;
    let scope = scope(state, &body["auth"]["scope"])?;
    Ok(give(state, call, holder, &scope, method))
}

fn by_password(state: &State, identity: &Value) -> Result<Identity, Answer> {
    let name = required(state, identity, "/password/user/name")?;
    let domain = required(state, identity, "/password/user/domain/name")?;
    let known = state.trust.users.get(name);
    let password = identity.pointer("/password/user/password");
    if domain != defaults::IAM_DOMAIN
        || known.is_none()
        || known.map(String::as_str) != password.and_then(Value::as_str)
    {
        return Err(error(
            state,
            401,
            "IAM.0062",
            "The username or password is wrong.",
        ));
    }
    Ok(Identity {
        name: name.to_owned(),
        ..Identity::default()
    })
}

fn by_key(state: &State, call: &mut Call<'_>, identity: &Value) -> Result<Identity, Answer> {
    let key = required(state, identity, "/hw_ak_sk/access/key")?;
    let secret = required(state, identity, "/hw_ak_sk/secret/key")?;
    let token = identity
        .pointer("/hw_ak_sk/security_token/key")
        .and_then(Value::as_str);
    let known = state
        .huawei_secret(key)
        .is_some_and(|known| known.secret == secret && known.security_token.as_deref() == token);
    if !known {
        return Err(error(
            state,
            401,
            "IAM.0001",
            "The access key, its secret or its security token is wrong.",
        ));
    }
    if state.key_expired(key, call.now) {
        return Err(error(
            state,
            401,
            "IAM.0066",
            "The security token has expired.",
        ));
    }
    call.principal = Some(format!("ak:{key}"));
    Ok(state.key_identity(key))
}

/// The agency that a caller wants to act in the name of, and may.
pub(super) fn agency_of(
    state: &State,
    caller: &Identity,
    assume: &Value,
) -> Result<Identity, Answer> {
    let name = assume["agency_name"]
        .as_str()
        .or(assume["xrole_name"].as_str())
        .ok_or_else(|| malformed(state, "no agency_name"))?;
    let own = match (assume["domain_id"].as_str(), assume["domain_name"].as_str()) {
        (Some(id), _) => id == defaults::IAM_DOMAIN_ID,
        (None, Some(name)) => name == defaults::IAM_DOMAIN,
        (None, None) => return Err(malformed(state, "no domain_id or domain_name")),
    };
    let agency = state.trust.agencies.get(name).filter(|_| own);
    let agency = agency.ok_or_else(|| not_found(state, "the agency"))?;
    if !agency.trusted.contains(&caller.name) {
        return Err(forbidden(state));
    }
    Ok(Identity {
        name: name.to_owned(),
        project_id: agency.project_id.clone(),
    })
}

/// A project wins over a domain if both are there.
pub(super) fn scope(state: &State, scope: &Value) -> Result<Scope, Answer> {
    if let Some(wanted) = scope.get("project") {
        let found = state.projects.iter().find(|(id, name)| {
            wanted["id"].as_str() == Some(id.as_str())
                || wanted["name"].as_str() == Some(name.as_str())
        });
        let (id, name) = found.ok_or_else(|| not_found(state, "the project of the scope"))?;
        return Ok(Scope::Project {
            id: id.clone(),
            name: name.clone(),
        });
    }
    if let Some(wanted) = scope.get("domain") {
        let own = wanted["id"] == defaults::IAM_DOMAIN_ID || wanted["name"] == defaults::IAM_DOMAIN;
        return if own {
            Ok(Scope::Domain)
        } else {
            Err(not_found(state, "the domain of the scope"))
        };
    }
    Ok(Scope::None)
}

/// Gives a token.
pub(super) fn give(
    state: &mut State,
    call: &Call<'_>,
    identity: Identity,
    scope: &Scope,
    method: &str,
) -> Answer {
    let expires_at = later(call.now, state.options.token_ttl_s);
    let domain = json!({"id": defaults::IAM_DOMAIN_ID, "name": defaults::IAM_DOMAIN});
    let mut token = json!({
        "catalog": [],
        "expires_at": six_decimals(expires_at),
        "issued_at": six_decimals(call.now),
        "methods": [method],
        "roles": [{"id": "0", "name": "te_admin"}],
        "user": {
            "domain": domain,
            "id": format!("{}-id", identity.name),
            "name": identity.name,
            "password_expires_at": "",
        },
    });
    match scope {
        Scope::Project { id, name } => {
            token["project"] = json!({"domain": domain, "id": id, "name": name});
        }
        Scope::Domain => token["domain"] = domain,
        Scope::None => {}
    }
    let text = format!("MIIfake{}", call.id.simple());
    let project_id = match scope {
        Scope::Project { id, .. } => Some(id.clone()),
        Scope::Domain | Scope::None => None,
    };
    state.tokens.insert(
        text.clone(),
        Token {
            project_id,
            expires_at: Some(expires_at),
            identity,
        },
    );
    Answer::json(201, &json!({ "token": token })).with("x-subject-token", text)
}
