//! Events: a courtesy to whoever reads them, and never in the way of anything.
//!
//! Owns how many are published. Must not know what they say. The invariant that would break first: a
//! reconcile never waits for an event, and ten thousand changes at once do not cost ten thousand
//! writes beside those of the statuses, which say the same.

use super::call::limited;
use crate::telemetry::Metrics;
use futures::StreamExt as _;
use futures::channel::mpsc;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, Recorder};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Events that wait; more than these are left out.
const QUEUE: usize = 256;

/// The least time between two events: 25 a second.
const PACE: Duration = Duration::from_millis(40);

/// Takes events.
pub(super) struct Events {
    queue: Mutex<mpsc::Sender<(Event, ObjectReference)>>,
    metrics: Arc<Metrics>,
}

/// What publishes them, for as long as it is polled.
pub(super) struct Publisher {
    recorder: Recorder,
    queue: mpsc::Receiver<(Event, ObjectReference)>,
    metrics: Arc<Metrics>,
}

/// A queue and its publisher.
pub(super) fn events(recorder: Recorder, metrics: Arc<Metrics>) -> (Events, Publisher) {
    let (sender, queue) = mpsc::channel(QUEUE);
    let events = Events {
        queue: Mutex::new(sender),
        metrics: metrics.clone(),
    };
    let publisher = Publisher {
        recorder,
        queue,
        metrics,
    };
    (events, publisher)
}

impl Events {
    /// Has an event published soon, or leaves it out if too many wait.
    pub(super) fn publish(&self, event: Event, about: ObjectReference) {
        let mut sender = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = sender.try_send((event, about)) {
            let (event, about) = error.into_inner();
            self.metrics.events.count(["left_out"]);
            tracing::debug!(
                reason = event.reason,
                object = about.name,
                "too many events: left out"
            );
        }
    }
}

impl Publisher {
    /// Publishes until it is dropped. A failure is logged and nothing more.
    pub(super) async fn run(mut self) {
        while let Some((event, about)) = self.queue.next().await {
            let published = limited("publishing an event", self.recorder.publish(&event, &about));
            let published = published.await;
            let result = published.as_ref().map_or("failed", |()| "published");
            self.metrics.events.count([result]);
            if let Err(error) = published {
                tracing::warn!(%error, reason = event.reason, "the event was not published");
            }
            tokio::time::sleep(PACE).await;
        }
    }
}
