//! The temporary login of an instance of Alibaba Cloud Container Registry.
//!
//! Owns `ListInstanceEndpoint` and `GetAuthorizationToken`. Must not know caches. The invariant that
//! would break first: no login is asked for before the instance has named the host as its own; a name
//! that looks like one of the vendor's may be another customer's.
//!
//! Sources: Container Registry API Reference, *`ListInstanceEndpoint`* and *`GetAuthorizationToken`*.

use super::docker_config::secret;
use super::{Brought, Granted, Issued};
use crate::cloud::Credential;
use crate::cloud::management::{Ask, Management, Reply};
use crate::facts::Failure;
use crate::registry::swr_login::Login;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

const VERSION: &str = "2018-12-01";
/// For so long a host that an instance did not name is not asked about again.
const NOT_ITS_OWN: Duration = Duration::from_secs(900);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Temporary {
    #[serde(default)]
    is_success: Option<bool>,
    #[serde(default)]
    temp_username: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    authorization_token: Option<SecretString>,
    #[serde(default)]
    expire_time: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    is_success: Option<bool>,
    #[serde(default)]
    endpoints: Option<Vec<Endpoint>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    #[serde(default)]
    domains: Option<Vec<Domain>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Domain {
    #[serde(default)]
    domain: Option<String>,
}

pub(super) async fn issue(
    management: &Management,
    origin: &str,
    credential: &Credential,
    instance: &str,
    host: &str,
) -> Result<Brought, Failure> {
    let ask = |right, query| Ask {
        name: "Container Registry",
        right,
        fields: "region and acrInstanceId",
        origin,
        path: "/",
        query,
        credential,
    };
    let of_instance = [("InstanceId", instance)];
    let of_registry = [
        ("InstanceId", instance),
        ("ModuleName", "Registry"),
        ("Summary", "true"),
    ];

    let listing = ask("cr:ListInstanceEndpoint", &of_registry);
    let reply = management
        .alibaba(&listing, "ListInstanceEndpoint", VERSION)
        .await?;
    if !names(&reply, host, credential)? {
        let why = format!(
            "{host} is not an address of the instance that acrInstanceId names: set that to the image's own instance, or use a secretRef"
        );
        return Ok(Brought {
            granted: Granted::Without(why),
            life: NOT_ITS_OWN,
        });
    }

    let began = management.now();
    let token = ask("cr:GetAuthorizationToken", &of_instance);
    let reply = management
        .alibaba(&token, "GetAuthorizationToken", VERSION)
        .await?;
    let issued = read(&reply, credential)?;
    let life = reply.life(issued.expires_at, began);
    Ok(Brought {
        granted: Granted::Login(issued.into()),
        life,
    })
}

/// Whether an instance names a host as its own.
pub(super) fn names(reply: &Reply, host: &str, credential: &Credential) -> Result<bool, Failure> {
    let listed: Listed = reply.read()?;
    let Some(endpoints) = listed
        .endpoints
        .filter(|_| listed.is_success != Some(false))
    else {
        return Err(unsuccessful(reply, listed.is_success, credential));
    };
    let mut domains = endpoints
        .iter()
        .flat_map(|endpoint| endpoint.domains.iter().flatten())
        .filter_map(|domain| domain.domain.as_deref());
    Ok(domains.any(|domain| domain.trim().eq_ignore_ascii_case(host)))
}

/// The login in an answer.
pub(super) fn read(reply: &Reply, credential: &Credential) -> Result<Issued, Failure> {
    let token: Temporary = reply.read()?;
    if token.is_success == Some(false) {
        return Err(unsuccessful(reply, token.is_success, credential));
    }
    let username = token
        .temp_username
        .filter(|name| !name.is_empty() && !name.contains(|c: char| c == ':' || c.is_control()));
    let Some((username, password)) = username.zip(token.authorization_token) else {
        return Err(reply.invalid("holds no login"));
    };
    let expires_at = token.expire_time.as_ref().and_then(instant);
    Ok(Issued::new(Login { username, password }, expires_at))
}

/// A success by its status that holds nothing.
fn unsuccessful(reply: &Reply, is_success: Option<bool>, credential: &Credential) -> Failure {
    if is_success == Some(false) {
        reply.refused(credential)
    } else {
        reply.invalid("names no endpoints")
    }
}

/// Milliseconds since 1970, as documented, as a number or as text.
fn instant(value: &Value) -> Option<Timestamp> {
    let milliseconds = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Timestamp::from_millisecond(milliseconds).ok()
}
