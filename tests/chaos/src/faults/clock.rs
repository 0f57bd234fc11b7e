//! Faults of the wall clock that the operator's processes believe.
//!
//! Owns how far it jumps. Must not know what reads it. The invariant that would break first: when a
//! fault is back, every process has the true time.

use crate::fault::Fault;
use crate::world::World;
use anyhow::Result;
use futures::FutureExt as _;
use std::time::Duration;

const HOUR_S: i64 = 3600;

/// Less than the quarter of an hour by which platforms let the time of a signature be wrong: what they
/// answer is kept, with a time that is yet to come.
const MINUTES_S: i64 = 600;

/// How long the clock is wrong.
const HELD: Duration = Duration::from_secs(40);

/// Requests that are signed in another hour are refused by the platforms, as wrong keys are.
const WITHIN: Duration = Duration::from_secs(150);

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "clock-forward",
        what: "The wall clock of all processes jumps forward by an hour, and back again.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| jump(world, HOUR_S).boxed(),
    },
    Fault {
        name: "clock-forward-a-little",
        what: "The wall clock of all processes jumps forward by ten minutes, and back again.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| jump(world, MINUTES_S).boxed(),
    },
    Fault {
        name: "clock-back",
        what: "The wall clock of all processes jumps back by an hour, and forward again.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| jump(world, -HOUR_S).boxed(),
    },
];

async fn jump(world: &mut World, seconds: i64) -> Result<()> {
    set(world, seconds, seconds)?;
    let held = world.hold(HELD).await;
    set(world, 0, -seconds)?;
    held
}

/// Sets how far the clocks are ahead, which moves them `by` so many seconds.
fn set(world: &World, seconds: i64, by: i64) -> Result<()> {
    if by >= HOUR_S {
        world.truth.leap();
    }
    let mut all = world.beliefs.iter();
    all.try_for_each(|belief| belief.set_clock(seconds))
}
