//! Owns cutting a list into pages, and the ways in which lists can be made to lie.
//! Must not be known here: parameters' names and the page objects of the clouds.

use crate::options::ListLie;

/// A page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) total: u64,
    /// The first item in the list that is a copy and needs a name and an id of its own.
    made_up_from: u64,
    offset: u64,
}

impl<T> Page<T> {
    /// The numbers of the items in the list, none for those that there are.
    pub(crate) fn made_up(&self) -> impl Iterator<Item = Option<u64>> + use<T> {
        let made_up_from = self.made_up_from;
        (self.offset..).map(move |number| (number >= made_up_from).then_some(number))
    }
}

/// Cuts the page of at most `limit` items from `offset` on.
pub(crate) fn cut<T: Clone>(mut items: Vec<T>, offset: u64, limit: u64, lie: ListLie) -> Page<T> {
    let position = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    match lie {
        ListLie::RepeatPage if !items.is_empty() => {
            let items = items
                .iter()
                .cycle()
                .take(position(limit))
                .cloned()
                .collect();
            return Page {
                items,
                total: offset.saturating_add(limit.saturating_mul(2)),
                made_up_from: u64::MAX,
                offset,
            };
        }
        ListLie::Endless if !items.is_empty() => {
            let made_up_from = u64::try_from(items.len()).unwrap_or(u64::MAX);
            let copies = items.iter().cycle().skip(position(offset) % items.len());
            return Page {
                items: copies.take(position(limit)).cloned().collect(),
                total: offset.saturating_add(limit.saturating_mul(2)),
                made_up_from,
                offset,
            };
        }
        ListLie::Shrink if offset > 0 && !items.is_empty() => drop(items.remove(0)),
        _ => {}
    }
    let mut total = u64::try_from(items.len()).unwrap_or(u64::MAX);
    if lie == ListLie::TotalTooLarge {
        total = total * 10 + 1000;
    }
    Page {
        items: items
            .into_iter()
            .skip(position(offset))
            .take(position(limit))
            .collect(),
        total,
        made_up_from: u64::MAX,
        offset,
    }
}

#[cfg(test)]
mod tests {
    use super::{ListLie, cut};

    #[test]
    fn honest_pages_cover_the_list_once() {
        let page = cut(vec![1, 2, 3], 2, 2, ListLie::None);
        assert_eq!((page.items, page.total), (vec![3], 3));
        assert!(cut(vec![1, 2, 3], 4, 2, ListLie::None).items.is_empty());
    }

    #[test]
    fn a_repeated_page_is_always_full_and_never_the_last() {
        let page = cut(vec![1, 2, 3], 100, 4, ListLie::RepeatPage);
        assert_eq!((page.items, page.total), (vec![1, 2, 3, 1], 108));
    }

    #[test]
    fn a_shrinking_list_hides_an_item_from_who_pages_by_offset() {
        assert_eq!(cut(vec![1, 2, 3, 4], 0, 2, ListLie::Shrink).items, [1, 2]);
        assert_eq!(cut(vec![1, 2, 3, 4], 2, 2, ListLie::Shrink).items, [4]);
    }

    #[test]
    fn an_endless_list_begins_with_what_there_is_and_goes_on_with_what_there_is_not() {
        let page = cut(vec![1, 2, 3], 2, 4, ListLie::Endless);
        let made_up: Vec<_> = page.made_up().take(4).collect();
        assert_eq!((&page.items[..], page.total), (&[3, 1, 2, 3][..], 10));
        assert_eq!(made_up, [None, Some(3), Some(4), Some(5)]);
        let honest = cut(vec![1, 2, 3], 2, 4, ListLie::None);
        assert_eq!(honest.made_up().nth(1), Some(None));
        assert!(
            cut(Vec::<u8>::new(), 0, 4, ListLie::Endless)
                .items
                .is_empty()
        );
    }

    #[test]
    fn a_total_too_large_adds_no_items() {
        let page = cut(vec![1, 2], 0, 10, ListLie::TotalTooLarge);
        assert_eq!((page.items, page.total), (vec![1, 2], 1020));
    }
}
