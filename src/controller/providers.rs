//! The status of providers, and who must hear of their changes.
//!
//! Owns `status` of both kinds. Must not ask a platform: what it knows of one comes from the looks
//! of references. The invariant that would break first: a changed provider or Secret reaches every
//! reference that waits for it, without any right to list Secrets.

mod judge;
mod listed;
mod pace;
mod stored;

pub(super) use pace::Pace;

use super::act::{outcome, publish_about};
use super::observe::Version;
use super::report::named;
use super::watch::Watched;
use super::{API_TIMEOUT, ApiError, Changes, Context, FIELD_MANAGER, limited, watch};
use crate::api::condition::{self, Truth};
use crate::api::{ConditionType, ProviderKind, ProviderStatus, Reason};
use crate::cloud::gate::Breaker;
use crate::cloud::provider::{Provider, may_use};
use crate::cloud::sign_in::SignIn;
use crate::plan::ProviderId;
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::events::{Event, EventType};
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::{Client, Resource};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often the objects that a provider signs in with are read again; spread by a tenth.
const READ_INTERVAL: Duration = Duration::from_secs(60);

/// When to read an object again that could not be read.
const UNREAD_RETRY: Duration = Duration::from_secs(10);

/// A provider kind, as far as this module reads it.
pub(super) trait HasStatus {
    /// The kind.
    const KIND: ProviderKind;
    /// The status.
    fn status(&self) -> Option<&ProviderStatus>;
    /// Gives it a status.
    fn set_status(&mut self, status: Option<ProviderStatus>);
}

impl HasStatus for crate::api::ImageProvider {
    const KIND: ProviderKind = ProviderKind::Namespaced;

    fn status(&self) -> Option<&ProviderStatus> {
        self.status.as_ref()
    }

    fn set_status(&mut self, status: Option<ProviderStatus>) {
        self.status = status;
    }
}

impl HasStatus for crate::api::ClusterImageProvider {
    const KIND: ProviderKind = ProviderKind::Cluster;

    fn status(&self) -> Option<&ProviderStatus> {
        self.status.as_ref()
    }

    fn set_status(&mut self, status: Option<ProviderStatus>) {
        self.status = status;
    }
}

/// Makes one of both kinds out of an object.
pub(super) type Wrap<K> = fn(Arc<K>) -> Provider;

/// Where an object of this kind is written: by namespace, or `None` for the cluster kind.
pub(super) type ApiFor<K> = fn(Client, Option<&str>) -> Api<DeserializeGuard<K>>;

struct Shared<K: Resource> {
    context: Arc<Context>,
    api: ApiFor<K>,
    wrap: Wrap<K>,
    /// What references have heard of, by provider.
    told: Mutex<HashMap<ProviderId, Told>>,
}

/// UID and generation of a provider, and its version.
type Told = ((Option<String>, Option<i64>), Version);

/// The controller of one kind; it runs until `stop`.
pub(super) fn controller<K>(
    apis: Vec<Api<DeserializeGuard<K>>>,
    (store, writer): (Store<K>, Writer<K>),
    changes: Changes,
    (wrap, api_for): (Wrap<K>, ApiFor<K>),
    context: Arc<Context>,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + use<K>
where
    K: Watched + HasStatus,
{
    let pauses = |what: &str| context.pauses(&format!("{}{what}", K::KIND.as_str()));
    let (watching, controlling) = (pauses("s"), pauses("s' controller"));
    let shared = Shared {
        context,
        api: api_for,
        wrap,
        told: Mutex::default(),
    };
    let by_name = changes.map(|id| {
        let reference = ObjectRef::new(&id.name);
        match id.namespace {
            Some(namespace) => reference.within(&namespace),
            None => reference,
        }
    });
    Controller::for_stream(watch::providers(apis, watching, writer), store)
        .trigger_backoff(controlling)
        .reconcile_on(by_name)
        .with_config(ControllerConfig::default().concurrency(8))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(counted, retry, Arc::new(shared))
        .for_each(|_| std::future::ready(()))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the controller passes its context so"
)]
fn retry<K: Resource<DynamicType = ()>>(
    object: Arc<K>,
    error: &ApiError,
    _: Arc<Shared<K>>,
) -> Action {
    let provider = named(object.as_ref());
    warn!(provider, %error, "the provider could not be written");
    Action::requeue(Duration::from_secs(10))
}

async fn counted<K>(object: Arc<K>, shared: Arc<Shared<K>>) -> Result<Action, ApiError>
where
    K: Watched + HasStatus,
{
    #[cfg(test)]
    super::simulation::turn(&named(object.as_ref())).await;
    let work = Box::pin(reconcile(object, shared.clone()));
    let (metrics, health) = (&shared.context.metrics, &shared.context.health);
    metrics.reconcile(health, K::KIND.as_str(), work).await
}

async fn reconcile<K>(object: Arc<K>, shared: Arc<Shared<K>>) -> Result<Action, ApiError>
where
    K: Watched + HasStatus,
{
    let context = &shared.context;
    let mut object = object;
    let mut provider = (shared.wrap)(object.clone());
    let unreadable = provider.unreadable().is_some();
    if unreadable {
        object = stored::with_stored_status(context, object).await?;
        provider = (shared.wrap)(object.clone());
    }
    let previous = object.status().cloned().unwrap_or_default();
    let generation = object.meta().generation.unwrap_or_default();
    if previous.observed_generation == Some(generation) {
        context.pace.turn().await;
    }
    watch_secret(context, &provider);
    let Some(judged) = judge::judge(context, &provider).await else {
        // The API server's trouble, not the provider's: what is known of it stays.
        return Ok(Action::requeue(UNREAD_RETRY));
    };
    tell(&shared, &provider, judged.version).await;

    let now = context.now();
    let mut conditions = previous.conditions.clone();
    condition::set(
        &mut conditions,
        ConditionType::Ready,
        judged.truth,
        judged.reason,
        &judged.message,
        generation,
        now,
    );
    let pause = judged.gate.as_ref().and_then(|gate| gate.pause(now));
    let (truth, reason, message) = match &pause {
        Some((_, failure)) => (Truth::True, Reason::RateLimited, failure.message.as_str()),
        // The service that issues its keys asks for one.
        None if judged.reason == Reason::RateLimited => {
            (Truth::True, Reason::RateLimited, judged.message.as_str())
        }
        None => (
            Truth::False,
            Reason::NotThrottled,
            "the platform asks for no pause",
        ),
    };
    let throttled = ConditionType::Throttled;
    condition::set(
        &mut conditions,
        throttled,
        truth,
        reason,
        message,
        generation,
        now,
    );
    listed::set(
        &mut conditions,
        judged.lists,
        context.snapshots.is_young(),
        generation,
        now,
    );
    let status = ProviderStatus {
        observed_generation: Some(generation),
        // Kept while it cannot be looked up: a suspended provider still has one, and one that cannot be
        // read may.
        project_id: judged
            .project
            .or_else(|| provider.known_project().map(Into::into))
            .or_else(|| previous.project_id.clone().filter(|_| unreadable)),
        conditions,
        breaker: judged.gate.map(|gate| shown(gate.breaker(now)).into()),
    };
    if !context.config.share.references_only() && durable(&status) != durable(&previous) {
        let api = (shared.api)(context.client.clone(), object.meta().namespace.as_deref());
        let result = write(&api, object.as_ref(), &status).await;
        let metrics = &context.metrics;
        metrics
            .status_writes
            .count([K::KIND.as_str(), outcome(&result)]);
        result?;
        announce(context, object.as_ref(), &previous, &status);
    }
    let next = match pause {
        Some((until, _)) => now.duration_until(until).unsigned_abs().min(READ_INTERVAL),
        None => read_due(&status.conditions, now),
    };
    let spread = next.mul_f64(spread(object.meta().uid.as_deref().unwrap_or_default()));
    Ok(Action::requeue(spread + Duration::from_millis(500)))
}

/// Watches the provider's Secret, where that is allowed.
fn watch_secret(context: &Arc<Context>, provider: &Provider) {
    let secret = match provider.sign_in(&context.config.operator_namespace) {
        Ok(SignIn::Secret { secret, .. }) if !provider.suspended() => Some(secret),
        _ => None,
    };
    // The watch must not keep alive what it is part of.
    let weak = Arc::downgrade(context);
    context
        .secret_watches
        .keep(&provider.id(), secret, move |id| {
            if let Some(context) = weak.upgrade() {
                context.health_changed(id);
            }
        });
}

/// 0.9 to 1.1, by the object: providers that were created together are not read together for ever.
fn spread(uid: &str) -> f64 {
    let digest = Sha256::digest(uid);
    0.9 + f64::from(digest[0]) / 1275.0
}

/// When to read again: a missing object is often just being created, in the same file.
fn read_due(conditions: &[Condition], now: Timestamp) -> Duration {
    let missing = [Reason::SecretNotFound, Reason::ServiceAccountNotFound].map(Reason::as_str);
    match condition::find(conditions, ConditionType::Ready) {
        Some(ready) if missing.contains(&ready.reason.as_str()) => {
            let since = ready.last_transition_time.0.min(now);
            (now.duration_since(since).unsigned_abs() / 2).min(READ_INTERVAL)
        }
        _ => READ_INTERVAL,
    }
}

/// Has the references of a provider that changed look again. They are told again with the next
/// reconcile if not all of them could be.
async fn tell<K: Resource<DynamicType = ()>>(
    shared: &Shared<K>,
    provider: &Provider,
    version: Version,
) {
    let id = provider.id();
    let context = &shared.context;
    let version = (provider.version(), version);
    let told = || shared.told.lock().unwrap_or_else(PoisonError::into_inner);
    if told().get(&id) == Some(&version) {
        return;
    }
    let concerned = context
        .refs
        .state()
        .into_iter()
        .filter(|r| may_use(r.provider_ref(), r.namespace(), &id))
        .map(|r| ObjectRef::from_obj(r.as_ref()));
    if send_all(context.look_again.clone(), concerned).await {
        let mut told = told();
        told.retain(|id, _| context.find(id).is_some());
        told.insert(id, version);
    } else {
        warn!(provider = %id, "its references could not all be told of its change; it is repeated");
    }
}

/// Sends everything, as fast as it is taken; says whether it could, in time.
async fn send_all<T>(mut to: mpsc::Sender<T>, all: impl Iterator<Item = T>) -> bool {
    let sending = async {
        for one in all {
            if to.send(one).await.is_err() {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(API_TIMEOUT, sending)
        .await
        .unwrap_or(false)
}

/// A breaker as a status has it. It is open until the platform answers: half open and open again, as
/// often as somebody tries, would be two writes each and tell a reader nothing.
fn shown(breaker: Breaker) -> &'static str {
    match breaker {
        Breaker::Closed => Breaker::Closed.as_str(),
        Breaker::Open | Breaker::HalfOpen => Breaker::Open.as_str(),
    }
}

fn durable(status: &ProviderStatus) -> ProviderStatus {
    let mut status = status.clone();
    for condition in &mut status.conditions {
        condition.message.clear();
    }
    status
}

async fn write<K>(
    api: &Api<DeserializeGuard<K>>,
    object: &K,
    status: &ProviderStatus,
) -> Result<(), ApiError>
where
    K: Watched,
{
    let mut patch = json!({
        "metadata": {"resourceVersion": object.meta().resource_version},
        "status": status,
    });
    // A merge patch removes what is null and keeps what is absent.
    patch["status"]["projectId"] = json!(status.project_id);
    patch["status"]["breaker"] = json!(status.breaker);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..Default::default()
    };
    let name = object.meta().name.clone().unwrap_or_default();
    limited(
        "writing a provider's status",
        api.patch_status(&name, &params, &Patch::Merge(&patch)),
    )
    .await
    .map(drop)
}

/// One line and one event a change of Ready.
fn announce<K>(context: &Context, object: &K, before: &ProviderStatus, after: &ProviderStatus)
where
    K: Resource<DynamicType = ()>,
{
    let ready = |status: &ProviderStatus| {
        condition::find(&status.conditions, ConditionType::Ready).cloned()
    };
    let state = |c: &Option<Condition>| c.as_ref().map(|c| (c.status.clone(), c.reason.clone()));
    let (was, is) = (ready(before), ready(after));
    let Some(is) = is.filter(|is| state(&was) != state(&Some(is.clone()))) else {
        return;
    };
    let good = is.status == Truth::True.as_str();
    tracing::info!(
        provider = named(object),
        ready = is.status,
        reason = is.reason,
        "{}",
        is.message
    );
    let event = Event {
        type_: if good {
            EventType::Normal
        } else {
            EventType::Warning
        },
        reason: is.reason,
        note: Some(is.message),
        action: "Validate".into(),
        secondary: None,
    };
    publish_about(context, object, event);
}

#[cfg(test)]
mod tests;
