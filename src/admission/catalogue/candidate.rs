//! A reference as a catalogue reads it: who selects it, and under which texts its image is known.
//!
//! Owns both. Must not know how much room there is. The invariant that would break first: the text
//! in a reference's `status.image` is itself one of its keys, to the letter, since the reader of a
//! catalogue compares texts.

use crate::admission::configuration::Trust;
use crate::admission::image::PodImage;
use crate::admission::known::architectures;
use crate::admission::{Configuration, KnownRef, Unusable};
use crate::api::condition::truncate;
use crate::api::{CatalogImage, ImageCatalogSpec, ImageRef, ProviderKind, selects};
use std::collections::{BTreeMap, BTreeSet};

/// The longest word of an entry, in bytes: what a platform calls an architecture or a status.
const WORD: usize = 64;

/// The most accelerators of an entry.
const ACCELERATORS: usize = 16;

/// What one catalogue takes in.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    /// The catalogue's namespace.
    pub namespace: &'a str,
    /// Its spec.
    pub spec: &'a ImageCatalogSpec,
    /// The operator's configuration.
    pub configuration: &'a Configuration,
}

impl<'a> Selection<'a> {
    /// The namespaces whose references may be in it: its own first.
    pub fn namespaces(&self) -> Vec<&'a str> {
        let namespace = self.namespace;
        let shared = self.configuration.shared_namespaces.iter();
        let others = shared
            .map(String::as_str)
            .filter(|name| *name != namespace && self.spec.include_shared);
        std::iter::once(namespace).chain(others).collect()
    }

    /// Whether a reference of [`Selection::namespaces`] is in it. Labels choose among those of the
    /// catalogue's own namespace; the shared ones are chosen by who shares them.
    pub fn takes(&self, candidate: &Candidate) -> bool {
        let counts = match self.configuration.trust {
            Trust::Cluster => candidate.provider == ProviderKind::Cluster,
            Trust::Any => true,
        };
        let selected = candidate.namespace != self.namespace
            || self
                .spec
                .selector
                .as_ref()
                .is_none_or(|selector| selects(selector, &candidate.labels));
        counts && selected
    }
}

/// A reference that names an image for pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub(super) namespace: String,
    pub(super) keys: Vec<String>,
    pub(super) entry: CatalogImage,
    labels: BTreeMap<String, String>,
    provider: ProviderKind,
}

impl Candidate {
    /// `None` for a reference that names no image for pods: not resolved yet, a machine image, or
    /// through no provider.
    pub fn new(object: &ImageRef) -> Option<Self> {
        let known = KnownRef::from(object);
        let provider = known.provider?;
        let image = known.image.as_deref()?;
        let read = PodImage::as_written(image).ok()?;
        let digest = read.digest().map(Into::into).or(known.digest);
        let status = object.status.as_ref()?;
        Some(Self {
            keys: keys(image, digest.as_deref()),
            entry: CatalogImage {
                ref_: format!("{}/{}", known.namespace, known.name),
                usable: known.unusable.is_none(),
                reason: known.unusable.map(|Unusable { reason, .. }| word(&reason)),
                arch: architecture(&known.platforms, known.arch),
                status: status.status.as_deref().map(word),
                accelerators: accelerators(&known.accelerators),
                digest,
            },
            labels: object.metadata.labels.clone().unwrap_or_default(),
            namespace: known.namespace,
            provider,
        })
    }

    /// The namespace of the reference.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The texts by which a pod may name the image.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// What a catalogue says of it.
    pub fn entry(&self) -> &CatalogImage {
        &self.entry
    }
}

/// `path:tag`, `path@digest` and `path:tag@digest`, as far as tag and digest are known, in the
/// letters of `image`. One without either is known as it stands.
fn keys(image: &str, digest: Option<&str>) -> Vec<String> {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    // A colon before the last slash belongs to the host's port.
    let at = name.rfind('/').map_or(0, |slash| slash + 1);
    let colon = name[at..].find(':').map(|colon| at + colon);
    let path = colon.map_or(name, |colon| &name[..colon]);
    let mut keys = BTreeSet::from([image.to_owned()]);
    if colon.is_some() {
        keys.insert(name.to_owned());
    }
    if let Some(digest) = digest {
        keys.insert(format!("{path}@{digest}"));
        keys.insert(format!("{name}@{digest}"));
    }
    keys.into_iter().collect()
}

/// The only one that is stated.
fn architecture(platforms: &[String], stated: Option<String>) -> Option<String> {
    match architectures(stated, platforms).as_slice() {
        [one] => Some(word(one)),
        _ => None,
    }
}

fn accelerators(all: &[String]) -> Vec<String> {
    let sorted: BTreeSet<_> = all.iter().map(|kind| word(kind)).collect();
    sorted.into_iter().take(ACCELERATORS).collect()
}

fn word(text: &str) -> String {
    truncate(text, WORD).to_owned()
}
