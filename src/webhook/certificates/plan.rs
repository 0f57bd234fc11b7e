//! What the Secret should hold.
//!
//! Owns when a certificate is made, becomes the served one, and is forgotten. Must not know how
//! anything is read or written; the clock and the maker are arguments. The invariant that would break
//! first: the authority of a certificate that a replica may serve stays in the bundle until that
//! certificate has ended, and one that the configurations do not all trust is never the current one.

use super::Pace;
use super::bundle::{Authority, Bundle, MOST};
use super::held::Held;
use super::make::{Made, MakeError};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long an ended authority stays in the bundle: where the clock is behind, its certificate may
/// still be in use.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long an ended authority is taken in from the configurations: shorter, so that replicas whose
/// clocks differ do not take in and forget in turns.
const TAKEN_IN: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Names of a certificate. A Service has one.
const MOST_NAMES: usize = 8;

/// What there is besides the Secret.
pub(super) struct Around<'a> {
    pub(super) now: Timestamp,
    /// What each webhook of the configurations trusts.
    pub(super) trusted: &'a [&'a Bundle],
    /// For how long all of them have been seen to trust [`Held::next`]; `None` if they do not.
    pub(super) trusts_next_for: Option<Duration>,
    /// The names that the webhook is called by.
    pub(super) names: &'a [String],
    pub(super) pace: &'a Pace,
}

/// What the Secret should hold instead of this; the same if nothing is to be done.
///
/// # Errors
/// If nothing could be made.
pub(super) fn plan(
    mut held: Held,
    around: &Around<'_>,
    another: impl FnOnce(&[String]) -> Result<Made, MakeError>,
) -> Result<Held, MakeError> {
    keep_what_is_trusted(&mut held, around);
    let now = around.now;
    held.next = held
        .next
        .filter(|next| next.not_after() > now && next.is_for(around.names));
    if let Some(next) = held.next.take_if(|next| {
        // Whoever is trusted by nobody yet has nothing to lose by being early: a first installation.
        let alone = held.trusted.iter().all(|one| next.is_signed_by(one));
        let wait = if alone {
            Duration::ZERO
        } else {
            around.pace.settle
        };
        around.trusts_next_for.is_some_and(|since| since >= wait)
    }) {
        held.current = Some(next);
    }
    forget_what_has_ended(&mut held, now);
    if held.next.is_none() && is_due(&held, around) {
        let made = another(&names(&held, around.names))?;
        forget_others(&mut held, now);
        make_room(&mut held);
        held.trusted.add(made.authority);
        held.next = Some(made.pair.into());
    }
    Ok(held)
}

fn is_due(held: &Held, around: &Around<'_>) -> bool {
    held.current.as_ref().is_none_or(|current| {
        left(around.now, current.not_after()) <= signed(around.pace.renew_before)
            || !current.is_for(around.names)
    })
}

/// The Secret may be new, or an old one restored from a backup, while replicas serve what it does not
/// know. Until everybody follows the Secret, nothing is taken away that the configurations trust.
fn keep_what_is_trusted(held: &mut Held, around: &Around<'_>) {
    let now = around.now;
    let current = held.current.as_ref();
    let led = current.is_some_and(|current| current.not_after() > now);
    let longest = signed(around.pace.lifetime).saturating_add(KEPT);
    let keep = |authority: &&Authority| {
        let left = left(now, authority.not_after());
        // Those of others are not ours to keep once there is something to follow.
        let kept = !led || authority.is_made_here() && left <= longest;
        kept && left.saturating_add(TAKEN_IN).is_positive()
    };
    let trusted = around.trusted.iter().flat_map(|bundle| bundle.iter());
    for authority in trusted.filter(keep) {
        held.trusted.add(authority.clone());
    }
}

/// No replica serves a certificate that ended [`KEPT`] ago to anybody who would take it.
fn forget_what_has_ended(held: &mut Held, now: Timestamp) {
    let (current, next) = (&held.current, &held.next);
    held.trusted.retain(|authority| {
        left(now, authority.not_after())
            .saturating_add(KEPT)
            .is_positive()
            || [current, next]
                .into_iter()
                .flatten()
                .any(|pair| pair.is_signed_by(authority))
    });
}

/// By the first renewal all replicas follow the Secret: authorities of others have no part in it any more.
fn forget_others(held: &mut Held, now: Timestamp) {
    let Some(current) = &held.current else { return };
    if current.not_after() > now {
        held.trusted
            .retain(|authority| authority.is_made_here() || current.is_signed_by(authority));
    }
}

/// Gives up the one that ends first, if the bundle is full: somebody deletes the Secret again and again.
fn make_room(held: &mut Held) {
    while held.trusted.len() >= MOST {
        let current = held.current.as_ref();
        let spare = held.trusted.iter();
        let spare = spare.filter(|one| current.is_none_or(|current| !current.is_signed_by(one)));
        let Some(first) = spare.min_by_key(|one| one.not_after()).cloned() else {
            return;
        };
        held.trusted.retain(|one| *one != first);
    }
}

/// With those of the certificate before: replicas of two versions that are called by different names
/// must not renew against each other.
fn names(held: &Held, wanted: &[String]) -> Vec<String> {
    let mut names = wanted.to_vec();
    let before = held.current.iter().flat_map(|current| current.names());
    for name in before.take(MOST_NAMES) {
        if name.is_ascii() && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names.truncate(MOST_NAMES.max(wanted.len()));
    names
}

fn left(now: Timestamp, end: Timestamp) -> SignedDuration {
    now.duration_until(end)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
