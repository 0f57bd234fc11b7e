//! What a registry says about an image: the digest of its manifest and what it runs on.
//!
//! Owns the form of digests and platforms. Must not know how a registry is asked. The invariant that
//! would break first: a [`Digest`] is well formed, so that it can be put behind `@` as it is.

use super::Arch;
use std::fmt;
use std::sync::Arc;

/// The digest of a manifest: `sha256:` and 64 lower-case hexadecimal digits (OCI image
/// specification, "Digests").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Arc<str>);

impl Digest {
    /// Reads a digest; `None` for other algorithms and forms.
    ///
    /// ```
    /// use imageref::facts::Digest;
    /// assert!(Digest::parse(&format!("sha256:{}", "0a".repeat(32))).is_some());
    /// assert!(Digest::parse("sha256:0A").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        (hex.len() == 64 && hex.bytes().all(is_hex)).then(|| Self(text.into()))
    }

    /// The digest as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one entry of an image runs on, in the spelling of the OCI image specification, which is that
/// of Go: `linux`, `arm64`, `v8`. Sorts as it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The operating system.
    pub os: String,
    /// The architecture.
    pub architecture: String,
    /// Its variant.
    pub variant: Option<String>,
}

impl Platform {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/').map(str::to_owned);
        let (os, architecture) = (parts.next()?, parts.next()?);
        let variant = parts.next();
        Some(Self {
            os,
            architecture,
            variant,
        })
    }

    /// The architecture, if it is one that nodes of these clouds have.
    pub fn arch(&self) -> Option<Arch> {
        match self.architecture.as_str() {
            "amd64" => Some(Arch::Amd64),
            "arm64" => Some(Arch::Arm64),
            _ => None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// What a tag stood for when the registry was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The digest that a tag resolves to: of the index where there is one, else of the manifest.
    pub digest: Digest,
    /// What it runs on: sorted, without repeats and without attestations. Empty if the registry does
    /// not say.
    pub platforms: Vec<Platform>,
}
