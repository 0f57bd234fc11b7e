//! No wrong Ready=True: it says what was true for its spec at some time within `maxStaleness`.
//!
//! Owns what a status must agree with. Must not know the verdict before it. The invariant that would
//! break first: architecture, status and path are those of one answer, never of two.

use super::{ALLOWANCE, MAX_STALENESS, Violation, images, may_be_used};
use crate::history::{Asks, Key, Ready, Said, Seen, Status};
use crate::truth::{Image, Past};
use std::collections::BTreeMap;
use std::time::Duration;

const RULE: &str = "no wrong Ready=True";

/// What is wrong with what a reference said.
pub(crate) fn true_ready(key: &Key, seen: &[Seen], past: &Past) -> Vec<Violation> {
    let mut asked = BTreeMap::new();
    let mut before: Option<&Said> = None;
    let mut found = Vec::new();
    for seen in seen {
        let Seen::Said(said) = seen else {
            asked.clear();
            before = None;
            continue;
        };
        asked.insert(said.generation, &said.asks);
        let is_new = before.is_none_or(|before| before.status != said.status);
        let status = said.status.as_ref().filter(|_| is_new && before.is_some());
        before = Some(said);
        let Some(status) = status.filter(|status| status.ready == Ready::True) else {
            continue;
        };
        // A generation that was never seen cannot be judged.
        let Some(asks) = asked.get(&status.observed) else {
            continue;
        };
        if let Some(what) = wrong(asks, status, past, said.at) {
            found.push(Violation::new(RULE, key, said.at, what));
        }
    }
    found
}

fn wrong(asks: &Asks, status: &Status, past: &Past, at: Duration) -> Option<String> {
    let known = images(asks, past, at);
    let fits = |image: &&&Image| agrees(asks, status, image) && may_be_used(asks, image);
    if known.iter().find(fits).is_none() {
        return Some(format!(
            "{status:?} is of none of {known:?}, asked for {asks:?}"
        ));
    }
    let digest = status.digest.as_ref().filter(|_| asks.digest)?;
    let path = status.path.as_deref().unwrap_or_default();
    let from = at.saturating_sub(MAX_STALENESS + ALLOWANCE);
    let digests = past.digests(path, from, at);
    (!digests.contains(&digest)).then(|| format!("{path} had not {digest} but {digests:?}"))
}

/// Whether a status says what an image is.
fn agrees(asks: &Asks, status: &Status, image: &Image) -> bool {
    let stated = !asks.is_notebook
        || status.arch == image.arch && status.word.as_ref() == Some(&image.status);
    stated && status.path.as_ref() == Some(&image.path) && status.id == asks.image
}

/// Whether a reference says what is true now; else what it says.
pub(crate) fn is_true_now(said: &Said, past: &Past, now: Duration) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{what}: {:?}", said.status));
    let Some(status) = said.status.as_ref() else {
        return wrong("no status".into());
    };
    if status.observed != said.generation {
        return wrong(format!("generation {} is not observed", said.generation));
    }
    if let Some(stale) = &status.stale {
        return wrong(format!("stale ({stale})"));
    }
    let asks = &said.asks;
    let image = asks
        .image
        .as_ref()
        .and_then(|id| past.images(id, now, now).pop());
    let (ready, reason) = match image {
        None => (Ready::False, "ImageNotFound"),
        Some(image) if may_be_used(asks, image) => (Ready::True, "Resolved"),
        Some(image) if image.status != "ACTIVE" => (Ready::False, "ImageNotActive"),
        Some(_) => (Ready::False, "ExpectationFailed"),
    };
    if status.ready != ready || status.reason != reason {
        return wrong(format!("not {ready:?}/{reason}"));
    }
    let Some(image) = image else { return Ok(()) };
    if !agrees(asks, status, image) {
        return wrong(format!("not {image:?}"));
    }
    let digest = past.digests(&image.path, now, now).pop();
    if asks.digest && status.digest.as_ref() != digest {
        return wrong(format!("not {digest:?}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{all, image, key, past, said, seconds, status};
    use super::*;

    fn broken(statuses: &[(u64, Status)], past: &Past) -> usize {
        let first = (0, None);
        let rest = statuses
            .iter()
            .map(|(at, status)| (*at, Some(status.clone())));
        let said = [first]
            .into_iter()
            .chain(rest)
            .map(|(at, status)| said(at, status));
        true_ready(&key(), &all(said), past).len()
    }

    #[test]
    fn the_truth_and_what_was_true_lately_may_be_said() {
        let mut past = past();
        assert_eq!(broken(&[(1, status())], &past), 0);
        past.image("i", seconds(10), image("amd64", "ACTIVE", "1"));
        assert_eq!(broken(&[(100, status())], &past), 0);
        assert_eq!(
            broken(&[(2_000, status())], &past),
            1,
            "older than maxStaleness"
        );
    }

    #[test]
    fn parts_of_two_answers_a_foreign_image_and_one_not_active_are_wrong() {
        let mut past = past();
        past.image("i", seconds(10), image("amd64", "ACTIVE", "2"));
        let torn = Status {
            arch: Some("amd64".into()),
            ..status()
        };
        assert_eq!(broken(&[(20, torn)], &past), 1);
        let foreign = Status {
            id: Some("j".into()),
            ..status()
        };
        assert_eq!(broken(&[(20, foreign)], &past), 1);
        past.image("i", seconds(30), image("amd64", "INACTIVE", "2"));
        let inactive = Status {
            arch: Some("amd64".into()),
            word: Some("INACTIVE".into()),
            path: Some("host/x:2".into()),
            ..status()
        };
        assert_eq!(broken(&[(40, inactive)], &past), 1);
        assert_eq!(
            broken(&[(1, status())], &Past::default()),
            1,
            "no such image"
        );
    }

    #[test]
    fn a_status_is_judged_by_the_spec_that_it_is_about_and_once() {
        let mut edited = said(5, Some(status()));
        edited.generation = 2;
        edited.asks.arch = Some(vec!["amd64".into()]);
        let mut observed = edited.clone();
        observed.status = Some(Status {
            observed: 2,
            ..status()
        });
        let history = all([said(0, None), said(1, Some(status())), edited, observed]);
        let found = true_ready(&key(), &history, &past());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].what.contains("observed: 2"), "{found:?}");
    }

    #[test]
    fn a_digest_must_have_been_under_the_path() {
        let mut past = past();
        past.digest("host/x:1", seconds(0), "sha256:a".into());
        let with = |digest: &str| {
            let mut new = said(
                5,
                Some(Status {
                    digest: Some(digest.into()),
                    ..status()
                }),
            );
            new.asks.digest = true;
            let seen = all([
                Said {
                    status: None,
                    ..new.clone()
                },
                new,
            ]);
            true_ready(&key(), &seen, &past).len()
        };
        assert_eq!((with("sha256:a"), with("sha256:b")), (0, 1));
    }

    #[test]
    fn what_is_true_now_is_neither_old_nor_stale_nor_about_another_generation() {
        let mut past = past();
        let now = |said: &Said, past: &Past, at| is_true_now(said, past, seconds(at)).is_ok();
        let good = said(1, Some(status()));
        assert!(now(&good, &past, 2));
        assert!(!now(&said(1, None), &past, 2));
        let stale = Status {
            stale: Some("ProviderError".into()),
            ..status()
        };
        assert!(!now(&said(1, Some(stale)), &past, 2));
        assert!(!now(
            &Said {
                generation: 2,
                ..good.clone()
            },
            &past,
            2
        ));
        past.image("i", seconds(10), image("arm64", "ACTIVE", "2"));
        assert!(!now(&good, &past, 11));
        let gone = Status {
            ready: Ready::False,
            reason: "ImageNotFound".into(),
            ..status()
        };
        assert!(now(&said(1, Some(gone)), &Past::default(), 2));
    }
}
