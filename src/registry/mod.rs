//! What registries say of images: from a tag to a digest and platforms that the registry confirms.
//!
//! Owns how a registry is asked, whom a login is shown to, and what is remembered. Must not know
//! which object asks, nor where a login comes from. The invariants that would break first: **a
//! login reaches only the registry that it is for and the token service that this registry may
//! name**, and a digest is that of the very bytes that were read.
//!
//! The way of one question: [`Reader::read`] finds the logins for it, and [`Registries::read`] answers from what the same login was told lately,
//! or asks once for all who wait: the host is checked ([`RegistryHosts`]), the manifest is asked
//! for, a challenge followed, and the platforms read from the index or the image's config.

mod access;
mod challenge;
mod contents;
#[doc(hidden)]
pub mod fuzzing;
mod gates;
mod hosts;
pub mod login;
mod look;
mod manifest;
mod reader;
mod refusal;
mod room;
mod session;
pub mod swr_login;
mod tokens;
mod wire;

pub use access::Access;
pub use contents::{Asking, Read, Registries, RegistryOptions};
pub use hosts::{RegistryHosts, public_twin};
pub use login::{DockerConfig, LoginEndpoints, Logins};
pub use manifest::MOST_ENTRIES;
pub use reader::{LoginFrom, Reader, Wanted};
pub use swr_login::Login;
#[cfg(test)]
pub(crate) use wire::StandIn;
pub use wire::{LARGEST_CONFIG, LARGEST_MANIFEST, LARGEST_TOKEN, MOST_REDIRECTS};
