//! The references of one namespace to one repository, filed by what verdicts look them up by.
//!
//! Owns the order in which they are found. Must not know which of them count. The invariant that
//! would break first: a look-up costs about the same however many references there are.

use super::Unusable;
use crate::api::ProviderKind;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

/// One reference in the index.
#[derive(Debug)]
pub(in crate::admission) struct Entry {
    pub(in crate::admission) namespace: Arc<str>,
    pub(in crate::admission) name: Arc<str>,
    pub(super) repository: Arc<str>,
    pub(in crate::admission) provider: Option<ProviderKind>,
    /// As the status has it, for people; never a mirror.
    pub(in crate::admission) image: Box<str>,
    pub(in crate::admission) tag: Option<Box<str>>,
    pub(in crate::admission) digest: Option<Box<str>>,
    pub(in crate::admission) architectures: Arc<[String]>,
    pub(in crate::admission) accelerators: Arc<[String]>,
    pub(in crate::admission) follows_tag: bool,
    pub(in crate::admission) unusable: Option<Box<Unusable>>,
}

/// What decides before the name which reference is found first.
type Standing = (Option<ProviderKind>, bool);

/// A place in the order: under what, the text there, then the order of reports.
type Key<'a> = (Under, &'a str, Standing, &'a str);

/// The one before all others.
const LOWEST: Standing = (None, false);

/// Of which references the first is asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::admission) enum Of<'a> {
    /// Of all to the repository.
    All,
    /// Of those with this tag, or with none.
    Tag(Option<&'a str>),
}

/// What a reference is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Under {
    /// Nothing but the repository.
    Repository,
    /// Its tag; without one, no text.
    Tag,
    /// Its digest.
    Digest,
}

/// A reference under one of them.
#[derive(Clone, Debug)]
struct Filed {
    under: Under,
    entry: Arc<Entry>,
}

/// What a set of references can be searched by without making one.
trait Keyed {
    fn key(&self) -> Key<'_>;
}

impl Keyed for Filed {
    fn key(&self) -> Key<'_> {
        let entry = &self.entry;
        let text = match self.under {
            Under::Repository => None,
            Under::Tag => entry.tag.as_deref(),
            Under::Digest => entry.digest.as_deref(),
        };
        let standing = (entry.provider, entry.unusable.is_some());
        (self.under, text.unwrap_or_default(), standing, &entry.name)
    }
}

impl Keyed for Key<'_> {
    fn key(&self) -> Key<'_> {
        *self
    }
}

impl<'a> Borrow<dyn Keyed + 'a> for Filed {
    fn borrow(&self) -> &(dyn Keyed + 'a) {
        self
    }
}

impl Ord for dyn Keyed + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for dyn Keyed + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Keyed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for dyn Keyed + '_ {}

impl Ord for Filed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Filed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Filed {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Filed {}

/// The references of one namespace to one repository.
#[derive(Clone, Debug, Default)]
pub(super) struct Stock {
    filed: BTreeSet<Filed>,
}

impl Stock {
    /// Files a reference that is not there.
    pub(super) fn insert(&mut self, entry: &Arc<Entry>) {
        self.filed.extend(places(entry));
    }

    /// Takes out what was filed.
    pub(super) fn remove(&mut self, entry: &Arc<Entry>) {
        for filed in places(entry) {
            self.filed.remove(&filed);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filed.is_empty()
    }

    /// Those with this tag; with none for `None`.
    pub(super) fn tagged<'a, 't>(
        &'a self,
        tag: Option<&'t str>,
    ) -> impl Iterator<Item = &'a Entry> + use<'a, 't> {
        self.under(Under::Tag, tag.unwrap_or_default(), LOWEST)
    }

    /// Those that stand for this digest.
    pub(super) fn pinned<'a, 't>(
        &'a self,
        digest: &'t str,
    ) -> impl Iterator<Item = &'a Entry> + use<'a, 't> {
        self.under(Under::Digest, digest, LOWEST)
    }

    /// The first of those through a provider of this kind: usable ones before others, then by name.
    pub(super) fn first(&self, of: Of<'_>, provider: ProviderKind) -> Option<&Entry> {
        let (under, text) = match of {
            Of::All => (Under::Repository, ""),
            Of::Tag(tag) => (Under::Tag, tag.unwrap_or_default()),
        };
        let mut found = self.under(under, text, (Some(provider), false));
        found.next().filter(|e| e.provider == Some(provider))
    }

    /// Those under a text, from a standing on.
    fn under<'a, 't>(
        &'a self,
        under: Under,
        text: &'t str,
        from: Standing,
    ) -> impl Iterator<Item = &'a Entry> + use<'a, 't> {
        let first: Key<'_> = (under, text, from, "");
        let bounds = (Bound::Included(&first as &dyn Keyed), Bound::Unbounded);
        let found = self.filed.range::<dyn Keyed, _>(bounds);
        found
            .take_while(move |filed| {
                let (u, t, ..) = filed.key();
                (u, t) == (under, text)
            })
            .map(|filed| &*filed.entry)
    }
}

/// Every place of a reference. One without a digest is under none.
fn places(entry: &Arc<Entry>) -> impl Iterator<Item = Filed> {
    let under = [
        Some(Under::Repository),
        Some(Under::Tag),
        entry.digest.is_some().then_some(Under::Digest),
    ];
    under.into_iter().flatten().map(|under| Filed {
        under,
        entry: entry.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set goes by `cmp` alone; the traits that it asks for must not say otherwise.
    #[test]
    fn keys_are_equal_where_their_order_is() {
        let entry = |name: &str| {
            Arc::new(Entry {
                namespace: "n".into(),
                name: name.into(),
                repository: "a.example/r".into(),
                provider: None,
                image: "a.example/r:1".into(),
                tag: Some("1".into()),
                digest: None,
                architectures: [].into(),
                accelerators: [].into(),
                follows_tag: false,
                unusable: None,
            })
        };
        let (a, b) = (entry("a"), entry("b"));
        let filed: Vec<_> = places(&a).chain(places(&b)).chain(places(&a)).collect();
        for (x, y) in filed.iter().flat_map(|x| filed.iter().map(move |y| (x, y))) {
            let order = x.cmp(y);
            assert_eq!(x == y, order.is_eq());
            assert_eq!(x.partial_cmp(y), Some(order));
            let (x, y): (&dyn Keyed, &dyn Keyed) = (x, y);
            assert_eq!(x.cmp(y), order);
            assert_eq!(x == y, order.is_eq());
            assert_eq!(x.partial_cmp(y), Some(order));
        }
    }
}
