//! Which images went missing lately, by provider.
//!
//! Owns the suspicion that many images vanishing together is a fault of the platform. The
//! invariant that would break first: images confirmed as gone no longer count, so a slow clean-up
//! over months never looks like a fault.

use crate::plan::ProviderId;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// From this many missing images on it may be a fault …
pub(crate) const AT_LEAST: usize = 5;

/// … if they are more than one in this many of the provider's images.
pub(crate) const ONE_IN: usize = 5;

/// "Together" means within this time, or within two looks if those are further apart.
const WINDOW: Duration = Duration::from_secs(3600);

/// When an absence no longer counts, if it is not seen again.
type Until = Timestamp;

#[derive(Default)]
pub(crate) struct Absences(Mutex<HashMap<ProviderId, HashMap<String, Until>>>);

impl Absences {
    /// Notes that an image was missing, looked at every `interval`; returns whether too many of
    /// the provider's `known` images are.
    pub(crate) fn missing(
        &self,
        provider: &ProviderId,
        image: &str,
        known: usize,
        interval: Duration,
        now: Timestamp,
    ) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let images = all.entry(provider.clone()).or_default();
        let window = WINDOW.max(interval.saturating_mul(2));
        images.insert(image.into(), now.checked_add(window).unwrap_or(now));
        images.retain(|_, until| now < *until);
        images.len() >= AT_LEAST && images.len() * ONE_IN > known
    }

    /// Notes that an image is there, or that its absence was confirmed.
    pub(crate) fn settled(&self, provider: &ProviderId, image: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(images) = all.get_mut(provider) {
            images.remove(image);
        }
    }

    /// Drops what is long ago.
    pub(crate) fn forget(&self, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for images in all.values_mut() {
            images.retain(|_, until| now < *until);
        }
        all.retain(|_, images| !images.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ProviderKind;

    #[test]
    fn many_missing_together_are_a_fault_and_few_or_old_ones_are_not() {
        let provider = ProviderId {
            kind: ProviderKind::Cluster,
            namespace: None,
            name: "p".into(),
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        let absences = Absences::default();
        for n in 0..4 {
            assert!(
                !absences.missing(&provider, &n.to_string(), 4, Duration::ZERO, at(n)),
                "fewer than five"
            );
        }
        assert!(
            !absences.missing(&provider, "4", 25, Duration::ZERO, at(4)),
            "a fifth is not more than a fifth"
        );
        assert!(absences.missing(&provider, "4", 24, Duration::ZERO, at(4)));
        absences.settled(&provider, "0");
        assert!(!absences.missing(&provider, "4", 24, Duration::ZERO, at(4)));
        assert!(
            !absences.missing(&provider, "5", 24, Duration::ZERO, at(3603)),
            "the others are long ago"
        );
        absences.forget(at(10_000));
        assert!(absences.0.lock().unwrap().is_empty());
    }
}
