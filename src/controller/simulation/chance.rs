//! Chance that can be repeated: what is drawn follows from the seed and from what it is drawn for.
//!
//! Owns the generator. Must not know what it decides. The invariant that would break first: what is
//! drawn for one request does not depend on how many others came before it, so that a history is not
//! turned over by two things that change places within one moment.

use std::ops::Range;

/// Numbers drawn for one purpose.
pub(super) struct Draw(u64);

impl Draw {
    /// What is drawn the `nth` time for this purpose.
    pub(super) fn of(seed: u64, what: &str, nth: u64) -> Self {
        Self(seed ^ hash(what).wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// The next number. The mixing is that of `SplitMix64`.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of a range.
    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.next().is_multiple_of(many)
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.next() % of.len() as u64;
        &of[usize::try_from(at).unwrap()]
    }
}

/// FNV-1a: the same in every process.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
