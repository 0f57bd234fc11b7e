//! Alibaba Cloud STS: temporary keys of a RAM role for an id token.
//!
//! Owns `AssumeRoleWithOIDC`. Must not know PAI. The invariant that would break first: the token is
//! in the body. The vendor's Python client puts it into the URL, where logs keep it.
//!
//! Sources: Alibaba Cloud STS, *`AssumeRoleWithOIDC`*; the Python package `alibabacloud_credentials`.

use super::exchange::{Call, Exchanger, nowhere};
use super::keys::{self, Cloud};
use super::refused::Service;
use super::{ALIBABA_AUDIENCE, Identity, Issued, Source};
use crate::cloud::modelarts::encoded;
use crate::cloud::transport::Method;
use crate::facts::Failure;
use secrecy::ExposeSecret;

pub(super) async fn exchange(
    exchanger: &Exchanger,
    identity: &Identity,
) -> Result<Issued, Failure> {
    let Source::AlibabaOidc {
        role_arn,
        oidc_provider_arn,
        session_name,
        duration_s,
        token,
    } = identity.source()
    else {
        return Err(nowhere("this proof is not for Alibaba Cloud's STS".into()));
    };
    let origin = exchanger.endpoints.alibaba_sts(identity.region());
    let id_token = token.token(ALIBABA_AUDIENCE).await?;
    let now = exchanger.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let form = [
        ("Action", "AssumeRoleWithOIDC"),
        ("Format", "JSON"),
        ("Version", "2015-04-01"),
        ("Timestamp", &now),
        ("RoleArn", role_arn),
        ("OIDCProviderArn", oidc_provider_arn),
        ("OIDCToken", id_token.expose_secret()),
        ("RoleSessionName", session_name),
        ("DurationSeconds", &duration_s.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut call = Call::new(Method::Post, &origin, "/")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Accept", "application/json");
    call.body = encoded(&form).into();
    let answer = exchanger.send(&call).await?;
    if !(200..300).contains(&answer.status) {
        return Err(call.refused(Service::AlibabaSts, identity.source(), &answer));
    }
    keys::read(Cloud::Alibaba, &origin, &answer, exchanger.now())
}
