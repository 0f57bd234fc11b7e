//! The way in for fuzzing: answers of registries that never came over a wire.
//!
//! Owns nothing: each function calls what an answer goes through and adds no step of its own. Must
//! not be used by the product. The invariant that would break first: what is read here is read as it
//! is from the wire.

use super::challenge::Challenge;
use super::manifest::{self, Manifest};
use super::refusal::{self, Asked, Question};
use super::{Access, RegistryHosts, tokens};
use crate::facts::{Digest, Failure, Platform};
use jiff::Timestamp;
use secrecy::SecretString;
use std::sync::Arc;
use url::Url;

pub use super::login::fuzzing::{acr_login, acr_names, swr_login};

/// A way to prove oneself: a token of a service, with its realm and its name, or the login itself.
pub type Way = Option<(String, Option<String>)>;

/// The way that a registry's challenges leave.
pub fn challenge<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Way> {
    Challenge::choose(headers).map(|challenge| match challenge {
        Challenge::Bearer { realm, service } => Some((realm, service)),
        Challenge::Basic => None,
    })
}

/// Whether a registry may send those who ask it to this realm.
pub fn may_name(hosts: &RegistryHosts, registry: &str, realm: &Url) -> bool {
    hosts.may_name(registry, realm)
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The entries of an index.
    Index(Vec<(Digest, Option<Platform>)>),
    /// The config of an image.
    Image(Option<Digest>),
}

/// Reads a manifest or an index.
///
/// # Errors
/// What it is instead.
pub fn manifest(body: &[u8]) -> Result<Said, String> {
    Ok(match manifest::read(body)? {
        Manifest::Index(entries) => {
            let entries = entries.into_iter();
            Said::Index(entries.map(|e| (e.digest, e.platform)).collect())
        }
        Manifest::Image(config) => Said::Image(config),
    })
}

/// Reads an image's config.
///
/// # Errors
/// What it is instead.
pub fn config(body: &[u8]) -> Result<Option<Platform>, String> {
    manifest::platform(body)
}

/// Platforms as they are kept.
pub fn kept(platforms: Vec<Platform>) -> Vec<Platform> {
    manifest::kept(platforms)
}

/// A token as a header would show it.
///
/// # Errors
/// The answer holds none.
pub fn token(body: &[u8], from: Timestamp) -> Result<Arc<SecretString>, Failure> {
    tokens::read(body, from, "token.example").map(|token| token.authorization)
}

/// The failures that an answer is, by who gave it.
pub fn refused(
    access: &Access,
    shown: &[Arc<SecretString>],
    showed_login: bool,
    status: u16,
    body: &[u8],
) -> [Failure; 3] {
    [Asked::Manifest, Asked::Config, Asked::Token].map(|asked| {
        let question = Question {
            host: "registry.example",
            image: "registry.example/a/b:1",
            access,
            shown,
            asked,
            showed_login,
        };
        refusal::failure(&question, status, body)
    })
}
