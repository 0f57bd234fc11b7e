//! The image of a container as the node would read it.
//!
//! Owns Docker's defaults (host, `library/`, `latest`), the rules of case and port, and the mirrors
//! of the operator's configuration. Must not know which images are declared. The invariant that
//! would break first: two texts that a node pulls from the same repository have one
//! [`PodImage::repository`].

use crate::facts::Reference;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest image text that is read, in bytes: host and path of 255, a tag of 128 and a digest,
/// generously.
const LONGEST: usize = 1024;

const DOCKER: &str = "docker.io";

/// An image of a container, read with the defaults of a node.
///
/// ```
/// use imageref::admission::image::{Mirrors, PodImage};
/// let image = PodImage::parse("nginx", &Mirrors::default()).unwrap();
/// assert_eq!(image.to_string(), "docker.io/library/nginx:latest");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodImage {
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl PodImage {
    /// Reads the text with the defaults of Docker (distribution, "Reference"), and puts the
    /// repository that a mirror stands for in its place.
    ///
    /// The host is in lower case and without the port 443, since that changes nothing of what is
    /// pulled. With a digest the tag has no default.
    ///
    /// # Errors
    /// What is wrong with the text, as half a sentence that holds no part of it.
    pub fn parse(text: &str, mirrors: &Mirrors) -> Result<Self, String> {
        let mut image = Self::as_written(text)?;
        mirrors.apply(&mut image.repository);
        Ok(image)
    }

    /// [`PodImage::parse`] without mirrors.
    ///
    /// # Errors
    /// The same.
    pub fn as_written(text: &str) -> Result<Self, String> {
        let refused = if text.is_empty() {
            Some("it is empty")
        } else if text.len() > LONGEST {
            Some("it is too long")
        } else if text.trim() != text {
            Some("there is white space around it")
        } else if text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit()) {
            Some("64 hexadecimal digits alone are an image id, not a name")
        } else {
            None
        };
        if let Some(why) = refused {
            return Err(why.into());
        }
        let reference = match text.split_once('/') {
            Some((host, path)) if is_host(host) => match normal_host(host) {
                DOCKER if !path.contains('/') => {
                    Reference::parse(&format!("{DOCKER}/library/{path}"))
                }
                DOCKER => Reference::parse(&format!("{DOCKER}/{path}")),
                host => Reference::parse(&format!("{host}/{path}")),
            },
            Some(_) => Reference::parse(&format!("{DOCKER}/{text}")),
            None => Reference::parse(&format!("{DOCKER}/library/{text}")),
        }?;
        let digest = reference.digest().map(ToString::to_string);
        let tag = match (reference.tag(), &digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        };
        Ok(Self {
            repository: format!("{}/{}", reference.host(), reference.repository()),
            tag: tag.map(Into::into),
            digest,
        })
    }

    /// The whole repository: `HOST[:PORT]/PATH`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `None` only where there is a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, with its algorithm.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }
}

impl fmt::Display for PodImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Whether the part in front of the first slash is a host: it cannot be part of a path.
fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.bytes().any(|c| c.is_ascii_uppercase())
}

/// The host under its usual name: Docker's under one, and no port that is the default.
fn normal_host(host: &str) -> &str {
    let named = host.strip_suffix(":443");
    // With two ports it is no host, also not with one of them taken away.
    let host = named.filter(|name| !name.contains(':')).unwrap_or(host);
    let docker = |name: &&str| host.eq_ignore_ascii_case(name);
    if ["docker.io", "index.docker.io"].iter().any(docker) {
        DOCKER
    } else {
        host
    }
}

/// Whether `repository` is `prefix` or lies under it, at the border of a path segment.
fn under(repository: &str, prefix: &str) -> bool {
    repository
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A host, or a host and the beginning of a path: what a mirror or an exemption may name.
fn read_prefix(text: &str) -> Result<String, String> {
    let refuse = |why: &str| {
        format!(
            "{text:?} is no HOST or HOST/PATH ({why}): write it such as registry.example.com/team"
        )
    };
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    if !is_host(host) {
        return Err(refuse("the host is missing"));
    }
    // The grammar is that of references: whatever is behind the host, here or not.
    let host = normal_host(host);
    let whole = if path.is_empty() {
        format!("{host}/any")
    } else {
        format!("{host}/{path}")
    };
    let read = Reference::parse(&whole).map_err(|why| refuse(&why))?;
    if read.tag().is_some() || read.digest().is_some() {
        return Err(refuse("it has a tag or a digest"));
    }
    Ok(if path.is_empty() {
        read.host().to_owned()
    } else {
        format!("{}/{}", read.host(), read.repository())
    })
}

/// One line of the mirrors: what is under `from` is the same as what is under `to`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// `HOST[/PATH]` as pods name it.
    pub from: String,
    /// `HOST[/PATH]` that it stands for.
    pub to: String,
}

/// Which repositories are copies of others: pull-through mirrors, and the VPC hosts of registries.
///
/// Both the images of pods and those of ImageRefs are read through them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// Longest `from` first, so that the first that fits is the narrowest.
    rules: Vec<(String, String)>,
}

impl Mirrors {
    /// Checks the lines.
    ///
    /// # Errors
    /// One sentence that says what to write instead.
    pub fn new(lines: &[Mirror]) -> Result<Self, String> {
        let mut rules = Vec::with_capacity(lines.len());
        for line in lines {
            let rule = (read_prefix(&line.from)?, read_prefix(&line.to)?);
            if rules.iter().any(|(from, _)| *from == rule.0) {
                return Err(format!("{} is there twice: keep one line", line.from));
            }
            rules.push(rule);
        }
        // A result that is a mirror itself would depend on how often the rules are applied.
        for (from, to) in &rules {
            if let Some((next, _)) = rules.iter().find(|(next, _)| under(to, next)) {
                return Err(format!(
                    "{from} leads to {to}, which lies under {next} and leads on: write the last one in its place"
                ));
            }
        }
        rules.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
        Ok(Self { rules })
    }

    fn apply(&self, repository: &mut String) {
        // A mirror's own name stands for nothing where the other side is a host without a path.
        let stands = |(from, to): &&(String, String)| {
            under(repository, from) && (repository.len() > from.len() || to.contains('/'))
        };
        if let Some((from, to)) = self.rules.iter().find(stands) {
            repository.replace_range(..from.len(), to);
            // What a mirror calls `hub/nginx` has its whole name at Docker Hub.
            if let Some((DOCKER, path)) = repository.split_once('/')
                && !path.contains('/')
            {
                *repository = format!("{DOCKER}/library/{path}");
            }
        }
    }
}

/// Images that are not judged: everything under a prefix, a repository, or one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exemption {
    /// `HOST/` or `HOST/PATH/`: whatever is under it. Kept without the slash.
    Under(String),
    /// `HOST/PATH`: the repository, whatever tag or digest.
    Repository(String),
    /// `HOST/PATH:TAG`, with or without `@DIGEST`: exactly this.
    Image(PodImage),
}

impl Exemption {
    /// Reads one entry of the configuration.
    ///
    /// # Errors
    /// One sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(prefix) = text.strip_suffix('/') {
            return read_prefix(prefix).map(Self::Under);
        }
        // Defaults are for pods: here a forgotten host would exempt another image than meant.
        let host = text.split('/').next().unwrap_or_default();
        let explicit = text.contains('/') && is_host(host);
        match PodImage::as_written(text) {
            Ok(image) if explicit => {
                let defaulted = image.digest.is_none() && !text.ends_with(":latest");
                Ok(match image.tag.as_deref() {
                    Some("latest") if defaulted => Self::Repository(image.repository),
                    _ => Self::Image(image),
                })
            }
            Ok(_) => Err(format!(
                "{text:?} names no host: write it such as docker.io/library/busybox, or end it with / for everything under a host or path"
            )),
            Err(why) => Err(format!(
                "{text:?} is no image ({why}): write HOST/, HOST/PATH/, HOST/PATH or HOST/PATH:TAG"
            )),
        }
    }

    /// Whether the image is meant.
    pub fn covers(&self, image: &PodImage) -> bool {
        match self {
            Self::Under(prefix) => under(&image.repository, prefix),
            Self::Repository(repository) => *repository == image.repository,
            Self::Image(exact) => exact == image,
        }
    }
}
