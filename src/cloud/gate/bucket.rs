//! Requests a second, and how many may come at once.
//!
//! Owns one account's budget of requests. Pure: the time is an argument, nothing waits in here. Must
//! not know what a request is. The invariant that would break first: in any stretch of time there
//! are at most as many requests as its length times the rate, and one burst.
//!
//! A request is booked when it is asked for, and told how long to wait. So there is no queue to keep
//! in order: who books first goes first.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// One request in the unit of [`Bucket::spent`]: at a rate of `n` a second, `n` units come back each
/// nanosecond, so that everything is whole numbers.
const REQUEST: u128 = 1_000_000_000;

/// A clock that goes back by more than this was set. By less, two callers have read it in one order
/// and arrived in the other.
const UNORDERED: SignedDuration = SignedDuration::from_secs(1);

/// A budget of requests.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    rate: u32,
    burst: u32,
    /// What was booked and has not come back; more than a burst while somebody waits.
    spent: u128,
    /// The time that `spent` is of.
    at: Timestamp,
}

impl Bucket {
    /// A full one: `rate` requests a second, `burst` at once.
    pub(super) fn new(rate: u32, burst: u32) -> Self {
        Self {
            rate: rate.max(1),
            burst: burst.max(1),
            spent: 0,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Changes the limits. What was spent stays spent, and who waits keeps the turn that was
    /// promised; the time since the last booking counts at the new rate.
    pub(super) fn set(&mut self, rate: u32, burst: u32) {
        self.rate = rate.max(1);
        self.burst = burst.max(1);
    }

    /// Books a request, and says how long to wait until it may be sent.
    pub(super) fn book(&mut self, now: Timestamp) -> Duration {
        self.settle(now);
        self.spent = self.spent.saturating_add(REQUEST);
        self.wait(self.spent)
    }

    /// As [`Bucket::book`], unless the wait would be longer than this.
    pub(super) fn book_within(&mut self, now: Timestamp, longest: Duration) -> Option<Duration> {
        (self.wait_behind(0, now) <= longest).then(|| self.book(now))
    }

    /// How long a request would wait that is booked after `ahead` others.
    pub(super) fn wait_behind(&mut self, ahead: usize, now: Timestamp) -> Duration {
        self.settle(now);
        let ahead = u128::try_from(ahead).unwrap_or(u128::MAX);
        let more = ahead.saturating_add(1).saturating_mul(REQUEST);
        self.wait(self.spent.saturating_add(more))
    }

    /// Requests that may be sent at once; below zero, as many as wait for their turn.
    #[expect(
        clippy::cast_precision_loss,
        reason = "shown in units of a whole request"
    )]
    pub(super) fn left(&mut self, now: Timestamp) -> f64 {
        self.settle(now);
        f64::from(self.burst) - self.spent as f64 / REQUEST as f64
    }

    /// Requests a second.
    pub(super) const fn rate(&self) -> u32 {
        self.rate
    }

    /// What came back until now.
    fn settle(&mut self, now: Timestamp) {
        let passed = now.duration_since(self.at);
        if let Ok(nanoseconds) = u128::try_from(passed.as_nanos()) {
            let back = nanoseconds.saturating_mul(u128::from(self.rate));
            self.spent = self.spent.saturating_sub(back);
            self.at = now;
        } else if passed < -UNORDERED {
            // Else nothing would come back until the clock is where it was.
            self.at = now;
        }
    }

    fn wait(&self, spent: u128) -> Duration {
        let over = spent.saturating_sub(u128::from(self.burst).saturating_mul(REQUEST));
        let nanoseconds = over.div_ceil(u128::from(self.rate));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    fn waits(bucket: &mut Bucket, now: i64, count: usize) -> Vec<u128> {
        let booked = (0..count).map(|_| bucket.book(at(now)).as_millis());
        booked.collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let mut bucket = Bucket::new(5, 3);
        assert_eq!(waits(&mut bucket, 0, 6), [0, 0, 0, 200, 400, 600]);
        // Three of them have gone by then, and the next is due in 200 ms more.
        assert_eq!(waits(&mut bucket, 600, 1), [200]);
        // Quiet time is saved up to one burst.
        assert_eq!(waits(&mut bucket, 3_600_000, 4), [0, 0, 0, 200]);
    }

    #[test]
    fn what_is_left_counts_down_and_below_zero_are_those_who_wait() {
        let mut bucket = Bucket::new(2, 3);
        let mut left = |now| (bucket.left(at(now)) * 1000.0).round();
        assert_eq!(left(0).to_bits(), 3000f64.to_bits());
        waits(&mut bucket, 0, 5);
        let mut left = |now| (bucket.left(at(now)) * 1000.0).round();
        let seen = [left(0), left(500), left(1250), left(60_000)];
        let expected = [-2000.0, -1000.0, 500.0, 3000.0f64];
        assert_eq!(seen.map(f64::to_bits), expected.map(f64::to_bits));
    }

    #[test]
    fn who_would_wait_too_long_takes_nothing() {
        let mut bucket = Bucket::new(1, 1);
        let short = Duration::from_millis(1500);
        let mut book = |now| {
            bucket
                .book_within(at(now), short)
                .map(|wait| wait.as_millis())
        };
        assert_eq!(
            [book(0), book(0), book(0), book(0)],
            [Some(0), Some(1000), None, None]
        );
        assert_eq!(book(500), Some(1500));
        assert_eq!(bucket.wait_behind(3, at(500)).as_millis(), 5500);
    }

    #[test]
    fn new_limits_hold_at_once_and_what_was_spent_stays_spent() {
        let mut bucket = Bucket::new(1, 10);
        assert_eq!(waits(&mut bucket, 0, 5), [0; 5]);
        bucket.set(1, 2);
        assert_eq!(waits(&mut bucket, 0, 1), [4000], "six of two");
        bucket.set(10, 2);
        assert_eq!(waits(&mut bucket, 0, 1), [500], "seven of two");
        bucket.set(10, 10);
        assert_eq!(waits(&mut bucket, 0, 4), [0, 0, 0, 100]);
    }

    #[test]
    fn a_clock_that_was_set_back_costs_no_time_and_one_read_out_of_order_gains_none() {
        let mut bucket = Bucket::new(1, 1);
        assert_eq!(waits(&mut bucket, 7_200_000, 1), [0]);
        assert_eq!(waits(&mut bucket, 0, 1), [1000]);
        assert_eq!(waits(&mut bucket, 2000, 1), [0]);
        for now in [1999, 2000, 1999, 2000] {
            bucket.wait_behind(0, at(now));
        }
        assert_eq!(waits(&mut bucket, 2000, 1), [1000]);
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_has_more_requests_than_rate_and_burst(
            rate in 1u32..20,
            burst in 1u32..20,
            gaps in prop::collection::vec(prop_oneof![3 => Just(0), 3 => 1i64..300, 1 => 1i64..5000], 1..120),
            longest in 0u64..5000,
        ) {
            let mut bucket = Bucket::new(rate, burst);
            let (mut now, mut sent) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                if let Some(wait) = bucket.book_within(at(now), Duration::from_millis(longest)) {
                    prop_assert!(wait <= Duration::from_millis(longest));
                    sent.push(i128::from(now) * 1_000_000 + i128::try_from(wait.as_nanos()).unwrap());
                }
            }
            prop_assert!(sent.is_sorted(), "who books first goes first");
            for (first, begin) in sent.iter().enumerate() {
                for (last, end) in sent.iter().enumerate().skip(first) {
                    let count = i128::try_from(last - first + 1).unwrap();
                    // A wait is rounded up to the nanosecond, the one before it perhaps by more.
                    let length = end - begin + 1;
                    let most = i128::from(burst) * 1_000_000_000 + length * i128::from(rate);
                    prop_assert!(count * 1_000_000_000 <= most, "{count} within {} ns", end - begin);
                }
            }
        }

        #[test]
        fn whatever_becomes_of_the_limits_no_more_is_sent_than_the_loosest_of_them_allows(
            steps in prop::collection::vec((0i64..400, 1u32..20, 1u32..20, any::<bool>()), 1..100),
        ) {
            let most = |of: fn(&(i64, u32, u32, bool)) -> u32| steps.iter().map(of).max().unwrap();
            let (rate, burst) = (most(|s| s.1), most(|s| s.2));
            let mut bucket = Bucket::new(steps[0].1, steps[0].2);
            let (mut now, mut sent) = (0, Vec::new());
            for (gap, rate, burst, change) in &steps {
                now += gap;
                if *change {
                    bucket.set(*rate, *burst);
                }
                // Who is sent at once; a promise made before a change is kept, and so not counted here.
                if bucket.book_within(at(now), Duration::ZERO).is_some() {
                    sent.push(now);
                }
            }
            for (first, begin) in sent.iter().enumerate() {
                for (last, end) in sent.iter().enumerate().skip(first) {
                    let count = i64::try_from(last - first + 1).unwrap();
                    prop_assert!(count * 1000 <= i64::from(burst) * 1000 + (end - begin) * i64::from(rate));
                }
            }
        }
    }
}
