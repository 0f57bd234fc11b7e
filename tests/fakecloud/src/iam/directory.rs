//! Owns what Huawei Cloud tells a caller about itself: projects, domains, and who it is. Must not be
//! known here: tokens and keys. What breaks first: a member that an official client comes to read.

use super::refuse_denied;
use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::defaults;
use crate::gateway;
use crate::state::State;
use serde_json::{Value, json};

fn links() -> Value {
    json!({"next": null, "previous": null})
}

pub(super) fn projects(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    gateway::authenticate(state, call)?;
    refuse_denied(state, Operation::IamProjects)?;
    let wanted = call.parameter("name");
    let projects: Vec<Value> = state
        .projects
        .iter()
        .filter(|(_, name)| wanted.as_ref().is_none_or(|wanted| wanted == *name))
        .map(|(id, name)| {
            json!({
                "description": "",
                "domain_id": defaults::IAM_DOMAIN_ID,
                "enabled": true,
                "id": id,
                "is_domain": false,
                "name": name,
                "parent_id": defaults::IAM_DOMAIN_ID,
            })
        })
        .collect();
    Ok(Answer::json(
        200,
        &json!({"links": links(), "projects": projects}),
    ))
}

pub(super) fn domains(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    gateway::authenticate(state, call)?;
    refuse_denied(state, Operation::IamDomains)?;
    let domain = json!({
        "description": "",
        "enabled": true,
        "id": defaults::IAM_DOMAIN_ID,
        "name": defaults::IAM_DOMAIN,
    });
    let domains = if state.options.domains_listed {
        vec![domain]
    } else {
        Vec::new()
    };
    Ok(Answer::json(
        200,
        &json!({"domains": domains, "links": links()}),
    ))
}

pub(super) fn caller_identity(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let caller = gateway::authenticate(state, call)?;
    refuse_denied(state, Operation::CallerIdentity)?;
    let name = caller.identity.name;
    let domain = defaults::IAM_DOMAIN_ID;
    Ok(Answer::json(
        200,
        &json!({
            "account_id": domain,
            "principal_id": format!("{name}-id"),
            "principal_urn": format!("iam::{domain}:user:{name}"),
        }),
    ))
}
