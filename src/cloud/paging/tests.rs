//! Where a list ends, and what it proves.

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
        bytes: 0,
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
        let at = usize::try_from(paging.found.pages).unwrap();
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
fn a_list_without_end_is_cut_at_a_bound_that_has_a_name() {
    let mut paging = Paging::new(1);
    for at in 1..MOST_PAGES {
        let page = page(&[&at.to_string()], 1, Some(9999));
        assert!(paging.accept(page, |_| true).unwrap());
    }
    let last = page(&["z"], 1, Some(9999));
    assert!(!paging.accept(last, |_| true).unwrap());
    let found = paging.into_found();
    assert_eq!((found.cut, found.whole), (Some(Cut::Pages), false));
    assert_eq!(found.matches.len(), 50);
    let cut = Cut::Pages.to_string();
    assert_eq!(found.decide(None).unwrap_err().message, cut);
}

#[test]
fn images_and_bytes_are_bounded_too() {
    let ids: Vec<_> = (0..=MOST_IMAGES).map(|n| n.to_string()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let of = |ids: &[&str], bytes, total| {
        let mut paging = Paging::new(1);
        let page = Page {
            bytes,
            ..page(ids, ids.len(), Some(total))
        };
        let more = paging.accept(page, |_| true).unwrap();
        let found = paging.into_found();
        assert!(found.matches.len() <= MOST_IMAGES);
        (more, found.cut)
    };
    assert_eq!(of(&ids, 0, 0), (false, Some(Cut::Images)));
    assert_eq!(of(&ids[1..], 0, 0), (false, None), "as many as may be");
    assert_eq!(of(&["a"], MOST_BYTES, 2), (false, Some(Cut::Bytes)));
    assert_eq!(of(&["a"], MOST_BYTES, 1), (false, None), "it was the last");
    assert_eq!(of(&["a"], MOST_BYTES - 1, 2), (true, None));
}

#[test]
fn of_a_list_that_was_cut_only_a_bound_image_is_believed() {
    let read = |bound| {
        let mut paging = Paging::new(1);
        let page = Page {
            bytes: MOST_BYTES,
            ..page(&["a"], 1, Some(2))
        };
        paging.accept(page, |_| true).unwrap();
        let decided = paging.into_found().decide(bound);
        decided.map(|_| ()).map_err(|failure| failure.kind)
    };
    let invalid = Err(FailureKind::ResponseInvalid);
    assert_eq!(read(Some("a")), Ok(()));
    assert_eq!((read(None), read(Some("b"))), (invalid, invalid));
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
        prop_assert!(u32::try_from(asked).unwrap() <= MOST_PAGES);
    }
}
