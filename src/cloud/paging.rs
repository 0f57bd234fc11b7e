//! Reading a list to its end, and what may be concluded from it.
//!
//! Owns when to stop. Must not know any platform's names for offset, limit and total. The invariant
//! that would break first: a list that was not read whole, as far as can be seen, proves no image
//! absent.

use super::select::select;
use crate::facts::{Facts, Failure, FailureKind};
use std::collections::BTreeSet;

/// Bound on the pages of one list.
const MOST_PAGES: u64 = 50;
/// So many pages in a row without a new image are a list that repeats itself. One alone can come of
/// images that were added in front while the list was read.
const MOST_IDLE_PAGES: u32 = 2;

/// One page as it came.
pub(super) struct Page {
    /// What could be read of it.
    pub(super) facts: Vec<Facts>,
    /// Number of entries, readable or not.
    pub(super) received: usize,
    /// Number of entries of all pages, where stated.
    pub(super) total: Option<i64>,
}

/// A list while it is read.
pub(super) struct Paging {
    limit: u64,
    pages: u64,
    received: u64,
    total: Option<i64>,
    idle: u32,
    seen: BTreeSet<String>,
    found: Found,
}

/// The images that a search brought.
pub(super) struct Found {
    matches: Vec<Facts>,
    /// Whether what is not among the matches was not in the list.
    whole: bool,
}

impl Paging {
    /// Pages of at most `limit` entries.
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            pages: 0,
            received: 0,
            total: None,
            idle: 0,
            seen: BTreeSet::new(),
            found: Found {
                matches: Vec::new(),
                whole: true,
            },
        }
    }

    /// Entries to skip for the next page.
    pub(super) fn offset(&self) -> u64 {
        self.received
    }

    /// Number of the next page, from 1.
    pub(super) fn number(&self) -> u64 {
        self.pages + 1
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
        if page.received == 0 && page.total.is_none() && self.pages == 0 {
            return Err(invalid("the platform's answer is no list of images"));
        }
        let received = u64::try_from(page.received).unwrap_or(u64::MAX);
        let moved = self.pages > 0 && page.total != self.total;
        let unreadable = page.facts.len() < page.received;
        self.found.whole &= !moved && !unreadable;
        self.pages += 1;
        self.received = self.received.saturating_add(received);
        self.total = page.total;
        let known = self.seen.len();
        for facts in page.facts {
            if self.seen.insert(facts.image_id.clone()) && wanted(&facts) {
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
        if self.pages >= MOST_PAGES {
            return Err(invalid(&format!(
                "the platform's list has no end after {MOST_PAGES} pages"
            )));
        }
        Ok(true)
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
        self
    }

    /// The image that is meant. "There is none" and "it is another one now" need a whole list.
    pub(super) fn decide(self, bound: Option<&str>) -> Result<Facts, Failure> {
        let chosen = select(self.matches, bound);
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
mod tests {
    use super::*;
    use crate::api::Upstream;
    use crate::facts::ImageStatus;
    use proptest::prelude::*;

    fn page(ids: &[&str], received: usize, total: Option<i64>) -> Page {
        let facts = ids.iter().map(|id| Facts {
            image_id: (*id).into(),
            arch: None,
            status: ImageStatus::Active,
            swr_path: None,
            image: None,
            accelerators: Vec::new(),
            size: None,
            created: None,
            updated: None,
            upstream: Upstream::default(),
        });
        Page {
            facts: facts.collect(),
            received,
            total,
        }
    }

    /// Reads pages of two until the end; those after the last are empty.
    fn read(
        pages: &[(&[&str], Option<i64>)],
        wanted: &str,
        bound: Option<&str>,
    ) -> Result<String, FailureKind> {
        let mut paging = Paging::new(2);
        loop {
            let at = usize::try_from(paging.pages).unwrap();
            let (ids, total) = pages.get(at).or(pages.last()).unwrap();
            let more = paging.accept(page(ids, ids.len(), *total), |facts| {
                facts.image_id == wanted
            });
            if !more.map_err(|failure| failure.kind)? {
                let facts = paging
                    .into_found()
                    .decide(bound)
                    .map_err(|failure| failure.kind)?;
                return Ok(format!("{} after {}", facts.image_id, at + 1));
            }
        }
    }

    #[test]
    fn a_list_is_read_to_its_end_and_no_further() {
        let found = |text: &str| Ok(text.to_owned());
        assert_eq!(
            read(&[(&["a", "b"], Some(2))], "b", None),
            found("b after 1")
        );
        assert_eq!(
            read(&[(&["a", "b"], Some(3)), (&["c"], Some(3))], "c", None),
            found("c after 2")
        );
        // No total: a short page is the last.
        assert_eq!(
            read(&[(&["a", "b"], None), (&["c"], None)], "c", None),
            found("c after 2")
        );
        assert_eq!(
            read(&[(&["a", "b", "c"], None)], "c", None),
            found("c after 1")
        );
        // A page capped at one: the total knows better.
        assert_eq!(
            read(&[(&["a"], Some(2)), (&["b"], Some(2))], "b", None),
            found("b after 2")
        );
        assert_eq!(
            read(&[(&[], Some(0))], "a", None),
            Err(FailureKind::NotFound)
        );
        // One repeated page can be chance.
        let pages: [(&[&str], _); 3] = [
            (&["a", "b"], Some(5)),
            (&["a", "b"], Some(5)),
            (&["c"], Some(5)),
        ];
        assert_eq!(read(&pages, "c", None), found("c after 3"));
    }

    #[test]
    fn a_list_that_is_not_whole_proves_nothing_absent() {
        let invalid = Err(FailureKind::ResponseInvalid);
        assert_eq!(read(&[(&[], None)], "a", None), invalid, "no list");
        assert_eq!(
            read(&[(&["a", "b"], Some(9)), (&[], Some(9))], "c", None),
            invalid,
            "ends early"
        );
        assert_eq!(
            read(&[(&["a", "b"], Some(4)), (&["d"], Some(3))], "c", None),
            invalid,
            "shrinks"
        );
        assert_eq!(
            read(&[(&["a", "b"], Some(9))], "c", None),
            invalid,
            "repeats itself"
        );
        let shrinking: [(&[&str], _); 2] = [(&["a", "b"], Some(4)), (&["d"], Some(3))];
        assert_eq!(read(&shrinking, "b", None).as_deref(), Ok("b after 2"));
        assert_eq!(read(&shrinking, "b", Some("b")).as_deref(), Ok("b after 2"));
        assert_eq!(
            read(&shrinking, "b", Some("c")),
            invalid,
            "replaced, perhaps"
        );
        let mut paging = Paging::new(2);
        assert!(!paging.accept(page(&["a"], 2, Some(2)), |_| false).unwrap());
        assert!(!paging.into_found().whole, "an entry could not be read");
    }

    #[test]
    fn a_list_without_end_is_given_up() {
        let mut paging = Paging::new(1);
        for at in 1..MOST_PAGES {
            assert!(
                paging
                    .accept(page(&[&at.to_string()], 1, Some(9999)), |_| true)
                    .unwrap()
            );
        }
        let failure = paging
            .accept(page(&["z"], 1, Some(9999)), |_| true)
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::ResponseInvalid);
    }

    proptest! {
        #[test]
        fn reading_ends_whatever_comes(
            pages in prop::collection::vec((0..4_usize, prop::option::of(-2..99_i64)), 1..60), limit in 1..5_u64,
        ) {
            let mut paging = Paging::new(limit);
            let mut asked = 0;
            for (received, total) in pages.into_iter().cycle() {
                asked += 1;
                let ids: Vec<_> = (0..received).map(|n| (asked * 3 + n).to_string()).collect();
                let ids: Vec<_> = ids.iter().map(String::as_str).collect();
                if !paging.accept(page(&ids, received, total), |_| false).unwrap_or(false) {
                    break;
                }
            }
            prop_assert!(u64::try_from(asked).unwrap() <= MOST_PAGES);
        }
    }
}
