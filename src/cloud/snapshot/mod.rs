//! Lists that many references share, so that what they cost depends on the images, not on them.
//!
//! Owns what platforms said lately, and how many calls it takes to know it. Must not know how a call
//! is made, nor any limit on calls: both come in as [`Calls`]. The invariant that would break first:
//! **what one proof was told is told to that proof alone**, and no answer is older than its question
//! allows.

mod choice;
mod entry;
pub(crate) mod ground;
mod listing;
mod scope;
pub(crate) mod slot;

pub use choice::By;
pub use listing::Listing;
pub use scope::Scope;

use super::identity::{Clock, Proof};
use super::paging::Cut;
use super::wrong_platform;
use crate::facts::{Api, Facts, Failure, FailureKind};
use crate::plan::target::{Account, Target};
use entry::{Ask, Entry, Said};
use futures::FutureExt;
use futures::future::BoxFuture;
use ground::Ground;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How a platform is asked.
///
/// An answer is shared by everyone who asks with the same proof, so a call must not depend on who
/// happens to ask first: it has the operator's own time limit, not a reference's. It gives `None` if
/// it was not made because too many wait already.
pub trait Calls {
    /// Reads the list of a scope.
    fn list(&self, scope: &Scope) -> BoxFuture<'static, Option<Result<Listing, Failure>>>;

    /// Asks about one image: by id, or by a name that was bound to an id.
    fn get(
        &self,
        target: &Target,
        bound: Option<&str>,
    ) -> BoxFuture<'static, Option<Result<Facts, Failure>>>;
}

/// What is asked, and how fresh the answer has to be.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks: nothing is shared with others.
    pub proof: Proof,
    /// What is asked.
    pub target: &'a Target,
    /// The id that a name meant before.
    pub bound: Option<&'a str>,
    /// How old the answer may be when the question is asked.
    pub max_age: Duration,
    /// The answer may not be of before this, whatever its age: the time of an edit, or of somebody's
    /// request. In the future it means now.
    pub not_before: Option<Timestamp>,
    /// How many images are asked about by all who would share the list, and as often as this.
    pub distinct: usize,
}

/// What a platform says of an image.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The image.
    pub facts: Arc<Facts>,
    /// The facts are of this time or later.
    pub as_of: Timestamp,
    /// How it was learned.
    pub by: By,
}

/// Tells what a platform says of an image from a failure to learn it.
fn said_of(brought: Option<Result<Facts, Failure>>) -> Option<Result<Said, Failure>> {
    Some(match brought? {
        Ok(facts) => Ok(Ok(Arc::new(facts))),
        Err(failure) => match failure.kind {
            FailureKind::NotFound | FailureKind::Ambiguous => Ok(Err(failure)),
            _ => Err(failure),
        },
    })
}

/// How the list of a scope is, for conditions and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListState {
    /// When it was read.
    pub as_of: Timestamp,
    /// The calls that it took.
    pub pages: u32,
    /// The images in it.
    pub images: usize,
    /// Whether it was read whole.
    pub whole: bool,
    /// The bound that ended it early.
    pub cut: Option<Cut>,
}

/// What the list of a scope came to when it was asked for last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It was read whole.
    Whole,
    /// It was ended early by this bound, after so many images.
    Cut {
        /// The bound.
        cut: Cut,
        /// The images that were read.
        images: usize,
    },
    /// It cannot be read, and that does not pass by itself.
    Refused(Failure),
    /// It may be otherwise the next time: an outage says nothing of a list, nor does one that moved
    /// while it was read.
    Unclear,
}

/// What snapshots need to know beside questions.
#[derive(Clone)]
pub struct SnapshotOptions {
    /// The wall clock.
    pub clock: Clock,
    /// Scopes held at once, each for one proof; the one not used for longest makes room.
    pub capacity: usize,
    /// Bytes held at once, about; the scopes not used for longest make room. The one that is asked
    /// about stays, and has bounds of its own.
    pub bytes: usize,
}

impl Default for SnapshotOptions {
    /// The system's clock, 1024 scopes, 64 MiB.
    fn default() -> Self {
        Self {
            clock: Arc::new(Timestamp::now),
            capacity: 1024,
            bytes: 64 * 1024 * 1024,
        }
    }
}

type Key = (Proof, Scope);

struct Held {
    ground: Ground,
    capacity: usize,
    bytes: usize,
    entries: Mutex<HashMap<Key, Arc<Entry>>>,
}

/// What platforms said lately. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Snapshots(Arc<Held>);

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshots({} scopes)", self.len())
    }
}

impl Default for Snapshots {
    fn default() -> Self {
        Self::new(SnapshotOptions::default())
    }
}

impl Snapshots {
    /// Empty ones.
    pub fn new(options: SnapshotOptions) -> Self {
        Self(Arc::new(Held {
            ground: Ground::new(options.clock),
            capacity: options.capacity.max(1),
            bytes: options.bytes,
            entries: Mutex::default(),
        }))
    }

    /// Answers a question from what is known, or with as few calls as many askers together need.
    /// `None`: too many others wait for the platform.
    ///
    /// Many callers share one call, which goes on if they give up. A failed one stands for all who
    /// ask within a few seconds. An image that a list lacks is asked for by itself, once for all.
    pub async fn look(
        &self,
        question: &Question<'_>,
        calls: &impl Calls,
    ) -> Option<Result<Answer, Failure>> {
        let Question { target, bound, .. } = *question;
        let Some(scope) = Scope::of(target) else {
            return Some(Err(wrong_platform()));
        };
        let ground = &self.0.ground;
        let floor = ground.floor(question.max_age, question.not_before);
        let entry = self
            .0
            .entry(&(question.proof, scope.clone()), question.max_age);
        let ask = Ask::new(&target.query, bound);
        let said = entry.said(&ask, floor).map(|kept| kept.began.run);
        let mut listing = entry.list.fresh(floor);
        let unknown = listing.is_none() && said.is_none();
        if unknown && entry.way(&target.query, question.distinct, ground.run()) == By::List {
            entry.touch_list(ground.run());
            let call = || calls.list(&scope);
            match entry.list.obtain(floor, ground, call).await? {
                Ok(kept) => listing = Some(kept),
                Err(_) if entry.unlisted(ground.run()).is_some() => {}
                Err(failure) => return Some(Err(failure)),
            }
        }
        // Of two answers the later one counts: nobody's image goes back in time.
        let listing = listing.filter(|listing| said.is_none_or(|at| at < listing.began.run));
        if let Some(kept) = listing
            && let Some(result) = kept.value.answer(&target.query, bound)
        {
            entry.touch_list(ground.run());
            return Some(result.map(|facts| Answer {
                facts,
                as_of: kept.value.as_of,
                by: By::List,
            }));
        }
        let call = || calls.get(target, bound).map(said_of).boxed();
        let get = entry.get(ask, ground.run());
        let kept = match get.obtain(floor, ground, call).await? {
            Ok(kept) => kept,
            Err(failure) => return Some(Err(failure)),
        };
        Some(kept.value.clone().map(|facts| Answer {
            facts,
            as_of: kept.began.wall,
            by: By::Get,
        }))
    }

    /// How the list of a scope is that a proof has read last, if one is held.
    pub fn state(&self, proof: Proof, scope: &Scope) -> Option<ListState> {
        let entry = self.0.entries().get(&(proof, scope.clone())).cloned()?;
        let kept = entry.list.kept()?;
        let listing = &kept.value;
        Some(ListState {
            as_of: listing.as_of,
            pages: listing.pages,
            images: listing.images().count(),
            whole: listing.whole,
            cut: listing.cut,
        })
    }

    /// Why single images are asked for in place of this list, if they are: it is forbidden to this
    /// proof, or out of order.
    pub fn unlisted(&self, proof: Proof, scope: &Scope) -> Option<Failure> {
        let entry = self.0.entries().get(&(proof, scope.clone())).cloned()?;
        entry.unlisted(self.0.ground.run())
    }

    /// What the lists of an account came to that were asked for with this proof.
    pub fn lists(&self, proof: Proof, account: &Account) -> Vec<(Scope, Listed)> {
        let entries = self.0.entries();
        let own = entries
            .iter()
            .filter(|((of, scope), _)| *of == proof && scope.is_of(account));
        own.filter_map(|((_, scope), entry)| Some((scope.clone(), entry.listed()?)))
            .collect()
    }

    /// Whether less time has passed than an entry is kept that nobody asks for: what is not here may
    /// have been known to the process before this one.
    pub fn is_young(&self) -> bool {
        self.0.ground.run() < entry::IDLE
    }

    /// Drops what nobody has asked for in a long time.
    pub fn forget_idle(&self) {
        let now = self.0.ground.run();
        self.0.entries().retain(|_, entry| !entry.is_idle(now));
    }

    /// The API of each list in use, its age, and whether that is more than twice what its askers allow.
    pub fn list_ages(&self) -> Vec<(Api, Duration, bool)> {
        let now = self.0.ground.run();
        let entries = self.0.entries();
        let lists = entries.iter();
        lists
            .filter_map(|((_, scope), entry)| {
                let (age, is_overdue) = entry.list_age(now)?;
                Some((scope.api(), age, is_overdue))
            })
            .collect()
    }

    /// How many scopes are held, each for one proof.
    pub fn len(&self) -> usize {
        self.0.entries().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        self.0.ground.held()
    }
}

impl Held {
    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Arc<Entry>>> {
        // Every change is one insertion or removal; a panic in between leaves nothing half done.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry of a key. Others make room for it, those not used for longest first.
    fn entry(&self, key: &Key, max_age: Duration) -> Arc<Entry> {
        let now = self.ground.run();
        let mut entries = self.entries();
        let entry = entries.entry(key.clone()).or_default().clone();
        entry.touch(now, max_age);
        if entries.len() > self.capacity {
            entries.retain(|_, entry| !entry.is_idle(now));
        }
        while entries.len() > 1
            && (entries.len() > self.capacity || self.ground.held() > self.bytes)
        {
            let others = entries.iter().filter(|(other, _)| *other != key);
            let Some((oldest, _)) = others.min_by_key(|(_, entry)| entry.used()) else {
                break;
            };
            let oldest = oldest.clone();
            entries.remove(&oldest);
        }
        entry
    }
}

#[cfg(test)]
mod tests;
