//! Machine images of Huawei Cloud `ModelArts` Lite Server.
//!
//! Owns the names and meanings of the five fields of `GetDevServerImage`. Must not know how a page
//! is fetched. The invariant that would break first: these boot images of servers never get a
//! path, a tag or anything else that a pod could name.

use super::wire::Object;
use super::{Api, Arch, Facts, ImageStatus, text};
use crate::api::Upstream;
use serde::Deserialize;

/// The answer of `GetDevServerImage`, and one entry of `ListDevServerImages`.
///
/// Any JSON object can be read; unknown fields are ignored. Source: `ModelArts` API Reference,
/// "Querying Lite Server Image Details". Its prose promises operating system, version and creation
/// time; its table of fields has none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Object")]
pub struct LiteServerImage {
    image_id: Option<String>,
    upstream: Upstream,
}

impl From<Object> for LiteServerImage {
    fn from(mut wire: Object) -> Self {
        Self {
            image_id: wire.reference("image_id"),
            upstream: Upstream {
                name: wire.text("name"),
                arch: wire.text("arch"),
                status: wire.text("status"),
                server_type: wire.text("server_type"),
                ..Upstream::default()
            },
        }
    }
}

impl LiteServerImage {
    /// The id in the answer (`image_id`, not `id` as elsewhere in `ModelArts`): a UUID, as it came.
    pub fn id(&self) -> Option<&str> {
        self.image_id.as_deref()
    }

    /// The facts; `None` if neither the answer nor the caller knows an id, or if the answer says
    /// nothing about an image.
    pub fn into_facts(self, asked_id: Option<&str>, request_id: Option<&str>) -> Option<Facts> {
        if self == Self::default() {
            return None;
        }
        Some(Facts {
            image_id: self.image_id.or_else(|| asked_id.and_then(text::exact))?,
            arch: self.upstream.arch.as_deref().and_then(Arch::parse),
            status: ImageStatus::parse(self.upstream.status.as_deref()),
            swr_path: None,
            image: None,
            accelerators: Vec::new(),
            size: None,
            created: None,
            updated: None,
            upstream: Upstream {
                api: Api::LiteServer.as_str().to_owned(),
                request_id: request_id.and_then(text::exact),
                ..self.upstream
            },
        })
    }
}

/// The answer of `ListDevServerImages`: the page object of the other `ModelArts` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Object")]
pub struct LiteServerPage {
    /// The images of this page; entries that are not objects are left out.
    pub data: Vec<LiteServerImage>,
    /// The number of entries that came, readable or not: what to add to the offset.
    pub received: usize,
    /// The number of images that match in all pages, where stated.
    pub total: Option<i64>,
}

impl From<Object> for LiteServerPage {
    fn from(mut wire: Object) -> Self {
        let (entries, received) = wire.objects("data");
        Self {
            data: entries.into_iter().map(LiteServerImage::from).collect(),
            received,
            total: wire.natural("total"),
        }
    }
}

impl LiteServerPage {
    /// Whether the answer says nothing about a list. It then proves no image absent.
    pub fn is_silent(&self) -> bool {
        self.received == 0 && self.total.is_none()
    }
}
