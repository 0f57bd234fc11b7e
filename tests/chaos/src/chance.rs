//! Random choices from a seed.
//!
//! Owns the generator (`SplitMix64`, as in "Fast splittable pseudorandom number generators", 2014). Must
//! not know what is chosen. The invariant that would break first: equal seeds give equal choices.

/// A source of choices.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The source of one purpose: two purposes of one seed choose apart.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mut chance = Self(seed);
        for byte in purpose.bytes() {
            chance.0 ^= u64::from(byte);
            chance.next();
        }
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let chosen = self.next() % u64::from(bound.max(1));
        u32::try_from(chosen).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn equal_seeds_choose_alike_and_others_apart() {
        let chosen = |seed, purpose| {
            let mut chance = Chance::new(seed, purpose);
            (0..20).map(|_| chance.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(chosen(1, "life"), chosen(1, "life"));
        assert_ne!(chosen(1, "life"), chosen(2, "life"));
        assert_ne!(chosen(1, "life"), chosen(1, "pods"));
        let different: BTreeSet<_> = chosen(1, "life").into_iter().collect();
        assert!(different.len() > 15);
        assert_eq!(Chance::new(1, "x").below(0), 0);
    }
}
