//! The watches, and what becomes of objects that cannot be read.
//!
//! Owns how a stream of changes is made. Must not know what is done about a change. The invariant
//! that would break first: an object that does not parse is still an object; it neither ends the
//! stream nor hides its neighbours.

use super::catalogues::StoredCatalog;
use super::held::Held;
use super::merge::merge;
use super::pauses::Pauses;
use crate::api::condition::truncate;
use crate::api::{ClusterImageProvider, ImageProvider, ImageRef, RECONCILE_REQUESTED_AT};
use futures::{FutureExt, Stream, TryStreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::Api;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{PredicateConfig, WatchStreamExt, predicates};
use kube::{Client, Resource};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Objects of a kind that are read in one answer, of all its lists together; each has some kilobytes as
/// the API server sends it.
const LISTED: u32 = 500;

/// The fewest that one list reads in an answer.
const SMALLEST_PAGE: u32 = 20;

/// Runs a controller to its end, or drops it on a stop before its kind's first listing: until then
/// it holds its end back, and has nothing under way.
pub(super) async fn unless_idle<K>(
    stop: &CancellationToken,
    store: Store<K>,
    controller: impl Future<Output = ()>,
) where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let idle = async {
        stop.cancelled().await;
        let listed = store.wait_until_ready().now_or_never();
        if matches!(listed, Some(Ok(()))) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = controller => {}
        () = idle => {}
    }
}

/// Where a kind is watched: in the whole cluster, or in each of some namespaces.
pub(super) fn scoped<K>(client: &Client, namespaces: Option<&[String]>) -> Vec<Api<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match namespaces {
        Some(namespaces) => namespaces
            .iter()
            .map(|namespace| Api::namespaced(client.clone(), namespace))
            .collect(),
        None => vec![Api::all(client.clone())],
    }
}

/// A kind as it is watched.
pub(super) trait Watched:
    Resource<DynamicType = ()>
    + Clone
    + Default
    + std::fmt::Debug
    + serde::de::DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// What stands for an object that does not parse.
    fn unreadable(metadata: ObjectMeta, error: String) -> Self;

    /// Leaves what is used, once the watch has read it.
    fn trim(&mut self) {
        trim(self.meta_mut());
    }
}

impl Watched for ImageRef {
    fn unreadable(metadata: ObjectMeta, error: String) -> Self {
        let mut object = Self {
            metadata,
            ..Self::default()
        };
        object.spec.unreadable = Some(error);
        object
    }
}

impl Watched for Held {
    fn unreadable(metadata: ObjectMeta, error: String) -> Self {
        ImageRef::unreadable(metadata, error).into()
    }

    fn trim(&mut self) {
        self.forget_version();
    }
}

impl Watched for StoredCatalog {
    fn unreadable(metadata: ObjectMeta, _: String) -> Self {
        Self::left_alone(metadata)
    }

    // What it leaves of its metadata is what a write needs.
    fn trim(&mut self) {}
}

impl Watched for ImageProvider {
    fn unreadable(metadata: ObjectMeta, error: String) -> Self {
        let mut object = Self {
            metadata,
            ..Self::default()
        };
        object.spec.unreadable = Some(error);
        object
    }
}

impl Watched for ClusterImageProvider {
    fn unreadable(metadata: ObjectMeta, error: String) -> Self {
        let mut object = Self {
            metadata,
            ..Self::default()
        };
        object.spec.unreadable = Some(error);
        object
    }
}

fn misfit(error: &str) -> String {
    format!(
        "the object does not fit the kind: {}; apply it again with the installed CRD",
        truncate(error, 300)
    )
}

/// The object, or what stands for it.
pub(super) fn read<K: Watched>(guard: DeserializeGuard<K>) -> K {
    guard.0.unwrap_or_else(|invalid| {
        warn!(
            object = format!(
                "{}/{}",
                invalid.metadata.namespace.as_deref().unwrap_or_default(),
                invalid.metadata.name.as_deref().unwrap_or_default()
            ),
            error = truncate(&invalid.error, 300),
            "a {} does not fit its kind",
            K::kind(&())
        );
        K::unreadable(invalid.metadata, misfit(&invalid.error))
    })
}

fn readable<K: Watched>(event: Event<DeserializeGuard<K>>) -> Event<K> {
    let read = |guard| {
        let mut object: K = read(guard);
        object.trim();
        object
    };
    match event {
        Event::Apply(object) => Event::Apply(read(object)),
        Event::Delete(object) => Event::Delete(read(object)),
        Event::InitApply(object) => Event::InitApply(read(object)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

/// Leaves what is used of an object's metadata.
pub(super) fn trim(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.labels = None;
    metadata.owner_references = None;
    metadata.finalizers = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|name, _| name == RECONCILE_REQUESTED_AT);
        if annotations.is_empty() {
            metadata.annotations = None;
        }
    }
}

/// Whether an error says that there is no right to list.
fn is_refusal(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.is_forbidden())
}

/// Every object as it is added or changed, its status too, kept by `keep`.
fn applied<K: Watched>(
    apis: Vec<Api<DeserializeGuard<K>>>,
    pauses: Pauses,
    selector: Option<String>,
    keep: impl FnMut(&Event<K>) + Send,
) -> impl Stream<Item = Result<K, watcher::Error>> {
    // All may be listed at once.
    let share = LISTED / u32::try_from(apis.len().max(1)).unwrap_or(LISTED);
    let mut config = watcher::Config::default().page_size(share.max(SMALLEST_PAGE));
    config.label_selector = selector;
    let watches = apis.into_iter().enumerate().map(move |(number, api)| {
        watcher(api, config.clone())
            .backoff(pauses.part(number))
            .map_ok(readable)
    });
    merge(watches.collect(), is_refusal)
        .inspect_ok(keep)
        .applied_objects()
        .inspect_err(|error| {
            warn!(
                error = truncate(&error.to_string(), 300),
                "the watch of {}s failed; it is repeated",
                K::kind(&())
            );
        })
}

/// References, of those that a label selector selects, whose spec or annotations changed. `tell` hears of every other change too, with what was
/// there before and what is there now, once the store has it.
pub(super) fn references(
    apis: Vec<Api<DeserializeGuard<Held>>>,
    pauses: Pauses,
    selector: Option<String>,
    mut writer: Writer<Held>,
    tell: impl Fn(Option<&Held>, Option<&Held>) + Send,
) -> impl Stream<Item = Result<Held, watcher::Error>> {
    let store = writer.as_reader();
    let keep = move |event: &Event<Held>| {
        let before = |held| store.get(&ObjectRef::from_obj(held));
        let (before, after) = match event {
            Event::Apply(held) | Event::InitApply(held) => (before(held), Some(held)),
            Event::Delete(held) => (before(held), None),
            Event::Init | Event::InitDone => (None, None),
        };
        writer.apply_watcher_event(event);
        tell(before.as_deref(), after);
    };
    applied(apis, pauses, selector, keep).predicate_filter(
        |held: &Held| Some(held.revision()),
        PredicateConfig::default(),
    )
}

/// Providers whose spec changed.
pub(super) fn providers<K: Watched>(
    apis: Vec<Api<DeserializeGuard<K>>>,
    pauses: Pauses,
    mut writer: Writer<K>,
) -> impl Stream<Item = Result<K, watcher::Error>> {
    applied(apis, pauses, None, move |event| {
        writer.apply_watcher_event(event);
    })
    .predicate_filter(predicates::generation, PredicateConfig::default())
}

/// Catalogues that changed, their status too: nobody else writes it, and who does is corrected.
pub(super) fn catalogues(
    apis: Vec<Api<DeserializeGuard<StoredCatalog>>>,
    pauses: Pauses,
    mut writer: Writer<StoredCatalog>,
) -> impl Stream<Item = Result<StoredCatalog, watcher::Error>> {
    applied(apis, pauses, None, move |event| {
        writer.apply_watcher_event(event);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::ResourceExt as _;
    use serde_json::json;

    #[test]
    fn what_does_not_parse_keeps_its_name_and_says_so() {
        let value = json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
            "metadata": {"name": "bad", "namespace": "team", "uid": "1"},
            "spec": {"suspend": "perhaps"}
        });
        let object: ImageRef = read(serde_json::from_value(value).unwrap());
        assert_eq!(
            (object.name_any(), object.uid()),
            ("bad".into(), Some("1".into()))
        );
        assert!(
            object
                .spec
                .unreadable
                .unwrap()
                .contains("does not fit the kind")
        );
        let value = json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageProvider",
            "metadata": {"name": "bad", "namespace": "team"},
            "spec": {"modelArts": 7}
        });
        let provider: ImageProvider = read(serde_json::from_value(value).unwrap());
        assert_eq!(provider.name_any(), "bad");
        let unreadable = provider.spec.unreadable.unwrap();
        assert!(unreadable.contains("does not fit the kind"), "{unreadable}");
    }
}
