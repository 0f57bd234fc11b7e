//! What a fault is.
//!
//! Owns the shape that all have. Must not know any of them. The invariant that would break first: a
//! fault ends what it began, whatever happened meanwhile.

use crate::world::World;
use anyhow::Result;
use futures::future::BoxFuture;
use std::time::Duration;

/// One fault: what is broken, how often, and by when all is right again after it ended.
pub(crate) struct Fault {
    /// In kebab-case: in reports and on the command line.
    pub(crate) name: &'static str,
    /// One sentence for people.
    pub(crate) what: &'static str,
    /// How often it strikes; most once.
    pub(crate) runs: u32,
    /// The stated time of convergence, from the end of the fault.
    pub(crate) within: Duration,
    /// Begins it, holds it and ends it; it is given the number of the run, from 0. Back when nothing is
    /// broken any more.
    pub(crate) strike: Strike,
}

/// How a fault is made.
pub(crate) type Strike = for<'a> fn(&'a mut World, u32) -> BoxFuture<'a, Result<()>>;
