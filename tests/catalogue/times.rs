//! When a catalogue is written.

use super::{image_ref, ready, whole};
use imageref::admission::catalogue::{COALESCED, Due, due, pause_after, status};
use imageref::api::{ImageCatalogStatus, ImageRef};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

/// References by name: usable or not.
fn refs(all: &[(u8, bool)]) -> Vec<ImageRef> {
    all.iter()
        .map(|(name, usable)| {
            let (truth, reason) = match usable {
                true => ("True", "Resolved"),
                false => ("False", "ImageNotActive"),
            };
            let status = json!({"conditions": [ready(truth, reason)]});
            image_ref(
                &format!("team-a/{name}"),
                &format!("swr.local/x/{name}:1"),
                &status,
            )
        })
        .collect()
}

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).unwrap()
}

fn says(all: &[(u8, bool)], previous: &ImageCatalogStatus, now: Timestamp) -> ImageCatalogStatus {
    status(whole(&refs(all)), previous, 1, now)
}

fn first(all: &[(u8, bool)], now: Timestamp) -> ImageCatalogStatus {
    says(all, &ImageCatalogStatus::default(), now)
}

#[test]
fn a_catalogue_that_was_never_written_is_written_now_even_if_it_is_empty() {
    let none = ImageCatalogStatus::default();
    assert_eq!(due(&none, &first(&[], at(0)), at(0)), Due::Now);
    let new = ImageCatalogStatus {
        observed_generation: Some(-1),
        ..none
    };
    assert_eq!(due(&new, &first(&[], at(0)), at(0)), Due::Now);
}

#[test]
fn what_becomes_unusable_or_goes_is_written_at_once_and_what_is_new_waits_a_minute() {
    let before = first(&[(1, true), (2, true)], at(0));
    let now = at(1000);
    let when = |all: &[(u8, bool)]| due(&before, &says(all, &before, now), now);
    assert_eq!(when(&[(1, true), (2, true)]), Due::Never);
    assert_eq!(when(&[(1, true), (2, false)]), Due::Now);
    assert_eq!(when(&[(1, true)]), Due::Now);
    assert_eq!(when(&[]), Due::Now);
    assert_eq!(
        when(&[(1, true), (2, true), (3, true)]),
        Due::At(at(61_000))
    );
    assert_eq!(when(&[(1, false), (2, true), (3, true)]), Due::Now, "both");
    let broken = first(&[(1, false)], at(0));
    let mended = says(&[(1, true)], &broken, now);
    assert_eq!(due(&broken, &mended, now), Due::At(at(61_000)));
    let gone = says(&[], &broken, now);
    assert_eq!(
        due(&broken, &gone, now),
        Due::At(at(61_000)),
        "it was of no use"
    );
}

#[test]
fn time_alone_and_wording_write_nothing() {
    let before = first(&[(1, true)], at(0));
    let later = at(1_000_000_000);
    let mut same = says(&[(1, true)], &before, later);
    assert_eq!(due(&before, &same, later), Due::Never);
    same.conditions[0].message = "in other words".into();
    assert_eq!(due(&before, &same, later), Due::Never);
    same.observed_generation = Some(2);
    assert_eq!(due(&before, &same, later), Due::Now);
}

#[test]
fn a_write_in_the_future_holds_nothing_up_for_longer_than_one_made_now() {
    let before = first(&[(1, true)], at(1_000_000_000));
    let more = says(&[(1, true), (2, true)], &before, at(0));
    assert_eq!(due(&before, &more, at(0)), Due::At(at(61_000)));
}

#[test]
fn a_large_catalogue_is_not_written_again_and_again_however_much_goes() {
    let all: Vec<_> = (0..200).map(|name| (name, true)).collect();
    let before = first(&all, at(0));
    assert_eq!(pause_after(&before).as_millis(), 200);
    let less = says(&all[1..], &before, at(50));
    assert_eq!(due(&before, &less, at(50)), Due::At(at(200)));
    assert_eq!(due(&before, &less, at(200)), Due::Now);
}

proptest! {
    /// An hour of changes, seen the moment they happen and when something is due.
    #[test]
    fn writes_are_a_minute_apart_unless_something_was_taken_away_and_then_at_once(
        changes in prop::collection::vec((0..120_000_i64, 0..6_u8, 0..3_u8), 1..60)
    ) {
        let mut now = at(0);
        let mut there: std::collections::BTreeMap<u8, bool> = [(0, true), (1, true)].into();
        let list = |there: &std::collections::BTreeMap<u8, bool>| -> Vec<_> {
            there.iter().map(|(name, usable)| (*name, *usable)).collect()
        };
        let mut written = first(&list(&there), now);
        let usable = |status: &ImageCatalogStatus| -> std::collections::BTreeSet<String> {
            let images = status.images.iter().filter(|(_, image)| image.usable);
            images.map(|(key, _)| key.clone()).collect()
        };
        for (wait, name, change) in changes {
            let next_change = now + SignedDuration::from_millis(wait);
            // What was planned before comes first.
            loop {
                let next = says(&list(&there), &written, now);
                match due(&written, &next, now) {
                    Due::Now => {
                        let last = written.last_changed_time.as_ref().unwrap().0;
                        let lost = !usable(&written).is_subset(&usable(&next));
                        let gap = now.duration_since(last).unsigned_abs();
                        prop_assert!(lost || gap >= COALESCED, "{:?}", gap);
                        prop_assert!(gap >= pause_after(&written).min(COALESCED));
                        written = next;
                    }
                    Due::At(at) if at <= next_change => {
                        prop_assert!(at > now);
                        now = at;
                    }
                    Due::At(at) => {
                        let lost = !usable(&written).is_subset(&usable(&next));
                        let longest = if lost { pause_after(&written) } else { COALESCED + Duration::from_secs(1) };
                        prop_assert!(at.duration_since(now).unsigned_abs() <= longest);
                        break;
                    }
                    Due::Never => {
                        prop_assert_eq!(&next.images, &written.images);
                        break;
                    }
                }
            }
            now = next_change;
            match change {
                0 => { there.insert(name, true); }
                1 => { there.insert(name, false); }
                _ => { there.remove(&name); }
            }
        }
    }
}
