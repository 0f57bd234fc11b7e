//! A reference to an image in a registry: `host/repository:tag@digest`.
//!
//! Owns the grammar. Must not know which registries may be asked, nor how. The invariant that would
//! break first: what is printed is read back as the same reference, so a reference can be a key.
//!
//! Written by hand, since the parsers at hand fill in what is not there: `docker.io`, `library/` and
//! `latest`. An image of a platform always names its host, and a reference that names none is of
//! another image than the one somebody meant. The grammar is that of the OCI distribution
//! specification ("Pulling manifests"), with the host as container runtimes read it. Hosts that are
//! IPv6 addresses are refused: no registry of the platforms has one for a name.

use super::Digest;
use std::fmt;

/// Bound on host and repository together, in characters (OCI distribution specification, "Pulling
/// manifests": what many clients allow).
const LONGEST_NAME: usize = 255;
/// Bound on a tag, in characters.
const LONGEST_TAG: usize = 128;

/// A reference whose every part is well formed. It may have neither tag nor digest: such a one
/// names a repository, and [`Reference::wanted`] says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference with an explicit host: a first segment with a dot or a port, or
    /// `localhost`. White space around it is ignored; the host becomes lower case.
    ///
    /// ```
    /// use imageref::facts::Reference;
    /// let reference = Reference::parse("swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.1").unwrap();
    /// assert_eq!(reference.host(), "swr.cn-north-4.myhuaweicloud.com");
    /// assert_eq!(reference.repository(), "ai-team/pytorch");
    /// assert_eq!(reference.tag(), Some("2.1"));
    /// assert!(Reference::parse("pytorch:2.1").is_err());
    /// ```
    ///
    /// # Errors
    /// One sentence about the first part that is missing or malformed. It holds no part of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.contains("://") {
            return Err("an image reference is written without https://".into());
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let digest = digest.map(|digest| {
            Digest::parse(digest)
                .ok_or("behind @ must be sha256: and 64 lower-case hexadecimal digits")
        });
        let (host, path) = name.split_once('/').ok_or(NO_HOST)?;
        if !(host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost")) {
            return Err(NO_HOST.into());
        }
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if !is_host(host) {
            return Err(
                "the registry's host must be a name or an IPv4 address, and may have a port".into(),
            );
        }
        if !repository.split('/').all(is_component) {
            return Err(
                "the repository must be of lower-case letters, digits, and single . _ - or __ between them, in segments parted by /"
                    .into(),
            );
        }
        if host.len() + 1 + repository.len() > LONGEST_NAME {
            return Err(format!(
                "host and repository together have more than {LONGEST_NAME} characters"
            ));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(format!(
                "the tag must be of letters, digits, . _ and -, begin with none of . and -, and have at most {LONGEST_TAG} characters"
            ));
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            repository: repository.to_owned(),
            tag: tag.map(Into::into),
            digest: digest.transpose()?,
        })
    }

    /// The registry's host, lower case, with the port if one was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository: segments parted by `/`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a registry is asked for: the digest if there is one, as container runtimes do, else the
    /// tag.
    ///
    /// # Errors
    /// One sentence: there is neither. `latest` is not filled in, because no platform says that it
    /// means this, and the tag that moves most is the last one to guess.
    pub fn wanted(&self) -> Result<&str, String> {
        let digest = self.digest.as_ref().map(Digest::as_str);
        digest
            .or(self.tag())
            .ok_or_else(|| format!("{self} has neither a tag nor a digest: add one, such as :1.0"))
    }

    /// The same image pinned to this digest, in place of the one it may have.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The reference as it was before it was pinned.
    #[must_use]
    pub fn without_digest(&self) -> Self {
        Self {
            digest: None,
            ..self.clone()
        }
    }

    /// Whether both are of one repository in one registry.
    pub fn is_same_repository(&self, other: &Self) -> bool {
        (&self.host, &self.repository) == (&other.host, &other.repository)
    }

    /// Whether both are of one repository and say the same of tag and digest wherever both say
    /// something, and at least one of the two is said by both.
    pub fn is_same_image(&self, other: &Self) -> bool {
        let (tag, digest) = (
            agree(self.tag.as_ref(), other.tag.as_ref()),
            agree(self.digest.as_ref(), other.digest.as_ref()),
        );
        self.is_same_repository(other)
            && matches!(
                (tag, digest),
                (Some(true), None | Some(true)) | (None, Some(true))
            )
    }
}

const NO_HOST: &str = "the registry's host is missing: write host/repository:tag, such as registry.example.com/team/image:1.0";

/// Whether two that are both there are equal; `None` if one is not there.
fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> Option<bool> {
    Some(one? == other?)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let port = port.is_none_or(|port| !port.starts_with(['0', '+']) && port.parse::<u16>().is_ok());
    port && name.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// Letters and digits, parted by `.`, `_`, `__` or any number of `-`.
fn is_component(component: &str) -> bool {
    let is_word = |b: char| b.is_ascii_lowercase() || b.is_ascii_digit();
    let known = component.chars().all(|c| is_word(c) || "._-".contains(c));
    let mut parts = component.split(is_word).filter(|part| !part.is_empty());
    known
        && component.starts_with(is_word)
        && component.ends_with(is_word)
        && parts.all(|part| matches!(part, "." | "_" | "__") || part.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=LONGEST_TAG).contains(&tag.len())
        && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
        && tag.bytes().next().is_some_and(is_word)
}

#[cfg(test)]
mod tests;
