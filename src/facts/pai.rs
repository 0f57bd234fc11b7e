//! Images of Alibaba Cloud PAI `AIWorkSpace`.
//!
//! Owns the names and meanings of the fields of `GetImage` and `ListImages`. Must not know how a
//! page is fetched. The invariant that would break first: the order of labels never matters.

use super::vocabulary::normalize_accelerators;
use super::wire::Object;
use super::{Api, Facts, ImageStatus, text};
use crate::api::Upstream;
use serde::Deserialize;

/// The label that says what an image runs on: CPU, GPU, PPU or XPU.
const CHIP_TYPE: &str = "system.chipType";

/// The answer of `GetImage`, and one entry of `ListImages`.
///
/// Any JSON object can be read; unknown fields are ignored. Labels come only with `Verbose=true`:
/// both calls must ask for them, or a get and a list yield different facts. Source: PAI
/// `AIWorkSpace` API reference (2021-02-04), "`GetImage`".
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Object")]
pub struct PaiImage {
    image_id: Option<String>,
    image_uri: Option<String>,
    accelerators: Vec<String>,
    size: Option<i64>,
    created: Option<String>,
    updated: Option<String>,
    upstream: Upstream,
    request_id: Option<String>,
}

impl From<Object> for PaiImage {
    fn from(mut wire: Object) -> Self {
        let mut labels = wire.labels("Labels");
        // Before the cap on labels: users may add labels of their own that sort before it.
        let accelerators = normalize_accelerators(labels.get(CHIP_TYPE));
        while labels.len() > text::LABELS_MAX {
            labels.pop_last();
        }
        Self {
            image_id: wire.reference("ImageId"),
            image_uri: wire.reference("ImageUri"),
            accelerators,
            size: wire.natural("Size"),
            created: wire.time("GmtCreateTime"),
            updated: wire.time("GmtModifiedTime"),
            upstream: Upstream {
                name: wire.text("Name"),
                workspace_id: wire.text("WorkspaceId"),
                visibility: wire.text("Accessibility"),
                source_type: wire.text("SourceType"),
                source_id: wire.text("SourceId"),
                labels,
                ..Upstream::default()
            },
            request_id: wire.reference("RequestId"),
        }
    }
}

impl PaiImage {
    /// The id in the answer (`image-` and 18 letters or digits); `ListImages` states it,
    /// `GetImage` does not reliably.
    pub fn id(&self) -> Option<&str> {
        self.image_id.as_deref()
    }

    /// The facts; `None` if neither the answer nor the caller knows an id, or if the answer says
    /// nothing about an image. The caller's request id goes before the one in the answer.
    pub fn into_facts(mut self, asked_id: Option<&str>, request_id: Option<&str>) -> Option<Facts> {
        let answered = self.request_id.take();
        if self == Self::default() {
            return None;
        }
        Some(Facts {
            image_id: self.image_id.or_else(|| asked_id.and_then(text::exact))?,
            // No field and no label of PAI says the CPU architecture: `system.chipType` is the
            // kind of accelerator, and a GPU image may be for either. Only the registry knows.
            arch: None,
            // PAI has no status either: an image that can be read can be used.
            status: ImageStatus::Active,
            swr_path: None,
            image: self.image_uri,
            accelerators: self.accelerators,
            size: self.size,
            created: self.created,
            updated: self.updated,
            upstream: Upstream {
                api: Api::Pai.as_str().to_owned(),
                request_id: request_id.and_then(text::exact).or(answered),
                ..self.upstream
            },
        })
    }
}

/// The answer of `ListImages`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Object")]
pub struct PaiPage {
    /// The images of this page; entries that are not objects are left out.
    pub images: Vec<PaiImage>,
    /// The number of entries that came, readable or not.
    pub received: usize,
    /// The number of images that match in all pages, where stated.
    pub total_count: Option<i64>,
    /// The platform's id of the call.
    pub request_id: Option<String>,
}

impl From<Object> for PaiPage {
    fn from(mut wire: Object) -> Self {
        let (entries, received) = wire.objects("Images");
        Self {
            images: entries.into_iter().map(PaiImage::from).collect(),
            received,
            total_count: wire.natural("TotalCount"),
            request_id: wire.reference("RequestId"),
        }
    }
}

impl PaiPage {
    /// Whether the answer says nothing about a list. It then proves no image absent.
    pub fn is_silent(&self) -> bool {
        self.received == 0 && self.total_count.is_none()
    }
}
