//! Where the operator's processes run beside a real control plane: for the benchmarks and for chaos.
//!
//! Owns what both need and neither is about: the control plane with the CRDs and rights, processes of
//! the operator, what the kernel says of them, requests in great number, and progress on standard error.
//! Must not know what is measured or broken. The invariant that would break first: every process of
//! the operator runs under the rights in `deploy/` and ends with its owner.

mod identity;
mod images;
pub mod proc;
mod process;
mod progress;
mod requests;
mod site;

pub use identity::Identity;
pub use images::{IMAGES, REGISTRY, image_id, image_name, notebook};
pub use process::{Process, STARTING};
pub use progress::Progress;
pub use requests::{Prepared, create, prepare, send};
pub use site::{Launch, Site, account};
