//! When an issued credential is renewed.
//!
//! Owns these times. Pure: clocks and jitter are arguments. The invariant that would break first: a
//! short life means frequent renewal, never one with every request.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The least time between two exchanges of one proof, but for the one after a platform's refusal.
pub const EXCHANGE_GAP: Duration = Duration::from_secs(30);
/// The longest time between two attempts when exchanges fail.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// How long a refused proof is left alone.
pub const REFUSED_FOR: Duration = Duration::from_secs(600);
/// The life of what does not say when it ends: the shortest that the clouds give.
pub const ASSUMED_LIFE: Duration = Duration::from_secs(900);
/// A longer life is not believed: no cloud gives one, and a wrong year costs one exchange a day.
pub const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

/// Kept before the end of a life that is long enough for it.
const MARGIN: Duration = Duration::from_secs(60);
/// A request may be under way for so long.
const IN_FLIGHT: Duration = Duration::from_secs(30);

/// When to renew: at two thirds of the life less up to a tenth of it by `seed`, at least a minute
/// before the end; where that minute would be more than half of the life, at half; never within
/// [`EXCHANGE_GAP`].
pub fn renew_at(issued: Timestamp, expires: Timestamp, seed: u64) -> Timestamp {
    later(issued, renew_after(life(issued, expires), seed))
}

/// Until when to serve: some seconds before the end, so that it does not fall into a request. What
/// has ended when it comes is served for [`EXCHANGE_GAP`]: then a clock is wrong.
pub fn good_until(issued: Timestamp, expires: Timestamp) -> Timestamp {
    later(issued, good_for(life(issued, expires)))
}

/// How long to wait after so many failures in a row.
pub fn backoff(failures: u32) -> Duration {
    let doubled = 1_u32 << failures.saturating_sub(1).min(8);
    (EXCHANGE_GAP * doubled).min(LONGEST_BACKOFF)
}

/// What is left of a life when it begins; none for an end in the past.
pub(crate) fn life(issued: Timestamp, expires: Timestamp) -> Duration {
    Duration::try_from(issued.duration_until(expires))
        .unwrap_or_default()
        .min(LONGEST_LIFE)
}

pub(crate) fn renew_after(life: Duration, seed: u64) -> Duration {
    let spread = u32::try_from(seed % 1024).unwrap_or_default();
    let early = (life * 2 / 3).saturating_sub(life / 10 * spread / 1024);
    let latest = life.saturating_sub(MARGIN).max(life / 2);
    early.min(latest).max(EXCHANGE_GAP)
}

pub(crate) fn good_for(life: Duration) -> Duration {
    life.saturating_sub((life / 10).min(IN_FLIGHT))
        .max(EXCHANGE_GAP)
}

fn later(from: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| from.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_rule_in_numbers() {
        let rows = [
            // life, earliest and latest renewal, end of service
            (86_400, 48_960, 57_600, 86_370),
            (21_600, 12_240, 14_400, 21_570),
            (3_600, 2_040, 2_400, 3_570),
            (2_400, 1_360, 1_600, 2_370),
            (900, 510, 600, 870),
            (180, 102, 120, 162),
            (120, 60, 60, 108),
            (60, 30, 30, 54),
            (30, 30, 30, 30),
            (0, 30, 30, 30),
            (-3_600, 30, 30, 30),
        ];
        for (life, earliest, latest, end) in rows {
            assert_eq!(renew_at(at(0), at(life), 0), at(latest), "{life}");
            let early = renew_at(at(0), at(life), 1023).as_second();
            assert!(
                (earliest..=latest).contains(&early) && early <= earliest + 10,
                "{life}: {early}"
            );
            assert_eq!(good_until(at(0), at(life)), at(end), "{life}");
        }
    }

    #[test]
    fn failures_are_half_a_minute_apart_and_then_five() {
        let waits: Vec<_> = (0..7).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [30, 30, 60, 120, 240, 300, 300]);
        assert_eq!(backoff(u32::MAX), LONGEST_BACKOFF);
    }

    proptest! {
        #[test]
        fn renewal_is_early_enough_and_never_at_once(issued in 0..4_000_000_000_i64, life in -100_000..200_000_i64, seed: u64) {
            let (issued, expires) = (at(issued), at(issued + life));
            let renew = renew_at(issued, expires, seed);
            prop_assert!(renew >= later(issued, EXCHANGE_GAP));
            prop_assert!(renew <= good_until(issued, expires).max(later(issued, EXCHANGE_GAP)));
            if life >= 120 {
                prop_assert!(later(renew, MARGIN) <= expires);
            }
        }
    }
}
