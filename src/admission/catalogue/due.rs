//! What the status of a catalogue says, and when that is worth a write.
//!
//! Owns both. Must not write. The invariant that would break first: a catalogue is written at most
//! once in [`COALESCED`], unless an image in it may not be used any more, which is written at once.

use super::gather::Gathered;
use crate::api::condition::{self, Truth};
use crate::api::{ConditionType, ImageCatalogStatus, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// The least time between two writes that take nothing away.
pub const COALESCED: Duration = Duration::from_secs(60);

/// When to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// Not before then; whatever has changed by then goes into the same write.
    At(Timestamp),
    /// There is nothing to write.
    Never,
}

/// The status with what was gathered, for an object of this generation.
pub fn status(
    gathered: Gathered,
    previous: &ImageCatalogStatus,
    generation: i64,
    now: Timestamp,
) -> ImageCatalogStatus {
    let mut conditions = previous.conditions.clone();
    let Gathered {
        images,
        refs,
        overflow,
    } = gathered;
    let mut set = |type_, truth, reason, message: &str| {
        condition::set(
            &mut conditions,
            type_,
            truth,
            reason,
            message,
            generation,
            now,
        );
    };
    if let Some(overflow) = &overflow {
        let message = format!(
            "{refs} ImageRefs are in it, and there is no room for {} more, such as {}: select fewer by spec.selector, or leave the shared ones out",
            overflow.refs,
            overflow.names.first().map_or("", String::as_str),
        );
        let full = Reason::CatalogFull;
        set(ConditionType::Ready, Truth::False, full, &message);
        set(ConditionType::Stalled, Truth::True, full, &message);
    } else {
        let message = format!("{} images of {refs} ImageRefs", images.len());
        let complete = Reason::CatalogComplete;
        set(ConditionType::Ready, Truth::True, complete, &message);
        condition::remove(&mut conditions, ConditionType::Stalled);
    }
    ImageCatalogStatus {
        observed_generation: Some(generation),
        refs: Some(refs),
        last_changed_time: Some(Time(now)),
        images,
        overflow,
        conditions,
    }
}

/// When `next` is worth a write after `previous`, which was written at its `lastChangedTime`; a time
/// to come counts as now.
pub fn due(previous: &ImageCatalogStatus, next: &ImageCatalogStatus, now: Timestamp) -> Due {
    if is_same(previous, next) {
        return Due::Never;
    }
    let Some(written) = &previous.last_changed_time else {
        return Due::Now;
    };
    let pause = if takes_away(previous, next) {
        pause_after(previous)
    } else {
        // The time is stored in whole seconds, rounded down.
        COALESCED + Duration::from_secs(1)
    };
    let from = written.0.min(now);
    match from.checked_add(pause) {
        Ok(at) if at > now => Due::At(at),
        _ => Due::Now,
    }
}

/// The least time after a write, even if an image may not be used any more: a millisecond for each
/// text in the catalogue. Thousands of large writes in a row fill the API server's store.
pub fn pause_after(written: &ImageCatalogStatus) -> Duration {
    let texts = u64::try_from(written.images.len()).unwrap_or(u64::MAX);
    Duration::from_millis(texts).min(COALESCED)
}

/// Whether an image that may be used by `previous` may not be used by `next`.
fn takes_away(previous: &ImageCatalogStatus, next: &ImageCatalogStatus) -> bool {
    let usable = |status: &ImageCatalogStatus, key: &String| {
        status.images.get(key).is_some_and(|entry| entry.usable)
    };
    previous
        .images
        .keys()
        .any(|key| usable(previous, key) && !usable(next, key))
}

/// Whether both say the same but for the time of the write and the wording of messages.
fn is_same(one: &ImageCatalogStatus, other: &ImageCatalogStatus) -> bool {
    let same = |(one, other): (&Condition, &Condition)| {
        (
            &one.type_,
            &one.status,
            &one.reason,
            one.observed_generation,
        ) == (
            &other.type_,
            &other.status,
            &other.reason,
            other.observed_generation,
        )
    };
    one.observed_generation == other.observed_generation
        && one.refs == other.refs
        && one.overflow == other.overflow
        && one.conditions.len() == other.conditions.len()
        && one.conditions.iter().zip(&other.conditions).all(same)
        && one.images == other.images
}
