//! The watches that keep the webhook's memory fresh.
//!
//! Owns how lists and changes are read, and when to begin anew. Must not know what verdicts make of
//! them. The invariant that would break first: a list takes effect whole, at its end, and an object
//! that cannot be read holds up no other.
//!
//! The watcher of the client library is not used: it does not tell when it is connected again, so
//! that a quiet watch could not be told from a broken one, and it waits without end for an API server
//! that took a request and says nothing.

use super::state::{Labels, State, Watched};
use crate::admission::{Known, KnownRef};
use crate::api::ImageRef;
use crate::api::condition::truncate;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::utils::Backoff as _;
use kube::runtime::watcher::DefaultBackoff;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Objects that are read in one answer; each has some kilobytes as the API server sends it.
const PAGE: u32 = 500;

/// How long an answer may take: a page of a list, or the first line of a watch's answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How long a watch lasts, in seconds. Short, since a connection that broke off unseen is noticed
/// only when the watch is over.
const LASTS: u32 = 60;

/// The longest silence: the API server ends a watch that lasted.
const SILENCE: Duration = Duration::from_secs(LASTS as u64 + 10);

/// A watch that was open for so long is one, and not a refusal that came late.
const SETTLED: Duration = Duration::from_secs(5);

/// The longest pause after a failure, where the backoff names none.
const PAUSE: Duration = Duration::from_secs(30);

/// Labels of namespaces that are kept.
const OURS: &str = "imageref.dev/";

/// Keeps the state as the API server has it, until `stop`. It needs the right to list and watch
/// `ImageRefs` and Namespaces in the whole cluster; without it `state` never gets ready, and says so
/// as [`State::is_old`].
pub async fn keep(client: Client, state: Arc<State>, stop: CancellationToken) {
    let references = follow::<References>(Api::all(client.clone()), &state);
    let namespaces = follow::<Namespaces>(Api::all(client), &state);
    tokio::select! {
        () = stop.cancelled() => {}
        () = references => {}
        () = namespaces => {}
    }
}

/// A kind, and its place in the memory.
trait Kind {
    /// An object as the API server sends it.
    type Object: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static;
    /// What a list comes to.
    type List;
    const WATCHED: Watched;

    fn empty(state: &State) -> Self::List;
    fn add(list: &mut Self::List, object: &Self::Object);
    fn replace(state: &State, list: Self::List);
    fn put(state: &State, object: &Self::Object);
    fn remove(state: &State, object: &Self::Object);
}

struct References;

impl References {
    /// What verdicts read of it. One that does not fit its kind says nothing: it declares no image.
    fn read(object: &DeserializeGuard<ImageRef>) -> Option<KnownRef> {
        match &object.0 {
            Ok(object) => Some(object.into()),
            Err(invalid) => {
                warn!(
                    object = invalid.metadata.name,
                    namespace = invalid.metadata.namespace,
                    error = truncate(&invalid.error, 300),
                    "an ImageRef does not fit its kind"
                );
                None
            }
        }
    }
}

impl Kind for References {
    type Object = DeserializeGuard<ImageRef>;
    type List = Known;
    const WATCHED: Watched = Watched::ImageRefs;

    fn empty(state: &State) -> Known {
        Known::new(state.configuration().mirrors())
    }

    fn add(list: &mut Known, object: &Self::Object) {
        if let Some(reference) = Self::read(object) {
            list.insert(reference);
        }
    }

    fn replace(state: &State, list: Known) {
        state.replace_references(list);
    }

    fn put(state: &State, object: &Self::Object) {
        match Self::read(object) {
            Some(reference) => state.put_reference(reference),
            None => Self::remove(state, object),
        }
    }

    fn remove(state: &State, object: &Self::Object) {
        let namespace = object.meta().namespace.as_deref().unwrap_or_default();
        state.remove_reference(namespace, &object.name_any());
    }
}

struct Namespaces;

impl Namespaces {
    /// Clusters have many namespaces with many labels, and few are ours.
    fn labels(object: &PartialObjectMeta<Namespace>) -> Labels {
        let all = object.metadata.labels.iter().flatten();
        let ours = all.filter(|(key, _)| key.starts_with(OURS));
        ours.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

impl Kind for Namespaces {
    type Object = PartialObjectMeta<Namespace>;
    type List = HashMap<String, Labels>;
    const WATCHED: Watched = Watched::Namespaces;

    fn empty(_: &State) -> Self::List {
        HashMap::new()
    }

    fn add(list: &mut Self::List, object: &Self::Object) {
        list.insert(object.name_any(), Self::labels(object));
    }

    fn replace(state: &State, list: Self::List) {
        state.replace_namespaces(list);
    }

    fn put(state: &State, object: &Self::Object) {
        state.put_namespace(&object.name_any(), Self::labels(object));
    }

    fn remove(state: &State, object: &Self::Object) {
        state.remove_namespace(&object.name_any());
    }
}

/// Why a list or a watch ended before its time.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", words(.0))]
    Refused(Box<kube::Error>),
    #[error("the API server does not answer")]
    Silent,
    #[error("the watch ended at once")]
    CutOff,
    #[error("the list has no version to watch from")]
    NoVersion,
}

impl Failure {
    /// Whether the watch may go on from where it was: nothing says that the version is at fault, such
    /// as one that is gone (410) or that the API server does not have yet (504). An API server that
    /// comes back is not asked for all lists at once.
    fn is_passing(&self) -> bool {
        match self {
            Self::Silent | Self::CutOff => true,
            Self::NoVersion => false,
            Self::Refused(error) => match &**error {
                kube::Error::Api(status) => matches!(status.code, 429 | 500 | 503),
                kube::Error::SerdeError(_) => false,
                _ => true,
            },
        }
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// In a few words: a refusal prints its whole status otherwise.
fn words(error: &kube::Error) -> String {
    let text = match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    };
    truncate(&text, 300).to_owned()
}

/// Lists, and watches from there, without end.
async fn follow<K: Kind>(api: Api<K::Object>, state: &State) {
    let mut backoff = DefaultBackoff::default();
    let mut from = None;
    loop {
        let done = match &mut from {
            Some(version) => changes::<K>(&api, state, version).await,
            None => match list::<K>(&api, state).await {
                Ok(version) => {
                    from = Some(version);
                    Ok(())
                }
                Err(failure) => Err(failure),
            },
        };
        let Err(failure) = done else {
            backoff.reset();
            continue;
        };
        state.failed(K::WATCHED, Instant::now().into_std());
        warn!(error = %failure, "the watch of {} failed; it is repeated", K::WATCHED.as_str());
        if !failure.is_passing() {
            from = None;
        }
        sleep(backoff.next().unwrap_or(PAUSE)).await;
    }
}

/// Bounds the wait for an answer: the client has no limit of its own.
async fn answered<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    match timeout(ANSWER, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Silent),
    }
}

/// Reads everything, and puts it in place of what was known; the version to watch from.
async fn list<K: Kind>(api: &Api<K::Object>, state: &State) -> Result<String, Failure> {
    let mut list = K::empty(state);
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = answered(api.list(&params)).await?;
        for object in &page.items {
            K::add(&mut list, object);
        }
        params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            K::replace(state, list);
            let version = page.metadata.resource_version;
            let version = version.filter(|version| !version.is_empty());
            return version.ok_or(Failure::NoVersion);
        }
    }
}

/// Reads changes from a version on, and leaves there the version that it came to. It ends when the
/// watch has lasted.
async fn changes<K: Kind>(
    api: &Api<K::Object>,
    state: &State,
    version: &mut String,
) -> Result<(), Failure> {
    let params = WatchParams::default().timeout(LASTS);
    let mut stream = Box::pin(answered(api.watch(&params, version)).await?);
    let begun = Instant::now();
    loop {
        let settled = begun.elapsed() >= SETTLED;
        let wait = if settled { SILENCE } else { SETTLED };
        let seen = match timeout(wait, stream.next()).await {
            Err(_) if settled => return Err(Failure::Silent),
            Err(_) => None,
            Ok(None) if settled => return Ok(()),
            Ok(None) => return Err(Failure::CutOff),
            Ok(Some(event)) => change::<K>(state, event?)?,
        };
        state.heard(K::WATCHED);
        if let Some(seen) = seen {
            *version = seen;
        }
    }
}

/// Takes one change over; the version that it brings.
fn change<K: Kind>(state: &State, event: WatchEvent<K::Object>) -> Result<Option<String>, Failure> {
    let version = match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) => {
            K::put(state, &object);
            object.resource_version()
        }
        WatchEvent::Deleted(object) => {
            K::remove(state, &object);
            object.resource_version()
        }
        WatchEvent::Bookmark(mark) => Some(mark.metadata.resource_version),
        WatchEvent::Error(status) => return Err(kube::Error::Api(status).into()),
    };
    Ok(version.filter(|version| !version.is_empty()))
}

#[cfg(test)]
mod tests;
