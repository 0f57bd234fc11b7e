//! Watches of single Secrets, where the operator may: a changed Secret is read again at once.
//!
//! Owns one watch a provider, of metadata alone, and asks for the right first. Must not need it: the
//! provider's own reconcile reads its Secret every minute. The invariant that would break first: a
//! watch names one Secret; there is none of a namespace or of the kind.

use super::limited;
use crate::cloud::sign_in::ObjectKey;
use crate::plan::ProviderId;
use futures::StreamExt as _;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

/// Watches under way at once; the Secrets of more providers are read every minute and no sooner.
const MOST: usize = 500;

/// How long a watch lasts, in seconds; below five minutes, as the API server ends longer ones anyhow.
const LASTS: u32 = 290;

/// When to ask for the right again.
const DENIED_FOR: Duration = Duration::from_secs(600);

/// When to begin again after a failure.
const FAILED_FOR: Duration = Duration::from_secs(30);

/// The watches, by provider.
pub(crate) struct SecretWatches {
    client: Client,
    /// Taken by watches that are allowed, so that providers without the right leave them to others.
    places: Arc<Semaphore>,
    watched: Mutex<HashMap<ProviderId, (ObjectKey, AbortOnDropHandle<()>)>>,
}

impl SecretWatches {
    pub(crate) fn new(client: Client) -> Self {
        Self::with_places(client, MOST)
    }

    fn with_places(client: Client, places: usize) -> Self {
        Self {
            client,
            places: Arc::new(Semaphore::new(places)),
            watched: Mutex::default(),
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<ProviderId, (ObjectKey, AbortOnDropHandle<()>)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the Secret of a provider, and no other for it; `changed` is called after a change.
    pub(crate) fn keep(
        &self,
        provider: &ProviderId,
        secret: Option<ObjectKey>,
        changed: impl Fn(&ProviderId) + Send + 'static,
    ) {
        let mut watched = self.watched();
        let Some(secret) = secret else {
            watched.remove(provider);
            return;
        };
        if watched.get(provider).is_some_and(|(key, _)| *key == secret) {
            return;
        }
        watched.remove(provider);
        let id = provider.clone();
        let (client, places) = (self.client.clone(), self.places.clone());
        let task = watch(client, places, secret.clone(), move || changed(&id));
        let task = AbortOnDropHandle::new(tokio::spawn(task));
        watched.insert(provider.clone(), (secret, task));
    }

    /// Ends the watches of providers that are gone.
    pub(crate) fn retain(&self, exists: impl Fn(&ProviderId) -> bool) {
        self.watched().retain(|provider, _| exists(provider));
    }
}

async fn watch(client: Client, places: Arc<Semaphore>, secret: ObjectKey, changed: impl Fn()) {
    let (namespace, name) = &secret;
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let only = format!("metadata.name={name}");
    let params = WatchParams::default().fields(&only).timeout(LASTS);
    let mut seen = None;
    loop {
        if !may_watch(&client, &secret).await {
            tokio::time::sleep(DENIED_FOR).await;
            continue;
        }
        // The semaphore is never closed.
        let Ok(_place) = places.acquire().await else {
            return;
        };
        // From any version: the Secret as it is comes first, and is known by its version.
        let Ok(stream) = api.watch_metadata(&params, "0").await else {
            tokio::time::sleep(FAILED_FOR).await;
            continue;
        };
        let mut stream = std::pin::pin!(stream);
        while let Some(event) = stream.next().await {
            let version = match event {
                Ok(
                    WatchEvent::Added(object)
                    | WatchEvent::Modified(object)
                    | WatchEvent::Deleted(object),
                ) => object.metadata.resource_version,
                Ok(WatchEvent::Bookmark(_)) => continue,
                Ok(WatchEvent::Error(_)) | Err(_) => break,
            };
            if seen != version {
                seen = version;
                tracing::debug!(secret = %format_args!("{namespace}/{name}"), "the Secret changed");
                changed();
            }
        }
        // Ends by itself about every five minutes; sooner only with a failure.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Asks first: a refused watch would stand in the audit log of every cluster.
async fn may_watch(client: &Client, (namespace, name): &ObjectKey) -> bool {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some("watch".into()),
                resource: Some("secrets".into()),
                version: Some("v1".into()),
                namespace: Some(namespace.clone()),
                name: Some(name.clone()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let params = PostParams::default();
    let asked = limited(
        "asking for the right to watch a Secret",
        api.create(&params, &review),
    );
    let allowed = asked.await.ok().and_then(|review| review.status);
    allowed.is_some_and(|status| status.allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ProviderKind;
    use crate::controller::stub::{Stub, failed};
    use serde_json::json;

    fn provider(name: &str) -> ProviderId {
        ProviderId {
            kind: ProviderKind::Namespaced,
            namespace: Some("team".into()),
            name: name.into(),
        }
    }

    #[tokio::test]
    async fn providers_without_the_right_leave_the_places_to_those_who_have_it() {
        let stub = Stub::new(false, |_, request| {
            if request.starts_with("get") {
                return failed(410, "Expired");
            }
            let allowed = request.contains("\"name\":\"allowed\"");
            (201, json!({"spec": {}, "status": {"allowed": allowed}}))
        })
        .await;
        let watches = SecretWatches::with_places(stub.client.clone(), 1);
        let keep = |name: &str| {
            let secret = Some(("team".to_owned(), name.to_owned()));
            watches.keep(&provider(name), secret, |_| ());
        };
        let asked = async || {
            let arrived = stub.arrived.notified();
            let asked = tokio::time::timeout(Duration::from_secs(10), arrived).await;
            assert!(asked.is_ok(), "it has no place");
        };
        for name in ["one", "two", "allowed"] {
            keep(name);
            asked().await;
        }
        // Who may asks for the Secret next.
        asked().await;
    }
}
