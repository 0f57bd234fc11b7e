//! Huawei Cloud STS: temporary keys of an agency for an id token.
//!
//! Owns `AssumeAgencyWithOIDC`. Must not know IAM's older way. The invariant that would break first:
//! the call is not signed; the token in its body is all the proof there is.
//!
//! Source: the STS accessor of the Python package `huaweicloudsdkcore`.

use super::exchange::{Call, Exchanger, nowhere};
use super::keys::{self, Cloud};
use super::refused::Service;
use super::{HUAWEI_AUDIENCE, Identity, Issued, Source};
use crate::cloud::transport::Method;
use crate::facts::Failure;
use secrecy::ExposeSecret;
use serde_json::json;

pub(super) async fn exchange(
    exchanger: &Exchanger,
    identity: &Identity,
) -> Result<Issued, Failure> {
    let Source::HuaweiStsOidc {
        provider_urn,
        agency_urn,
        session_name,
        duration_s,
        token,
    } = identity.source()
    else {
        return Err(nowhere("this proof is not for Huawei Cloud's STS".into()));
    };
    let origin = exchanger
        .endpoints
        .huawei_sts(identity.region())
        .map_err(nowhere)?;
    let id_token = token.token(HUAWEI_AUDIENCE).await?;
    let body = json!({
        "provider_urn": provider_urn,
        "agency_urn": agency_urn,
        "agency_session_name": session_name,
        "id_token": id_token.expose_secret(),
        "duration_seconds": duration_s,
    });
    let call = Call::new(Method::Post, &origin, "/v5/agencies/assume-with-oidc").json(&body);
    let answer = exchanger.send(&call).await?;
    if !(200..300).contains(&answer.status) {
        return Err(call.refused(Service::HuaweiSts, identity.source(), &answer));
    }
    keys::read(Cloud::Huawei, &origin, &answer, exchanger.now())
}
