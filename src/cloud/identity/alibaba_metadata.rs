//! Alibaba Cloud ECS metadata: temporary keys of the node's RAM role.
//!
//! Owns the hardened mode. Must not know who uses the keys. The invariant that would break first: a
//! role's name is one path segment, whoever gave it.
//!
//! Sources: Alibaba Cloud ECS, *Instance metadata*; the Python package `alibabacloud_credentials`.

use super::exchange::{Call, Exchanger};
use super::huawei_metadata::token_text;
use super::keys::{self, Cloud};
use super::refused::Service;
use super::source::check_role;
use super::{Issued, Source};
use crate::cloud::transport::{Answer, Method};
use crate::facts::{Failure, FailureKind};
use secrecy::SecretString;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);
const TOKEN_LIFE_S: &str = "21600";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";

pub(super) async fn exchange(
    exchanger: &Exchanger,
    source: &Source,
    role: Option<&str>,
) -> Result<Issued, Failure> {
    let token = match token(exchanger, source).await {
        Ok(token) => Some(token),
        Err(failure) if exchanger.endpoints.alibaba_metadata_hardened => return Err(failure),
        Err(_) => None,
    };
    let role = match role {
        Some(role) => role.to_owned(),
        None => own_role(&ask(exchanger, source, ROLES, token.as_ref()).await?)?,
    };
    let answer = ask(exchanger, source, &format!("{ROLES}{role}"), token.as_ref()).await?;
    let origin = exchanger.endpoints.alibaba_metadata();
    keys::read(Cloud::Alibaba, origin, &answer, exchanger.now())
}

async fn token(exchanger: &Exchanger, source: &Source) -> Result<SecretString, Failure> {
    let origin = exchanger.endpoints.alibaba_metadata();
    let call = Call::new(Method::Put, origin, "/latest/api/token")
        .header("X-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_LIFE_S);
    let answer = exchanger.send_near(&call, PATIENCE).await?;
    if answer.status == 200 {
        token_text(&answer)
    } else {
        Err(call.refused(Service::AlibabaMetadata, source, &answer))
    }
}

async fn ask(
    exchanger: &Exchanger,
    source: &Source,
    path: &str,
    token: Option<&SecretString>,
) -> Result<Answer, Failure> {
    let mut call = Call::new(Method::Get, exchanger.endpoints.alibaba_metadata(), path);
    if let Some(token) = token {
        call = call.header("X-aliyun-ecs-metadata-token", token.clone());
    }
    let answer = exchanger.send_near(&call, PATIENCE).await?;
    if answer.status == 200 {
        Ok(answer)
    } else {
        Err(call.refused(Service::AlibabaMetadata, source, &answer))
    }
}

/// The role's name, which is the whole body; the first line, if there are several.
pub(super) fn own_role(answer: &Answer) -> Result<String, Failure> {
    let text = std::str::from_utf8(&answer.body).unwrap_or_default();
    let role = text.lines().next().unwrap_or_default().trim();
    check_role(role).map(|()| role.to_owned()).map_err(|_| {
        let message = "the metadata service names no role: the node has none";
        Failure::new(FailureKind::AuthenticationFailed, message)
    })
}
