//! What is known of one scope, for one proof.
//!
//! Owns the list, the answers about single images, and bounds on both. Must not know whose they
//! are. The invariant that would break first: answers about single images are as bounded as lists.

use super::Listed;
use super::choice::{By, choose, unlisted_for};
use super::listing::Listing;
use super::slot::{Kept, Slot};
use crate::facts::{Facts, Failure};
use crate::plan::target::Query;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bound on the answers about single images, beside those that are waited for.
pub(super) const MOST_GETS: usize = 8192;
/// So many answers are not worth a search for those that nobody needs.
const FEW_GETS: usize = 64;
/// What an answer about one image is taken to hold, in bytes.
const WEIGHT_OF_GET: usize = 2048;
/// An entry is kept so long, or twice the largest age that was asked for.
pub(super) const IDLE: Duration = Duration::from_secs(3 * 3600);

/// What a platform says about one image: it is, it is not, or the name means several.
pub(super) type Said = Result<Arc<Facts>, Failure>;

/// One image as it was asked for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    query: Query,
    /// What a name was bound to decides what it means.
    bound: Option<String>,
}

impl Ask {
    pub(super) fn new(query: &Query, bound: Option<&str>) -> Self {
        let by_id = matches!(
            query,
            Query::NotebookId(_) | Query::LiteServerId(_) | Query::PaiId(_)
        );
        Self {
            query: query.clone(),
            bound: bound.filter(|_| !by_id).map(Into::into),
        }
    }
}

struct Gets {
    slots: HashMap<Ask, Arc<Slot<Said>>>,
    /// The number at which those that nobody needs are searched for.
    search_at: usize,
}

pub(super) struct Entry {
    pub(super) list: Arc<Slot<Listing>>,
    gets: Mutex<Gets>,
    /// When it was last asked for, in milliseconds since the ground was made.
    used: AtomicU64,
    /// The largest age that was asked for, in milliseconds.
    max_age: AtomicU64,
    /// When the list was last asked for or answered from, in milliseconds since the ground was made.
    listed: AtomicU64,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            list: Arc::new(Slot::new(Listing::weight)),
            gets: Mutex::new(Gets {
                slots: HashMap::new(),
                search_at: FEW_GETS,
            }),
            used: AtomicU64::new(0),
            max_age: AtomicU64::new(0),
            listed: AtomicU64::new(0),
        }
    }
}

impl Entry {
    pub(super) fn touch(&self, now: Duration, max_age: Duration) {
        self.used.store(millis(now), Ordering::Relaxed);
        self.max_age.fetch_max(millis(max_age), Ordering::Relaxed);
    }

    /// Notes that the list is of use.
    pub(super) fn touch_list(&self, now: Duration) {
        self.listed.store(millis(now), Ordering::Relaxed);
    }

    /// The age of the list, and whether that is more than twice what was asked for; `None` if there is
    /// none, or nobody has needed it for as long.
    pub(super) fn list_age(&self, now: Duration) -> Option<(Duration, bool)> {
        let kept = self.list.kept()?;
        let allowed = self.max_age().saturating_mul(2);
        let listed = Duration::from_millis(self.listed.load(Ordering::Relaxed));
        let age = now.saturating_sub(kept.began.run);
        (now.saturating_sub(listed) <= allowed).then_some((age, age > allowed))
    }

    /// When it was last asked for.
    pub(super) fn used(&self) -> Duration {
        Duration::from_millis(self.used.load(Ordering::Relaxed))
    }

    fn max_age(&self) -> Duration {
        Duration::from_millis(self.max_age.load(Ordering::Relaxed))
    }

    pub(super) fn is_idle(&self, now: Duration) -> bool {
        let limit = self.max_age().saturating_mul(2).max(IDLE);
        now.saturating_sub(self.used()) > limit
    }

    /// Whether to list or to get.
    pub(super) fn way(&self, query: &Query, distinct: usize, now: Duration) -> By {
        if self.unlisted(now).is_some() {
            return By::Get;
        }
        let last = self.list.kept();
        choose(last.map(|kept| kept.value.pages), distinct, query)
    }

    /// How the list has failed, if that is such that gets may not fail.
    pub(super) fn unlisted(&self, now: Duration) -> Option<Failure> {
        let failed = self.list.failed()?;
        let time = unlisted_for(failed.failure.kind, failed.in_a_row)?;
        (now < failed.at.saturating_add(time)).then_some(failed.failure)
    }

    /// What the last list came to; `None` if none was asked for.
    pub(super) fn listed(&self) -> Option<Listed> {
        if let Some(failed) = self.list.failed() {
            let lasts = unlisted_for(failed.failure.kind, 1).is_some();
            let refused = lasts.then_some(Listed::Refused(failed.failure));
            return Some(refused.unwrap_or(Listed::Unclear));
        }
        let kept = self.list.kept()?;
        Some(match kept.value.cut {
            Some(cut) => Listed::Cut {
                cut,
                images: kept.value.images().count(),
            },
            None if kept.value.whole => Listed::Whole,
            None => Listed::Unclear,
        })
    }

    fn gets(&self) -> MutexGuard<'_, Gets> {
        // A panic in between leaves nothing half done.
        self.gets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was said about one image by a call that did not begin before `floor`.
    pub(super) fn said(&self, ask: &Ask, floor: Duration) -> Option<Arc<Kept<Said>>> {
        self.gets().slots.get(ask)?.fresh(floor)
    }

    /// Where answers about one image are.
    pub(super) fn get(&self, ask: Ask, now: Duration) -> Arc<Slot<Said>> {
        let mut gets = self.gets();
        if let Some(slot) = gets.slots.get(&ask) {
            return slot.clone();
        }
        if gets.slots.len() >= gets.search_at {
            let floor = now.saturating_sub(self.max_age());
            // Whoever waits, and the call that is waited for, hold the slot too.
            let in_use = |slot: &Arc<Slot<Said>>| Arc::strong_count(slot) > 1;
            gets.slots
                .retain(|_, slot| in_use(slot) || slot.is_needed(floor, now));
            if gets.slots.len() >= MOST_GETS {
                // It costs calls, and no answer.
                gets.slots.retain(|_, slot| in_use(slot));
            }
            let left = gets.slots.len();
            // Not at every one, should all be in use.
            gets.search_at = left
                .saturating_mul(2)
                .min(MOST_GETS)
                .max(left.saturating_add(FEW_GETS));
        }
        let slot = Arc::new(Slot::new(|_| WEIGHT_OF_GET));
        gets.slots.insert(ask, slot.clone());
        slot
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
