//! Room in what is remembered: what was not used for longest goes first.
//!
//! Owns how much goes at once. Must not know what is remembered. The invariant that would break
//! first: what is in use stays.

use std::collections::HashMap;
use std::hash::Hash;

/// Drops an eighth of what is held, that not used for longest first; what is in use, for which
/// `used` gives nothing, stays.
pub(super) fn make_room<K: Clone + Eq + Hash, T, U: Ord>(
    held: &mut HashMap<K, T>,
    used: impl Fn(&T) -> Option<U>,
) {
    let share = (held.len() / 8).max(1);
    let mut idle: Vec<_> = held
        .iter()
        .filter_map(|(key, value)| Some((used(value)?, key.clone())))
        .collect();
    idle.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    for (_, key) in idle.into_iter().take(share) {
        held.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_eighth_goes_and_what_is_in_use_stays() {
        let mut held: HashMap<u32, u32> = (0..80).map(|n| (n, n)).collect();
        make_room(&mut held, |n| (*n >= 5).then_some(*n));
        assert_eq!(held.len(), 70);
        assert!((0..5).chain(15..80).all(|n| held.contains_key(&n)));
        make_room(&mut held, |_| None::<u32>);
        assert_eq!(held.len(), 70);
    }
}
