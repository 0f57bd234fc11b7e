//! Faults of the operator's own processes: killed, frozen, starved.
//!
//! Owns how each begins and ends. Must not know the API server, nor what must hold meanwhile. The
//! invariant that would break first: when a fault is back, nothing is broken any more.

use crate::chance::Chance;
use crate::fault::Fault;
use crate::mix;
use crate::world::{Extra, NAMES, Signal, WEBHOOK, World};
use anyhow::{Context as _, Result, ensure};
use futures::{FutureExt as _, StreamExt as _, stream};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use site::proc;
use std::time::{Duration, Instant};

/// One begins to work within 16 s of the other's end, and lists everything.
const TAKEOVER: Duration = Duration::from_secs(45);

/// A lease is 15 s long; a second more, and the process that was frozen has lost it for sure.
const BEYOND_LEASE: Duration = Duration::from_secs(20);

/// An image that changed at the end of a fault is seen within an interval of a minute.
const NEXT_LOOK: Duration = Duration::from_secs(120);

/// How long a fault holds that has no length of its own.
const HELD: Duration = Duration::from_secs(30);

/// Edits under way at once.
const EDITS: usize = 16;

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "nothing",
        what: "Nothing is broken: what the rules see while life goes on.",
        runs: 1,
        within: NEXT_LOOK,
        strike: |world, _| world.hold(HELD).boxed(),
    },
    Fault {
        name: "kill-9",
        what: "The replica that works is killed while it writes statuses, since many specs were edited.",
        runs: 50,
        within: TAKEOVER,
        strike: |world, run| kill(world, run, false).boxed(),
    },
    Fault {
        name: "kill-9-both",
        what: "Both replicas are killed at once, in the midst of writing.",
        runs: 3,
        within: NEXT_LOOK,
        strike: |world, run| kill(world, run, true).boxed(),
    },
    Fault {
        name: "rollout",
        what: "One replica after the other is asked to stop, and is started anew.",
        runs: 2,
        within: NEXT_LOOK,
        strike: |world, _| rollout(world).boxed(),
    },
    Fault {
        name: "freeze",
        what: "The replica that works is frozen for longer than its lease, wakes up, and must end without a write.",
        runs: 2,
        within: NEXT_LOOK,
        strike: |world, _| freeze(world).boxed(),
    },
    Fault {
        name: "logs-disk-full",
        what: "Nothing that a process logs can be written.",
        runs: 1,
        within: NEXT_LOOK,
        strike: |world, _| logs(world).boxed(),
    },
    Fault {
        name: "memory-limit",
        what: "The replica that works gets no more memory in the midst of its work, and ends.",
        runs: 2,
        within: NEXT_LOOK,
        strike: |world, run| starve(world, run).boxed(),
    },
    Fault {
        name: "webhook-kill-9",
        what: "The webhook is killed, is away for a while, and is started anew.",
        runs: 3,
        within: NEXT_LOOK,
        strike: |world, _| webhook(world).boxed(),
    },
];

/// The place of the replica that works.
async fn leading(world: &World) -> Result<usize> {
    let leader = world.leader().await?;
    leader.context("nobody holds the lease")
}

/// Edits every fourth reference, many at once; each edit alone makes a status.
async fn edit(world: &World, run: u32) -> Result<()> {
    let living = world.living();
    let edited = (0..world.settings.refs).filter(|number| number % 4 == run % 4);
    let edited = edited.filter(|number| !mix::is_steady(*number));
    stream::iter(edited)
        .map(|number| {
            let living = &living;
            async move { living.edit(number, number / 4 + run).await }
        })
        .buffer_unordered(EDITS)
        .fold(Ok(()), |all, one| async { all.and(one) })
        .await
}

/// Kills while edits come in, at another moment each time.
async fn kill(world: &mut World, run: u32, both: bool) -> Result<()> {
    let leader = leading(world).await?;
    let mut chance = Chance::new(world.settings.seed, &format!("kill {both} {run}"));
    let moment = Duration::from_millis(u64::from(100 + chance.below(900)));
    let pids = world.operators.iter().flatten().map(|process| process.pid);
    let of_leader = world.operators[leader].as_ref().map(|process| process.pid);
    let killed: Vec<i32> = pids.filter(|pid| both || Some(*pid) == of_leader).collect();
    let killing = async {
        tokio::time::sleep(moment).await;
        for pid in &killed {
            let pid = Pid::from_raw(*pid).context("not a process")?;
            rustix::process::kill_process(pid, Signal::KILL)?;
        }
        anyhow::Ok(())
    };
    let (edited, was_killed) = tokio::join!(edit(world, run), killing);
    edited.and(was_killed)?;
    for place in 0..WEBHOOK {
        if both || place == leader {
            world.spawn(place, Extra::default()).await?;
        }
    }
    Ok(())
}

async fn rollout(world: &mut World) -> Result<()> {
    for (place, name) in NAMES.iter().enumerate().take(WEBHOOK) {
        let process = world.process(place).context("it does not run")?;
        process.signal(Signal::TERM)?;
        let status = process.end(HELD).await?;
        if !status.success() {
            let how = format!("it ended with {status} when it was asked to stop");
            world.find("a process stops in order", name, how);
        }
        world.start_operator(place, Extra::default()).await?;
    }
    Ok(())
}

async fn freeze(world: &mut World) -> Result<()> {
    let leader = leading(world).await?;
    world.signal(leader, Signal::STOP)?;
    let frozen = world.hold(BEYOND_LEASE).await;
    world.signal(leader, Signal::CONT)?;
    frozen?;
    let process = world.process(leader).context("it does not run")?;
    let before = process.log().len();
    // It may not write any more: it notices that its claim is over, and ends.
    let ended = process.end(Duration::from_secs(15)).await;
    let said = process.log().get(before..).unwrap_or_default().to_owned();
    let about = NAMES[leader];
    match ended {
        Ok(status) if status.code() == Some(2) => {}
        other => world.find(
            "who lost the lease ends",
            about,
            format!("{other:?}: {said}"),
        ),
    }
    if said.contains("Resolved") {
        world.find("who lost the lease writes nothing", about, said);
    }
    world.spawn(leader, Extra::default()).await
}

async fn logs(world: &mut World) -> Result<()> {
    let full = Extra {
        redirect: Some("2>/dev/full"),
        ..Extra::default()
    };
    for place in 0..NAMES.len() {
        world.kill(place).await?;
        world.spawn(place, full.clone()).await?;
    }
    for place in 0..NAMES.len() {
        world.ready(place).await?;
    }
    edit(world, 0).await?;
    world.hold(HELD).await?;
    for (place, name) in NAMES.iter().enumerate() {
        if world
            .process(place)
            .is_none_or(|process| process.ended().is_some())
        {
            let how = "it ended while its logs could not be written";
            world.find("no process ends", name, how);
        }
        world.remove(place);
        world.spawn(place, Extra::default()).await?;
    }
    Ok(())
}

async fn starve(world: &mut World, run: u32) -> Result<()> {
    let leader = leading(world).await?;
    let process = world.process(leader).context("it does not run")?;
    let limit = Rlimit {
        current: Some(proc::data_bytes(process.pid)? + 64 * 1024),
        maximum: None,
    };
    let pid = Pid::from_raw(process.pid).context("not a process")?;
    prlimit(Some(pid), Resource::Data, limit)?;
    let begun = Instant::now();
    // More work until there is no memory for it.
    while world
        .process(leader)
        .is_some_and(|process| process.ended().is_none())
    {
        ensure!(begun.elapsed() < HELD * 2, "it goes on without memory");
        edit(world, run).await?;
    }
    world.spawn(leader, Extra::default()).await
}

async fn webhook(world: &mut World) -> Result<()> {
    world.kill(WEBHOOK).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.start_webhook(Extra::default()).await
}
