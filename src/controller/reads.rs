//! What is read from the API server by `get` alone: Secrets, and labels of namespaces.
//!
//! Owns two small caches with one call under way per key. Must never list or watch either kind:
//! the right to do so would open every Secret of the cluster. The invariant that would break
//! first: a Secret's values leave here only as a [`Credential`].

use super::{ApiError, limited};
use crate::cloud::Credential;
use crate::plan::Account;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{Api, Client};
use moka::future::Cache;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a Secret is believed without another look. The provider's own reconcile looks every
/// minute; this is the bound if that one is late.
const SECRET_TTL: Duration = Duration::from_secs(90);

/// How long a namespace's labels are believed.
const LABELS_TTL: Duration = Duration::from_secs(30);

/// Why there is no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    /// There is no such Secret.
    #[error("Secret {0} does not exist: create it, or mend spec.auth.secretRef")]
    NotFound(String),
    /// Its keys cannot be used.
    #[error("Secret {0}: {1}")]
    Invalid(String, String),
    /// The operator has no right to read it.
    #[error("Secret {0} may not be read: give the operator's ServiceAccount the verb get on it")]
    Forbidden(String),
    /// It could not be read just now.
    #[error("Secret {0} could not be read: {1}")]
    Unread(String, String),
}

type SecretKey = (String, String, bool);

/// Credentials by Secret.
pub(crate) struct Secrets {
    client: Client,
    cache: Cache<SecretKey, Result<Arc<Credential>, SecretError>>,
}

impl Secrets {
    pub(crate) fn new(client: Client) -> Self {
        let cache = Cache::builder()
            .max_capacity(10_000)
            .time_to_live(SECRET_TTL)
            .build();
        Self { client, cache }
    }

    /// The credential in a Secret, as last read.
    pub(crate) async fn credential(
        &self,
        (namespace, name): &(String, String),
        account: &Account,
    ) -> Result<Arc<Credential>, SecretError> {
        let key = (
            namespace.clone(),
            name.clone(),
            matches!(account, Account::Pai { .. }),
        );
        let read = self
            .cache
            .get_with(key.clone(), self.read(namespace, name, account))
            .await;
        if matches!(read, Err(SecretError::Unread(..))) {
            // Nothing was learned: the next one asks again.
            self.cache.invalidate(&key).await;
        }
        read
    }

    /// The credential in a Secret, read anew.
    pub(crate) async fn refresh(
        &self,
        secret: &(String, String),
        account: &Account,
    ) -> Result<Arc<Credential>, SecretError> {
        let (namespace, name) = secret;
        let key = (
            namespace.clone(),
            name.clone(),
            matches!(account, Account::Pai { .. }),
        );
        self.cache.invalidate(&key).await;
        self.credential(secret, account).await
    }

    async fn read(
        &self,
        namespace: &str,
        name: &str,
        account: &Account,
    ) -> Result<Arc<Credential>, SecretError> {
        let label = format!("{namespace}/{name}");
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = limited("reading a Secret", api.get_opt(name))
            .await
            .map_err(|error| match error {
                ApiError::Failed { source, .. }
                    if matches!(&*source, kube::Error::Api(status) if status.is_forbidden()) =>
                {
                    SecretError::Forbidden(label.clone())
                }
                error => SecretError::Unread(label.clone(), error.to_string()),
            })?
            .ok_or_else(|| SecretError::NotFound(label.clone()))?;
        let data: BTreeMap<_, _> = secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(k, v)| (k, v.0))
            .collect();
        Credential::from_secret(account, &data)
            .map(Arc::new)
            .map_err(|error| SecretError::Invalid(label, error))
    }
}

/// Labels by namespace.
pub(crate) struct Namespaces {
    client: Client,
    cache: Cache<String, Arc<BTreeMap<String, String>>>,
}

impl Namespaces {
    pub(crate) fn new(client: Client) -> Self {
        let cache = Cache::builder()
            .max_capacity(10_000)
            .time_to_live(LABELS_TTL)
            .build();
        Self { client, cache }
    }

    /// The labels of a namespace, at most half a minute old.
    pub(crate) async fn labels(
        &self,
        namespace: &str,
    ) -> Result<Arc<BTreeMap<String, String>>, Arc<ApiError>> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let read = async {
            let found = limited("reading a namespace", api.get_metadata(namespace)).await?;
            Ok(Arc::new(found.metadata.labels.unwrap_or_default()))
        };
        self.cache.try_get_with(namespace.to_owned(), read).await
    }
}
