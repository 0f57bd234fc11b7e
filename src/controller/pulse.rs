//! What the process knows of its own work: that it turns, and that it has begun.
//!
//! Owns both signs. Must not do any of the work. The invariant that would break first: it is polled by
//! the task that polls the controllers, so that it stops when they do.

use super::Context;
use crate::telemetry::health::BEAT;
use std::convert::Infallible;
use std::time::Instant;

/// Says that this task, which turns the controllers, is not stuck; and once, that they know everything.
pub(super) async fn pulse(context: &Context) -> Infallible {
    let listed = async {
        let listed = tokio::try_join!(
            context.namespaced.wait_until_ready(),
            context.cluster.wait_until_ready(),
            context.refs.wait_until_ready(),
            context.listed.wait_until_ready(),
        );
        if listed.is_ok() {
            context.health.set_ready();
        }
        std::future::pending::<()>().await;
    };
    let beat = async {
        let mut every = tokio::time::interval(BEAT);
        loop {
            every.tick().await;
            context.health.beat(Instant::now());
        }
    };
    tokio::join!(listed, beat).1
}
