//! Faults of the API server and etcd as the operator sees them.
//!
//! Owns how each begins and ends. Must not know the clouds, nor what must hold meanwhile. The invariant that
//! would break first: when a fault is back, nothing is broken any more, also where it failed midway.

use crate::fault::Fault;
use crate::road::{Answer, Mode, Share};
use crate::world::World;
use anyhow::{Context as _, Result, ensure};
use cluster::Cluster;
use futures::FutureExt as _;
use kube::api::{Patch, PatchParams, Request};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const HOLDS: Duration = Duration::from_secs(30);

/// A claim on the lease ends after 12 s, another process takes it after 15, and reads its lists; watches
/// that fail are repeated after half a minute at most. Then each reference is looked at once, within its
/// interval of a minute. Two cores need up to 120 s with 1,000 references.
const AFTER_AN_OUTAGE: Duration = Duration::from_secs(180);

/// Nothing has ended, and watches are repeated at once.
const AFTER_A_BREAK: Duration = Duration::from_secs(120);

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "apiserver-restart",
        what: "The API server gets SIGTERM, which open watches outlast, SIGKILL 30 s later, and is started again.",
        runs: 1,
        within: AFTER_AN_OUTAGE,
        strike: |world, _| rolled(world).boxed(),
    },
    Fault {
        name: "apiserver-killed",
        what: "The API server is killed with SIGKILL and comes back 10 s later.",
        runs: 1,
        within: AFTER_AN_OUTAGE,
        strike: |world, _| killed(world).boxed(),
    },
    Fault {
        name: "apiserver-freeze",
        what: "The API server is frozen for 30 s: connections stay open and nothing is answered.",
        runs: 1,
        within: AFTER_AN_OUTAGE,
        strike: |world, _| frozen(world).boxed(),
    },
    Fault {
        name: "apiserver-429",
        what: "Every request of the operator and the webhook is answered 429 for 30 s, without Retry-After.",
        runs: 1,
        within: AFTER_AN_OUTAGE,
        strike: |world, _| answered(world, 429, None, Share::ALL).boxed(),
    },
    Fault {
        name: "apiserver-429-retry-after",
        what: "Every request of the operator and the webhook is answered 429 with Retry-After for 30 s.",
        runs: 1,
        within: AFTER_AN_OUTAGE,
        strike: |world, _| answered(world, 429, Some(1), Share::ALL).boxed(),
    },
    Fault {
        name: "apiserver-500",
        what: "Every request of the operator and the webhook is answered 500 for 30 s.",
        runs: 1,
        within: AFTER_AN_OUTAGE,
        strike: |world, _| answered(world, 500, None, Share::ALL).boxed(),
    },
    Fault {
        name: "apiserver-500-half",
        what: "Every other request of the operator and the webhook is answered 500 for 30 s.",
        runs: 1,
        within: AFTER_A_BREAK,
        strike: |world, _| answered(world, 500, None, Share::percent(50)).boxed(),
    },
    Fault {
        name: "apiserver-refuses",
        what: "Connections to the API server are reset, and new ones refused, for 30 s.",
        runs: 1,
        within: AFTER_AN_OUTAGE,
        strike: |world, _| {
            disturbed(world, Mode::Refuse, HOLDS)
                .map(|seen| seen.map(drop))
                .boxed()
        },
    },
    Fault {
        name: "black-hole",
        what: "All connections to the API server die without a word for 30 s, and the old ones for good.",
        runs: 1,
        within: AFTER_AN_OUTAGE,
        strike: |world, _| black_hole(world).boxed(),
    },
    Fault {
        name: "leader-cut-off",
        what: "The connections of the replica that works die without a word for 30 s, and of it alone.",
        runs: 1,
        within: AFTER_AN_OUTAGE,
        strike: |world, _| leader_cut_off(world).boxed(),
    },
    Fault {
        name: "watch-expired",
        what: "Watches fall behind while etcd is compacted and the API server restarted: their version is gone (410).",
        runs: 1,
        within: AFTER_A_BREAK,
        strike: |world, _| expired(world).boxed(),
    },
    Fault {
        name: "watch-cut",
        what: "For 30 s each watch breaks in the middle of its second event.",
        runs: 1,
        within: AFTER_A_BREAK,
        strike: |world, _| cut(world).boxed(),
    },
    Fault {
        name: "watch-late",
        what: "For 40 s events of watches arrive 20 s late, while requests are answered at once.",
        runs: 1,
        within: AFTER_A_BREAK,
        strike: |world, _| late(world).boxed(),
    },
    Fault {
        name: "conflicts",
        what: "For 30 s another writer changes objects as fast as it can, so that writes of statuses conflict.",
        runs: 1,
        within: AFTER_A_BREAK,
        strike: |world, _| conflicts(world).boxed(),
    },
];

async fn rolled(world: &mut World) -> Result<()> {
    let cluster = world.cluster.clone();
    let rolled = tokio::task::spawn_blocking(move || cluster.roll_apiserver());
    while !rolled.is_finished() {
        world.hold(Duration::from_millis(500)).await?;
    }
    rolled.await?
}

async fn killed(world: &mut World) -> Result<()> {
    world.control(Cluster::stop_apiserver).await?;
    let held = world.hold(Duration::from_secs(10)).await;
    world.control(Cluster::restart_apiserver).await?;
    held
}

async fn frozen(world: &mut World) -> Result<()> {
    world
        .control(|cluster| cluster.freeze_apiserver(true))
        .await?;
    let held = world.hold(HOLDS).await;
    world
        .control(|cluster| cluster.freeze_apiserver(false))
        .await?;
    held
}

/// Holds a mode at all doors; what was seen meanwhile.
async fn disturbed(world: &mut World, mode: Mode, time: Duration) -> Result<crate::road::Counts> {
    let before = world.road.counts();
    world.road.set(&mode);
    let held = world.hold(time).await;
    world.road.set(&Mode::Pass);
    held?;
    Ok(world.road.counts().since(before))
}

async fn answered(
    world: &mut World,
    status: u16,
    retry_after: Option<u32>,
    share: Share,
) -> Result<()> {
    let answer = Answer {
        status,
        retry_after,
        share,
    };
    // Watches that are open would hear nothing of it.
    world.road.reset();
    let seen = disturbed(world, Mode::Answer(answer), HOLDS).await?;
    ensure!(seen.answered > 0, "nobody was answered {status}: {seen:?}");
    Ok(())
}

async fn black_hole(world: &mut World) -> Result<()> {
    let seen = disturbed(world, Mode::BlackHole, HOLDS).await?;
    ensure!(seen.silenced > 0, "no connection fell silent: {seen:?}");
    Ok(())
}

async fn leader_cut_off(world: &mut World) -> Result<()> {
    let leader = world.leader().await?.context("nobody holds the lease")?;
    world.road.set_door(leader, &Mode::BlackHole);
    let held = world.hold(HOLDS).await;
    world.road.set_door(leader, &Mode::Pass);
    held?;
    let other = world.leader().await?;
    ensure!(
        other != Some(leader),
        "who was cut off still holds the lease"
    );
    Ok(())
}

async fn expired(world: &mut World) -> Result<()> {
    let before = world.road.counts();
    world.road.set(&Mode::HoldEvents);
    let behind = fall_behind(world).await;
    world.road.reset();
    world.road.set(&Mode::Pass);
    behind?;
    let begun = Instant::now();
    loop {
        let seen = world.road.counts().since(before);
        if seen.gone > 0 {
            return Ok(());
        }
        ensure!(begun.elapsed() < HOLDS, "no watch was too old: {seen:?}");
        world.hold(Duration::from_secs(1)).await?;
    }
}

/// Has more happen than the watches hear of, and forgets what they have not heard.
async fn fall_behind(world: &mut World) -> Result<()> {
    for number in 0..20 {
        touch(world, number % world.settings.refs).await?;
    }
    world.control(Cluster::compact).await?;
    // Until then it knows the latest events itself, whatever etcd has forgotten.
    world.control(Cluster::restart_apiserver).await
}

async fn cut(world: &mut World) -> Result<()> {
    let seen = disturbed(world, Mode::CutEvents { after: 1 }, HOLDS).await?;
    ensure!(
        seen.cut > 1,
        "watches were not cut again and again: {seen:?}"
    );
    Ok(())
}

async fn late(world: &mut World) -> Result<()> {
    let mode = Mode::LateEvents(Duration::from_secs(20));
    let seen = disturbed(world, mode, Duration::from_secs(40)).await?;
    ensure!(seen.events > 0, "no event came late: {seen:?}");
    Ok(())
}

async fn conflicts(world: &mut World) -> Result<()> {
    let before = conflicted(world).await?;
    // What the operator writes is planned for an object that was changed meanwhile.
    world.road.set(&Mode::LateEvents(Duration::from_secs(3)));
    let changed = change_all(world).await;
    let after = conflicted(world).await;
    world.road.set(&Mode::Pass);
    changed?;
    let after = after?;
    ensure!(
        after > before,
        "no write met a conflict: {before} before, {after} after"
    );
    Ok(())
}

async fn change_all(world: &mut World) -> Result<()> {
    let begun = Instant::now();
    let refs = 0..world.settings.refs;
    for number in refs.cycle() {
        if begun.elapsed() >= HOLDS {
            break;
        }
        touch(world, number).await?;
        if number % 64 == 0 {
            world.revive().await?;
        }
    }
    Ok(())
}

/// How many writes of statuses met a conflict, by what the replica that works counts.
async fn conflicted(world: &World) -> Result<u64> {
    let leader = world.leader().await?.context("nobody holds the lease")?;
    let metrics = world.meter.metrics(leader).await?;
    let of_refs = metrics.lines().filter(|line| {
        line.starts_with("imageref_status_writes_total{")
            && line.contains("\"ImageRef\"")
            && line.contains("\"conflict\"")
    });
    let counts = of_refs.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(counts.sum())
}

/// Changes the version of a reference and nothing that the operator reads; one that is gone is left
/// alone.
async fn touch(world: &World, number: u32) -> Result<()> {
    let now = jiff::Timestamp::now().to_string();
    let labels = json!({"annotations": {"example.com/touched": now}});
    let patch = Patch::Merge(json!({"metadata": labels}));
    let request = Request::new(crate::mix::path(number));
    let name = crate::mix::name(number);
    let request = request.patch(&name, &PatchParams::default(), &patch)?;
    match world.client.request::<Value>(request).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        answer => answer.map(drop).context("touching a reference"),
    }
}
