//! Faults of names and certificates on the way to a platform.
//!
//! Owns how each begins and ends, for the one provider whose cloud is behind TLS. Must not know the API
//! server, nor what must hold meanwhile. The invariant that would break first: connections of before
//! are ended with each change, so that nobody is spared who has one.

use super::cloud::{WITHIN, hold};
use crate::fault::Fault;
use crate::front::{self, Certificate};
use crate::gate::State;
use crate::preload::Leads;
use crate::world::World;
use anyhow::Result;
use std::time::Duration;

/// References of this provider share a list that is read each minute.
const HELD: Duration = Duration::from_secs(70);

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "dns-gone",
        what: "The name of a cloud leads nowhere; then the resolver does not answer.",
        runs: 2,
        within: WITHIN,
        strike: |world, run| Box::pin(name(world, run)),
    },
    Fault {
        name: "tls-expired",
        what: "The certificate of a cloud has ended.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(certificate(world, Certificate::Expired)),
    },
    Fault {
        name: "tls-other-host",
        what: "The certificate of a cloud is for another host.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(certificate(world, Certificate::OtherHost)),
    },
];

async fn name(world: &World, run: u32) -> Result<()> {
    let leads = if run.is_multiple_of(2) {
        Leads::Nowhere
    } else {
        Leads::Unanswered
    };
    lead(world, leads)?;
    let ended = world.front.gate.set(State::Open).await;
    tokio::time::sleep(HELD).await;
    lead(world, Leads::Here)?;
    ended
}

fn lead(world: &World, leads: Leads) -> Result<()> {
    let mut beliefs = world.beliefs.iter();
    beliefs.try_for_each(|belief| belief.lead(front::NAME, leads))
}

async fn certificate(world: &World, bad: Certificate) -> Result<()> {
    world.front.show(bad).await?;
    let held = hold(HELD, 1, || world.front.gate.met()).await;
    world.front.show(Certificate::Good).await?;
    held
}
