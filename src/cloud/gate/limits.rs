//! How much may be asked of one account.
//!
//! Owns the defaults, the bounds, and what holds where several limits meet. Pure. Must not know how
//! a limit is kept. The invariant that would break first: where limits meet, each one holds.

use crate::api::duration;
use crate::api::limits::ProviderLimits;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Bounds on what is asked of one account with one proof of identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests a second.
    pub requests_per_second: u32,
    /// Requests that may come at once after a quiet time.
    pub burst: u32,
    /// Calls under way at once.
    pub max_concurrent: u32,
    /// The shortest interval at which a reference is looked at.
    pub min_interval: Duration,
}

impl Default for Limits {
    /// Five requests a second, ten at once, four calls under way, each reference once a minute.
    ///
    /// Four calls, since Huawei locks an access key after more than five failures in a row: fewer
    /// than that may fail together when a key that worked is refused. A key that was never accepted
    /// is tried by one call at a time, whatever the limits.
    fn default() -> Self {
        Self {
            requests_per_second: 5,
            burst: 10,
            max_concurrent: 4,
            min_interval: MINUTE,
        }
    }
}

impl Limits {
    /// The longest that `min_interval` may be.
    pub const LONGEST_INTERVAL: Duration = Duration::from_secs(168 * 3600);

    /// What the CRD allows at most.
    pub const LOOSEST: Self = Self {
        requests_per_second: 100,
        burst: 200,
        max_concurrent: 32,
        min_interval: MINUTE,
    };

    /// What may be set at the least.
    const TIGHTEST: Self = Self {
        requests_per_second: 1,
        burst: 1,
        max_concurrent: 1,
        min_interval: Self::LONGEST_INTERVAL,
    };

    /// The most that the operator grants a tenant unless its flags say otherwise. The quota is the
    /// tenant's own, but the workers that wait for a slow platform are everybody's.
    pub const FOR_TENANTS: Self = Self {
        requests_per_second: 20,
        burst: 40,
        max_concurrent: 8,
        min_interval: MINUTE,
    };

    /// As a provider has them in its spec: what is left out by default, and what an older CRD let
    /// through brought within bounds.
    pub fn of(spec: Option<&ProviderLimits>) -> Self {
        let default = Self::default();
        let Some(spec) = spec else { return default };
        // A negative number is less than any bound.
        let or = |given: Option<i32>, default: u32| {
            given.map_or(default, |given| u32::try_from(given).unwrap_or_default())
        };
        let interval = spec.min_interval.as_deref().and_then(duration::parse);
        Self {
            requests_per_second: or(spec.requests_per_second, default.requests_per_second),
            burst: or(spec.burst, default.burst),
            max_concurrent: or(spec.max_concurrent, default.max_concurrent),
            min_interval: interval.unwrap_or(default.min_interval),
        }
        .strictest(&Self::LOOSEST)
        .at_least(&Self::TIGHTEST)
    }

    /// Both at once.
    #[must_use]
    pub fn strictest(self, other: &Self) -> Self {
        Self {
            requests_per_second: self.requests_per_second.min(other.requests_per_second),
            burst: self.burst.min(other.burst),
            max_concurrent: self.max_concurrent.min(other.max_concurrent),
            min_interval: self.min_interval.max(other.min_interval),
        }
    }

    fn at_least(self, other: &Self) -> Self {
        Self {
            requests_per_second: self.requests_per_second.max(other.requests_per_second),
            burst: self.burst.max(other.burst),
            max_concurrent: self.max_concurrent.max(other.max_concurrent),
            min_interval: self.min_interval.min(other.min_interval),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: u32, burst: u32, concurrent: u32, minutes: u64) -> Limits {
        Limits {
            requests_per_second: requests,
            burst,
            max_concurrent: concurrent,
            min_interval: MINUTE * u32::try_from(minutes).unwrap(),
        }
    }

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_out_of_bounds_is_brought_within() {
        let spec = |requests, burst, concurrent, interval: Option<&str>| {
            Limits::of(Some(&ProviderLimits {
                requests_per_second: requests,
                burst,
                max_concurrent: concurrent,
                min_interval: interval.map(Into::into),
            }))
        };
        assert_eq!(Limits::of(None), limits(5, 10, 4, 1));
        assert_eq!(spec(None, None, None, None), Limits::default());
        assert_eq!(
            spec(Some(7), None, Some(2), Some("1h")),
            limits(7, 10, 2, 60)
        );
        for (number, duration, expected) in [
            (0, "0s", limits(1, 1, 1, 1)),
            (i32::MIN, "a while", limits(1, 1, 1, 1)),
            (i32::MAX, "999999h", limits(100, 200, 32, 168 * 60)),
        ] {
            let number = Some(number);
            assert_eq!(spec(number, number, number, Some(duration)), expected);
        }
    }

    #[test]
    fn where_limits_meet_each_one_holds() {
        let (a, b) = (limits(1, 20, 3, 4), limits(10, 2, 30, 40));
        assert_eq!(a.strictest(&b), limits(1, 2, 3, 40));
        assert_eq!(a.strictest(&b), b.strictest(&a));
        assert_eq!(a.strictest(&Limits::LOOSEST), a);
    }
}
