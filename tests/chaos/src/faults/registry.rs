//! Faults of the registry.
//!
//! Owns how each begins and ends. Must not know the platforms, nor what must hold meanwhile. The invariant that
//! would break first: when a fault is back, nothing is broken any more.

use super::cloud::{WITHIN, hold};
use crate::fault::Fault;
use crate::gate::State;
use crate::world::World;
use anyhow::Result;
use std::time::Duration;

/// References that ask for digests do so each minute.
const HELD: Duration = Duration::from_secs(65);

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "registry-down",
        what: "The registry refuses connections.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(down(world)),
    },
    Fault {
        name: "registry-500",
        what: "The registry answers 500 to everything; then 429.",
        runs: 2,
        within: WITHIN,
        strike: |world, run| {
            let status = if run.is_multiple_of(2) { 500 } else { 429 };
            Box::pin(met(world, State::Answering(status)))
        },
    },
    Fault {
        name: "registry-hangs",
        what: "The registry takes connections and says nothing.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(met(world, State::Silent)),
    },
];

async fn down(world: &World) -> Result<()> {
    world.registry_gate.set(State::Closed).await?;
    tokio::time::sleep(HELD).await;
    world.registry_gate.set(State::Open).await
}

async fn met(world: &World, state: State) -> Result<()> {
    world.registry_gate.set(state).await?;
    let held = hold(HELD, 2, || world.registry_gate.met()).await;
    world.registry_gate.set(State::Open).await?;
    held
}
