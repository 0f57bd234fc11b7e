//! Room: whatever there is to list, a catalogue has its size, its order and what it had before.

use super::{A, beside, gathered, image_ref, ready, whole};
use imageref::admission::catalogue::{Gathered, MOST_NAMES, ROOM, status, stored_size};
use imageref::api::{ImageCatalog, ImageCatalogSpec, ImageCatalogStatus, ImageRef};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

/// References to few images, so that several name one text.
fn refs(names: &'static str) -> impl Strategy<Value = Vec<ImageRef>> {
    let one = (names, 0..4_u8, "[a-z]{1,20}", any::<(bool, bool, bool)>());
    let object = |(name, tag, repository, (usable, pinned, many)): (
        String,
        u8,
        String,
        (bool, bool, bool),
    )| {
        let conditions = if usable {
            ready("True", "Resolved")
        } else {
            ready("False", "ImageNotActive")
        };
        let repository = if many { repository } else { "x".into() };
        // What a platform says may have letters that are stored longer than they are.
        let status =
            json!({"digest": pinned.then_some(A), "conditions": [conditions], "status": "<&>"});
        let image = format!("swr.local/{repository}:{tag}");
        image_ref(&name, &image, &status)
    };
    prop::collection::vec(one.prop_map(object), 0..40).prop_map(|mut all: Vec<ImageRef>| {
        // A name is there once.
        let mut names = BTreeSet::new();
        all.retain(|object| {
            let metadata = &object.metadata;
            names.insert((metadata.namespace.clone(), metadata.name.clone()))
        });
        all
    })
}

fn written(gathered: Gathered) -> ImageCatalogStatus {
    let previous = ImageCatalogStatus::default();
    status(gathered, &previous, 1, Timestamp::UNIX_EPOCH)
}

/// Those of which a text is missing.
fn left_out(all: &Gathered, inside: &Gathered) -> BTreeSet<String> {
    let missing = all.images.iter();
    missing
        .filter(|(key, _)| !inside.images.contains_key(*key))
        .map(|(_, entry)| entry.ref_.clone())
        .collect()
}

proptest! {
    #[test]
    fn the_order_in_which_references_come_does_not_show(
        refs in refs("(team-a|shared)/[a-d]{1,2}"),
        seed in any::<u64>(),
        left in 0..6000_usize,
        before in refs("team-a/[a-d]{1,2}"),
    ) {
        let previous = written(gathered(&before, &ImageCatalogStatus::default(), beside(left)));
        let mut shuffled = refs.clone();
        shuffled.sort_by_key(|object| {
            let name = object.metadata.name.clone().unwrap();
            name.bytes().fold(seed, |hash, byte| hash.rotate_left(7).wrapping_mul(31) ^ u64::from(byte))
        });
        prop_assert_eq!(
            gathered(&refs, &previous, beside(left)),
            gathered(&shuffled, &previous, beside(left))
        );
    }

    #[test]
    fn no_catalogue_has_more_bytes_than_there_is_room_for(
        refs in refs("(team-a|shared)/[a-z]{1,60}"),
        left in 0..8000_usize,
    ) {
        let none = ImageCatalogStatus::default();
        let status = written(gathered(&refs, &none, beside(left)));
        let size = stored_size(&status).unwrap();
        prop_assert!(size + beside(left) <= ROOM, "{}", size);
        let images = stored_size(&status.images).unwrap();
        prop_assert!(images <= left.max(2) + 2, "{} of {}", images, left);
    }

    #[test]
    fn what_was_there_stays_and_what_is_left_out_is_counted_and_named(
        before in refs("(team-a|shared)/old-[a-z]{1,20}"),
        after in refs("(team-a|shared)/[a-m][a-z]{0,20}"),
        left in 0..8000_usize,
    ) {
        // What is new has images of its own: a better reference to a text that was there would
        // take its place.
        let after: Vec<_> = after.into_iter().map(|mut object| {
            let status = object.status.as_mut().unwrap();
            status.image = status.image.take().map(|image| image.replace("swr.local", "new.local"));
            object
        }).collect();
        let previous = gathered(&before, &ImageCatalogStatus::default(), beside(left));
        let both = [before, after].concat();
        let next = gathered(&both, &written(previous.clone()), beside(left));
        for (key, entry) in &previous.images {
            prop_assert_eq!(next.images.get(key), Some(entry), "{}", key);
        }
        let out = left_out(&whole(&both), &next);
        let told = next.overflow.clone().unwrap_or_default();
        prop_assert_eq!(told.refs, i64::try_from(out.len()).unwrap());
        prop_assert_eq!(told.names, out.into_iter().take(MOST_NAMES).collect::<Vec<_>>());
        // Again with the same references, nothing moves.
        let again = gathered(&both, &written(next.clone()), beside(left));
        prop_assert_eq!(again.images, next.images);
    }
}

#[test]
fn ten_thousand_references_fill_a_megabyte_and_no_more() {
    let refs: Vec<_> = (0..10_000)
        .map(|n| {
            let image = format!("swr.cn-north-4.myhuaweicloud.com/ai-team/model-{n:05}:v1@{A}");
            image_ref(&format!("team-a/model-{n:05}"), &image, &json!({}))
        })
        .collect();
    let mut object = ImageCatalog::new("admission", ImageCatalogSpec::default());
    object.metadata.namespace = Some("team-a".into());
    let alone = stored_size(&object).unwrap();
    let found = gathered(&refs, &ImageCatalogStatus::default(), alone);
    let out = found.overflow.clone().unwrap();
    assert_eq!(found.refs + out.refs, 10_000, "each whole or not at all");
    assert_eq!(out.names.len(), MOST_NAMES);
    object.status = Some(written(found));
    let size = stored_size(&object).unwrap();
    assert!(size <= ROOM, "{size}");
    assert!(size > ROOM - 20 * 1024, "room is left: {size}");
}
