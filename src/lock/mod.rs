//! The lock file: what `ImageRefs` stood for at one moment, to judge by and to compare with later.
//!
//! Owns which facts of a status are kept, and their order. Must not know where statuses come from or
//! where the file lies. The invariant that would break first: equal facts give equal bytes, whenever
//! they were read and in whichever order.

mod drift;
mod text;

pub use drift::{Change, Drift, Move, drift};
pub use text::{Form, LARGEST, MOST, Unreadable};

use crate::api::condition::{self, Truth};
use crate::api::{ConditionType, ImageRefStatus, ProviderRef, Reason};
use crate::facts::text::sorted;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format. It changes with whatever a verdict reads: a field that an older
/// reader passes over must not make an image look better than it is.
pub const VERSION: u64 = 1;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What one `ImageRef` stands for.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What to put into a pod. Machine images have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The digest of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The architecture in the spelling of `kubernetes.io/arch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// What the registry holds the image for; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// What the image runs on; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accelerators: Vec<String>,
    /// Whether its digest follows the tag (`digestPolicy: Always`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub follows_tag: bool,
    /// The platform's id of the image.
    #[serde(rename = "imageID", default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// The provider that it was resolved through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderRef>,
    /// The image's status on its platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The reason of Ready if the reference may not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_usable: Option<String>,
}

impl Entry {
    /// What a lock keeps of the status of this reference. No times, no ids of requests, no wording.
    pub fn new(namespace: &str, name: &str, status: &ImageRefStatus) -> Self {
        let ready = condition::find(&status.conditions, ConditionType::Ready);
        let usable = ready.is_some_and(|ready| ready.status == Truth::True.as_str());
        let reason = || ready.map_or(Reason::Progressing.as_str(), |ready| ready.reason.as_str());
        Self {
            namespace: namespace.into(),
            name: name.into(),
            image: status.image.clone().or_else(|| status.swr_path.clone()),
            digest: status.digest.clone(),
            arch: status.arch.clone(),
            platforms: status.platforms.clone(),
            accelerators: status.accelerators.clone(),
            follows_tag: false,
            image_id: status.image_id.clone(),
            provider: status.provider.clone(),
            status: status.status.clone(),
            not_usable: (!usable).then(|| reason().to_owned()),
        }
        .plain()
    }

    /// The status as far as the lock has it: what a verdict reads of it is what it would read of the
    /// one that was locked, but for messages.
    pub fn to_status(&self) -> ImageRefStatus {
        let truth = if self.not_usable.is_none() {
            Truth::True
        } else {
            Truth::False
        };
        let message = self
            .not_usable
            .as_ref()
            .map(|_| "so it was when it was locked");
        let reason = self.not_usable.as_deref();
        ImageRefStatus {
            provider: self.provider.clone(),
            arch: self.arch.clone(),
            status: self.status.clone(),
            image: self.image.clone(),
            digest: self.digest.clone(),
            platforms: self.platforms.clone(),
            accelerators: self.accelerators.clone(),
            image_id: self.image_id.clone(),
            conditions: vec![Condition {
                type_: ConditionType::Ready.as_str().into(),
                status: truth.as_str().into(),
                reason: reason.unwrap_or(Reason::Resolved.as_str()).into(),
                message: message.unwrap_or_default().into(),
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
                observed_generation: None,
            }],
            ..ImageRefStatus::default()
        }
    }

    /// Absent and empty are one thing, and lists are sorted.
    fn plain(mut self) -> Self {
        for text in [
            &mut self.image,
            &mut self.digest,
            &mut self.arch,
            &mut self.image_id,
            &mut self.status,
        ] {
            text.take_if(|text| text.is_empty());
        }
        self.platforms = sorted(self.platforms);
        self.accelerators = sorted(self.accelerators);
        self
    }
}

/// Entries by namespace and name, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    entries: Vec<Entry>,
}

impl Lock {
    /// The entries, whatever their order. Of several with the same namespace and name the last
    /// counts.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let by_name: BTreeMap<_, _> = entries
            .into_iter()
            .map(|entry| ((entry.namespace.clone(), entry.name.clone()), entry))
            .collect();
        Self {
            entries: by_name.into_values().collect(),
        }
    }

    /// The entries, sorted.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

#[cfg(test)]
mod tests;
