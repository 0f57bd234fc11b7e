//! Faults of the operator's own processes: killed, frozen, starved.
//!
//! Owns how each begins and ends. Must not know the API server, nor what must hold meanwhile. The invariant that
//! would break first: when a fault is back, nothing is broken any more.

use crate::fault::Fault;
use crate::world::{Extra, Signal, WEBHOOK, World};
use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use std::time::Duration;

pub(crate) const FAULTS: &[Fault] = &[Fault {
    name: "nothing",
    what: "Nothing is broken: what the rules see of a quiet world with life in it.",
    runs: 1,
    within: Duration::from_secs(90),
    strike: |world, _| world.hold(Duration::from_secs(20)).boxed(),
}];
