//! What is in a catalogue, and what there is no room for.
//!
//! Owns the order in which entries get room, and the exact count of bytes. Must not know who wrote
//! what is there. The invariants that would break first: the status never has more bytes than there
//! is room for, and what was in the catalogue and still counts does not make room for what is new.

use super::candidate::Candidate;
use crate::api::{CatalogImage, CatalogOverflow, ImageCatalogStatus};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The most bytes of a whole catalogue as the API server stores it.
pub const ROOM: usize = 1024 * 1024;

/// The most references that [`CatalogOverflow::names`] has.
pub const MOST_NAMES: usize = 20;

/// What a catalogue has besides images, at most: conditions with their messages, counts, a time,
/// the names in the overflow, each of 63 + 1 + 253 letters, and what the API server notes in
/// `metadata.managedFields` of a first write.
const BESIDES: usize = 16 * 1024;

/// What gathering found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// By the text that a pod writes.
    pub images: BTreeMap<String, CatalogImage>,
    /// How many references say something in it.
    pub refs: i64,
    /// What is left out.
    pub overflow: Option<CatalogOverflow>,
}

/// Puts the references' images into one map. Where several name one text, a usable one goes first,
/// then one of `namespace`, then the first by name.
///
/// `beside` is how many bytes the object has without its status. Where not everything gets into
/// [`ROOM`], the texts of `previous` get room first, then further texts of the references in it,
/// then other references, usable ones first, each whole or not at all.
pub fn gather(
    namespace: &str,
    candidates: impl IntoIterator<Item = Candidate>,
    previous: &ImageCatalogStatus,
    beside: usize,
) -> Gathered {
    let wanted = winners(namespace, candidates);
    let room = ROOM.saturating_sub(beside).saturating_sub(BESIDES);
    let sizes = wanted.iter().map(|(key, entry)| size(key, entry));
    if sizes.fold(0, usize::saturating_add) <= room {
        return Gathered {
            refs: count(&refs(&wanted)),
            images: wanted,
            overflow: None,
        };
    }
    squeeze(namespace, wanted, previous, room)
}

/// How many bytes a value has as the API server stores it.
///
/// # Errors
/// None that an object of ours can cause; the serializer's type says so.
pub fn stored_size(value: &impl Serialize) -> Result<usize, serde_json::Error> {
    serde_json::to_string(value).map(|json| json.len() + escapes(&json))
}

/// What Go's encoder writes longer than ours: `<`, `>`, `&`, and the separators of lines and
/// paragraphs, as six letters each.
fn escapes(json: &str) -> usize {
    let longer = |c: char| match c {
        '<' | '>' | '&' => 5,
        '\u{2028}' | '\u{2029}' => 3,
        _ => 0,
    };
    json.chars().map(longer).sum()
}

/// `"key":{…},`
fn size(key: &str, entry: &CatalogImage) -> usize {
    // Texts and booleans are always JSON; one that were not would get no room.
    let of = stored_size(&key).and_then(|key| Ok(key + stored_size(entry)?));
    of.map_or(usize::MAX / 2, |both| both + 2)
}

fn winners(
    namespace: &str,
    candidates: impl IntoIterator<Item = Candidate>,
) -> BTreeMap<String, CatalogImage> {
    let mut wanted: BTreeMap<String, CatalogImage> = BTreeMap::new();
    for candidate in candidates {
        for key in candidate.keys {
            match wanted.get_mut(&key) {
                Some(best) if rank(namespace, best) <= rank(namespace, &candidate.entry) => {}
                Some(best) => best.clone_from(&candidate.entry),
                None => {
                    wanted.insert(key, candidate.entry.clone());
                }
            }
        }
    }
    wanted
}

/// Lower goes first.
fn rank<'a>(namespace: &str, entry: &'a CatalogImage) -> (bool, bool, &'a str) {
    let (of, _) = entry.ref_.split_once('/').unwrap_or_default();
    (!entry.usable, of != namespace, &entry.ref_)
}

fn refs(images: &BTreeMap<String, CatalogImage>) -> BTreeSet<&str> {
    images.values().map(|entry| entry.ref_.as_str()).collect()
}

fn count(refs: &BTreeSet<&str>) -> i64 {
    i64::try_from(refs.len()).unwrap_or(i64::MAX)
}

/// When a text gets room; lower goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn<'a> {
    /// It was there.
    Kept(&'a str),
    /// Another text of a reference that was there.
    Grown(&'a str),
    /// All texts of a reference that was not there, by its rank.
    New((bool, bool, &'a str)),
}

fn squeeze(
    namespace: &str,
    wanted: BTreeMap<String, CatalogImage>,
    previous: &ImageCatalogStatus,
    room: usize,
) -> Gathered {
    let known = refs(&previous.images);
    let mut turns: BTreeMap<Turn<'_>, (usize, Vec<&str>)> = BTreeMap::new();
    for (key, entry) in &wanted {
        let turn = if previous.images.contains_key(key) {
            Turn::Kept(key)
        } else if known.contains(entry.ref_.as_str()) {
            Turn::Grown(key)
        } else {
            Turn::New(rank(namespace, entry))
        };
        let (needs, keys) = turns.entry(turn).or_default();
        *needs = needs.saturating_add(size(key, entry));
        keys.push(key);
    }
    let mut left = room;
    let mut inside: HashSet<String> = HashSet::new();
    for (needs, keys) in turns.into_values() {
        if let Some(rest) = left.checked_sub(needs) {
            left = rest;
            inside.extend(keys.into_iter().map(str::to_owned));
        }
    }
    let (images, out): (BTreeMap<_, _>, BTreeMap<_, _>) = wanted
        .into_iter()
        .partition(|(key, _)| inside.contains(key));
    let out = refs(&out);
    let names = out.iter().take(MOST_NAMES).map(ToString::to_string);
    Gathered {
        overflow: (!out.is_empty()).then(|| CatalogOverflow {
            names: names.collect(),
            refs: count(&out),
        }),
        refs: count(&refs(&images)),
        images,
    }
}
