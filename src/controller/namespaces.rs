//! Labels of namespaces, read by `get` alone.
//!
//! Owns a small cache with one call under way per namespace. Must not list or watch: clusters have
//! many namespaces, and few are of interest. The invariant that would break first: a label that
//! was taken away serves nobody for longer than [`LABELS_TTL`].

use super::{ApiError, limited};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use moka::future::Cache;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a namespace's labels are believed.
const LABELS_TTL: Duration = Duration::from_secs(30);

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
