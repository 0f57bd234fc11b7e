//! The Secrets that providers name for registries, of the type `kubernetes.io/dockerconfigjson`.
//!
//! Owns reading one by name, and a small cache of what they came to. Must never list or watch them.
//! The invariant that would break first: an ImageProvider's Secret is of its own namespace, a
//! ClusterImageProvider's of the operator's.

use super::held::stands_for;
use super::limited;
use crate::cloud::provider::Provider;
use crate::facts::{Failure, FailureKind};
use crate::plan::ProviderId;
use crate::registry::DockerConfig;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use moka::future::Cache;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroize as _;

/// How long a Secret is believed without another look.
const BELIEVED_FOR: Duration = Duration::from_secs(60);

/// What a Secret came to.
#[derive(Clone)]
pub(crate) struct PullSecret {
    pub(crate) config: Result<Arc<DockerConfig>, Failure>,
    /// Stands for what it holds, or for why it cannot be used.
    pub(crate) version: u64,
}

impl PullSecret {
    fn unusable(kind: FailureKind, message: String) -> Self {
        Self {
            version: stands_for(&message),
            config: Err(Failure::new(kind, message)),
        }
    }
}

type Key = (ProviderId, Option<String>, Option<i64>);

/// Secrets for registries, by provider.
pub(crate) struct PullSecrets {
    client: Client,
    operator_namespace: String,
    cache: Cache<Key, PullSecret>,
}

impl PullSecrets {
    pub(crate) fn new(client: Client, operator_namespace: &str) -> Self {
        Self {
            client,
            operator_namespace: operator_namespace.into(),
            cache: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(BELIEVED_FOR)
                .build(),
        }
    }

    /// The Secret of a provider; `None` if it names none.
    pub(crate) async fn of(&self, provider: &Provider) -> Option<PullSecret> {
        let auth = provider.registry()?.auth.as_ref()?;
        let name = auth.secret_ref.as_ref()?.name.as_str();
        let id = provider.id();
        let namespace = id.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| self.operator_namespace.clone());
        let (uid, generation) = provider.version();
        let read = self.read(&namespace, name);
        Some(self.cache.get_with((id, uid, generation), read).await)
    }

    async fn read(&self, namespace: &str, name: &str) -> PullSecret {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let label = format!("{namespace}/{name}");
        let secret = match limited("reading a Secret", api.get_opt(name)).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                let message = format!(
                    "Secret {label} does not exist: create it, or mend spec.registry.auth.secretRef"
                );
                return PullSecret::unusable(FailureKind::ProviderNotReady, message);
            }
            Err(error) if error.is_forbidden() => {
                let message = format!(
                    "Secret {label} may not be read: give the operator's ServiceAccount the verb get on it"
                );
                return PullSecret::unusable(FailureKind::ProviderNotReady, message);
            }
            Err(error) => {
                let message = format!("Secret {label} could not be read: {error}");
                return PullSecret::unusable(FailureKind::Unreachable, message);
            }
        };
        let data = secret.data.unwrap_or_default();
        let mut data: BTreeMap<_, _> = data.into_iter().map(|(k, v)| (k, v.0)).collect();
        let version = stands_for(&data);
        let config = DockerConfig::of_secret(&label, &data);
        for value in data.values_mut() {
            value.zeroize();
        }
        match config {
            Ok(config) => PullSecret {
                config: Ok(Arc::new(config)),
                version,
            },
            Err(why) => PullSecret::unusable(FailureKind::ProviderNotReady, why),
        }
    }
}
