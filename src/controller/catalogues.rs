//! The status of catalogues: gathered from the references in the store, written when it is due.
//!
//! Owns the one writer of `ImageCatalog` statuses, and what it remembers of each. Must not know what is
//! in a catalogue or when a write is due ([`crate::admission::catalogue`]). The invariant that would
//! break first: a change of one reference costs a pass over the references of its namespace at most
//! when a write may be due, never over all.

mod changes;
mod stored;

pub(super) use changes::Changes;
pub(super) use stored::StoredCatalog;

use super::act::{gone, merge_patch, outcome, stale};
use super::held::{Held, Key};
use super::report::Named;
use super::{ApiError, Context, FIELD_MANAGER, limited, watch};
use crate::admission::Configuration;
use crate::admission::catalogue::{self, COALESCED, Candidate, Due, Selection};
use crate::api::ImageCatalogStatus;
use changes::Last;
use futures::stream::{self, Stream, StreamExt};
use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// What changes within this time is looked at together.
const TOGETHER: Duration = Duration::from_millis(200);

/// When to look again at a catalogue that changed meanwhile.
const CHANGED_RETRY: Duration = Duration::from_secs(1);

/// When to try again to write one that the API server takes no write of.
const FAILED_RETRY: Duration = Duration::from_secs(30);

struct Shared {
    context: Arc<Context>,
    catalogues: Store<StoredCatalog>,
    remembered: Mutex<HashMap<Key, Remembered>>,
    /// The references of shared namespaces, which most catalogues have, as of a time of the clock.
    on_shelves: Mutex<HashMap<String, Shelf>>,
}

/// The references of one namespace.
struct Shelf {
    clock: u64,
    candidates: Arc<Vec<Candidate>>,
}

/// What is known of a catalogue since it was last gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Remembered {
    /// The time of the clock that it was gathered at.
    clock: u64,
    generation: Option<i64>,
    /// The statuses that it was gathered for: before and after a write.
    says: [u64; 2],
    /// When what was gathered may be written.
    at: Option<Timestamp>,
}

/// What to do about a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Gather it.
    Gather,
    /// Not before then.
    Wait(Timestamp),
    /// Nothing.
    Rest,
}

impl Remembered {
    fn step(&self, catalog: &StoredCatalog, last: Last, now: Timestamp) -> Step {
        let edited =
            self.generation != catalog.meta().generation || !self.says.contains(&catalog.says());
        if edited || last.loss > self.clock {
            return Step::Gather;
        }
        let changed = last.change > self.clock;
        let coalesced = || {
            let written = catalog.written().filter(|_| changed)?;
            written.min(now).checked_add(COALESCED).ok()
        };
        match self.at.or_else(coalesced) {
            Some(at) if at > now => Step::Wait(at),
            Some(_) => Step::Gather,
            None if changed => Step::Gather,
            None => Step::Rest,
        }
    }
}

/// What one catalogue should say.
struct Draft {
    due: Due,
    patch: Value,
    texts: usize,
}

/// Keeps all catalogues until `stop`, if that is in this process's share. `listed`: where to keep the
/// references that are in catalogues, if they are more than it works on.
pub(super) async fn run(
    context: Arc<Context>,
    catalogues: Writer<StoredCatalog>,
    listed: Option<Writer<Held>>,
    stop: CancellationToken,
) {
    if context.config.share.references_only() {
        return stop.cancelled().await;
    }
    let Some(writer) = listed else {
        return keep(context, catalogues, stop).await;
    };
    let apis = watch::scoped(&context.client, context.config.namespaces.as_deref());
    let noted = context.clone();
    let all = watch::references(
        apis,
        context.pauses("listed"),
        None,
        writer,
        move |before, after| {
            noted.changes.note(before, after);
        },
    );
    let all = all.for_each(|_| std::future::ready(()));
    tokio::select! {
        () = all => {}
        () = keep(context, catalogues, stop) => {}
    }
}

/// Begins when the references are known, since a catalogue that was gathered before would take images
/// away.
async fn keep(context: Arc<Context>, writer: Writer<StoredCatalog>, stop: CancellationToken) {
    if context.listed.wait_until_ready().await.is_err() {
        return;
    }
    let catalogues = context.catalogues.clone();
    let apis = watch::scoped(&context.client, context.config.namespaces.as_deref());
    let [watching, controlling] = [
        context.pauses("catalogues"),
        context.pauses("catalogues' controller"),
    ];
    let shared = Arc::new(Shared {
        context,
        catalogues: catalogues.clone(),
        remembered: Mutex::default(),
        on_shelves: Mutex::default(),
    });
    // One at a time: each takes a processor while it is gathered.
    let controller = Controller::for_stream(
        watch::catalogues(apis, watching, writer),
        catalogues.clone(),
    )
    .trigger_backoff(controlling)
    .reconcile_on(wakes(shared.clone()))
    .with_config(ControllerConfig::default().concurrency(1))
    .graceful_shutdown_on(stop.clone().cancelled_owned())
    .run(counted, retry, shared)
    .for_each(|_| std::future::ready(()));
    watch::unless_idle(&stop, catalogues, controller).await;
}

/// The catalogues whose references changed.
fn wakes(shared: Arc<Shared>) -> impl Stream<Item = ObjectRef<StoredCatalog>> {
    stream::unfold(shared, |shared| async move {
        let changes = &shared.context.changes;
        changes.wait().await;
        tokio::time::sleep(TOGETHER).await;
        let all = shared.catalogues.state();
        let reads = |catalog: &StoredCatalog, name: &str| {
            let selection = shared.selection(catalog);
            selection.namespaces().contains(&name)
        };
        // The shelves of shared namespaces stay, whoever reads them at the moment.
        let shared_ones = shared.configuration().shared_namespaces();
        let namespaces = changes.take(|name| {
            shared_ones.iter().any(|shared| shared == name)
                || all.iter().any(|catalog| reads(catalog, name))
        });
        let concerned: Vec<_> = all
            .iter()
            .filter(|catalog| namespaces.iter().any(|name| reads(catalog, name)))
            .map(|catalog| ObjectRef::from_obj(catalog.as_ref()))
            .collect();
        drop(all);
        Some((stream::iter(concerned), shared))
    })
    .flatten()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the controller passes its context so"
)]
fn retry(catalog: Arc<StoredCatalog>, error: &ApiError, _: Arc<Shared>) -> Action {
    warn!(object = %Named(catalog.as_ref()), %error, "the ImageCatalog could not be written");
    Action::requeue(FAILED_RETRY)
}

async fn counted(catalog: Arc<StoredCatalog>, shared: Arc<Shared>) -> Result<Action, ApiError> {
    let work = Box::pin(reconcile(catalog, shared.clone()));
    let (metrics, health) = (&shared.context.metrics, &shared.context.health);
    metrics.reconcile(health, "ImageCatalog", work).await
}

async fn reconcile(catalog: Arc<StoredCatalog>, shared: Arc<Shared>) -> Result<Action, ApiError> {
    if catalog.is_left_alone() {
        return Ok(Action::await_change());
    }
    let changes = &shared.context.changes;
    let now = shared.context.now();
    let clock = changes.clock();
    let last = changes.last(&shared.selection(&catalog).namespaces());
    let step = shared.remembered(&catalog);
    match step.map_or(Step::Gather, |known| known.step(&catalog, last, now)) {
        Step::Gather => {}
        Step::Wait(at) => return Ok(Action::requeue(until(at, now))),
        Step::Rest => return Ok(Action::await_change()),
    }
    let gather = {
        let (shared, catalog) = (shared.clone(), catalog.clone());
        move || shared.gather(&catalog, clock, now)
    };
    #[cfg(not(test))]
    let gathered = tokio::task::spawn_blocking(gather).await;
    // A thread would come back at a moment that no seed of the simulation repeats.
    #[cfg(test)]
    let gathered = Ok::<_, tokio::task::JoinError>(gather());
    let draft = match gathered {
        Ok(Ok(draft)) => draft,
        Ok(Err(why)) => {
            // A status that is not known cannot be changed.
            tracing::error!(why, "an ImageCatalog is left alone until it changes");
            return Ok(Action::await_change());
        }
        // The process is stopping.
        Err(_) => return Ok(Action::requeue(CHANGED_RETRY)),
    };
    let mut known = Remembered {
        clock,
        generation: catalog.meta().generation,
        says: [catalog.says(); 2],
        at: None,
    };
    let mut action = Action::await_change();
    match draft.due {
        Due::Never => {}
        Due::At(at) => {
            known.at = Some(at);
            action = Action::requeue(until(at, now));
        }
        Due::Now => match shared.write(&catalog, &draft).await? {
            Some(written) => known.says[1] = written.says(),
            // Its next event, or a second, brings it back; if it is gone, neither does.
            None => return Ok(Action::requeue(CHANGED_RETRY)),
        },
    }
    shared.remember(&catalog, known);
    Ok(action)
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    now.duration_until(at).unsigned_abs()
}

impl Shared {
    fn configuration(&self) -> &Configuration {
        &self.context.config.admission
    }

    fn selection<'a>(&'a self, catalog: &'a StoredCatalog) -> Selection<'a> {
        Selection {
            namespace: catalog.namespace(),
            spec: catalog.spec(),
            configuration: self.configuration(),
        }
    }

    fn remembered(&self, catalog: &StoredCatalog) -> Option<Remembered> {
        let remembered = self.remembered.lock();
        let remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        remembered.get(&catalog.key()).copied()
    }

    fn remember(&self, catalog: &StoredCatalog, known: Remembered) {
        let remembered = self.remembered.lock();
        let mut remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        remembered.insert(catalog.key(), known);
        let all = self.catalogues.state();
        if remembered.len() > 2 * all.len() {
            let keys: std::collections::HashSet<_> = all.iter().map(|c| c.key()).collect();
            remembered.retain(|key, _| keys.contains(key));
        }
    }

    /// What the catalogue should say.
    ///
    /// # Errors
    /// One sentence: what it says cannot be read.
    fn gather(&self, catalog: &StoredCatalog, clock: u64, now: Timestamp) -> Result<Draft, String> {
        let previous = catalog.status()?;
        let selection = self.selection(catalog);
        let refs = self.context.listed.state();
        let mut candidates = Vec::new();
        for namespace in selection.namespaces() {
            if namespace == selection.namespace {
                candidates.extend(of_namespace(&refs, namespace));
            } else {
                let of_all = self.of_shared(&refs, namespace, clock);
                candidates.extend(of_all.iter().cloned());
            }
        }
        drop(refs);
        candidates.retain(|candidate| selection.takes(candidate));
        let gathered =
            catalogue::gather(selection.namespace, candidates, &previous, catalog.beside());
        let generation = catalog.meta().generation.unwrap_or_default();
        let next = catalogue::status(gathered, &previous, generation, now);
        Ok(Draft {
            due: catalogue::due(&previous, &next, now),
            patch: patch(&previous, &next),
            texts: next.images.len(),
        })
    }

    /// The references of a shared namespace, unpacked once for all catalogues.
    fn of_shared(&self, refs: &[Arc<Held>], namespace: &str, clock: u64) -> Arc<Vec<Candidate>> {
        let last = self.context.changes.last(&[namespace]).change;
        let mut known = self
            .on_shelves
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = known.get(namespace).filter(|kept| last <= kept.clock) {
            return kept.candidates.clone();
        }
        let candidates = Arc::new(of_namespace(refs, namespace));
        let kept = Shelf {
            clock,
            candidates: candidates.clone(),
        };
        known.insert(namespace.to_owned(), kept);
        candidates
    }

    /// Writes onto the very version that was read; `None` if it is another one by now, or gone.
    async fn write(
        &self,
        catalog: &StoredCatalog,
        draft: &Draft,
    ) -> Result<Option<StoredCatalog>, ApiError> {
        let patch = json!({
            "metadata": {"resourceVersion": catalog.resource_version(), "uid": catalog.uid()},
            "status": draft.patch,
        });
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..Default::default()
        };
        let client = self.context.client.clone();
        let api: Api<DeserializeGuard<StoredCatalog>> =
            Api::namespaced(client, catalog.namespace());
        let (name, patch) = (catalog.name_any(), Patch::Merge(&patch));
        let call = api.patch_status(&name, &params, &patch);
        let result = limited("writing an ImageCatalog", call).await;
        let metrics = &self.context.metrics;
        metrics
            .status_writes
            .count(["ImageCatalog", outcome(&result)]);
        match result {
            Ok(written) => {
                debug!(object = %Named(catalog), texts = draft.texts, "an ImageCatalog was written");
                Ok(written.0.ok())
            }
            Err(ApiError::Failed { source, .. }) if stale(&source) || gone(&source) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn of_namespace(refs: &[Arc<Held>], namespace: &str) -> Vec<Candidate> {
    let of = refs
        .iter()
        .filter(|held| held.namespace() == namespace && held.listed() != 0);
    // A damaged one is reported where it is reconciled.
    of.filter_map(|held| Candidate::new(&held.unpack().ok()?))
        .collect()
}

/// The JSON merge patch between two statuses. Images are compared one by one, since most stay.
fn patch(before: &ImageCatalogStatus, after: &ImageCatalogStatus) -> Value {
    let value = |image: Option<_>| image.and_then(|image| serde_json::to_value(image).ok());
    let mut images = Map::new();
    for (key, image) in &after.images {
        let old = before.images.get(key);
        if old != Some(image) {
            let empty = || json!({});
            let (old, new) = (value(old), value(Some(image)));
            let change = merge_patch(&old.unwrap_or_else(empty), &new.unwrap_or_else(empty));
            images.insert(key.clone(), change);
        }
    }
    let gone = before.images.keys();
    for key in gone.filter(|key| !after.images.contains_key(*key)) {
        images.insert(key.clone(), Value::Null);
    }
    let others = |status: &ImageCatalogStatus| {
        let status = ImageCatalogStatus {
            images: std::collections::BTreeMap::new(),
            observed_generation: status.observed_generation,
            refs: status.refs,
            last_changed_time: status.last_changed_time.clone(),
            overflow: status.overflow.clone(),
            conditions: status.conditions.clone(),
        };
        serde_json::to_value(status).unwrap_or_else(|_| json!({}))
    };
    let mut patch = merge_patch(&others(before), &others(after));
    if !images.is_empty() {
        patch["images"] = Value::Object(images);
    }
    patch
}

#[cfg(test)]
mod tests;
