//! Huawei Cloud IAM: tokens by password or id token, temporary keys by token or agency.
//!
//! Owns the bodies of these calls. Must not know STS. The invariant that would break first: a token
//! in transit is in a body or in `X-Auth-Token`, never in a URL.
//!
//! Sources: IAM API Reference, *Obtaining a User Token Through Password Authentication*, *Obtaining
//! Temporary Access Keys and Security Tokens*; the accessors of the Python package
//! `huaweicloudsdkcore`.

use super::exchange::{Call, Exchanger, nowhere};
use super::keys::{self, Cloud};
use super::refused::Service;
use super::{AgencyUser, HUAWEI_AUDIENCE, Identity, Issued, Region, Source};
use crate::cloud::Credential;
use crate::cloud::modelarts::sign;
use crate::cloud::transport::{self, Answer, Method};
use crate::facts::{Failure, FailureKind};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

const TOKENS: &str = "/v3/auth/tokens";
const ID_TOKENS: &str = "/v3.0/OS-AUTH/id-token/tokens";
const SECURITY_TOKENS: &str = "/v3.0/OS-CREDENTIAL/securitytokens";

#[derive(Deserialize)]
struct TokenAnswer {
    token: TokenBody,
}

#[derive(Deserialize)]
struct TokenBody {
    #[serde(default)]
    expires_at: Option<Value>,
}

/// Exchanges at IAM.
pub(super) async fn exchange(
    exchanger: &Exchanger,
    identity: &Identity,
) -> Result<Issued, Failure> {
    let origin = exchanger
        .endpoints
        .iam(identity.region())
        .map_err(nowhere)?;
    let iam = Iam {
        exchanger,
        origin: &origin,
        source: identity.source(),
    };
    match identity.source() {
        Source::HuaweiPassword {
            domain,
            user,
            password,
            project,
        } => {
            let scope = match project {
                Some(id) => json!({"project": {"id": id}}),
                None => json!({"project": {"name": identity.region().as_str()}}),
            };
            iam.by_password(domain, user, password, &scope).await
        }
        Source::HuaweiAgency {
            user,
            domain,
            agency,
            duration_s,
        } => {
            let acting = match user {
                AgencyUser::Keys(keys) => keys.clone(),
                AgencyUser::Password {
                    domain,
                    user,
                    password,
                } => {
                    let scope = json!({"domain": {"name": domain}});
                    iam.by_password(domain, user, password, &scope)
                        .await?
                        .credential
                }
            };
            let assume = json!({"domain_name": domain, "agency_name": agency, "duration_seconds": duration_s});
            let identity = json!({"methods": ["assume_role"], "assume_role": assume});
            iam.keys(&json!({"auth": {"identity": identity}}), Some(&acting))
                .await
        }
        Source::HuaweiIdToken {
            idp_id,
            duration_s,
            token,
        } => {
            let id_token = token.token(HUAWEI_AUDIENCE).await?;
            let body = json!({"auth": {"id_token": {"id": id_token.expose_secret()}}});
            let call = Call::new(Method::Post, &origin, ID_TOKENS)
                .header("X-Idp-Id", idp_id.as_str())
                .json(&body);
            let issued = iam.token(&call).await?;
            let Credential::HuaweiToken(token) = issued.credential else {
                return Err(no_token(&origin));
            };
            // As the vendor's SDK does: the token in the body is the proof.
            let token = json!({"id": token.expose_secret(), "duration_seconds": duration_s});
            let identity = json!({"methods": ["token"], "token": token});
            iam.keys(&json!({"auth": {"identity": identity}}), None)
                .await
        }
        _ => Err(nowhere("this proof is not for IAM".into())),
    }
}

struct Iam<'a> {
    exchanger: &'a Exchanger,
    origin: &'a str,
    source: &'a Source,
}

impl Iam<'_> {
    async fn by_password(
        &self,
        domain: &str,
        user: &str,
        password: &SecretString,
        scope: &Value,
    ) -> Result<Issued, Failure> {
        let user = json!({
            "domain": {"name": domain}, "name": user, "password": password.expose_secret(),
        });
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": scope}});
        // Without the catalogue of all services, which has hundreds of entries.
        let mut call = Call::new(Method::Post, self.origin, TOKENS).json(&body);
        call.query = "nocatalog=any";
        self.token(&call).await
    }

    /// Sends a call that brings a token.
    async fn token(&self, call: &Call<'_>) -> Result<Issued, Failure> {
        let answer = self.exchanger.send(call).await?;
        if !(200..300).contains(&answer.status) {
            return Err(call.refused(Service::Iam, self.source, &answer));
        }
        read_token(self.origin, answer, self.exchanger.now())
    }

    /// Asks for temporary keys, as somebody or with the proof in the body.
    async fn keys(&self, body: &Value, acting: Option<&Credential>) -> Result<Issued, Failure> {
        let mut call = Call::new(Method::Post, self.origin, SECURITY_TOKENS);
        match acting {
            None => call = call.json(body),
            Some(acting) => {
                let body = body.to_string();
                let (_, headers) = sign_in(self.exchanger, acting, &call, &[], &body)?;
                call.headers = headers;
                call.body = body.into();
            }
        }
        let answer = self.exchanger.send(&call).await?;
        if !(200..300).contains(&answer.status) {
            return Err(call.refused(Service::Iam, self.source, &answer));
        }
        keys::read(Cloud::Huawei, self.origin, &answer, self.exchanger.now())
    }
}

/// The token in an answer: itself in a header, its end in the body.
pub(super) fn read_token(
    origin: &str,
    mut answer: Answer,
    now: Timestamp,
) -> Result<Issued, Failure> {
    let token = answer.subject_token.take();
    let token = token.filter(|token| !token.expose_secret().trim().is_empty());
    let token = token.ok_or_else(|| no_token(origin))?;
    let body: TokenAnswer = crate::cloud::read(origin, &answer)?;
    Ok(Issued {
        credential: Credential::HuaweiToken(token),
        issued_at: answer.date.unwrap_or(now),
        expires_at: body.token.expires_at.as_ref().and_then(keys::instant),
    })
}

/// Query and headers of a call to IAM as somebody.
pub(super) fn sign_in(
    exchanger: &Exchanger,
    credential: &Credential,
    call: &Call<'_>,
    query: &[(String, String)],
    body: &str,
) -> Result<(String, Vec<(String, SecretString)>), Failure> {
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    let (credential, token) = match credential {
        Credential::HuaweiKeys {
            access_key,
            secret_key,
            security_token,
        } => {
            let keys = sign::Credential {
                access_key: access_key.clone(),
                secret_key: secret_key.clone(),
                security_token: security_token.clone(),
                scope: None,
            };
            (Some(keys), None)
        }
        Credential::HuaweiToken(token) => (None, Some(token)),
        Credential::AlibabaKeys { .. } => {
            return Err(nowhere("the access key is Alibaba's".into()));
        }
    };
    if let Some(token) = token {
        let mut headers = headers.map(|(name, value)| (name, value.into())).to_vec();
        headers.push(("X-Auth-Token".into(), token.clone()));
        return Ok((crate::cloud::modelarts::encoded(query), headers));
    }
    let Some(credential) = credential else {
        return Err(nowhere("there is no access key".into()));
    };
    let host = transport::host(call.origin);
    let request = sign::Request {
        method: match call.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
        },
        host,
        path: call.path,
        query,
        headers: &headers,
        body: body.as_bytes(),
    };
    let scheme = exchanger.derived.scheme(host, "globe", "iam");
    let signed = sign::sign(&request, &credential, &scheme, exchanger.now())
        .map_err(|error| nowhere(format!("the call to IAM cannot be signed: {error}")))?;
    Ok((signed.query, signed.headers))
}

/// IAM for a region, for calls beside exchanges.
pub(super) fn origin(exchanger: &Exchanger, region: &Region) -> Result<String, Failure> {
    exchanger.endpoints.iam(region).map_err(nowhere)
}

fn no_token(origin: &str) -> Failure {
    let message = format!("the answer of {} holds no token", transport::host(origin));
    Failure::new(FailureKind::ResponseInvalid, message)
}
