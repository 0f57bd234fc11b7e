//! No verdict changes inside `maxStaleness`: what was Ready stays so while only the confirming fails.
//!
//! Owns which change of a verdict has a reason. Must not know what was broken. The invariant that would
//! break first: an outage shows as Stale, never as a verdict.

use super::{ALLOWANCE, MAX_STALENESS, Violation, images, may_be_used};
use crate::history::{Key, Ready, Seen};
use crate::truth::Past;
use std::time::Duration;

const RULE: &str = "no verdict changed inside maxStaleness";

/// The verdicts of a reference that went without a reason.
pub(crate) fn verdicts_kept(key: &Key, seen: &[Seen], past: &Past) -> Vec<Violation> {
    // The generation that was Ready, and since when it was stale.
    let mut ready: Option<(i64, Option<Duration>)> = None;
    let mut found = Vec::new();
    for seen in seen {
        let Seen::Said(said) = seen else {
            ready = None;
            continue;
        };
        let Some(status) = &said.status else { continue };
        if status.ready == Ready::True {
            let since = ready.filter(|(generation, _)| *generation == status.observed);
            let since = since.and_then(|(_, since)| since);
            let stale = status.stale.as_ref().map(|_| since.unwrap_or(said.at));
            ready = Some((status.observed, stale));
            continue;
        }
        let Some((generation, stale)) = ready.take() else {
            continue;
        };
        if generation != status.observed {
            continue;
        }
        let known = images(&said.asks, past, said.at);
        let has_reason = match status.ready {
            Ready::False => known.iter().any(|image| !may_be_used(&said.asks, image)),
            // To a process, what was stale before its clock went forward has been so for an hour.
            _ => stale.is_some_and(|since| {
                said.at.saturating_sub(since) + ALLOWANCE >= MAX_STALENESS
                    || past.leapt(since.saturating_sub(ALLOWANCE), said.at)
            }),
        };
        if !has_reason {
            let what = format!("Ready went without a reason: {status:?}");
            found.push(Violation::new(RULE, key, said.at, what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{all, image, key, past, said, seconds, status};
    use super::*;
    use crate::history::{Said, Status};

    fn found(said: impl IntoIterator<Item = Said>, past: &Past) -> usize {
        verdicts_kept(&key(), &all(said), past).len()
    }

    fn not_ready(ready: Ready) -> Status {
        Status { ready, ..status() }
    }

    fn stale() -> Status {
        Status {
            stale: Some("ProviderError".into()),
            ..status()
        }
    }

    #[test]
    fn an_image_that_may_not_be_used_is_a_reason_and_nothing_else_is() {
        let mut past = past();
        let refused = [
            said(1, Some(status())),
            said(20, Some(not_ready(Ready::False))),
        ];
        assert_eq!(found(refused.clone(), &past), 1);
        past.image("i", seconds(10), image("arm64", "INACTIVE", "1"));
        assert_eq!(found(refused, &past), 0);
    }

    #[test]
    fn an_answer_expires_when_it_was_stale_for_long_and_not_before() {
        let past = past();
        let expired = |at| {
            [
                said(1, Some(status())),
                said(5, Some(stale())),
                said(at, Some(not_ready(Ready::Unknown))),
            ]
        };
        assert_eq!(found(expired(100), &past), 1);
        assert_eq!(found(expired(901), &past), 0);
        let unknown = said(2, Some(not_ready(Ready::Unknown)));
        assert_eq!(found([said(1, Some(status())), unknown], &past), 1);
        let again = [
            said(1, Some(stale())),
            said(880, Some(status())),
            said(901, Some(not_ready(Ready::Unknown))),
        ];
        assert_eq!(found(again, &past), 1, "it was confirmed meanwhile");
    }

    #[test]
    fn what_was_stale_before_the_clock_went_forward_by_an_hour_may_expire_and_nothing_else() {
        let mut past = past();
        past.leap(seconds(200));
        let expired = not_ready(Ready::Unknown);
        let before = [said(1, Some(stale())), said(201, Some(expired.clone()))];
        assert_eq!(found(before, &past), 0);
        let never_stale = [said(1, Some(status())), said(201, Some(expired.clone()))];
        assert_eq!(found(never_stale, &past), 1);
        let too_early = [said(1, Some(stale())), said(199, Some(expired.clone()))];
        assert_eq!(found(too_early, &past), 1);
        let after = [said(280, Some(stale())), said(290, Some(expired))];
        assert_eq!(found(after, &past), 1);
    }

    #[test]
    fn another_generation_is_another_verdict() {
        let next = Status {
            observed: 2,
            ..not_ready(Ready::Unknown)
        };
        assert_eq!(
            found([said(1, Some(status())), said(2, Some(next))], &past()),
            0
        );
    }
}
