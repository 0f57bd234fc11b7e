//! Faults of the platforms as a whole: away, slow, failing, throttling.
//!
//! Owns how each begins and ends, and how long the clouds stay as they were made. Must not know the API
//! server, nor what must hold meanwhile but for pauses. The invariant that would break first: when a
//! fault is back, nothing is broken any more, also if it could not be held.

use crate::fault::Fault;
use crate::gate::State;
use crate::pauses::{self, Pause};
use crate::world::World;
use anyhow::{Result, ensure};
use fakecloud::{FaultKind, Operation, Service};
use std::time::{Duration, Instant};

/// How long most faults are held.
pub(super) const HELD: Duration = Duration::from_secs(35);

/// The longest time until somebody has met a fault: references are looked at each minute.
const UNMET: Duration = Duration::from_secs(150);

/// Longest pause of the breaker after a fault of this length, a look's longest back-off, and the look.
pub(super) const WITHIN: Duration = Duration::from_secs(180);

/// What throttling clouds ask for.
const ASKED: Duration = Duration::from_secs(15);

/// What the operator takes for the pause when a platform states none.
const ASSUMED: Duration = Duration::from_secs(30);

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "cloud-outage",
        what: "The clouds answer 503 to everything; then they refuse connections.",
        runs: 2,
        within: WITHIN,
        strike: |world, run| Box::pin(outage(world, run)),
    },
    Fault {
        name: "cloud-late",
        what: "The clouds answer after 30 s.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(with(world, &[FaultKind::Latency { ms: 30_000 }], HELD)),
    },
    Fault {
        name: "cloud-500",
        what: "Of ten calls of the clouds one, by chance, is answered with 500.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| Box::pin(tenth(world)),
    },
    Fault {
        name: "cloud-429-retry-after",
        what: "The clouds throttle every call and state a pause of 15 s.",
        runs: 2,
        within: WITHIN,
        strike: |world, run| Box::pin(throttle(world, run, Some(ASKED))),
    },
    Fault {
        name: "cloud-429",
        what: "The clouds throttle every call and state no pause.",
        runs: 2,
        within: WITHIN,
        strike: |world, run| Box::pin(throttle(world, run, None)),
    },
];

/// Holds what was begun for a time, and until as many calls as stated have met it.
pub(super) async fn hold(long: Duration, least: u64, met: impl Fn() -> u64) -> Result<()> {
    let (begun, before) = (Instant::now(), met());
    while begun.elapsed() < long || met() < before + least {
        ensure!(begun.elapsed() < UNMET, "nobody met it within {UNMET:?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

/// Every call of the clouds is hit by all of this for a time.
pub(super) async fn with(world: &World, kinds: &[FaultKind], long: Duration) -> Result<()> {
    let faults = kinds.iter().cloned().map(fakecloud::Fault::always);
    faulty(world, faults.collect(), long).await
}

async fn faulty(world: &World, faults: Vec<fakecloud::Fault>, long: Duration) -> Result<()> {
    let cloud = &world.cloud;
    cloud.set_faults(faults);
    let held = hold(long, 3, || cloud.calls().total()).await;
    cloud.clear_faults();
    held
}

async fn outage(world: &World, run: u32) -> Result<()> {
    if run.is_multiple_of(2) {
        let unavailable = FaultKind::Status {
            status: 503,
            error_code: "ModelArts.0503".into(),
            error_message: "the service is not available".into(),
            retry_after: None,
        };
        return with(world, &[unavailable], HELD).await;
    }
    world.cloud_gate.set(State::Closed).await?;
    world.front.gate.set(State::Closed).await?;
    // Who comes is not counted where nobody is.
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.front.gate.set(State::Open).await?;
    world.cloud_gate.set(State::Open).await
}

async fn tenth(world: &World) -> Result<()> {
    let seed = world.settings.seed;
    world.cloud.configure(|options| options.chance_seed = seed);
    let failing = fakecloud::Fault::always(FaultKind::Internal500).percent(10);
    faulty(world, vec![failing], Duration::from_secs(75)).await
}

/// Each cloud throttles in its own form; `ModelArts` by its gateway, and PAI by 429, in every second run.
async fn throttle(world: &mut World, run: u32, pause: Option<Duration>) -> Result<()> {
    let seconds = pause.map(|pause| pause.as_secs());
    let (huawei, status) = if run.is_multiple_of(2) {
        (
            FaultKind::ThrottledModelArts {
                retry_after_s: seconds,
            },
            400,
        )
    } else {
        (
            FaultKind::ThrottledGateway {
                retry_after_s: seconds,
            },
            429,
        )
    };
    let pai = FaultKind::ThrottledPai {
        retry_after_ms: seconds.map(|seconds| seconds * 1000),
    };
    let cloud = &world.cloud;
    let before = cloud.options().pai_throttle_status;
    cloud.configure(|options| options.pai_throttle_status = status);
    let on = |kind: &FaultKind, operations: &[Operation]| {
        let fault = |operation: &Operation| fakecloud::Fault::always(kind.clone()).on(*operation);
        operations.iter().map(fault).collect::<Vec<_>>()
    };
    let of_modelarts = [Operation::ShowImage, Operation::ListImage];
    let of_pai = [Operation::PaiGetImage, Operation::PaiListImages];
    let faults = [on(&huawei, &of_modelarts), on(&pai, &of_pai)].concat();
    let begun = jiff::Timestamp::now();
    cloud.set_faults(faults);
    // Some pauses long, so that they are kept again and again.
    let paused = || {
        let services = [Service::ModelArts, Service::Pai];
        let log = cloud.log();
        let throttled = services.map(|service| pauses::throttled(&log, service, begun).count());
        throttled.into_iter().min().unwrap_or_default() as u64
    };
    let held = hold(Duration::from_secs(65), 1, paused).await;
    cloud.clear_faults();
    let log = cloud.log();
    cloud.configure(|options| options.pai_throttle_status = before);
    held?;
    let pause = Pause {
        since: begun,
        long: pause.unwrap_or(ASSUMED),
    };
    for what in pauses::broken(&log, &pause) {
        world.find("no call in a pause", "the clouds", what);
    }
    Ok(())
}
