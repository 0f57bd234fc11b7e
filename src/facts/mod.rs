//! What a platform says about one image: typed facts, or the class of failure it answered with.
//!
//! Owns the meaning of the wire values of all three APIs. Must not know HTTP, Kubernetes clients or
//! the clock. The invariant that would break first: the answer of a get and the entry of a list
//! about the same image yield equal facts.

pub mod content;
pub mod failure;
pub mod lite_server;
pub mod notebook;
pub mod pai;
pub mod reference;
pub mod text;
pub mod vocabulary;
pub mod wire;

pub use content::{Content, Digest, Platform};
pub use failure::{Failure, FailureKind};
pub use reference::Reference;
pub use vocabulary::{Api, Arch, ImageStatus};

use crate::api::{ImageRefStatus, Upstream};

/// Everything known about one image, independent of the API it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The platform's id of the image; the one asked for where an answer does not repeat it.
    pub image_id: String,
    /// The architecture, if the platform states one that is known.
    pub arch: Option<Arch>,
    /// The status; PAI has none, an image that can be read is active.
    pub status: ImageStatus,
    /// The path in SWR with its tag: notebook images only.
    pub swr_path: Option<String>,
    /// What to put into a pod: SWR path or PAI's `ImageUri`. Machine images have none.
    pub image: Option<String>,
    /// `CPU`, `GPU`, `ASCEND`, `PPU`, …: upper case, sorted, without repeats.
    pub accelerators: Vec<String>,
    /// The size as it came (see `ImageRefStatus::size_bytes` for the doubt about its unit).
    pub size: Option<i64>,
    /// Creation time, RFC 3339 in UTC with milliseconds.
    pub created: Option<String>,
    /// Time of the last change, likewise.
    pub updated: Option<String>,
    /// The platform's own words, with the id of the call.
    pub upstream: Upstream,
}

impl Facts {
    /// Puts the facts into a status, and takes out those that are no longer stated. Touches nothing
    /// else: not the conditions, the times of looks, the history, nor `resolvedFor`.
    ///
    /// `arch` and `image` are the platform's word alone; what a registry adds comes after.
    pub fn write_to(&self, status: &mut ImageRefStatus) {
        // Taken apart by name, so that a new fact without a home does not compile.
        let Self {
            image_id,
            arch,
            status: image_status,
            swr_path,
            image,
            accelerators,
            size,
            created,
            updated,
            upstream,
        } = self.clone();
        status.image_id = Some(image_id);
        status.arch = arch.map(|arch| arch.as_str().to_owned());
        status.status = Some(image_status.as_str().to_owned());
        status.swr_path = swr_path;
        status.image = image;
        status.accelerators = accelerators;
        status.size_bytes = size;
        status.upstream_created_time = created;
        status.upstream_updated_time = updated;
        status.upstream = Some(upstream);
    }
}
