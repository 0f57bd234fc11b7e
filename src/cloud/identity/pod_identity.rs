//! Huawei Cloud pod identity: temporary keys from the node's agent for a projected token.
//!
//! Owns that call. Must not know what the token says. The invariant that would break first: the
//! file is read for every exchange, and its text goes to the operator's address alone.
//!
//! Source: the pod identity accessor of the Python package `huaweicloudsdkcore`.

use super::endpoints::NearUri;
use super::exchange::{Call, Exchanger};
use super::keys::{self, Cloud};
use super::refused::Service;
use super::token::read_token;
use super::{Issued, Source};
use crate::cloud::transport::Method;
use crate::facts::Failure;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn exchange(
    exchanger: &Exchanger,
    source: &Source,
    uri: &NearUri,
    token_file: &Path,
) -> Result<Issued, Failure> {
    let token = read_token(token_file).await?;
    let mut call = Call::new(Method::Post, &uri.origin, &uri.path)
        .header("Authorization", token)
        .json(&json!({}));
    call.query = &uri.query;
    let answer = exchanger.send_near(&call, PATIENCE).await?;
    if !(200..300).contains(&answer.status) {
        return Err(call.refused(Service::PodIdentity, source, &answer));
    }
    keys::read(Cloud::Huawei, &uri.origin, &answer, exchanger.now())
}
