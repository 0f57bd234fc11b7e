//! Lists that lie.
//!
//! Owns how each begins and ends. Must not know the API server, nor what must hold meanwhile. The
//! invariant that would break first: when a fault is back, lists are as they were.

use super::cloud::{WITHIN, hold};
use crate::fault::Fault;
use crate::world::World;
use anyhow::Result;
use fakecloud::{ListLie, Operation};
use std::time::Duration;

/// A list that many references share is read each minute.
const HELD: Duration = Duration::from_secs(75);

/// Pages that are capped by the platform, so that also small lists have several.
const PAGE: u64 = 20;

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "pages-repeat",
        what: "Lists of the clouds repeat their first page, with a total that is never reached.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(lie(world, ListLie::RepeatPage)),
    },
    Fault {
        name: "pages-shrink",
        what: "Lists of the clouds lose an item while they are read.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(lie(world, ListLie::Shrink)),
    },
    Fault {
        name: "pages-endless",
        what: "Lists of the clouds go on with images that are not there, and never end.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(lie(world, ListLie::Endless)),
    },
];

async fn lie(world: &World, lie: ListLie) -> Result<()> {
    let cloud = &world.cloud;
    let before = cloud.options();
    cloud.configure(|options| {
        options.list_lie = lie;
        options.max_page_size = Some(PAGE);
    });
    let lists = || {
        let calls = cloud.calls();
        calls.of(Operation::ListImage) + calls.of(Operation::PaiListImages)
    };
    let held = hold(HELD, 2, lists).await;
    cloud.configure(|options| {
        options.list_lie = before.list_lie;
        options.max_page_size = before.max_page_size;
    });
    held
}
