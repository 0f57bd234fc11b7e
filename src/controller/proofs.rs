//! The proof of identity of each provider, from the objects that its spec names.
//!
//! Owns reading one Secret or ServiceAccount by name, and a small cache of what they came to. Must
//! never list or watch either kind: the right to do so would open every Secret of the cluster. The
//! invariant that would break first: a value of a Secret leaves here only inside an [`Identity`].

use super::limited;
use super::tokens::{TokenRequests, Unanswered};
use crate::api::{ALLOW_PROVIDER, Reason};
use crate::cloud::identity::{Identity, Region, TokenSource};
use crate::cloud::provider::Provider;
use crate::cloud::sign_in::{self, ObjectKey, OperatorIdentities, SignIn};
use crate::facts::{Failure, FailureKind};
use crate::plan::ProviderId;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::{Api, Client};
use moka::future::Cache;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroize as _;

/// How long an object is believed without another look. The provider's own reconcile looks every
/// minute; this is the bound if that one is late.
const BELIEVED_FOR: Duration = Duration::from_secs(90);

/// Why a provider has no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoProof {
    /// There is no such Secret.
    #[error("Secret {0} does not exist: create it, or mend spec.auth.secretRef")]
    SecretNotFound(String),
    /// Its keys cannot be used.
    #[error("Secret {0}: {1}")]
    SecretInvalid(String, String),
    /// The operator has no right to read it.
    #[error("Secret {0} may not be read: give the operator's ServiceAccount the verb get on it")]
    SecretForbidden(String),
    /// There is no such ServiceAccount.
    #[error(
        "ServiceAccount {0} does not exist: create it, or mend spec.auth.workloadIdentity.serviceAccountRef"
    )]
    AccountNotFound(String),
    /// Its owner does not allow it.
    #[error(
        "ServiceAccount {0} does not allow this provider: annotate it with {ALLOW_PROVIDER}={1}"
    )]
    AccountNotAllowed(String, String),
    /// The operator has no right to read it.
    #[error(
        "ServiceAccount {0} may not be read: workload identity needs the verb get on serviceaccounts and create on serviceaccounts/token"
    )]
    AccountForbidden(String),
    /// The operator's own identity is not set up.
    #[error("{0}")]
    Unavailable(String),
    /// The spec says nothing that can be used.
    #[error("{0}")]
    Invalid(String),
    /// An object could not be read just now.
    #[error("{0} could not be read: {1}")]
    Unread(String, String),
}

impl NoProof {
    /// The reason of the provider's Ready; `None` if nothing is known of it.
    pub(crate) const fn reason(&self) -> Option<Reason> {
        Some(match self {
            Self::SecretNotFound(_) => Reason::SecretNotFound,
            Self::SecretInvalid(..) | Self::SecretForbidden(_) => Reason::SecretInvalid,
            Self::AccountNotFound(_) => Reason::ServiceAccountNotFound,
            Self::AccountNotAllowed(..) => Reason::ServiceAccountNotAllowed,
            Self::AccountForbidden(_) | Self::Unavailable(_) => Reason::IdentityUnavailable,
            Self::Invalid(_) => Reason::InvalidSpec,
            Self::Unread(..) => return None,
        })
    }

    /// What it is for the provider's references.
    pub(crate) fn failure(&self) -> Failure {
        Failure::new(FailureKind::ProviderNotReady, self.to_string())
    }
}

type Key = (ProviderId, Option<String>, Option<i64>);

/// Proofs by provider.
pub(crate) struct Proofs {
    client: Client,
    operator_namespace: String,
    own: OperatorIdentities,
    unanswered: Unanswered,
    cache: Cache<Key, Result<Arc<Identity>, NoProof>>,
}

impl Proofs {
    pub(crate) fn new(
        client: Client,
        operator_namespace: &str,
        own: OperatorIdentities,
        unanswered: Unanswered,
    ) -> Self {
        let cache = Cache::builder()
            .max_capacity(10_000)
            .time_to_live(BELIEVED_FOR)
            .build();
        Self {
            client,
            operator_namespace: operator_namespace.into(),
            own,
            unanswered,
            cache,
        }
    }

    /// The proof of a provider, as last read.
    pub(crate) async fn of(&self, provider: &Provider) -> Result<Arc<Identity>, NoProof> {
        let key = key(provider);
        let read = self.cache.get_with(key.clone(), self.read(provider)).await;
        if matches!(read, Err(NoProof::Unread(..))) {
            // Nothing was learned: the next one asks again.
            self.cache.invalidate(&key).await;
        }
        read
    }

    /// The proof of a provider, read anew.
    pub(crate) async fn anew(&self, provider: &Provider) -> Result<Arc<Identity>, NoProof> {
        // Not through the cache: it would join a read that began before the change.
        let read = self.read(provider).await;
        let key = key(provider);
        if matches!(read, Err(NoProof::Unread(..))) {
            self.cache.invalidate(&key).await;
        } else {
            self.cache.insert(key, read.clone()).await;
        }
        read
    }

    async fn read(&self, provider: &Provider) -> Result<Arc<Identity>, NoProof> {
        let (cloud, region) = provider.cloud().map_err(NoProof::Invalid)?;
        let region = Region::new(region).map_err(NoProof::Invalid)?;
        let id = provider.id();
        let sign_in = provider
            .sign_in(&self.operator_namespace)
            .map_err(NoProof::Invalid)?;
        let (source, label) = match sign_in {
            SignIn::Secret { secret, agency } => {
                let label = label(&secret);
                let mut data = self.secret(secret, &label).await?;
                let source = sign_in::of_secret(cloud, &data, agency, provider.project());
                for value in data.values_mut() {
                    value.zeroize();
                }
                let source = source.map_err(|why| NoProof::SecretInvalid(label.clone(), why))?;
                // With an agency it is the spec's words that are checked next.
                (source, agency.is_none().then_some(label))
            }
            SignIn::ServiceAccount { account, exchange } => {
                let token = self.account(account, &id.name).await?;
                let source = sign_in::of_token(cloud, exchange, &id, token);
                (source.map_err(NoProof::Invalid)?, None)
            }
            SignIn::Operator(wanted) => {
                let source = self.own.source(cloud, wanted, &id);
                (source.map_err(NoProof::Unavailable)?, None)
            }
        };
        Identity::new(source, region)
            .map(Arc::new)
            .map_err(|why| match label {
                Some(label) => NoProof::SecretInvalid(label, why),
                None => NoProof::Invalid(why),
            })
    }

    async fn secret(
        &self,
        (namespace, name): ObjectKey,
        label: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, NoProof> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &namespace);
        let secret = limited("reading a Secret", api.get_opt(&name))
            .await
            .map_err(|error| {
                if error.is_forbidden() {
                    NoProof::SecretForbidden(label.into())
                } else {
                    unread("Secret", label, &error)
                }
            })?
            .ok_or_else(|| NoProof::SecretNotFound(label.into()))?;
        let data = secret.data.unwrap_or_default();
        Ok(data.into_iter().map(|(k, v)| (k, v.0)).collect())
    }

    /// The tokens of a ServiceAccount whose owner allows the provider of this name.
    async fn account(&self, account: ObjectKey, provider: &str) -> Result<TokenSource, NoProof> {
        let label = label(&account);
        let (namespace, name) = account;
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &namespace);
        let found = limited("reading a ServiceAccount", api.get_metadata_opt(&name))
            .await
            .map_err(|error| {
                if error.is_forbidden() {
                    NoProof::AccountForbidden(label.clone())
                } else {
                    unread("ServiceAccount", &label, &error)
                }
            })?
            .ok_or_else(|| NoProof::AccountNotFound(label.clone()))?;
        let allowed = found.metadata.annotations.unwrap_or_default();
        if allowed.get(ALLOW_PROVIDER).map(String::as_str) != Some(provider) {
            return Err(NoProof::AccountNotAllowed(label, provider.into()));
        }
        let account_uid = found.metadata.uid.unwrap_or_default();
        let unanswered = self.unanswered.clone();
        let mint = TokenRequests::new(api, name, label, account_uid.clone(), unanswered);
        Ok(TokenSource::Minted {
            account_uid,
            mint: Arc::new(mint),
        })
    }
}

fn key(provider: &Provider) -> Key {
    let (uid, generation) = provider.version();
    (provider.id(), uid, generation)
}

fn label((namespace, name): &ObjectKey) -> String {
    format!("{namespace}/{name}")
}

fn unread(kind: &str, label: &str, error: &impl Display) -> NoProof {
    NoProof::Unread(format!("{kind} {label}"), error.to_string())
}
