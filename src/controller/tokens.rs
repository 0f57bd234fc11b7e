//! Tokens of ServiceAccounts, asked of the API server.
//!
//! Owns one call, TokenRequest, and what must be true of its answer. Must not know what a token is
//! exchanged for. The invariant that would break first: a token is of the very ServiceAccount that
//! allowed the provider, and of one audience, which is never the API server's.

use super::{ApiError, limited};
use crate::cloud::identity::{Identity, Mint};
use crate::facts::{Failure, FailureKind};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Life of a token, in seconds: the shortest that the API server grants. It is exchanged at once.
const LIFE: i64 = 600;

/// ServiceAccounts held at once; a cluster has fewer that providers name.
const MOST_UNANSWERED: usize = 10_000;

/// The ServiceAccounts, by UID, whose last request got no answer of the API server.
#[derive(Clone, Default)]
pub(crate) struct Unanswered(Arc<Mutex<HashSet<String>>>);

impl Unanswered {
    fn uids(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the identity's last request is among them.
    pub(crate) fn is_of(&self, identity: &Identity) -> bool {
        let uid = identity.source().account_uid();
        uid.is_some_and(|uid| self.uids().contains(uid))
    }

    fn note<T>(&self, uid: &str, answer: &Result<T, ApiError>) {
        let mut uids = self.uids();
        match answer {
            Err(error) if is_away(error) => {
                if uids.len() >= MOST_UNANSWERED {
                    uids.clear();
                }
                uids.insert(uid.into());
            }
            _ => {
                uids.remove(uid);
            }
        }
    }
}

/// Whether nothing was decided: no answer, or one about the API server's own state.
fn is_away(error: &ApiError) -> bool {
    match error {
        ApiError::TimedOut { .. } => true,
        ApiError::Failed { source, .. } => match &**source {
            kube::Error::Api(status) => status.code >= 500 || status.code == 429,
            _ => true,
        },
    }
}

/// Asks for tokens of one ServiceAccount.
pub(crate) struct TokenRequests {
    api: Api<ServiceAccount>,
    name: String,
    label: String,
    uid: String,
    unanswered: Unanswered,
}

impl TokenRequests {
    /// Tokens of the ServiceAccount that has this name and UID; `label` names it in messages.
    pub(crate) fn new(
        api: Api<ServiceAccount>,
        name: String,
        label: String,
        uid: String,
        unanswered: Unanswered,
    ) -> Self {
        Self {
            api,
            name,
            label,
            uid,
            unanswered,
        }
    }

    async fn request(&self, audience: &'static str) -> Result<SecretString, Failure> {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![audience.into()],
                expiration_seconds: Some(LIFE),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let params = PostParams::default();
        let call = self.api.create_token_request(&self.name, &params, &request);
        let answer = limited("requesting a token", call).await;
        self.unanswered.note(&self.uid, &answer);
        let answer = answer.map_err(|error| self.refused(&error))?;
        let token = answer.status.map(|status| SecretString::from(status.token));
        match token {
            Some(token) if is_of(&token, &self.uid, audience) => Ok(token),
            _ => Err(not_ready(format!(
                "the token of ServiceAccount {} is of another ServiceAccount or audience than asked for",
                self.label
            ))),
        }
    }

    fn refused(&self, error: &ApiError) -> Failure {
        let label = &self.label;
        match error {
            ApiError::Failed { source, .. } => match &**source {
                kube::Error::Api(status) if status.is_forbidden() => not_ready(format!(
                    "no token of ServiceAccount {label} may be requested: give the operator's ServiceAccount the verb create on serviceaccounts/token"
                )),
                kube::Error::Api(status) if status.is_not_found() => {
                    not_ready(format!("ServiceAccount {label} does not exist"))
                }
                _ => not_ready(format!("ServiceAccount {label}: {error}")),
            },
            ApiError::TimedOut { .. } => not_ready(format!("ServiceAccount {label}: {error}")),
        }
    }
}

impl Mint for TokenRequests {
    fn mint(&self, audience: &'static str) -> BoxFuture<'_, Result<SecretString, Failure>> {
        self.request(audience).boxed()
    }
}

fn not_ready(message: String) -> Failure {
    Failure::new(FailureKind::ProviderNotReady, message)
}

#[derive(Deserialize)]
struct Claims {
    aud: Audience,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Kubernetes,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct Kubernetes {
    serviceaccount: Account,
}

#[derive(Deserialize)]
struct Account {
    uid: String,
}

/// Whether a token says that it is of this ServiceAccount and for this audience alone. The API
/// server is trusted; a ServiceAccount made anew under its name since it was read is not.
pub(super) fn is_of(token: &SecretString, uid: &str, audience: &str) -> bool {
    let payload = token.expose_secret().split('.').nth(1).unwrap_or_default();
    let Ok(claims) = URL_SAFE_NO_PAD.decode(payload) else {
        return false;
    };
    serde_json::from_slice(&claims).is_ok_and(|claims: Claims| {
        let only = match &claims.aud {
            Audience::One(one) => one == audience,
            Audience::Several(several) => several.as_slice() == [audience],
        };
        only && claims.kubernetes.serviceaccount.uid == uid
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn token(claims: &Value) -> SecretString {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())).into()
    }

    #[test]
    fn a_token_of_another_account_or_audience_is_not_taken() {
        let claims = |aud: Value, uid: &str| {
            token(&json!({"aud": aud, "kubernetes.io": {"serviceaccount": {"uid": uid}}}))
        };
        let is = |token: &SecretString| is_of(token, "u1", "sts.aliyuncs.com");
        assert!(is(&claims(json!(["sts.aliyuncs.com"]), "u1")));
        assert!(is(&claims(json!("sts.aliyuncs.com"), "u1")));
        assert!(!is(&claims(json!(["sts.aliyuncs.com"]), "u2")));
        assert!(!is(&claims(
            json!(["sts.aliyuncs.com", "https://kubernetes"]),
            "u1"
        )));
        assert!(!is(&claims(json!("https://kubernetes"), "u1")));
        for odd in ["", "a", "a.b.c", "..", "e30.e30.e30"] {
            assert!(!is(&odd.into()), "{odd}");
        }
    }
}
