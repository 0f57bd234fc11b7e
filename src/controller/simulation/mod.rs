//! Model check of the whole loop: two operators, an API server, a platform, a registry and users, in a time
//! of their own, with faults drawn from a seed.
//!
//! Owns the runs. What runs is the controller as a whole, through kube's client and watches, with its
//! elections; simulated are the API server behind the client, the platform and the registry behind their
//! requests, the wall clock and the executor's time. Must not know how anything is done. After every step
//! these rules are checked ([`rules`]):
//!
//! 1. A process writes only while it holds the lease, and never after its claim ended.
//! 2. A status is about the generation it stands beside; its facts are those of one answer, to one
//!    account, about one version; digest and platforms are those of one push of its very tag; no fact goes
//!    back to an older one.
//! 3. Ready is about the image of the spec in an account and project that the provider means.
//! 4. A good verdict goes only with a new target, for what the platform said (an absence twice), or for
//!    age beyond `maxStaleness`; an image that cannot be used is not Ready for longer than that. A digest
//!    goes only with its path or for the policy, and under `IfNotPresent` changes only where it is asked for.
//! 5. Without news a status is written every `maxStaleness / 4` at most, and an outage costs two writes.
//! 6. Calls keep the budget of their principal, and a pause that was asked for; none is made about an
//!    image where every reference to it is settled by an answer of the last minutes, and none about a tag
//!    whose digest nobody needs.
//! 7. What the platform says is told in time, whatever the registry does and another account is asked for.
//! 8. A catalogue is written once a minute at most, unless something in it was lost, and has 1 MiB at most.
//! 9. Some time after the last fault everything is right ([`rules::end`]).
//!
//! The invariant that would break first: a seed draws the same users, images, weather and faults of each
//! request, whatever changes place within one moment.

mod chance;
mod cloud;
mod history;
mod operator;
mod registry;
mod rules;
mod server;
mod store;
mod users;
mod weather;
mod world;

use rules::end::CONVERGES;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use world::{World, milliseconds};

/// What came of a run.
struct Outcome {
    steps: u64,
    sum: u64,
    kinds: String,
    /// The virtual time.
    hours: u64,
}

/// Runs a seed for so many steps, and until all must be right.
fn run(seed: u64, steps: u64) -> Outcome {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, history(seed, steps))
}

async fn history(seed: u64, steps: u64) -> Outcome {
    let world = World::new(seed);
    users::begin(&world);
    let notify = || [Arc::new(Notify::new()), Arc::new(Notify::new())];
    let (crash, end) = (notify(), notify());
    let mut tasks = tokio::task::JoinSet::new();
    for instance in 0..world::INSTANCES {
        let (crash, end) = (crash[instance].clone(), end[instance].clone());
        tasks.spawn(operator::lives(world.clone(), instance, crash, end));
    }
    tasks.spawn_local(weather::weather(world.clone(), crash, end));
    until(&world, |world| world.lock().history.steps >= steps).await;
    weather::calm(&world);
    let calm_at = world.now();
    until(&world, |world| world.now() >= calm_at + CONVERGES).await;
    world.step("rule", "all must be right", |inner, _| {
        rules::end::right(inner)
    });
    until(&world, |_| true).await;
    let inner = world.lock();
    Outcome {
        steps: inner.history.steps,
        sum: inner.history.sum,
        kinds: format!("{:?}", inner.history.kinds),
        hours: world.now() / 3_600_000,
    }
}

/// Lets time pass until then, or until a rule is broken.
async fn until(world: &World, reached: impl Fn(&World) -> bool) {
    loop {
        let broken = world.lock().broken.clone();
        if let Some(why) = broken {
            let (tail, steps) = {
                let inner = world.lock();
                (inner.history.tail(), inner.history.steps)
            };
            let seed = world.seed;
            panic!(
                "{why}\n\nAfter {steps} steps; the last, in seconds:\n{tail}\n\nAgain: SIMULATION_SEED={seed} cargo test -p imageref --lib simulation::a_seed\n"
            );
        }
        if reached(world) {
            return;
        }
        tokio::time::sleep(milliseconds(2000)).await;
    }
}

/// Waits for a moment of the object's own, within a fifth of a second: a queue gives out what falls due
/// at once in an order that no seed repeats.
pub(super) async fn turn(object: &impl Display) {
    tokio::time::sleep(milliseconds(1 + chance::hash(&object.to_string()) % 200)).await;
}

/// Steps of each seed before all must come right: five seeds are more than 100,000.
const STEPS: u64 = 20_000;

/// Steps of the seed that is run twice.
const REPEATED: u64 = 4_000;

fn report(seed: u64, steps: u64) -> Outcome {
    let begun = Instant::now();
    eprintln!("simulation: seed {seed} begins");
    let outcome = run(seed, steps);
    let Outcome {
        steps,
        sum,
        kinds,
        hours,
    } = &outcome;
    let took: Duration = begun.elapsed();
    eprintln!(
        "simulation: seed {seed}: {steps} steps, {hours} hours, {kinds}, sum {sum:x}, in {took:.1?}"
    );
    outcome
}

#[test]
fn a_seed_has_one_history() {
    let (one, other) = (report(6, REPEATED), report(6, REPEATED));
    assert_eq!((one.sum, one.kinds), (other.sum, other.kinds));
}

#[test]
fn the_first_seed() {
    report(1, STEPS);
}

#[test]
fn the_second_seed() {
    report(2, STEPS);
}

#[test]
fn the_third_seed() {
    report(3, STEPS);
}

#[test]
fn the_fourth_seed() {
    report(4, STEPS);
}

/// The seed of `SIMULATION_SEED`, for `SIMULATION_STEPS`; the fifth unless one is given.
#[test]
fn a_seed() {
    let given = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    report(
        given("SIMULATION_SEED").unwrap_or(5),
        given("SIMULATION_STEPS").unwrap_or(STEPS),
    );
}
