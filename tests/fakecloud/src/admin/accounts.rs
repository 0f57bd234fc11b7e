//! Owns the admin routes of keys, tokens, projects, and whom the identity services trust. Must not be
//! known here: how any of these is checked. What breaks first: ids with slashes.

use super::{body, done, found, problem, shown};
use crate::answer::Answer;
use crate::id_token::IdToken;
use crate::state::{AlibabaAccount, HuaweiAccount, State};
use crate::verify::WireRequest;
use serde_json::{Value, json};

pub(super) fn answer(
    state: &mut State,
    wire: &WireRequest<'_>,
    segments: &[&str],
) -> Result<Answer, Answer> {
    match segments {
        ["accounts", "huawei", key, rest @ ..] => huawei(state, wire, key, rest),
        ["accounts", "alibaba", key, rest @ ..] => alibaba(state, wire, key, rest),
        ["tokens", token, rest @ ..] => tokens(state, wire, token, rest),
        ["projects", id] => projects(state, wire, id),
        ["id-tokens"] if wire.method == "POST" => id_token(state, wire),
        ["users" | "agencies" | "roles" | "providers", ..] => trust(state, wire, segments),
        _ => Err(problem(404, "no such admin route")),
    }
}

fn no_such_route() -> Result<Answer, Answer> {
    Err(problem(404, "no such admin route"))
}

fn text_of<'v>(document: &'v Value, member: &str) -> Result<&'v str, Answer> {
    document[member]
        .as_str()
        .ok_or_else(|| problem(400, format!("no {member}")))
}

fn huawei(
    state: &mut State,
    wire: &WireRequest<'_>,
    key: &str,
    rest: &[&str],
) -> Result<Answer, Answer> {
    match (wire.method, rest) {
        ("PUT", []) => {
            let account: HuaweiAccount = body(wire)?;
            state.put_huawei(key, account);
            Ok(done())
        }
        ("DELETE", []) => Ok(found(state.remove_huawei(key))),
        ("POST", ["rotate"]) => match state.rotate_huawei(key) {
            Some(new) => shown(new),
            None => Ok(found(false)),
        },
        ("POST", ["expire"]) => Ok(found(
            state.huawei.contains_key(key) && state.expire_key(key),
        )),
        _ => no_such_route(),
    }
}

fn alibaba(
    state: &mut State,
    wire: &WireRequest<'_>,
    key: &str,
    rest: &[&str],
) -> Result<Answer, Answer> {
    match (wire.method, rest) {
        ("PUT", []) => {
            let account: AlibabaAccount = body(wire)?;
            state.put_alibaba(key, account);
            Ok(done())
        }
        ("DELETE", []) => Ok(found(state.remove_alibaba(key))),
        ("POST", ["rotate"]) => match state.rotate_alibaba(key) {
            Some(new) => shown(new),
            None => Ok(found(false)),
        },
        ("POST", ["expire"]) => Ok(found(
            state.alibaba.contains_key(key) && state.expire_key(key),
        )),
        _ => no_such_route(),
    }
}

fn tokens(
    state: &mut State,
    wire: &WireRequest<'_>,
    token: &str,
    rest: &[&str],
) -> Result<Answer, Answer> {
    match (wire.method, rest) {
        ("PUT", []) => {
            let document: Value = body(wire)?;
            state.add_token(token, document["project_id"].as_str().map(str::to_owned));
            Ok(done())
        }
        ("DELETE", []) => Ok(found(state.tokens.remove(token).is_some())),
        ("POST", ["expire"]) => Ok(found(state.expire_token(token))),
        _ => no_such_route(),
    }
}

fn projects(state: &mut State, wire: &WireRequest<'_>, id: &str) -> Result<Answer, Answer> {
    match wire.method {
        "PUT" => {
            let document: Value = body(wire)?;
            let name = text_of(&document, "name")?;
            state.projects.insert(id.to_owned(), name.to_owned());
            Ok(done())
        }
        "DELETE" => Ok(found(state.projects.remove(id).is_some())),
        _ => no_such_route(),
    }
}

/// Ids that are ARNs hold a slash, so the rest of the path is the id.
fn trust(state: &mut State, wire: &WireRequest<'_>, segments: &[&str]) -> Result<Answer, Answer> {
    let trust = &mut state.trust;
    match (wire.method, segments) {
        ("PUT", ["users", name]) => {
            let document: Value = body(wire)?;
            let password = text_of(&document, "password")?;
            trust.users.insert((*name).to_owned(), password.to_owned());
        }
        ("DELETE", ["users", name]) => return Ok(found(trust.users.remove(*name).is_some())),
        ("PUT", ["agencies", name]) => {
            trust.agencies.insert((*name).to_owned(), body(wire)?);
        }
        ("DELETE", ["agencies", name]) => {
            return Ok(found(trust.agencies.remove(*name).is_some()));
        }
        ("PUT", ["roles", arn @ ..]) => {
            trust.roles.insert(arn.join("/"), body(wire)?);
        }
        ("DELETE", ["roles", arn @ ..]) => {
            return Ok(found(trust.roles.remove(&arn.join("/")).is_some()));
        }
        ("PUT", ["providers", "huawei", id]) => {
            trust.huawei_providers.insert((*id).to_owned(), body(wire)?);
        }
        ("DELETE", ["providers", "huawei", id]) => {
            return Ok(found(trust.huawei_providers.remove(*id).is_some()));
        }
        ("PUT", ["providers", "alibaba", arn @ ..]) => {
            trust.alibaba_providers.insert(arn.join("/"), body(wire)?);
        }
        ("DELETE", ["providers", "alibaba", arn @ ..]) => {
            return Ok(found(
                trust.alibaba_providers.remove(&arn.join("/")).is_some(),
            ));
        }
        _ => return no_such_route(),
    }
    Ok(done())
}

/// An identity token to the wish of a shell: what is not said gets its default.
fn id_token(state: &State, wire: &WireRequest<'_>) -> Result<Answer, Answer> {
    let document: Value = body(wire)?;
    let mut token = IdToken::new(text_of(&document, "audience")?, state.now());
    if let Some(issuer) = document["issuer"].as_str() {
        issuer.clone_into(&mut token.issuer);
    }
    if let Some(subject) = document["subject"].as_str() {
        subject.clone_into(&mut token.subject);
    }
    if let Some(life_s) = document["life_s"].as_i64() {
        token.life_s = life_s;
    }
    Ok(Answer::json(200, &json!({"token": token.text()})))
}
