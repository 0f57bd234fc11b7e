//! Notebook images of Huawei Cloud `ModelArts`.
//!
//! Owns the names and meanings of the fields of `ShowImage` and `ListImage`. Must not know how a
//! page is fetched. The invariant that would break first: only fields that both answers have
//! become facts.

use super::vocabulary::normalize_accelerators;
use super::wire::Object;
use super::{Api, Arch, Facts, ImageStatus, text};
use crate::api::Upstream;
use serde::Deserialize;

/// The answer of `ShowImage`, and one entry of `ListImage`.
///
/// Any JSON object can be read; unknown fields are ignored. Source: `ModelArts` API Reference,
/// "Obtaining Details of an Image" and "Querying Supported Images".
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Object")]
pub struct NotebookImage {
    id: Option<String>,
    swr_path: Option<String>,
    accelerators: Vec<String>,
    size: Option<i64>,
    created: Option<String>,
    updated: Option<String>,
    upstream: Upstream,
}

impl From<Object> for NotebookImage {
    fn from(mut wire: Object) -> Self {
        Self {
            id: wire.reference("id"),
            swr_path: wire.reference("swr_path"),
            // `support_res_categories` says the same, but in ShowImage only: reading it would make
            // the facts of a get differ from those of a list.
            accelerators: normalize_accelerators(wire.words("resource_categories")),
            size: wire.natural("size"),
            created: wire.time("create_at"),
            updated: wire.time("update_at"),
            upstream: Upstream {
                name: wire.text("name"),
                tag: wire.text("tag"),
                organization: wire.text("namespace"),
                workspace_id: wire.text("workspace_id"),
                type_: wire.text("type"),
                origin: wire.text("origin"),
                arch: wire.text("arch"),
                status: wire.text("status"),
                status_message: wire.text("status_message"),
                visibility: wire.text("visibility"),
                service_type: wire.text("service_type"),
                flavor_type: wire.text("flavor_type"),
                dev_services: wire.words("dev_services"),
                ..Upstream::default()
            },
        }
    }
}

impl NotebookImage {
    /// The id in the answer: a UUID, as it came.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The facts; `None` if neither the answer nor the caller knows an id, or if the answer says
    /// nothing about an image (`{}`, or an error body with status 200): such an answer must not
    /// replace a good one.
    pub fn into_facts(self, asked_id: Option<&str>, request_id: Option<&str>) -> Option<Facts> {
        if self == Self::default() {
            return None;
        }
        Some(Facts {
            image_id: self.id.or_else(|| asked_id.and_then(text::exact))?,
            arch: self.upstream.arch.as_deref().and_then(Arch::parse),
            status: ImageStatus::parse(self.upstream.status.as_deref()),
            image: self.swr_path.clone(),
            swr_path: self.swr_path,
            accelerators: self.accelerators,
            size: self.size,
            created: self.created,
            updated: self.updated,
            upstream: Upstream {
                api: Api::Notebook.as_str().to_owned(),
                request_id: request_id.and_then(text::exact),
                ..self.upstream
            },
        })
    }
}

/// The answer of `ListImage`.
///
/// `current`, `pages` and `size` are not read: their base and meaning differ between documents,
/// so that only offset and `total` can drive paging. Source: `ModelArts` API Reference, "Querying
/// Supported Images".
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Object")]
pub struct NotebookPage {
    /// The images of this page; entries that are not objects are left out.
    pub data: Vec<NotebookImage>,
    /// The number of entries that came, readable or not: what to add to the offset.
    pub received: usize,
    /// The number of images that match in all pages, where stated.
    pub total: Option<i64>,
}

impl From<Object> for NotebookPage {
    fn from(mut wire: Object) -> Self {
        let (entries, received) = wire.objects("data");
        Self {
            data: entries.into_iter().map(NotebookImage::from).collect(),
            received,
            total: wire.natural("total"),
        }
    }
}

impl NotebookPage {
    /// Whether the answer says nothing about a list. It then proves no image absent.
    pub fn is_silent(&self) -> bool {
        self.received == 0 && self.total.is_none()
    }
}
