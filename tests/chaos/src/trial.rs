//! One run of a fault: life and traffic go on, the fault strikes, and then all must be right again.
//!
//! Owns the order of a run, and what is measured of it. Must not know what the fault does. The invariant
//! that would break first: the time of recovery counts from the moment at which nothing is broken any
//! more.

use crate::calls::Calls;
use crate::chance::Chance;
use crate::fault::Fault;
use crate::history::Key;
use crate::life::Tempo;
use crate::pods::{Counts, Pods};
use crate::record::{Recorder, listed};
use crate::rules::{self, Call, Level, Violation};
use crate::world::{NAMES, WEBHOOK, World};
use anyhow::{Context as _, Result};
use std::time::{Duration, Instant};

/// From a cold start until every reference says what is true.
const FIRST: Duration = Duration::from_secs(240);

/// How often it is looked at whether all is right again.
const LOOK: Duration = Duration::from_millis(250);

/// What is held for so long after all is right again is leaked.
const LEAKED: Duration = Duration::from_secs(60);

/// Answers of admission in a row that must be the right ones.
const WELL: u32 = 20;

/// The limits of memory in the chart's values, in MiB.
const LIMITS: [f64; 3] = [512.0, 512.0, 256.0];

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the end of the fault until all was right; `None` if that took too long.
    pub(crate) recovered: Option<Duration>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) pods: Counts,
    /// How often a process was started again by itself.
    pub(crate) restarts: u32,
}

impl Outcome {
    /// Of a run that did not come to its end.
    pub(crate) fn broken_off(violation: Violation) -> Self {
        Self {
            recovered: None,
            violations: vec![violation],
            pods: Counts::default(),
            restarts: 0,
        }
    }
}

/// A world that is watched.
pub(crate) struct Trial {
    pub(crate) world: World,
    recorder: Recorder,
    pods: Pods,
    calls: Calls,
    /// What each process held when all was right for the first time.
    before: [Level; 3],
}

impl Trial {
    /// Watches a world, once it is right.
    pub(crate) async fn begin(mut world: World) -> Result<Self> {
        let begun = world.truth.begun();
        let recorder = Recorder::start(&world.client, begun);
        let refs = world.settings.refs;
        listed(&recorder, usize::try_from(refs)?, FIRST).await?;
        let pods = Pods::start(&world.client, refs, begun);
        let calls = Calls::start(&world.cloud, begun);
        let settled = settle(&mut world, &recorder, &pods, FIRST).await?;
        settled.map_err(|what| anyhow::anyhow!("not right after {FIRST:?}: {what}"))?;
        let before = levels(&mut world).await?;
        Ok(Self {
            world,
            recorder,
            pods,
            calls,
            before,
        })
    }

    /// Runs a fault once.
    pub(crate) async fn run(&mut self, fault: &Fault, run: u32) -> Result<Outcome> {
        self.recorder.history().forget();
        self.pods.take();
        self.calls.take();
        self.world.ends.clear();
        self.world.found.clear();
        self.world.begins.clear();
        self.world.restarts = 0;
        let tempo = match fault.runs {
            ..=8 => Tempo::Full,
            // What is true stays so, so that recovery is not about the interval each time.
            _ => Tempo::References,
        };
        let chance = Chance::new(self.world.settings.seed, &format!("{} {run}", fault.name));
        let life = self.world.living().begin(tempo, chance);
        let struck = (fault.strike)(&mut self.world, run).await;
        life.end().await?;
        struck.with_context(|| format!("{} could not be made", fault.name))?;
        let world = &mut self.world;
        let settled = settle(world, &self.recorder, &self.pods, fault.within).await?;
        let mut violations = self.judge();
        let now = self.world.truth.now();
        let recovered = match settled {
            Ok(time) => Some(time),
            Err(what) => {
                let late = Violation::new("all is right in time", fault.name, now, what);
                violations.push(late);
                None
            }
        };
        violations.extend(self.leaks().await?);
        let (pods, wrong) = self.pods.take();
        violations.extend(wrong);
        Ok(Outcome {
            recovered,
            violations,
            pods,
            restarts: self.world.restarts,
        })
    }

    /// What the processes hold too much of, and go on to hold: a burst of looks, a task each, is no leak.
    async fn leaks(&mut self) -> Result<Vec<Violation>> {
        let most = most(&self.before);
        let begun = Instant::now();
        loop {
            let levels = levels(&mut self.world).await?;
            let now = self.world.truth.now();
            let held = levels.iter().enumerate().flat_map(|(place, level)| {
                let before = match place {
                    WEBHOOK => &self.before[WEBHOOK],
                    _ => &most,
                };
                rules::leaks(NAMES[place], now, before, level, LIMITS[place])
            });
            let held: Vec<_> = held.collect();
            if held.is_empty() || begun.elapsed() > LEAKED {
                return Ok(held);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What of the run was against the rules.
    fn judge(&mut self) -> Vec<Violation> {
        let past = self.world.truth.past_so_far();
        let deleted = self.world.deeds.deleted();
        let mut found = Vec::new();
        for (key, seen) in &self.recorder.history().0 {
            found.extend(rules::true_ready(key, seen, &past));
            found.extend(rules::kept(key, seen, deleted.contains(key)));
            found.extend(rules::verdicts_kept(key, seen, &past));
        }
        for (account, mut calls) in self.calls.take() {
            let begins = self.world.begins.iter();
            calls.extend(begins.map(|at| (*at, Call::Begins)));
            calls.sort_unstable();
            found.extend(rules::over_budget(&account, &calls));
        }
        let ends = self.world.ends.drain(..);
        let ends = ends.map(|(at, how)| Violation::new("no process ends", "a process", at, how));
        found.extend(ends);
        found.append(&mut self.world.found);
        found
    }
}

/// Waits until every reference says what is true, one that is created now too, and admission answers as
/// it must. Gives the time that took, or what was wrong at the end.
async fn settle(
    world: &mut World,
    recorder: &Recorder,
    pods: &Pods,
    within: Duration,
) -> Result<Result<Duration, String>> {
    let begun = Instant::now();
    let mut marker: Option<Key> = None;
    loop {
        world.revive().await?;
        if marker.is_none() {
            marker = world.living().create().await.ok();
        }
        let wrong = wrong(world, recorder, pods, marker.as_ref());
        let took = begun.elapsed();
        match wrong {
            None => return Ok(Ok(took)),
            Some(what) if took > within => return Ok(Err(what)),
            Some(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn wrong(world: &World, recorder: &Recorder, pods: &Pods, marker: Option<&Key>) -> Option<String> {
    let Some(marker) = marker else {
        return Some("no reference can be created".into());
    };
    let now = world.truth.now();
    let past = world.truth.past_so_far();
    let history = recorder.history();
    let mut is_seen = false;
    let mut wrong = Vec::new();
    for (key, said) in history.latest() {
        is_seen |= key == marker;
        if let Err(what) = rules::is_true_now(said, &past, now) {
            wrong.push(format!("{key}: {what}"));
        }
    }
    if let Some(first) = wrong.first() {
        return Some(format!("{} references are not right: {first}", wrong.len()));
    }
    if !is_seen {
        return Some(format!("{marker} was not seen"));
    }
    (pods.well() < WELL).then(|| "admission does not answer".into())
}

/// What each process holds.
async fn levels(world: &mut World) -> Result<[Level; 3]> {
    let mut levels = [Level::default(); 3];
    for (place, level) in levels.iter_mut().enumerate() {
        world.ready(place).await?;
        *level = world.meter.read(place).await?.1;
    }
    Ok(levels)
}

/// The most that any replica of the operator held: either may be the one that works.
fn most(levels: &[Level; 3]) -> Level {
    let [one, other, _] = levels;
    Level {
        descriptors: one.descriptors.max(other.descriptors),
        threads: one.threads.max(other.threads),
        tasks: one.tasks.max(other.tasks),
        rss_mib: one.rss_mib.max(other.rss_mib),
        peak_mib: one.peak_mib.max(other.peak_mib),
        leads: one.leads || other.leads,
    }
}
