//! Lists that move, lie or have no end.

use super::{Bench, PATIENCE, notebook, own_notebook};
use crate::cloud::notebook_named;
use fakecloud::{Fault, FaultKind, ListLie, Operation};
use imageref::cloud::snapshot::{By, Scope};
use imageref::cloud::{Cut, MOST_PAGES};
use imageref::facts::FailureKind;

#[tokio::test]
async fn a_list_that_shrinks_while_it_is_read_hides_nothing() {
    let bench = Bench::new().await;
    let ids = bench.put_notebooks(500);
    bench
        .fake
        .configure(|options| options.list_lie = ListLie::Shrink);
    let listing = bench.list(notebook(&ids[0])).await.unwrap();
    assert!(!listing.whole && listing.cut.is_none());
    let hidden: Vec<_> = ids.iter().filter(|id| listing.get(id).is_none()).collect();
    assert!(
        !hidden.is_empty(),
        "images moved up into pages that were read"
    );
    for (n, id) in ids.iter().enumerate() {
        let by = bench.look(notebook(id)).await.unwrap().by;
        assert_eq!(by == By::Get, hidden.contains(&id), "image-{n}");
    }
    let gets = bench.fake.calls().of(Operation::ShowImage);
    assert_eq!(gets, u64::try_from(hidden.len()).unwrap());
    // A name that is new may mean a hidden image as well; the filtered list knows.
    let answer = bench.look(notebook_named("image-7")).await.unwrap();
    assert_eq!(
        (answer.by, answer.facts.image_id.as_str()),
        (By::Get, ids[7].as_str())
    );
}

#[tokio::test]
async fn a_list_that_grows_while_it_is_read_is_not_whole() {
    let bench = Bench::new().await;
    let ids = bench.put_notebooks(500);
    let slow = FaultKind::Latency { ms: 100 };
    bench
        .fake
        .add_fault(Fault::always(slow).on(Operation::ListImage));
    let grow = async {
        while bench.fake.calls().of(Operation::ListImage) < 2 {
            tokio::task::yield_now().await;
        }
        bench.fake.put_notebook_image(own_notebook("new"))
    };
    let grow = tokio::time::timeout(PATIENCE, grow);
    let (listing, grown) = tokio::join!(bench.list(notebook(&ids[0])), grow);
    assert!(grown.is_ok(), "there was a second page");
    let listing = listing.unwrap();
    assert!(!listing.whole && listing.cut.is_none());
    assert!(ids.iter().all(|id| listing.get(id).is_some()));
}

#[tokio::test]
async fn a_list_that_repeats_itself_is_left_for_gets() {
    let bench = Bench::new().await;
    let ids = bench.put_notebooks(500);
    bench
        .fake
        .configure(|options| options.list_lie = ListLie::RepeatPage);
    let failure = bench.list(notebook(&ids[0])).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::ResponseInvalid);
    bench.fake.reset_calls();
    for id in ids.iter().take(20) {
        assert_eq!(bench.look(notebook(id)).await.unwrap().by, By::Get);
    }
    assert!(bench.fake.calls().of(Operation::ListImage) <= 5);
    assert_eq!(bench.fake.calls().of(Operation::ShowImage), 20);
}

#[tokio::test]
async fn a_list_that_was_cut_says_so_and_proves_nothing_absent() {
    let bench = Bench::new().await;
    let ids = bench.put_notebooks(60);
    bench
        .fake
        .configure(|options| options.max_page_size = Some(1));
    let target = bench.target(notebook(&ids[0]));
    let mut unseen = 0;
    for (n, id) in ids.iter().enumerate() {
        unseen += usize::from(bench.look(notebook(id)).await.unwrap().by == By::Get);
        let named = bench.look(notebook_named(&format!("image-{n}"))).await;
        assert_eq!(named.unwrap().facts.image_id, *id);
    }
    let scope = Scope::of(&target).unwrap();
    let state = bench.snapshots.state(bench.asker.proof(), &scope).unwrap();
    assert_eq!((state.cut, state.whole), (Some(Cut::Pages), false));
    assert_eq!(state.pages, MOST_PAGES + 2, "and two presets");
    assert_eq!(unseen, 60 - 50);
    let missing = bench
        .look(notebook("00000000-0000-4000-8000-000000000000"))
        .await;
    assert!(
        missing.unwrap_err().message.contains("ModelArts.6404"),
        "the get's word"
    );
}
