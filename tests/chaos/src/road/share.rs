//! A share of requests, spread evenly.
//!
//! Owns which of them are hit. Must not know what becomes of them. The invariant that would break first:
//! of any hundred in a row exactly the share is hit, so that a run can be repeated.

/// So many of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(u8);

impl Share {
    /// Each one.
    pub(crate) const ALL: Self = Self(100);

    /// A share in percent; more than 100 are all.
    pub(crate) const fn percent(percent: u8) -> Self {
        Self(percent)
    }

    /// Whether the request of this number is hit.
    pub(super) fn hits(self, number: u64) -> bool {
        // 37 and 100 have no common divisor, so each remainder comes once in a hundred.
        number.wrapping_mul(37) % 100 < u64::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_any_hundred_the_share_is_hit_and_not_all_in_a_row() {
        for percent in [0, 1, 10, 50, 99, 100] {
            let share = Share::percent(percent);
            for first in [0, 17, 250] {
                let hit: Vec<bool> = (first..first + 100).map(|n| share.hits(n)).collect();
                let hits = hit.iter().filter(|hit| **hit).count();
                assert_eq!(hits, usize::from(percent), "from {first}");
                if percent == 50 {
                    let runs = hit.chunk_by(|a, b| a == b).map(<[bool]>::len);
                    assert!(runs.max() < Some(5), "from {first}");
                }
            }
        }
    }
}
