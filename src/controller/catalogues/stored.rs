//! An `ImageCatalog` as it is kept between reconciles: packed, since it may have a megabyte.
//!
//! Owns what of an object is kept. Must not know what is done with it. The invariant that would break
//! first: the status that is unpacked is the one that the API server has, or a write goes wrong.

use crate::admission::catalogue::stored_size;
use crate::api::condition::{self, ConditionType};
use crate::api::{ImageCatalog, ImageCatalogSpec, ImageCatalogStatus};
use crate::controller::held::{Key, Told, stands_for};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;
use std::borrow::Cow;

/// A catalogue, with its status packed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "ImageCatalog")]
pub(crate) struct StoredCatalog {
    /// What names the object and its version.
    metadata: ObjectMeta,
    spec: ImageCatalogSpec,
    /// Bytes of the object without its status.
    beside: usize,
    /// When the status was last written.
    written: Option<Timestamp>,
    /// A hash of the status.
    says: u64,
    ready: Option<Told>,
    packed: Box<[u8]>,
    left_alone: bool,
}

impl StoredCatalog {
    /// What stands for an object that could not be read.
    pub(crate) fn left_alone(metadata: ObjectMeta) -> Self {
        Self {
            metadata: named(metadata),
            left_alone: true,
            ..Self::default()
        }
    }

    /// Whether nothing is to be written: the object could not be read, or is going.
    pub(crate) const fn is_left_alone(&self) -> bool {
        self.left_alone || self.metadata.deletion_timestamp.is_some()
    }

    pub(crate) fn key(&self) -> Key {
        Key::of(&self.metadata)
    }

    pub(crate) fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) const fn spec(&self) -> &ImageCatalogSpec {
        &self.spec
    }

    pub(crate) const fn beside(&self) -> usize {
        self.beside
    }

    pub(crate) const fn written(&self) -> Option<Timestamp> {
        self.written
    }

    /// What its status says of Ready.
    pub(crate) const fn ready(&self) -> Option<Told> {
        self.ready
    }

    /// Changes with the status.
    pub(crate) const fn says(&self) -> u64 {
        self.says
    }

    /// The status.
    ///
    /// # Errors
    /// One sentence: the pack is damaged.
    pub(crate) fn status(&self) -> Result<ImageCatalogStatus, String> {
        let json = lz4_flex::block::decompress_size_prepended(&self.packed)
            .map_err(|error| format!("it cannot be unpacked: {error}"))?;
        serde_json::from_slice(&json)
            .map_err(|error| format!("what was packed cannot be read: {error}"))
    }
}

impl From<ImageCatalog> for StoredCatalog {
    fn from(mut object: ImageCatalog) -> Self {
        let status = object.status.take().unwrap_or_default();
        // What came as JSON goes as JSON; if not, it is unreadable when it comes out.
        let json = serde_json::to_vec(&status).unwrap_or_default();
        Self {
            // Without a size nothing else gets room.
            beside: stored_size(&object).unwrap_or(usize::MAX),
            ready: condition::find(&status.conditions, ConditionType::Ready).map(Told::by),
            written: status.last_changed_time.map(|time| time.0),
            says: stands_for(&json),
            packed: lz4_flex::block::compress_prepend_size(&json).into(),
            metadata: named(object.metadata),
            spec: object.spec,
            left_alone: false,
        }
    }
}

fn named(metadata: ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        generation: metadata.generation,
        deletion_timestamp: metadata.deletion_timestamp,
        ..ObjectMeta::default()
    }
}

impl Resource for StoredCatalog {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        ImageCatalog::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        ImageCatalog::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        ImageCatalog::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        ImageCatalog::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
