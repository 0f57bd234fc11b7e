//! `ImageCatalog`: the images of a namespace as one map, for whoever judges pods without asking.
//!
//! Owns the shape of spec and status. Must not know which references get into a catalogue, or when
//! it is written. The invariant that would break first: no enum, pattern or length limit in the
//! schema of the status, since one violation would lose a whole write.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "the KubeSchema derive repeats each struct inside a function"
)]
#![allow(
    clippy::doc_markdown,
    reason = "descriptions are read in `kubectl explain`, where product names carry no backticks"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "each printer column has the same keys"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The images that pods of a namespace may use, gathered from its ImageRefs.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "imageref.dev",
    version = "v1alpha1",
    kind = "ImageCatalog",
    plural = "imagecatalogs",
    singular = "imagecatalog",
    shortname = "imgcat",
    category = "ai-images",
    namespaced,
    status = "ImageCatalogStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "The images that pods of a namespace may use, gathered from its ImageRefs: the parameter of a ValidatingAdmissionPolicy.",
    printcolumn(name = "REFS", type_ = "integer", json_path = ".status.refs"),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "REASON",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "CHANGED",
        type_ = "date",
        json_path = ".status.lastChangedTime"
    ),
    printcolumn(
        name = "MESSAGE",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    printcolumn(
        name = "AGE",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.selector) || !has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && e.values.size() > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || e.values.size() == 0))")
    .message("operator must be In or NotIn with values, or Exists or DoesNotExist without")
    .field_path(".selector.matchExpressions"))]
pub struct ImageCatalogSpec {
    /// The ImageRefs of this namespace that are in it, by label; left out or empty: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Whether the ImageRefs of the operator's shared namespaces are in it, whatever their labels.
    #[serde(default = "default_include_shared")]
    pub include_shared: bool,
}

impl Default for ImageCatalogSpec {
    fn default() -> Self {
        Self {
            selector: None,
            include_shared: default_include_shared(),
        }
    }
}

const fn default_include_shared() -> bool {
    true
}

/// What the operator gathered.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ImageCatalogStatus {
    /// The generation of the spec that this status is about; -1 before it was first written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many ImageRefs are in it; of several for one image, one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refs: Option<i64>,
    /// When it was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_changed_time: Option<Time>,
    /// What is known of each image, under every text by which a pod may name it: PATH:TAG,
    /// PATH@DIGEST and PATH:TAG@DIGEST.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub images: BTreeMap<String, CatalogImage>,
    /// What was left out for want of room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overflow: Option<CatalogOverflow>,
    /// Conditions: Ready, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// One image of a catalogue.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CatalogImage {
    /// The ImageRef that says so, as NAMESPACE/NAME.
    #[serde(rename = "ref")]
    pub ref_: String,
    /// Whether a pod may use the image: its ImageRef is Ready.
    pub usable: bool,
    /// Why not: the reason of its Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The architecture in the spelling of `kubernetes.io/arch`; left out where nobody states it,
    /// and where the registry holds the image for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The image's status, such as ACTIVE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What the image runs on: CPU, GPU, ASCEND, PPU, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accelerators: Vec<String>,
    /// The digest, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What a catalogue has no room for.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CatalogOverflow {
    /// How many ImageRefs are left out, wholly or in part.
    pub refs: i64,
    /// The first of them by name, as NAMESPACE/NAME.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}
