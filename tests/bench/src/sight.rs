//! A fleet as a watch shows it.
//!
//! Owns the watch and what is kept of each object. Must not know who writes the statuses. The
//! invariant that would break first: time is taken when the watch has brought the last object, the
//! same way for the operator and for the bare client.

use crate::fleet::Fleet;
use anyhow::{Result, bail, ensure};
use futures::stream::{BoxStream, select_all};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, ApiResource, GroupVersionKind};
use kube::core::Object;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt as _};
use serde::Deserialize;
use serde::de::IgnoredAny;
use site::Progress;
use std::time::{Duration, Instant};

/// Longest wait for the first listing.
const LISTING: Duration = Duration::from_secs(120);

/// How often to look whether whoever writes is still there.
const LIVENESS: Duration = Duration::from_secs(1);

type Seen = Object<IgnoredAny, Status>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    observed_generation: Option<i64>,
    digest: Option<IgnoredAny>,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
}

/// What an `ImageRef` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The generation of its spec; 0 before it was seen.
    pub(crate) generation: i64,
    /// Whether the status is about the spec as it is now.
    pub(crate) current: bool,
    /// The condition Ready, if it is True or False.
    pub(crate) ready: Option<bool>,
    /// Its reason.
    pub(crate) reason: String,
    /// Whether the condition Stale is True.
    pub(crate) stale: bool,
    /// Whether the status has a digest.
    pub(crate) digest: bool,
}

impl View {
    fn of(object: &Seen) -> Self {
        let status = object.status.as_ref();
        let find = |type_: &str| {
            let conditions = status.into_iter().flat_map(|status| &status.conditions);
            conditions.into_iter().find(|c| c.type_ == type_)
        };
        let ready = find("Ready");
        Self {
            generation: object.metadata.generation.unwrap_or_default(),
            current: object.metadata.generation.is_some()
                && status.is_some_and(|s| s.observed_generation == object.metadata.generation),
            ready: ready.and_then(|ready| ready.status.to_lowercase().parse().ok()),
            reason: ready.map_or_else(String::new, |ready| ready.reason.clone()),
            stale: find("Stale").is_some_and(|stale| stale.status == "True"),
            digest: status.is_some_and(|status| status.digest.is_some()),
        }
    }

    /// Whether the status names the image that the spec asks for, with nothing left to do.
    pub(crate) fn is_resolved(&self) -> bool {
        self.current && self.ready == Some(true) && self.reason == "Resolved" && !self.stale
    }
}

/// The watch of a fleet.
pub(crate) struct Sight {
    events: BoxStream<'static, Result<Event<Seen>, watcher::Error>>,
    views: Vec<View>,
}

impl Sight {
    /// Watches a fleet that exists; returns once all of it was listed.
    pub(crate) async fn open(client: &Client, fleet: &Fleet) -> Result<Self> {
        let kind = GroupVersionKind::gvk("imageref.dev", "v1alpha1", "ImageRef");
        let resource = ApiResource::from_gvk_with_plural(&kind, "imagerefs");
        let namespaces = fleet.namespaces();
        let watches = namespaces.iter().map(|namespace| {
            let api = Api::namespaced_with(client.clone(), namespace, &resource);
            watcher(api, watcher::Config::default())
                .default_backoff()
                .boxed()
        });
        let mut sight = Self {
            events: select_all(watches).boxed(),
            views: vec![View::default(); usize::try_from(fleet.size)?],
        };
        let mut unlisted = namespaces.len();
        let listing = async {
            while unlisted > 0 {
                let event = sight.events.try_next().await?;
                unlisted -= usize::from(matches!(event, Some(Event::InitDone)));
                event.and_then(|event| sight.take(event));
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(LISTING, listing).await??;
        let known = sight.count(|view| view.generation > 0);
        ensure!(known == fleet.size, "{known} of {} were listed", fleet.size);
        Ok(sight)
    }

    /// Keeps what an event says; gives the place of the object that it is about.
    fn take(&mut self, event: Event<Seen>) -> Option<usize> {
        let (Event::Apply(object) | Event::InitApply(object)) = event else {
            return None;
        };
        let place = usize::try_from(Fleet::number(&object.name_any())?).ok()?;
        *self.views.get_mut(place)? = View::of(&object);
        Some(place)
    }

    /// How many of the fleet are so.
    pub(crate) fn count(&self, so: impl Fn(&View) -> bool) -> u32 {
        let count = self.views.iter().filter(|view| so(view)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Waits until all of the fleet are so; gives the time at which the last one was seen.
    pub(crate) async fn until(
        &mut self,
        progress: &Progress,
        limit: Duration,
        mut alive: impl FnMut() -> Result<()>,
        so: impl Fn(u32, &View) -> bool,
    ) -> Result<Instant> {
        let deadline = Instant::now() + limit;
        let mut met: Vec<bool> = (0..)
            .zip(&self.views)
            .map(|(n, view)| so(n, view))
            .collect();
        let mut missing = met.iter().filter(|met| !**met).count();
        let mut liveness = tokio::time::interval(LIVENESS);
        while missing > 0 {
            tokio::select! {
                event = self.events.next() => {
                    // A watch that broke is opened again by the stream itself.
                    let Some(event) = event else { bail!("the watch ended") };
                    let Some(place) = event.ok().and_then(|event| self.take(event)) else { continue };
                    let now = so(u32::try_from(place)?, &self.views[place]);
                    match (std::mem::replace(&mut met[place], now), now) {
                        (false, true) => missing -= 1,
                        (true, false) => missing += 1,
                        _ => {}
                    }
                    progress.done(u32::try_from(met.len() - missing)?);
                }
                _ = liveness.tick() => {
                    alive()?;
                    if Instant::now() > deadline {
                        let example = met.iter().position(|met| !met).unwrap_or_default();
                        bail!(
                            "{missing} of {} are not as awaited after {limit:?}, such as {}: {:?}",
                            met.len(), Fleet::name(u32::try_from(example)?), self.views[example]
                        );
                    }
                }
            }
        }
        Ok(Instant::now())
    }

    /// A measuring window: lets time pass and follows the watch meanwhile.
    pub(crate) async fn during(&mut self, progress: &Progress, window: Duration) -> Result<()> {
        let began = Instant::now();
        let end = tokio::time::sleep(window);
        let mut seconds = tokio::time::interval(LIVENESS);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return Ok(()),
                _ = seconds.tick() => progress.done(u32::try_from(began.elapsed().as_secs())?),
                event = self.events.next() => {
                    let Some(event) = event else { bail!("the watch ended") };
                    event.ok().and_then(|event| self.take(event));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn view(status: &Value) -> View {
        let object = json!({"metadata": {"name": "ref-000001", "generation": 2}, "spec": {}, "status": status});
        View::of(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn resolved_is_about_the_spec_as_it_is_now_and_not_stale() {
        let ready = json!({"type": "Ready", "status": "True", "reason": "Resolved"});
        let stale = json!({"type": "Stale", "status": "True", "reason": "ProviderError"});
        assert!(view(&json!({"observedGeneration": 2, "conditions": [ready]})).is_resolved());
        assert!(!view(&json!({"observedGeneration": 1, "conditions": [ready]})).is_resolved());
        assert!(
            !view(&json!({"observedGeneration": 2, "conditions": [ready, stale]})).is_resolved()
        );
        assert!(!view(&json!({"observedGeneration": -1})).is_resolved());
        assert!(!view(&Value::Null).current);
    }

    #[test]
    fn unknown_is_neither_ready_nor_not() {
        let unknown = json!({"type": "Ready", "status": "Unknown", "reason": "Resolving"});
        assert_eq!(view(&json!({"conditions": [unknown]})).ready, None);
    }
}
