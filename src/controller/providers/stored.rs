//! The stored status of a provider that cannot be read.
//!
//! Owns one read. Must not write. The invariant that would break first: what was written about such a
//! provider is seen again, so that it is written and told once.

use super::HasStatus;
use crate::controller::watch::Watched;
use crate::controller::{ApiError, Context, limited};
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use std::sync::Arc;

/// An object that cannot be read has come without its status, which is read by itself here: without
/// it, every reconcile would write and tell the same again. Read by list, which the watch has the
/// right to.
pub(super) async fn with_stored_status<K>(
    context: &Context,
    object: Arc<K>,
) -> Result<Arc<K>, ApiError>
where
    K: Watched + HasStatus,
{
    let kind = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = match object.meta().namespace.as_deref() {
        Some(namespace) => Api::namespaced_with(context.client.clone(), namespace, &kind),
        None => Api::all_with(context.client.clone(), &kind),
    };
    let only = ListParams::default().fields(&format!("metadata.name={}", object.name_any()));
    let stored = limited("reading a provider", api.list(&only)).await?;
    let same = |stored: &DynamicObject| stored.uid() == object.uid();
    let Some(mut stored) = stored.items.into_iter().find(same) else {
        return Ok(object);
    };
    let status = stored.data.get_mut("status").map(serde_json::Value::take);
    let mut object = Arc::unwrap_or_clone(object);
    object.meta_mut().resource_version = stored.metadata.resource_version;
    object.set_status(status.and_then(|status| serde_json::from_value(status).ok()));
    Ok(Arc::new(object))
}
