//! An `ImageRef` as it is kept between reconciles: small, since a hundred thousand are.
//!
//! Owns what of an object is kept and in which form: packed as LZ4 against the words that most objects
//! have, with what is counted over all objects beside it. Must not know what is counted or why. The
//! invariant that would break first: what is unpacked is what was packed.

use super::watch::trim;
use crate::api::condition::{self, ConditionType, Truth};
use crate::api::{ImageRef, ImageRefSpec, ProviderRef, Reason};
use crate::facts::{Api, ImageStatus};
use crate::plan;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher as _};
use std::time::Duration;

/// Objects as they are written in JSON: what LZ4 finds here again takes some bytes in a pack. They have
/// every field of the kind; the words that most objects have stand last, where they are found best.
const WORDS: &[u8] = include_bytes!("held/words.txt");

/// Tells an object from all others, also from a later one of its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Key(u128);

impl Key {
    /// Of an object's name and UID.
    pub(crate) fn of(metadata: &ObjectMeta) -> Self {
        let parts = [&metadata.namespace, &metadata.name, &metadata.uid];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.as_deref().unwrap_or_default());
            hash.update([0]);
        }
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        Self(u128::from_le_bytes(first))
    }
}

/// What a reference asks about, for counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asks {
    /// The API.
    pub(crate) api: Api,
    /// Stands for the image: equal for equal sources.
    pub(crate) source: u64,
    /// How often.
    pub(crate) interval: Duration,
}

/// An image that a status names, for counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Through which provider.
    pub(crate) provider: ProviderRef,
    /// Stands for the image's id.
    pub(crate) image: u64,
}

/// A condition in our own words, for counting; `None` for words that this operator does not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its status.
    pub(crate) truth: Option<Truth>,
    /// Its reason.
    pub(crate) reason: Option<Reason>,
}

impl Told {
    pub(crate) fn by(condition: &Condition) -> Self {
        let truths = [Truth::True, Truth::False, Truth::Unknown];
        let mut reasons = Reason::ALL.iter();
        Self {
            truth: truths.into_iter().find(|t| t.as_str() == condition.status),
            reason: reasons.find(|r| r.as_str() == condition.reason).copied(),
        }
    }
}

/// An object, packed. It is read as what it packs, one by one, so that a page of a list does not hold
/// hundreds of whole objects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "ImageRef")]
pub(crate) struct Held {
    /// Namespace and name, and the version as long as the watch asks for it: the runtime copies whatever
    /// else names an object into each of its queues.
    metadata: ObjectMeta,
    key: Key,
    /// A hash of what asks for a reconcile: the spec, the annotations, another object.
    revision: u64,
    provider_ref: Option<ProviderRef>,
    asks: Option<Asks>,
    resolved: Option<Box<Resolved>>,
    ready: Option<Told>,
    stale: Option<Told>,
    /// When its platform was last heard of, as of the last write; `None` if that does not matter.
    checked: Option<Timestamp>,
    /// When half of maxStaleness is over, if the platform does not confirm it before.
    half_stale: Option<Timestamp>,
    /// A hash of what a catalogue reads; zero if nothing of it is in one.
    listed: u64,
    /// Why the object could not be read.
    unreadable: Option<Box<str>>,
    packed: Box<[u8]>,
}

impl Held {
    pub(crate) fn pack(object: ImageRef) -> Self {
        let metadata = &object.metadata;
        let key = Key::of(metadata);
        Self {
            key,
            revision: stands_for(&(key, metadata.generation, &metadata.annotations)),
            provider_ref: object.spec.provider_ref.clone(),
            asks: asks(&object.spec),
            resolved: resolved(&object),
            ready: told(&object, ConditionType::Ready),
            stale: told(&object, ConditionType::Stale),
            checked: checked(&object),
            half_stale: half_stale(&object),
            listed: listed(&object),
            packed: lz4_flex::block::compress_prepend_size_with_dict(
                // A kind that came as JSON goes as JSON; if not, it is unreadable when it comes out.
                &serde_json::to_vec(&object).unwrap_or_default(),
                WORDS,
            )
            .into(),
            unreadable: object.spec.unreadable.map(Into::into),
            metadata: ObjectMeta {
                namespace: object.metadata.namespace,
                name: object.metadata.name,
                resource_version: object.metadata.resource_version,
                ..ObjectMeta::default()
            },
        }
    }

    /// The object as it was packed.
    ///
    /// # Errors
    /// One sentence: the pack is damaged.
    pub(crate) fn unpack(&self) -> Result<ImageRef, String> {
        let unpacked = lz4_flex::block::decompress_size_prepended_with_dict(&self.packed, WORDS);
        let json = unpacked.map_err(|error| format!("it cannot be unpacked: {error}"))?;
        let mut object: ImageRef = serde_json::from_slice(&json)
            .map_err(|error| format!("what was packed cannot be read: {error}"))?;
        object.spec.unreadable = self.unreadable.as_deref().map(Into::into);
        Ok(object)
    }

    /// For after the watch, which goes on from the version of what it read last.
    pub(crate) fn forget_version(&mut self) {
        self.metadata.resource_version = None;
    }

    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    /// Changes with what asks for a reconcile.
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) const fn provider_ref(&self) -> Option<&ProviderRef> {
        self.provider_ref.as_ref()
    }

    /// `None` while it is suspended, or if it asks nothing that can be asked.
    pub(crate) const fn asks(&self) -> Option<&Asks> {
        self.asks.as_ref()
    }

    /// What its status says of Ready.
    pub(crate) const fn ready(&self) -> Option<Told> {
        self.ready
    }

    /// What its status says of Stale.
    pub(crate) const fn stale(&self) -> Option<Told> {
        self.stale
    }

    /// When its platform was last heard of, as of the last write. `None` if there is no answer that is
    /// asked for again and again.
    pub(crate) const fn checked(&self) -> Option<Timestamp> {
        self.checked
    }

    /// Whether its platform has not confirmed it for more than half of maxStaleness.
    pub(crate) fn is_half_stale(&self, now: Timestamp) -> bool {
        self.half_stale.is_some_and(|at| at < now)
    }

    /// Changes with what a catalogue reads; zero if nothing of it is in one.
    pub(crate) const fn listed(&self) -> u64 {
        self.listed
    }

    /// `None` if its status names no image that exists.
    pub(crate) fn resolved(&self) -> Option<&Resolved> {
        self.resolved.as_deref()
    }
}

/// A number that is equal for equal values, in this process.
pub(crate) fn stands_for(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn asks(spec: &ImageRefSpec) -> Option<Asks> {
    let source = &spec.source;
    let api = match (&source.notebook, &source.lite_server, &source.pai) {
        (Some(_), None, None) => Api::Notebook,
        (None, Some(_), None) => Api::LiteServer,
        (None, None, Some(_)) => Api::Pai,
        _ => return None,
    };
    (!spec.suspend).then(|| Asks {
        api,
        source: stands_for(source),
        interval: spec.interval(),
    })
}

fn told(object: &ImageRef, type_: ConditionType) -> Option<Told> {
    let status = object.status.as_ref()?;
    condition::find(&status.conditions, type_).map(Told::by)
}

/// Whether age runs: neither for what is looked up only once nor for what is suspended.
fn ages(object: &ImageRef) -> bool {
    let status = object.status.as_ref();
    let suspended = status.is_some_and(|status| {
        condition::has_reason(&status.conditions, ConditionType::Ready, Reason::Suspended)
    });
    !object.spec.suspend && !suspended && !object.spec.interval().is_zero()
}

fn checked(object: &ImageRef) -> Option<Timestamp> {
    let status = object.status.as_ref().filter(|_| ages(object))?;
    status.image_id.as_ref()?;
    status.last_checked_time.as_ref().map(|time| time.0)
}

fn half_stale(object: &ImageRef) -> Option<Timestamp> {
    let status = object.status.as_ref().filter(|_| ages(object))?;
    let stale = condition::find(&status.conditions, ConditionType::Stale)?;
    let half = object.spec.max_staleness() / 2;
    plan::platform_failed(status)
        .then(|| stale.last_transition_time.0.checked_add(half).ok())
        .flatten()
}

fn resolved(object: &ImageRef) -> Option<Box<Resolved>> {
    let status = object.status.as_ref()?;
    let (provider, image) = (status.provider.clone()?, status.image_id.as_deref()?);
    let exists = status.status.as_deref() != Some(ImageStatus::Deleted.as_str());
    exists.then(|| {
        let image = stands_for(image);
        Box::new(Resolved { provider, image })
    })
}

fn listed(object: &ImageRef) -> u64 {
    let resolved = object.status.as_ref().filter(|status| {
        let image = status.image.as_ref().or(status.swr_path.as_ref());
        image.is_some()
    });
    let Some(status) = resolved else {
        return 0;
    };
    let ready = condition::find(&status.conditions, ConditionType::Ready);
    stands_for(&(
        object.metadata.labels.as_ref(),
        ready.map(|ready| (&ready.status, &ready.reason)),
        (&status.provider, &status.image, &status.swr_path),
        &status.digest,
        (&status.arch, &status.platforms),
        (&status.status, &status.accelerators),
    ))
}

impl From<ImageRef> for Held {
    fn from(mut object: ImageRef) -> Self {
        // Catalogues select by label.
        let labels = object.metadata.labels.take();
        trim(&mut object.metadata);
        object.metadata.labels = labels;
        Self::pack(object)
    }
}

impl Resource for Held {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        ImageRef::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        ImageRef::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        ImageRef::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        ImageRef::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests;
