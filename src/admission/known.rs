//! The declared images, indexed for verdicts.
//!
//! Owns the index and what is kept of a reference. Must not know how references arrive or which of
//! them count. The invariant that would break first: the index is a function of the references in
//! it, whatever the order in which they came, changed and went.

mod stock;

use super::image::{Mirrors, PodImage};
use crate::api::condition::{self, Truth, truncate};
use crate::api::{ConditionType, DigestPolicy, ImageRef, ImageRefStatus, ProviderKind};
use crate::facts::text;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use stock::Stock;
pub(super) use stock::{Entry, Of};

/// How much of a reference's own message a verdict repeats, in bytes.
const MESSAGE: usize = 300;

/// A reference, as far as verdicts read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The kind of the provider that it was resolved through.
    pub provider: Option<ProviderKind>,
    /// What to put into a pod, as the status has it. A reference without one is in no verdict:
    /// it was not resolved yet, or is a machine image.
    pub image: Option<String>,
    /// The digest, where `image` does not have it.
    pub digest: Option<String>,
    /// The architecture in the spelling of `kubernetes.io/arch`.
    pub arch: Option<String>,
    /// What the registry says, such as `linux/arm64`; goes before `arch`.
    pub platforms: Vec<String>,
    /// The kinds of accelerator: `CPU`, `GPU`, `ASCEND`, …; empty if nobody states them.
    pub accelerators: Vec<String>,
    /// Whether its digest follows the tag (`digestPolicy: Always`), so that two pods made one after
    /// the other may get two.
    pub follows_tag: bool,
    /// Why it may not be used; `None` if it may.
    pub unusable: Option<Unusable>,
}

/// Why a reference may not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unusable {
    /// The reason of its Ready.
    pub reason: String,
    /// The message of its Ready, cut.
    pub message: String,
    /// The reason of its Stale, if it is.
    pub stale: Option<String>,
}

impl KnownRef {
    /// What verdicts read of the reference of this name.
    pub fn new(namespace: &str, name: &str, status: &ImageRefStatus) -> Self {
        let kind = |kind: &str| match kind {
            "ClusterImageProvider" => Some(ProviderKind::Cluster),
            "ImageProvider" => Some(ProviderKind::Namespaced),
            _ => None,
        };
        let ready = condition::find(&status.conditions, ConditionType::Ready);
        let stale = condition::find(&status.conditions, ConditionType::Stale);
        let usable = ready.is_some_and(|ready| ready.status == Truth::True.as_str());
        let unusable = (!usable).then(|| Unusable {
            reason: ready.map_or("Progressing".into(), |ready| ready.reason.clone()),
            message: ready.map_or("no answer yet".into(), |ready| {
                truncate(&ready.message, MESSAGE).into()
            }),
            stale: stale
                .filter(|stale| stale.status == Truth::True.as_str())
                .map(|stale| stale.reason.clone()),
        });
        Self {
            namespace: namespace.into(),
            name: name.into(),
            provider: status.provider.as_ref().and_then(|p| kind(&p.kind)),
            image: status.image.clone().or_else(|| status.swr_path.clone()),
            digest: status.digest.clone(),
            arch: status.arch.clone(),
            platforms: status.platforms.clone(),
            accelerators: status.accelerators.clone(),
            follows_tag: false,
            unusable,
        }
    }
}

impl From<&ImageRef> for KnownRef {
    fn from(object: &ImageRef) -> Self {
        let meta = &object.metadata;
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let none = ImageRefStatus::default();
        let status = object.status.as_ref().unwrap_or(&none);
        Self {
            follows_tag: object.spec.digest_policy() == DigestPolicy::Always,
            ..Self::new(&name(&meta.namespace), &name(&meta.name), status)
        }
    }
}

/// The references of a cluster, or of a lock file, by repository and namespace.
#[derive(Clone, Debug, Default)]
pub struct Known {
    mirrors: Mirrors,
    repositories: HashMap<Arc<str>, HashMap<Arc<str>, Stock>>,
    /// By namespace and name.
    names: HashMap<Arc<str>, HashMap<Arc<str>, Arc<Entry>>>,
    lists: Lists,
}

impl Known {
    /// An empty index. Images of pods are read through the same mirrors.
    pub fn new(mirrors: &Mirrors) -> Self {
        Self {
            mirrors: mirrors.clone(),
            ..Self::default()
        }
    }

    pub(super) fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// How many references are in verdicts.
    pub fn len(&self) -> usize {
        self.names.values().map(HashMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Puts a reference in, in place of the one of the same namespace and name. One whose image is
    /// absent or cannot be read is taken out.
    pub fn insert(&mut self, known: KnownRef) {
        self.remove(&known.namespace, &known.name);
        let text = known.image.as_deref().unwrap_or_default();
        let Ok(image) = PodImage::parse(text, &self.mirrors) else {
            return;
        };
        let namespace = key_of(&self.names, &known.namespace);
        let repository = key_of(&self.repositories, image.repository());
        let name: Arc<str> = known.name.into();
        let digest = image.digest().map(Into::into);
        let entry = Arc::new(Entry {
            namespace: namespace.clone(),
            name: name.clone(),
            repository: repository.clone(),
            provider: known.provider,
            image: text.into(),
            tag: image.tag().map(Into::into),
            digest: digest.or(known.digest.map(Into::into)),
            architectures: self
                .lists
                .share(architectures(known.arch, &known.platforms)),
            accelerators: self.lists.share(text::sorted(known.accelerators)),
            follows_tag: known.follows_tag,
            unusable: known.unusable.map(Box::new),
        });
        let by_namespace = self.repositories.entry(repository).or_default();
        let stock = by_namespace.entry(namespace.clone()).or_default();
        stock.insert(&entry);
        let names = self.names.entry(namespace).or_default();
        names.insert(name, entry);
    }

    /// Takes a reference out, if it is there.
    pub fn remove(&mut self, namespace: &str, name: &str) {
        let Some(names) = self.names.get_mut(namespace) else {
            return;
        };
        let Some(entry) = names.remove(name) else {
            return;
        };
        if names.is_empty() {
            self.names.remove(namespace);
        }
        let Some(by_namespace) = self.repositories.get_mut(&entry.repository) else {
            return;
        };
        if let Some(stock) = by_namespace.get_mut(namespace) {
            stock.remove(&entry);
            if stock.is_empty() {
                by_namespace.remove(namespace);
            }
        }
        if by_namespace.is_empty() {
            self.repositories.remove(&entry.repository);
        }
    }

    /// The reference of this name.
    pub(super) fn named(&self, namespace: &str, name: &str) -> Option<&Entry> {
        Some(self.names.get(namespace)?.get(name)?)
    }

    /// The references of one namespace to a repository.
    fn stock(&self, repository: &str, namespace: &str) -> Option<&Stock> {
        self.repositories.get(repository)?.get(namespace)
    }

    /// The references of one namespace to exactly this image. Where an image has tag and digest,
    /// both are compared: a node goes by the digest, a person by the tag.
    pub(super) fn exactly<'a, 'i>(
        &'a self,
        image: &'i PodImage,
        namespace: &str,
    ) -> impl Iterator<Item = &'a Entry> + use<'a, 'i> {
        let (tag, digest) = (image.tag(), image.digest());
        let stock = self.stock(image.repository(), namespace);
        let pinned = stock
            .zip(digest)
            .map(|(stock, digest)| stock.pinned(digest))
            .into_iter()
            .flatten()
            // The digest says all that a tag could where one of the two has none.
            .filter(move |entry| {
                tag.is_none() || entry.tag.is_none() || entry.tag.as_deref() == tag
            });
        let tagged = stock.filter(|_| digest.is_none());
        pinned.chain(tagged.into_iter().flat_map(move |stock| stock.tagged(tag)))
    }

    /// The first reference of a namespace through a provider of this kind.
    pub(super) fn first(
        &self,
        repository: &str,
        namespace: &str,
        of: Of<'_>,
        provider: ProviderKind,
    ) -> Option<&Entry> {
        self.stock(repository, namespace)?.first(of, provider)
    }
}

/// The key as the map has it, so that equal texts are in memory once.
fn key_of<V>(map: &HashMap<Arc<str>, V>, key: &str) -> Arc<str> {
    map.get_key_value(key)
        .map_or_else(|| key.into(), |(key, _)| key.clone())
}

/// The registry's word where there is one: `linux/arm64/v8` is arm64.
pub(super) fn architectures(arch: Option<String>, platforms: &[String]) -> Vec<String> {
    let stated = platforms.iter().filter_map(|platform| {
        let arch = platform.split('/').nth(1)?;
        (!arch.is_empty() && arch != "unknown").then(|| arch.to_owned())
    });
    let mut list = text::sorted(stated.collect());
    if list.is_empty() {
        list.extend(arch);
    }
    list
}

/// Equal lists, in memory once.
#[derive(Clone, Debug, Default)]
struct Lists {
    shared: HashSet<Arc<[String]>>,
    /// The size at which those that nobody has any more are dropped.
    sweep_at: usize,
}

impl Lists {
    fn share(&mut self, list: Vec<String>) -> Arc<[String]> {
        if let Some(shared) = self.shared.get(list.as_slice()) {
            return shared.clone();
        }
        if self.shared.len() >= self.sweep_at {
            self.shared.retain(|list| Arc::strong_count(list) > 1);
            self.sweep_at = 64.max(self.shared.len() * 2);
        }
        let list: Arc<[String]> = list.into();
        self.shared.insert(list.clone());
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(n: usize) -> Vec<String> {
        vec![format!("arch{n}")]
    }

    #[test]
    fn what_goes_leaves_nothing_behind() {
        let mut known = Known::default();
        for n in 0..1_000 {
            known.insert(KnownRef {
                namespace: format!("n{n}"),
                name: "a".into(),
                image: Some(format!("a.example/r{n}:1")),
                platforms: vec![format!("linux/arch{n}")],
                ..KnownRef::default()
            });
            known.remove(&format!("n{n}"), "a");
        }
        assert!(known.names.is_empty() && known.repositories.is_empty());
        assert!(known.lists.shared.len() <= 64);
    }

    #[test]
    fn lists_in_use_are_in_memory_once_and_are_seldom_gone_through() {
        let mut lists = Lists::default();
        let mut sweeps = 0;
        let mut share = |n| {
            let before = lists.sweep_at;
            let shared = lists.share(list(n));
            sweeps += u32::from(lists.sweep_at != before);
            shared
        };
        let held: Vec<_> = (0..1_000).map(&mut share).collect();
        for (n, held) in held.iter().enumerate() {
            assert!(Arc::ptr_eq(held, &share(n)), "{n}");
        }
        assert_eq!(sweeps, 5, "at 0, 64, 128, 256 and 512 lists");
    }
}
