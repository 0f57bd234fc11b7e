//! `imageref://NAME`: an image that is named by its ImageRef.
//!
//! Owns how such a name is read, and which image it stands for. Must not know what is done with the
//! answer. The invariant that would break first: what a name stands for is pinned by digest, and a
//! verdict on it finds the same reference usable.

use super::context::{heals, is_built_in_controller};
use super::judge::trusted;
use super::problem::{Problem, right};
use crate::admission::configuration::Configuration;
use crate::admission::image::PodImage;
use crate::admission::known::{Entry, Known};

/// What the name of an ImageRef in place of an image begins with.
pub(in crate::admission) const SCHEME: &str = "imageref://";

/// For whom a name is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) struct Asker<'a> {
    /// The pod's namespace.
    pub(in crate::admission) namespace: &'a str,
    /// Who makes the pod.
    pub(in crate::admission) user: &'a str,
    /// Whether the pod is one of several that a controller makes.
    pub(in crate::admission) of_controller: bool,
}

/// The image that `text` stands for, which begins with [`SCHEME`].
pub(in crate::admission) fn resolve<'a>(
    text: &str,
    asker: &Asker<'_>,
    known: &'a Known,
    configuration: &Configuration,
) -> Result<String, Problem<'a>> {
    let (namespace, name) = read(text, asker.namespace).ok_or_else(Problem::misnamed)?;
    let shared = &configuration.shared_namespaces;
    if namespace != asker.namespace && !shared.iter().any(|one| one == namespace) {
        return Err(Problem::not_shared(namespace, asker.namespace));
    }
    let Some(entry) = known.named(namespace, name) else {
        return Err(Problem::absent(namespace, name));
    };
    let counts = |kind| trusted(configuration.trust).contains(&kind);
    if !entry.provider.is_some_and(counts) {
        return Err(Problem::untrusted(entry));
    }
    if let Some(unusable) = &entry.unusable
        && !(is_built_in_controller(asker.user) && heals(&unusable.reason))
    {
        return Err(Problem::not_usable(entry));
    }
    let Some(image) = pinned(entry, known) else {
        return Err(Problem::no_digest(entry));
    };
    if asker.of_controller && entry.follows_tag {
        return Err(Problem::moving(entry, &image));
    }
    Ok(image)
}

/// Namespace and name.
fn read<'t>(text: &'t str, own: &'t str) -> Option<(&'t str, &'t str)> {
    let path = text.strip_prefix(SCHEME)?;
    let (namespace, name) = path.split_once('/').unwrap_or((own, path));
    let name_parts = name.len() <= 253 && name.split('.').all(is_word);
    (namespace.len() <= 63 && is_word(namespace) && name_parts).then_some((namespace, name))
}

fn is_word(text: &str) -> bool {
    let end = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let (first, last) = (text.bytes().next(), text.bytes().last());
    first.is_some_and(end) && last.is_some_and(end) && text.bytes().all(|c| end(c) || c == b'-')
}

/// With its digest, if that makes an image which can be read.
fn pinned(entry: &Entry, known: &Known) -> Option<String> {
    let image = right(entry);
    let read = PodImage::parse(&image, known.mirrors()).ok()?;
    read.digest().is_some().then_some(image)
}
