//! What a platform says about one image: typed facts, or the class of failure it answered with.
//!
//! Owns the meaning of the wire values of all three APIs. Must not know HTTP, Kubernetes clients or
//! the clock. The invariant that would break first: the answer of a get and the entry of a list
//! about the same image yield equal facts.

pub mod failure;
pub mod vocabulary;

pub use failure::{Failure, FailureKind};
pub use vocabulary::{Api, Arch, ImageStatus};

use crate::api::Upstream;

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
    /// stub
    pub fn write_to(&self, status: &mut crate::api::ImageRefStatus) {
        status.arch = self.arch.map(|a| a.as_str().into());
        status.status = Some(self.status.as_str().into());
        status.swr_path.clone_from(&self.swr_path);
        status.image.clone_from(&self.image);
        status.accelerators.clone_from(&self.accelerators);
        status.image_id = Some(self.image_id.clone());
        status.size_bytes = self.size;
        status.upstream_created_time.clone_from(&self.created);
        status.upstream_updated_time.clone_from(&self.updated);
        status.upstream = Some(self.upstream.clone());
    }
}
