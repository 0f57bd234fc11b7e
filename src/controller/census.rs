//! What the references in the store add up to, by provider.
//!
//! Owns two counts: how many images are asked about, by which a list or single calls are the cheaper
//! way; and which images are known, by which many that vanish together are noticed. Must not ask
//! anybody. The invariant that would break first: counting costs a pass over the store at most every
//! [`COUNTED_FOR`], however many references look.

use super::Context;
use super::held::{Held, Resolved};
use crate::api::ProviderKind;
use crate::cloud::provider::{self, Provider};
use crate::facts::Api;
use crate::plan::{ProviderId, Target};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a count is believed: a wrong one costs some calls and nothing else.
const COUNTED_FOR: Duration = Duration::from_secs(10);

/// How soon to count again when many came or went.
const COUNTED_AGAIN: Duration = Duration::from_secs(1);

/// The shortest interval at which each image is looked at, in ascending order.
type Intervals = Vec<Duration>;

/// What was counted.
#[derive(Default)]
struct Counted {
    asked: HashMap<(ProviderId, Api), Intervals>,
    known: HashMap<ProviderId, Arc<HashSet<u64>>>,
}

/// The counts, as last made.
#[derive(Default)]
pub(crate) struct Census(Mutex<Option<Count>>);

struct Count {
    at: Instant,
    /// How many references there were.
    refs: usize,
    counted: Arc<Counted>,
}

impl Count {
    /// Whether it may be told as it is: not if many came or went since.
    fn holds(&self, refs: usize) -> bool {
        let age = self.at.elapsed();
        let moved = refs.abs_diff(self.refs) > self.refs / 4;
        age < COUNTED_AGAIN || (age < COUNTED_FOR && !moved)
    }
}

impl Census {
    fn counted(&self, context: &Context) -> Arc<Counted> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(count) if count.holds(context.refs.len()) => count.counted.clone(),
            _ => {
                let refs = context.refs.state();
                let counted = Arc::new(Counted {
                    asked: asked(&refs, |id| context.find(id)),
                    known: known(&refs),
                });
                *held = Some(Count {
                    at: Instant::now(),
                    refs: refs.len(),
                    counted: counted.clone(),
                });
                counted
            }
        }
    }

    /// The images that are asked about through the provider and API of `target`, at least once in
    /// `interval`.
    pub(crate) fn distinct(&self, context: &Context, interval: Duration, target: &Target) -> usize {
        let key = (target.provider.clone(), target.query.api());
        let counted = self.counted(context);
        let asked = counted.asked.get(&key).map_or(0, |intervals| {
            intervals.partition_point(|each| *each <= interval)
        });
        asked.max(1)
    }

    /// What stands for the images that a provider is known to have.
    pub(crate) fn known(&self, context: &Context, provider: &ProviderId) -> Arc<HashSet<u64>> {
        let counted = self.counted(context);
        counted.known.get(provider).cloned().unwrap_or_default()
    }
}

fn asked(
    refs: &[Arc<Held>],
    find: impl Fn(&ProviderId) -> Option<Provider>,
) -> HashMap<(ProviderId, Api), Intervals> {
    let mut images: HashMap<(ProviderId, Api), HashMap<u64, Duration>> = HashMap::new();
    for held in refs {
        let Some(asks) = held.asks() else {
            continue;
        };
        let chosen = provider::choose(held.provider_ref(), held.namespace(), &find);
        let Ok(provider) = chosen else {
            continue;
        };
        let shortest = images
            .entry((provider.id(), asks.api))
            .or_default()
            .entry(asks.source)
            .or_insert(asks.interval);
        *shortest = asks.interval.min(*shortest);
    }
    let sorted = |images: HashMap<u64, Duration>| {
        let mut intervals: Vec<_> = images.into_values().collect();
        intervals.sort_unstable();
        intervals
    };
    images
        .into_iter()
        .map(|(key, images)| (key, sorted(images)))
        .collect()
}

/// A status names its provider without the namespace, which is the reference's own.
fn known(refs: &[Arc<Held>]) -> HashMap<ProviderId, Arc<HashSet<u64>>> {
    let mut known: HashMap<ProviderId, HashSet<u64>> = HashMap::new();
    for held in refs {
        let Some(Resolved { provider, image }) = held.resolved() else {
            continue;
        };
        let (kind, namespace) = if provider.kind == ProviderKind::Namespaced.as_str() {
            let own = held.namespace().to_owned();
            (ProviderKind::Namespaced, Some(own))
        } else {
            (ProviderKind::Cluster, None)
        };
        let id = ProviderId {
            kind,
            namespace,
            name: provider.name.clone(),
        };
        known.entry(id).or_default().insert(*image);
    }
    let shared = |(id, images)| (id, Arc::new(images));
    known.into_iter().map(shared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::provider::ClusterImageProviderSpec;
    use crate::api::{ClusterImageProvider, ImageRef, ImageRefStatus};
    use serde_json::json;

    fn object(name: &str, interval: &str, id: u32) -> Arc<Held> {
        Arc::new(Held::pack(
            serde_json::from_value(json!({
                "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
                "metadata": {"name": name, "namespace": "team"},
                "spec": {"interval": interval, "source": {"pai": {"id": format!("image-{id}")}}}
            }))
            .unwrap(),
        ))
    }

    #[test]
    fn images_count_once_at_the_shortest_interval_that_anybody_asks_for() {
        let refs = [
            object("a", "1h", 1),
            object("b", "1m", 1),
            object("c", "1h", 2),
            object("d", "1h", 2),
        ];
        let provider = ClusterImageProvider::new("default", ClusterImageProviderSpec::default());
        let provider = Provider::Cluster(Arc::new(provider));
        let counted = asked(&refs, |id| (*id == provider.id()).then(|| provider.clone()));
        let intervals: Vec<_> = counted.into_values().collect();
        assert_eq!(
            intervals,
            [vec![Duration::from_secs(60), Duration::from_secs(3600)]]
        );
        assert!(asked(&refs, |_| None).is_empty(), "no provider, no demand");
    }

    #[test]
    fn the_images_of_a_provider_of_the_same_name_elsewhere_do_not_count() {
        let provider = |namespace: &str| ProviderId {
            kind: ProviderKind::Namespaced,
            namespace: Some(namespace.into()),
            name: "default".into(),
        };
        let object = |namespace: &str, id: &str| {
            let mut object = ImageRef::new(id, crate::api::ImageRefSpec::default());
            object.metadata.namespace = Some(namespace.into());
            object.status = Some(ImageRefStatus {
                provider: Some(provider(namespace).to_ref()),
                image_id: Some(id.into()),
                ..ImageRefStatus::default()
            });
            Arc::new(Held::pack(object))
        };
        let refs = [object("a", "1"), object("b", "2"), object("b", "3")];
        let known = known(&refs);
        let of = |namespace| known.get(&provider(namespace)).unwrap().len();
        assert_eq!((of("a"), of("b")), (1, 2));
    }
}
