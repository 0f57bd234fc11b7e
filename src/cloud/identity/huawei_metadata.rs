//! Huawei Cloud instance metadata: temporary keys of the node's agency.
//!
//! Owns the token mode. Must not know who uses the keys. The invariant that would break first: a
//! node without an agency is not asked twice in one exchange.
//!
//! Source: the metadata accessor of the Python package `huaweicloudsdkcore`.

use super::exchange::{Call, Exchanger};
use super::keys::{self, Cloud};
use super::refused::{self, Service};
use super::{Issued, Source};
use crate::cloud::transport::{Answer, Method};
use crate::facts::{Failure, FailureKind};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use std::sync::PoisonError;
use std::time::Duration;

/// What the service says of a node without an agency.
pub(super) const NO_AGENCY: &str = "Please configure Cloud Service Agency first";

const PATIENCE: Duration = Duration::from_secs(3);
const TOKEN_LIFE_S: &str = "21600";
/// How long a service without tokens is believed to have none.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(24);

pub(super) async fn exchange(exchanger: &Exchanger, source: &Source) -> Result<Issued, Failure> {
    let origin = exchanger.endpoints.huawei_metadata();
    let token = if exchanger.is_tokenless() {
        None
    } else {
        token(exchanger, source).await?
    };
    let (call, answer) = ask(exchanger, origin, token).await?;
    let (call, answer) = if answer.status == 401 && !refused::has_no_agency(&answer) {
        let token = token_now(exchanger, source).await?;
        ask(exchanger, origin, token).await?
    } else {
        (call, answer)
    };
    if refused::has_no_agency(&answer) {
        let message = "the metadata service has no keys: the node has no agency";
        return Err(Failure::new(FailureKind::AuthenticationFailed, message));
    }
    if answer.status != 200 {
        return Err(call.refused(Service::HuaweiMetadata, source, &answer));
    }
    keys::read(Cloud::Huawei, origin, &answer, exchanger.now())
}

impl Exchanger {
    /// Whether the service was found to have no tokens lately. A moment that is too far off comes
    /// from a clock that was set since.
    fn is_tokenless(&self) -> bool {
        let until = *self
            .tokenless_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        until.is_some_and(|until| now < until && now.duration_until(until) <= LOOK_AGAIN)
    }

    fn set_tokenless(&self, until: Option<Timestamp>) {
        *self
            .tokenless_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// A token, whatever is remembered of the mode.
async fn token_now(
    exchanger: &Exchanger,
    source: &Source,
) -> Result<Option<SecretString>, Failure> {
    exchanger.set_tokenless(None);
    token(exchanger, source).await
}

/// A token, or none where the service knows none.
async fn token(exchanger: &Exchanger, source: &Source) -> Result<Option<SecretString>, Failure> {
    let origin = exchanger.endpoints.huawei_metadata();
    let call = Call::new(Method::Put, origin, "/meta-data/latest/api/token")
        .header("X-Metadata-Token-Ttl-Seconds", TOKEN_LIFE_S);
    let answer = exchanger.send_near(&call, PATIENCE).await?;
    match answer.status {
        200 => token_text(&answer).map(Some),
        404 | 405 | 503 => {
            let until = exchanger.now().checked_add(LOOK_AGAIN).ok();
            exchanger.set_tokenless(until);
            Ok(None)
        }
        _ => Err(call.refused(Service::HuaweiMetadata, source, &answer)),
    }
}

/// A metadata service's token, which is the whole body.
pub(super) fn token_text(answer: &Answer) -> Result<SecretString, Failure> {
    let text = std::str::from_utf8(&answer.body).unwrap_or_default().trim();
    let plain =
        !text.is_empty() && text.len() <= 4096 && text.bytes().all(|b| b.is_ascii_graphic());
    plain.then(|| SecretString::from(text)).ok_or_else(|| {
        let message = "the metadata service's token is not a token";
        Failure::new(FailureKind::ResponseInvalid, message)
    })
}

async fn ask<'a>(
    exchanger: &Exchanger,
    origin: &'a str,
    token: Option<SecretString>,
) -> Result<(Call<'a>, Answer), Failure> {
    let mut call = Call::new(Method::Get, origin, "/openstack/latest/securitykey");
    if let Some(token) = token {
        call = call.header("X-Metadata-Token", token);
    }
    let answer = exchanger.send_near(&call, PATIENCE).await?;
    Ok((call, answer))
}
