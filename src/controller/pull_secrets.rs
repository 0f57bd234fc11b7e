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

/// How long a Secret that cannot be read just now counts as it was read last.
const STANDS_FOR: Duration = Duration::from_secs(3600);

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
    /// What was read last, for when the API server does not answer.
    last: Cache<Key, PullSecret>,
}

impl PullSecrets {
    pub(crate) fn new(client: Client, operator_namespace: &str) -> Self {
        let cache = |life| {
            Cache::builder()
                .max_capacity(10_000)
                .time_to_live(life)
                .build()
        };
        Self {
            client,
            operator_namespace: operator_namespace.into(),
            cache: cache(BELIEVED_FOR),
            last: cache(STANDS_FOR),
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
        let key = (id, uid, generation);
        Some(self.known(key, &namespace, name).await)
    }

    async fn known(&self, key: Key, namespace: &str, name: &str) -> PullSecret {
        let read = async {
            let read = self.read(namespace, name).await?;
            self.last.insert(key.clone(), read.clone()).await;
            Ok::<_, PullSecret>(read)
        };
        match self.cache.try_get_with_by_ref(&key, read).await {
            Ok(secret) => secret,
            Err(unread) => {
                let last = self.last.get(&key).await;
                last.unwrap_or_else(|| (*unread).clone())
            }
        }
    }

    /// What the Secret comes to; an error if the API server did not say.
    async fn read(&self, namespace: &str, name: &str) -> Result<PullSecret, PullSecret> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let label = format!("{namespace}/{name}");
        let secret = match limited("reading a Secret", api.get_opt(name)).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                let message = format!(
                    "Secret {label} does not exist: create it, or mend spec.registry.auth.secretRef"
                );
                return Ok(PullSecret::unusable(FailureKind::ProviderNotReady, message));
            }
            Err(error) if error.is_forbidden() => {
                let message = format!(
                    "Secret {label} may not be read: give the operator's ServiceAccount the verb get on it"
                );
                return Ok(PullSecret::unusable(FailureKind::ProviderNotReady, message));
            }
            Err(error) => {
                let message = format!("Secret {label} could not be read: {error}");
                return Err(PullSecret::unusable(FailureKind::Unreachable, message));
            }
        };
        let data = secret.data.unwrap_or_default();
        let mut data: BTreeMap<_, _> = data.into_iter().map(|(k, v)| (k, v.0)).collect();
        let version = stands_for(&data);
        let config = DockerConfig::of_secret(&label, &data);
        for value in data.values_mut() {
            value.zeroize();
        }
        Ok(match config {
            Ok(config) => PullSecret {
                config: Ok(Arc::new(config)),
                version,
            },
            Err(why) => PullSecret::unusable(FailureKind::ProviderNotReady, why),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::StatusCode;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};
    use std::sync::Mutex;

    /// An API server that answers what it is told to, and counts.
    #[derive(Clone)]
    struct Server(Arc<Mutex<(StatusCode, Value, usize)>>);

    impl Server {
        fn new() -> (Self, PullSecrets) {
            let server = Self(Arc::new(Mutex::new((StatusCode::OK, json!({}), 0))));
            let answers = server.clone();
            let router = Router::new().fallback(move || {
                let mut state = answers.0.lock().unwrap();
                state.2 += 1;
                let answer = (state.0, state.1.to_string());
                async { answer }
            });
            let secrets = PullSecrets::new(Client::new(router, "default"), "operator");
            (server, secrets)
        }

        fn holds(&self, password: &str) {
            let auths = json!({"auths": {"h.example": {"username": "u", "password": password}}});
            let data = STANDARD.encode(auths.to_string());
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull"},
                "data": {".dockerconfigjson": data},
            });
            let mut state = self.0.lock().unwrap();
            (state.0, state.1) = (StatusCode::OK, secret);
        }

        fn fails(&self, code: u16) {
            let status = json!({
                "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code,
                "message": "no", "reason": if code == 403 { "Forbidden" } else { "InternalError" },
            });
            let mut state = self.0.lock().unwrap();
            (state.0, state.1) = (StatusCode::from_u16(code).unwrap(), status);
        }

        fn asked(&self) -> usize {
            std::mem::take(&mut self.0.lock().unwrap().2)
        }
    }

    async fn known(secrets: &PullSecrets) -> PullSecret {
        let id = ProviderId {
            kind: crate::api::ProviderKind::Namespaced,
            namespace: Some("ns".into()),
            name: "p".into(),
        };
        secrets.known((id, None, Some(1)), "ns", "pull").await
    }

    #[tokio::test]
    async fn an_api_server_in_trouble_takes_no_login_away_and_is_asked_again() {
        let (server, secrets) = Server::new();
        server.fails(500);
        for _ in 0..2 {
            let unread = known(&secrets).await.config.unwrap_err();
            assert_eq!(unread.kind, FailureKind::Unreachable, "{unread}");
            assert!(server.asked() > 0, "that is not believed for a minute");
        }
        server.holds("password");
        let first = known(&secrets).await;
        assert!(first.config.is_ok() && server.asked() == 1);
        known(&secrets).await;
        assert_eq!(server.asked(), 0);

        secrets.cache.invalidate_all();
        server.fails(500);
        let meanwhile = known(&secrets).await;
        assert!(meanwhile.config.is_ok() && server.asked() > 0);
        assert_eq!(meanwhile.version, first.version, "nothing has changed");
        server.holds("another-password");
        let next = known(&secrets).await;
        assert!(next.config.is_ok() && next.version != first.version);

        // That is an answer, and takes the login away.
        secrets.cache.invalidate_all();
        server.fails(403);
        for code in [403, 500] {
            server.fails(code);
            let refused = known(&secrets).await.config.unwrap_err();
            assert_eq!(refused.kind, FailureKind::ProviderNotReady, "{refused}");
            secrets.cache.invalidate_all();
        }
    }
}
