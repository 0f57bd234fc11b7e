//! The watch that records, straight at the API server.
//!
//! Owns how what was said gets into the history. Must not know what it means. The invariant that would
//! break first: a reference that is missing from a new listing is recorded as gone.

use crate::history::{History, Key, Said, Seen};
use anyhow::Result;
use futures::StreamExt as _;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt as _};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// `ImageRef`s of all namespaces.
pub(crate) fn image_refs(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("imageref.dev", "v1alpha1", "ImageRef");
    let resource = ApiResource::from_gvk_with_plural(&kind, "imagerefs");
    Api::all_with(client.clone(), &resource)
}

/// A watch; it ends with this value.
pub(crate) struct Recorder {
    history: Arc<Mutex<History>>,
    watching: JoinHandle<()>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Recorder {
    /// Begins to watch; times count from `begun`.
    pub(crate) fn start(client: &Client, begun: Instant) -> Self {
        let history = Arc::<Mutex<History>>::default();
        let events = watcher(image_refs(client), watcher::Config::default());
        let mut events = events.backoff(Backoff).boxed();
        let kept = history.clone();
        let watching = tokio::spawn(async move {
            let mut listed = BTreeSet::new();
            while let Some(event) = events.next().await {
                // The stream itself opens a watch again that broke.
                if let Ok(event) = event {
                    take(&mut lock(&kept), &mut listed, event, begun.elapsed());
                }
            }
        });
        Self { history, watching }
    }

    /// What was recorded so far.
    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }
}

fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the watch again soon: what is said meanwhile and said over is never seen.
struct Backoff;

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(200))
    }
}

impl kube::runtime::utils::Backoff for Backoff {
    fn reset(&mut self) {}
}

fn take(
    history: &mut History,
    listed: &mut BTreeSet<Key>,
    event: Event<DynamicObject>,
    at: Duration,
) {
    let key = |object: &DynamicObject| {
        format!(
            "{}/{}",
            object.namespace().unwrap_or_default(),
            object.name_any()
        )
    };
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => {
            listed.insert(key(&object));
            add(history, key(&object), Said::of(&object, at));
        }
        Event::InitDone => {
            let latest = history.latest().map(|(key, _)| key);
            let missing: Vec<Key> = latest
                .filter(|key| !listed.contains(*key))
                .cloned()
                .collect();
            for key in missing {
                history.add(key, Seen::Gone { at });
            }
        }
        Event::Apply(object) => add(history, key(&object), Said::of(&object, at)),
        Event::Delete(object) => history.add(key(&object), Seen::Gone { at }),
    }
}

/// A listing brings much that was seen before.
fn add(history: &mut History, key: Key, said: Said) {
    let last = history.0.get(&key).and_then(|seen| seen.last());
    let known =
        matches!(last, Some(Seen::Said(last)) if Said { at: said.at, ..(**last).clone() } == said);
    if !known {
        history.add(key, Seen::Said(said.into()));
    }
}

/// Waits until something was recorded of so many references.
pub(crate) async fn listed(recorder: &Recorder, refs: usize, within: Duration) -> Result<()> {
    let begun = Instant::now();
    while recorder.history().latest().count() < refs {
        anyhow::ensure!(begun.elapsed() < within, "not all references were listed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(name: &str, generation: i64) -> DynamicObject {
        let object = json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef", "spec": {},
            "metadata": {"name": name, "namespace": "n", "uid": name, "generation": generation},
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_a_new_listing_lacks_is_gone_and_what_it_repeats_is_no_news() {
        let (mut history, mut listed) = (History::default(), BTreeSet::new());
        let second = Duration::from_secs;
        let mut all = |event, at| take(&mut history, &mut listed, event, second(at));
        all(Event::Init, 0);
        all(Event::InitApply(object("a", 1)), 0);
        all(Event::InitApply(object("b", 1)), 0);
        all(Event::InitDone, 0);
        all(Event::Apply(object("a", 2)), 1);
        all(Event::Init, 2);
        all(Event::InitApply(object("a", 2)), 2);
        all(Event::InitDone, 3);
        assert_eq!(history.0["n/a"].len(), 2);
        assert_eq!(history.0["n/b"][1], Seen::Gone { at: second(3) });
        history.forget();
        assert_eq!(history.0.len(), 1);
        assert_eq!(history.latest().count(), 1);
    }
}
