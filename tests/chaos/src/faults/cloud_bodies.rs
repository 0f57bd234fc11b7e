//! Faults of the platforms' answers: cut, slow, huge, deep, of another type.
//!
//! Owns how each begins and ends. Must not know the API server, nor what must hold meanwhile but for the
//! memory that a huge answer may take. The invariant that would break first: when a fault is back,
//! nothing is broken any more.

use super::cloud::{HELD, WITHIN, with};
use crate::fault::Fault;
use crate::world::World;
use anyhow::{Context as _, Result};
use fakecloud::FaultKind;
use site::proc;

const GIB: u64 = 1 << 30;

/// What answers that are read at once may take, in MiB: each is cut at 4, and there are at most four
/// for each of three accounts; with copies while they grow, and room for what else goes on.
const READING: f64 = 64.0;

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "body-truncated",
        what: "Each answer of the clouds ends in the middle.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(with(world, &[FaultKind::Truncated], HELD)),
    },
    Fault {
        name: "body-drip",
        what: "Each answer of the clouds comes byte by byte, twenty a second.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(with(world, &[FaultKind::SlowDrip { ms: 50 }], HELD)),
    },
    Fault {
        name: "body-1gib",
        what: "Each answer of the clouds has 1 GiB.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(huge(world)),
    },
    Fault {
        name: "body-nested",
        what: "Each answer of the clouds is 100,000 arrays in each other.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| {
            let nested = FaultKind::DeepNesting { levels: 100_000 };
            Box::pin(async move { with(world, &[nested], HELD).await })
        },
    },
    Fault {
        name: "body-html",
        what: "Each answer of the clouds is the page of a portal, as HTML with 200.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(portal(world)),
    },
];

/// The processes that ask clouds read no more than they must.
async fn huge(world: &mut World) -> Result<()> {
    let pids: Vec<i32> = world.operators.iter().flatten().map(|it| it.pid).collect();
    let before = pids.iter().map(|pid| {
        proc::reset_peak(*pid)?;
        Ok(proc::rss(*pid)?.current)
    });
    let before = before.collect::<Result<Vec<_>>>()?;
    with(world, &[FaultKind::Huge { bytes: GIB }], HELD).await?;
    for (pid, before) in pids.into_iter().zip(before) {
        let peak = proc::rss(pid).context("a replica has ended")?.peak;
        if peak > before + READING {
            let what = format!("from {before:.0} MiB to {peak:.0} MiB by huge answers");
            world.find("answers are cut", "a replica", what);
        }
    }
    Ok(())
}

async fn portal(world: &World) -> Result<()> {
    let page = FaultKind::Body {
        status: 200,
        content_type: "text/html".into(),
        body: "<!doctype html><title>Sign in</title><form></form>".into(),
    };
    with(world, &[page], HELD).await
}
