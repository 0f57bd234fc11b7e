//! Reading a list to its end, and what may be concluded from it.
//!
//! Owns when to stop. Must not know any platform's names for offset, limit and total. The invariant
//! that would break first: a list that was not read whole, as far as can be seen, proves no image
//! absent.

use super::select::select;
use crate::facts::{Facts, Failure, FailureKind};
use std::collections::BTreeSet;
use std::fmt;

/// Bound on the pages of one list.
pub const MOST_PAGES: u32 = 50;
/// Bound on the images of one list.
pub const MOST_IMAGES: usize = 10_000;
/// Bound on the answers of one list together, in bytes: one more page is read while less has come.
pub const MOST_BYTES: usize = 16 * 1024 * 1024;
/// So many pages in a row without a new image are a list that repeats itself. One alone can come of
/// images that were added in front while the list was read.
const MOST_IDLE_PAGES: u32 = 2;

/// The bound at which reading a list was given up. There are images that were not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// [`MOST_PAGES`].
    Pages,
    /// [`MOST_IMAGES`].
    Images,
    /// [`MOST_BYTES`].
    Bytes,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the platform's list has no end after ")?;
        match self {
            Self::Pages => write!(f, "{MOST_PAGES} pages"),
            Self::Images => write!(f, "{MOST_IMAGES} images"),
            Self::Bytes => write!(f, "{} MiB", MOST_BYTES >> 20),
        }
    }
}

/// One page as it came.
pub(super) struct Page {
    /// What could be read of it.
    pub(super) facts: Vec<Facts>,
    /// Number of entries, readable or not.
    pub(super) received: usize,
    /// Number of entries of all pages, where stated.
    pub(super) total: Option<i64>,
    /// Length of the answer.
    pub(super) bytes: usize,
}

/// A list while it is read.
pub(super) struct Paging {
    limit: u64,
    received: u64,
    total: Option<i64>,
    idle: u32,
    seen: BTreeSet<String>,
    found: Found,
}

/// The images that a search brought.
pub(super) struct Found {
    pub(super) matches: Vec<Facts>,
    /// Whether what is not among the matches was not in the list.
    pub(super) whole: bool,
    pub(super) cut: Option<Cut>,
    pub(super) pages: u32,
    pub(super) bytes: usize,
}

impl Paging {
    /// Pages of at most `limit` entries.
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            received: 0,
            total: None,
            idle: 0,
            seen: BTreeSet::new(),
            found: Found {
                matches: Vec::new(),
                whole: true,
                cut: None,
                pages: 0,
                bytes: 0,
            },
        }
    }

    /// Entries to skip for the next page.
    pub(super) fn offset(&self) -> u64 {
        self.received
    }

    /// Number of the next page, from 1.
    pub(super) fn number(&self) -> u32 {
        self.found.pages + 1
    }

    /// Takes a page in, keeps what is `wanted`, and says whether to ask for another.
    ///
    /// A total that is stated decides, not the length of the page: platforms may cap a page below
    /// the limit that was asked for, without a word. Without a total, a page of another length than
    /// asked for is the last: a short one, or a list that knows no pages.
    pub(super) fn accept(
        &mut self,
        page: Page,
        wanted: impl Fn(&Facts) -> bool,
    ) -> Result<bool, Failure> {
        if page.received == 0 && page.total.is_none() && self.found.pages == 0 {
            return Err(invalid("the platform's answer is no list of images"));
        }
        let received = u64::try_from(page.received).unwrap_or(u64::MAX);
        let moved = self.found.pages > 0 && page.total != self.total;
        let unreadable = page.facts.len() < page.received;
        self.found.whole &= !moved && !unreadable;
        self.found.pages += 1;
        self.found.bytes = self.found.bytes.saturating_add(page.bytes);
        self.received = self.received.saturating_add(received);
        self.total = page.total;
        let known = self.seen.len();
        for facts in page.facts {
            if self.seen.contains(&facts.image_id) {
                continue;
            }
            if self.seen.len() >= MOST_IMAGES {
                return Ok(self.cut(Cut::Images));
            }
            self.seen.insert(facts.image_id.clone());
            if wanted(&facts) {
                self.found.matches.push(facts);
            }
        }
        let total = page.total.and_then(|total| u64::try_from(total).ok());
        if received == 0 {
            self.found.whole &= total.is_none_or(|total| self.received >= total);
            return Ok(false);
        }
        if total.map_or(received != self.limit, |total| self.received >= total) {
            return Ok(false);
        }
        self.idle = if self.seen.len() == known {
            self.idle + 1
        } else {
            0
        };
        if self.idle >= MOST_IDLE_PAGES {
            return Err(invalid("the platform's list repeats itself"));
        }
        if self.found.pages >= MOST_PAGES {
            return Ok(self.cut(Cut::Pages));
        }
        if self.found.bytes >= MOST_BYTES {
            return Ok(self.cut(Cut::Bytes));
        }
        Ok(true)
    }

    /// Ends the list here. No other page is asked for.
    fn cut(&mut self, at: Cut) -> bool {
        self.found.whole = false;
        self.found.cut = Some(at);
        false
    }

    pub(super) fn into_found(self) -> Found {
        self.found
    }
}

impl Found {
    /// Both searches as one.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.matches.extend(other.matches);
        self.whole &= other.whole;
        self.cut = self.cut.or(other.cut);
        self.pages = self.pages.saturating_add(other.pages);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self
    }

    /// The image that is meant. "There is none" and "it is another one now" need a whole list; one
    /// that was cut says no more than that the bound image is there.
    pub(super) fn decide(self, bound: Option<&str>) -> Result<Facts, Failure> {
        let chosen = select(self.matches, bound);
        let still = matches!(&chosen, Ok(facts) if Some(facts.image_id.as_str()) == bound);
        if let (Some(cut), false) = (self.cut, still) {
            return Err(invalid(&cut.to_string()));
        }
        let needs_whole = match &chosen {
            Ok(facts) => bound.is_some_and(|bound| bound != facts.image_id),
            Err(failure) => failure.kind == FailureKind::NotFound,
        };
        if needs_whole && !self.whole {
            return Err(invalid(
                "the platform's list changed while it was read, or is not whole",
            ));
        }
        chosen
    }
}

/// No list says that an image is gone: "not found" as the answer to one is about something else.
pub(super) fn of_list(mut failure: Failure) -> Failure {
    if failure.kind == FailureKind::NotFound {
        failure.kind = FailureKind::ProviderError;
        failure.message = failure.message.replace("has no such image", "gave no list");
    }
    failure
}

fn invalid(message: &str) -> Failure {
    Failure::new(FailureKind::ResponseInvalid, message)
}

#[cfg(test)]
mod tests;
