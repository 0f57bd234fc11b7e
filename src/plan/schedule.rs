//! When to look: due times, phases and back-off.
//!
//! Owns every delay of a reference, and how old an answer may be. Randomness is a hash of the object's
//! UID, so a restart finds the same times again. The invariants that would break first: after a
//! restart, settled references wait for their own slot, so there is no burst; and no answer gets older
//! than the interval while the platform answers.

use super::target::{self, Target};
use super::{CONFIRM_AFTER, Memory, Object, Provided, contents};
use crate::api::condition::{self, Truth};
use crate::api::{ConditionType, ImageRefStatus, Reason};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// First delay after a passing failure.
pub const BACKOFF_BASE: Duration = Duration::from_secs(5);

/// Longest delay after a passing failure of a reference that is looked up only once.
pub const BACKOFF_CEILING: Duration = Duration::from_secs(3600);

/// How soon to look again at an image that is being built.
pub const WHILE_CREATING: Duration = Duration::from_secs(30);

/// Whether to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// Not before.
    At(Timestamp),
    /// Only when something changes.
    Never,
}

/// Decides whether a look is due.
pub fn due(
    object: &Object<'_>,
    provided: &Provided,
    status: &ImageRefStatus,
    memory: &Memory,
    now: Timestamp,
) -> Due {
    if object.spec.suspend
        || object.spec.unreadable.is_some()
        || matches!(
            provided,
            Provided::Target {
                suspended: true,
                ..
            }
        )
    {
        return Due::Never;
    }
    if let Some(until) = memory.paused_until
        && now < until
    {
        return Due::At(until);
    }
    let conditions = &status.conditions;
    if status.resolved_for.is_none()
        || target_changed(object, provided, status)
        || object.unhandled_request(status).is_some()
        || condition::has_reason(conditions, ConditionType::Ready, Reason::Suspended)
    {
        // A reference that never got an answer keeps to its back-off.
        let waits = status.resolved_for.is_none()
            && object.unhandled_request(status).is_none()
            && status.observed_generation == Some(object.generation);
        return match memory.next_look {
            Some(at) if waits && now < at => Due::At(at),
            _ => Due::Now,
        };
    }
    if let Some(at) = memory.next_look {
        // Farther ahead than a look is ever planned: the clock was set back since.
        let is_far = now.duration_until(at) > longest(provided.interval(object.spec), status);
        return if now >= at || is_far {
            Due::Now
        } else {
            Due::At(at)
        };
    }
    if is_final(status) {
        // Never for `0s`, once the digest is there that the registry could not give.
        let mut interval = provided.interval(object.spec);
        if interval.is_zero() && contents::owes_digest(status) {
            interval = BACKOFF_CEILING;
        }
        return regular(object, interval, now).map_or(Due::Never, Due::At);
    }
    Due::Now
}

/// No look is planned farther ahead, but for a pause that a platform asks for: an interval, or the wait
/// for the second look at a missing image, each with its spread.
fn longest(interval: Duration, status: &ImageRefStatus) -> SignedDuration {
    let unconfirmed = condition::has_reason(
        &status.conditions,
        ConditionType::Stale,
        Reason::NotFoundUnconfirmed,
    );
    let plain = match interval {
        Duration::ZERO => BACKOFF_CEILING,
        interval if unconfirmed => interval.max(CONFIRM_AFTER),
        interval => interval,
    };
    SignedDuration::try_from(plain * 5 / 4).unwrap_or(SignedDuration::MAX)
}

/// Whether the status is about another target than the spec and the provider mean now.
pub(super) fn target_changed(
    object: &Object<'_>,
    provided: &Provided,
    status: &ImageRefStatus,
) -> bool {
    let Some((source, account)) = status
        .resolved_for
        .as_deref()
        .and_then(|r| r.split_once('-'))
    else {
        return false;
    };
    let other_provider = provided
        .provider()
        .zip(status.provider.as_ref())
        .is_some_and(|(provider, stored)| provider.to_ref() != *stored);
    let other_account = match provided {
        Provided::Target { target, .. } => target.account_hash() != account,
        Provided::Unavailable { .. } => false,
    };
    source != target::source_hash(&object.spec.source) || other_provider || other_account
}

/// `status.resolvedFor` of a verdict about this target.
pub(super) fn resolved_for(object: &Object<'_>, target: &Target) -> String {
    target.resolved_for(&object.spec.source)
}

/// Ready, refused or stalled: what `interval: 0s` waits for.
pub(super) fn is_final(status: &ImageRefStatus) -> bool {
    let conditions = &status.conditions;
    condition::is_true(conditions, ConditionType::Ready)
        || condition::is_true(conditions, ConditionType::Stalled)
}

/// The next look after an answer of `as_of`: 85 to 95 % of the interval later, by the object. The rest
/// is for the look itself. `None` for `0s`.
///
/// References that share a list fall due together a little before it is too old for them: the first
/// has it read anew, and the others find it.
pub(super) fn next(
    object: &Object<'_>,
    interval: Duration,
    as_of: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    if interval.is_zero() {
        return None;
    }
    let thousandths = 850 + u32::try_from(spread(object.uid, "next") % 101).unwrap_or(0);
    let at = as_of
        .checked_add(interval.mul_f64(f64::from(thousandths) / 1000.0))
        .ok()?;
    // An answer that was nearly too old when it came is not asked for again at once.
    Some(at.max(now.checked_add(interval / 20).ok()?))
}

/// How old an answer may be for a look that is due now: less than [`next`] leaves between two looks, or
/// a reference would be answered again by what it has.
pub fn max_age(interval: Duration, status: &ImageRefStatus) -> Duration {
    let usual = if interval.is_zero() {
        WHILE_CREATING
    } else {
        interval * 4 / 5
    };
    let conditions = &status.conditions;
    if condition::has_reason(
        conditions,
        ConditionType::Stale,
        Reason::NotFoundUnconfirmed,
    ) {
        // A second look at a missing image is one of its own.
        return usual.min(CONFIRM_AFTER / 2);
    }
    if condition::has_reason(conditions, ConditionType::Ready, Reason::ImageNotActive)
        && condition::is_true(conditions, ConditionType::Reconciling)
    {
        return usual.min(WHILE_CREATING / 2);
    }
    usual
}

/// From when on an answer confirms that an image is gone, while that is awaited: what was said before to
/// others is the same absence, and may be the same fault.
pub fn confirms_from(status: &ImageRefStatus) -> Option<Timestamp> {
    let unconfirmed = condition::has_reason(
        &status.conditions,
        ConditionType::Stale,
        Reason::NotFoundUnconfirmed,
    );
    let said = status.last_checked_time.as_ref().filter(|_| unconfirmed)?;
    said.0.checked_add(CONFIRM_AFTER).ok()
}

/// The object's own slot: its phase within the interval, ±10 %, whenever the process began. `None`
/// for `0s`.
pub(super) fn regular(
    object: &Object<'_>,
    interval: Duration,
    now: Timestamp,
) -> Option<Timestamp> {
    let width = i128::try_from(interval.as_millis())
        .ok()
        .filter(|width| *width > 0)?;
    let phase = i128::from(spread(object.uid, "phase")) % width;
    let now = i128::from(now.as_millisecond());
    // A slot that is closer than a tenth of the interval is the one just served. The one before this is
    // closer, whatever its jitter.
    let earliest = now + width / 10;
    let mut slot = (earliest - phase).div_euclid(width);
    loop {
        let jitter =
            i128::from(spread(object.uid, &slot.to_string())) % (width / 5 + 1) - width / 10;
        let at = phase + slot * width + jitter;
        if at >= earliest {
            return Timestamp::from_millisecond(i64::try_from(at).ok()?).ok();
        }
        slot += 1;
    }
}

/// The next look after `failures` passing failures in a row.
pub(super) fn backoff(
    object: &Object<'_>,
    interval: Duration,
    failures: u32,
    now: Timestamp,
) -> Timestamp {
    let ceiling = if interval.is_zero() {
        BACKOFF_CEILING
    } else {
        interval
    };
    let exponent = failures.saturating_sub(1).min(16);
    let plain = BACKOFF_BASE.saturating_mul(1 << exponent).min(ceiling);
    after(object, plain, &format!("backoff{failures}"), now)
}

/// `delay` and up to a tenth more.
pub(super) fn after(object: &Object<'_>, delay: Duration, what: &str, now: Timestamp) -> Timestamp {
    let tenth = u64::try_from(delay.as_millis() / 10).unwrap_or(0) + 1;
    let extra = Duration::from_millis(spread(object.uid, what) % tenth);
    now.checked_add(delay.saturating_add(extra)).unwrap_or(now)
}

/// Whether the stored verdict says no, for good as far as we know.
pub(super) fn is_refused(status: &ImageRefStatus) -> bool {
    condition::find(&status.conditions, ConditionType::Ready)
        .is_some_and(|c| c.status == Truth::False.as_str())
}

fn spread(uid: &str, what: &str) -> u64 {
    let digest = Sha256::new()
        .chain_update(uid)
        .chain_update([0])
        .chain_update(what)
        .finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(bytes)
}
