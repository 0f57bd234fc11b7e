//! Alibaba Cloud credentials URI: keys from an agent of the operator's.
//!
//! Owns that call. Must not know where the agent has them from. The invariant that would break
//! first: the address is the operator's, never a tenant's.
//!
//! Source: the Python package `alibabacloud_credentials`.

use super::endpoints::NearUri;
use super::exchange::{Call, Exchanger};
use super::keys::{self, Cloud};
use super::refused::Service;
use super::{Issued, Source};
use crate::cloud::transport::Method;
use crate::facts::Failure;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn exchange(
    exchanger: &Exchanger,
    source: &Source,
    uri: &NearUri,
) -> Result<Issued, Failure> {
    let mut call = Call::new(Method::Get, &uri.origin, &uri.path);
    call.query = &uri.query;
    let answer = exchanger.send_near(&call, PATIENCE).await?;
    if answer.status != 200 {
        return Err(call.refused(Service::CredentialsUri, source, &answer));
    }
    keys::read(Cloud::Alibaba, &uri.origin, &answer, exchanger.now())
}
