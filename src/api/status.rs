//! The status of an `ImageRef`: the platform's answer and how far it may be trusted.
//!
//! Owns the shape, and which differences are worth a write. The invariant that would break first:
//! no enum, pattern or length limit in this schema, since one violation would lose a whole write.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "the KubeSchema derive repeats each struct inside a function"
)]
#![allow(
    clippy::doc_markdown,
    reason = "descriptions are read in `kubectl explain`, where product names carry no backticks"
)]

use super::image_ref::ProviderRef;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the operator found out.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ImageRefStatus {
    /// The generation of the spec that this status is about; -1 before the first look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The provider that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderRef>,
    /// What the facts below are about: a hash of the source and of the provider's target. Facts
    /// of another target are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_for: Option<String>,
    /// The architecture in the spelling of `kubernetes.io/arch`; the registry's word where the
    /// platform states none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The image's status: INIT, CREATING, CREATE_FAILED, ERROR, DELETED, ACTIVE, INACTIVE, UNKNOWN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The path in SWR with its tag; ModelArts notebook images only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swr_path: Option<String>,
    /// What to put into a pod, whatever the registry; pinned by its digest where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The digest that the registry gave for the path when it was last read: of the index where
    /// there is one, else of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What the registry holds the image for, such as linux/arm64; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// What the image runs on: CPU, GPU, ASCEND, PPU, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accelerators: Vec<String>,
    /// The platform's id of the image.
    #[serde(rename = "imageID", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// The size as the platform states it. PAI: bytes. ModelArts documents kilobytes but returns
    /// what can only be bytes; the number is kept as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// When the platform says the image was created (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_created_time: Option<String>,
    /// When the platform says the image was last changed; it may lie before the creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_updated_time: Option<String>,
    /// The platform's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// When a fact last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_changed_time: Option<Time>,
    /// When the platform was last asked, as of the last write: a look that changes nothing writes
    /// nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checked_time: Option<Time>,
    /// Failed looks in a row, as of the last write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_failures: Option<i32>,
    /// The value of the reconcile-requested annotation that was last acted on, cut to 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The latest changes, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Change>,
    /// Conditions: Ready, Reconciling, Stalled, Stale, Compliant, Drifted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The platform's answer verbatim, trimmed of surrounding white space.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// The API that answered: `notebook`, `liteServer` or `pai`.
    pub api: String,
    /// The image's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The image's tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The SWR organization (`namespace` on the wire).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The workspace the image belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// `BUILD_IN` or `DEDICATED`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// `CUSTOMIZE` or `IMAGE_SAVE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Architecture as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Status as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What the platform says about the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    /// `PRIVATE` or `PUBLIC` (PAI: `Accessibility`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<String>,
    /// COMMON, INFERENCE, TRAIN, DEV, UNKNOWN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_type: Option<String>,
    /// Lite Server: BMS, ECS, HPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_type: Option<String>,
    /// Lite Server: ASCEND_SNT9 and kin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavor_type: Option<String>,
    /// NOTEBOOK, SSH, …; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dev_services: Vec<String>,
    /// PAI: `Import` or `Build`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// PAI: id of the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// PAI: the image's labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The platform's id of the call that last changed something.
    #[serde(rename = "requestID", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// One entry of the history.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// When the change was seen.
    pub time: Time,
    /// Which facts changed; sorted.
    pub changed: Vec<String>,
    /// Their values before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub from: BTreeMap<String, String>,
    /// Their values after.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub to: BTreeMap<String, String>,
    /// Why: `UpstreamChanged`.
    pub cause: String,
}

impl ImageRefStatus {
    /// Whether the two statuses differ in something worth a write: anything but request ids,
    /// check times, failure counts and the wording of messages.
    pub fn differs(&self, other: &Self) -> bool {
        self.durable() != other.durable()
    }

    fn durable(&self) -> Self {
        let mut status = self.clone();
        status.last_checked_time = None;
        status.consecutive_failures = None;
        if let Some(upstream) = &mut status.upstream {
            upstream.request_id = None;
        }
        for condition in &mut status.conditions {
            condition.message.clear();
        }
        status
    }

    /// Removes everything that is about the image, and keeps what is about the object.
    pub fn drop_facts(&mut self) {
        *self = Self {
            observed_generation: self.observed_generation,
            provider: self.provider.take(),
            last_checked_time: self.last_checked_time.take(),
            consecutive_failures: self.consecutive_failures,
            last_handled_reconcile_at: self.last_handled_reconcile_at.take(),
            conditions: std::mem::take(&mut self.conditions),
            ..Self::default()
        };
    }
}
