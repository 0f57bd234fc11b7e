//! Calls under way at once, and callers that wait for a place among them.
//!
//! Owns both numbers. Must not know what is called. The invariant that would break first: a place is
//! given back once, whatever becomes of the number of places meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Callers that may wait for a place; more come back later, so that one slow platform does not hold
/// every worker.
pub const QUEUE: usize = 16;

pub(super) struct Places {
    free: Semaphore,
    size: Mutex<Size>,
    waiting: AtomicUsize,
}

struct Size {
    wanted: usize,
    /// Places taken above what is wanted: they go when they are given back.
    surplus: usize,
}

impl Places {
    pub(super) fn new(count: u32) -> Self {
        let wanted = as_usize(count);
        Self {
            free: Semaphore::new(wanted),
            size: Mutex::new(Size { wanted, surplus: 0 }),
            waiting: AtomicUsize::new(0),
        }
    }

    fn size(&self) -> MutexGuard<'_, Size> {
        // Two numbers and the permits beside them, changed without a panic in between.
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the number of places; calls under way stay under way.
    pub(super) fn resize(&self, count: u32) {
        let count = as_usize(count);
        let mut size = self.size();
        if count > size.wanted {
            let more = count - size.wanted;
            let kept = more.min(size.surplus);
            size.surplus -= kept;
            self.free.add_permits(more - kept);
        } else {
            let fewer = size.wanted - count;
            size.surplus += fewer - self.free.forget_permits(fewer);
        }
        size.wanted = count;
    }

    /// Joins those who wait; `None` if they are enough.
    pub(super) fn wait(&self) -> Option<Waiting<'_>> {
        let ahead = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting {
            count: &self.waiting,
            ahead,
        };
        (ahead < QUEUE).then_some(waiting)
    }

    /// Takes a place, in the order of asking.
    pub(super) async fn take(&self) -> Option<Place<'_>> {
        // It is never closed.
        let permit = self.free.acquire().await.ok()?;
        Some(Place {
            permit: Some(permit),
            places: self,
        })
    }

    /// Places taken.
    pub(super) fn taken(&self) -> usize {
        let size = self.size();
        size.wanted + size.surplus - self.free.available_permits()
    }

    /// Places that are to be.
    pub(super) fn wanted(&self) -> usize {
        self.size().wanted
    }

    /// Callers that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

fn as_usize(count: u32) -> usize {
    usize::try_from(count.max(1)).unwrap_or(1)
}

/// A place; given back when dropped.
pub(super) struct Place<'a> {
    permit: Option<SemaphorePermit<'a>>,
    places: &'a Places,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut size = self.places.size();
        let permit = self.permit.take();
        if size.surplus > 0 {
            size.surplus -= 1;
            permit.into_iter().for_each(SemaphorePermit::forget);
        } else {
            // Given back before the lock is, or a change of the number would not see it.
            drop(permit);
        }
    }
}

/// One who waits; dropped when it is over.
pub(super) struct Waiting<'a> {
    count: &'a AtomicUsize,
    /// How many were there before.
    pub(super) ahead: usize,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn take(places: &Places) -> Option<Place<'_>> {
        places.take().now_or_never().flatten()
    }

    #[test]
    fn there_are_as_many_places_as_wanted_whenever_that_changes() {
        let places = Places::new(2);
        let mut taken: Vec<_> = (0..2).map(|_| take(&places).unwrap()).collect();
        assert!(take(&places).is_none());
        places.resize(4);
        taken.extend((0..2).map(|_| take(&places).unwrap()));
        assert!(take(&places).is_none());
        places.resize(1);
        assert_eq!(places.taken(), 4, "calls under way stay under way");
        for left in (0..4).rev() {
            assert!(take(&places).is_none(), "{left} of one are left");
            taken.pop();
            assert_eq!(places.taken(), left);
        }
        let one = take(&places);
        assert!(one.is_some() && take(&places).is_none());
    }

    #[test]
    fn fewer_and_more_again_while_all_are_taken_adds_none() {
        let places = Places::new(3);
        let taken: Vec<_> = (0..3).map(|_| take(&places).unwrap()).collect();
        for count in [1, 2, 3, 1, 3] {
            places.resize(count);
            assert!(take(&places).is_none());
        }
        drop(taken);
        let again: Vec<_> = (0..3).map(|_| take(&places).unwrap()).collect();
        assert!(take(&places).is_none() && again.len() == 3);
    }
}
