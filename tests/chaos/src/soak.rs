//! `make soak`: faults one after another for as long as is asked, and what the processes hold meanwhile.
//!
//! Owns the samples and what is made of them. Must not know how a fault is made. The invariant that would
//! break first: a sample is on disk when it was taken, so that a run that is stopped keeps its samples.

mod slope;

use crate::chance::Chance;
use crate::fault::Fault;
use crate::rules::{Level, Violation};
use crate::trial::Trial;
use crate::world::{Meter, NAMES, Settings, World};
use crate::{faults, report};
use anyhow::{Context as _, Result};
use serde::Serialize;
use site::Progress;
use slope::{Point, Slope};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// From one sample to the next.
const EACH: Duration = Duration::from_secs(10);

/// From one fault to the next: so long nothing is broken.
const PAUSE: Duration = Duration::from_secs(30);

/// A process is not what it will be until so long after its start, or after it began to work.
const WARM: Duration = Duration::from_secs(300);

const HEADER: &str = "seconds,process,pid,rss_mib,descriptors,threads,tasks,leads";

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Since sampling began.
    at: Duration,
    place: usize,
    pid: i32,
    level: Level,
}

/// What a process came to.
#[derive(Debug, Serialize)]
struct Process {
    #[serde(rename = "process")]
    name: &'static str,
    samples: usize,
    /// Processes that had its place.
    lives: usize,
    rss_mib_max: f64,
    descriptors_max: u32,
    threads_max: u32,
    tasks_max: u32,
    /// Of the resident memory, over the second half; `None` if no process lived long enough.
    rss_mib_per_hour: Option<Slope>,
}

#[derive(Debug, Serialize)]
struct Report {
    minutes: u64,
    refs: u32,
    seed: u64,
    faults: Vec<String>,
    restarts: u32,
    processes: Vec<Process>,
    violations: Vec<Violation>,
}

/// Breaks things for so long; whether all rules held.
pub(crate) async fn run(settings: Settings, minutes: u64, out: &Path) -> Result<bool> {
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let progress = Progress::new();
    let long = Duration::from_secs(minutes * 60);
    let world = World::start(settings.clone(), &progress).await?;
    progress.step("cold start", 1);
    let mut trial = Trial::begin(world).await?;
    let sampler = Sampler::start(trial.world.meter.clone(), &out.join("samples.csv"))?;
    let begun = Instant::now();
    let mut chance = Chance::new(settings.seed, "soak");
    let mut report = Report {
        minutes,
        refs: settings.refs,
        seed: settings.seed,
        faults: Vec::new(),
        restarts: 0,
        processes: Vec::new(),
        violations: Vec::new(),
    };
    let chosen: Vec<&Fault> = faults::all()
        .filter(|fault| faults::spares(fault))
        .collect();
    while begun.elapsed() < long {
        let place = chance.below(u32::try_from(chosen.len())?);
        let fault = chosen[usize::try_from(place)?];
        progress.step(&format!("{}: {}", fault.name, fault.what), 1);
        let run = u32::try_from(report.faults.len())?;
        let outcome = trial.run(fault, run).await?;
        report.faults.push(fault.name.into());
        report.restarts += outcome.restarts;
        let found = outcome.violations.len();
        report.violations.extend(outcome.violations);
        let minute = begun.elapsed().as_secs() / 60;
        progress.line(&format!(
            "{}: {found} violations, minute {minute}",
            fault.name
        ));
        report.processes = processes(&sampler.samples(), long);
        report::write(out, &report)?;
        trial
            .world
            .hold(PAUSE.min(long.saturating_sub(begun.elapsed())))
            .await?;
    }
    report.processes = processes(&sampler.samples(), long);
    report::write(out, &report)?;
    drop(progress);
    crate::say(&text(&report))?;
    Ok(report.violations.is_empty())
}

/// Takes samples; it ends with this value.
struct Sampler {
    samples: Arc<Mutex<Vec<Sample>>>,
    sampling: JoinHandle<()>,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.sampling.abort();
    }
}

impl Sampler {
    fn start(meter: Meter, path: &Path) -> Result<Self> {
        let mut file =
            File::create(path).with_context(|| format!("creating {}", path.display()))?;
        writeln!(file, "{HEADER}")?;
        let samples = Arc::<Mutex<Vec<Sample>>>::default();
        let kept = samples.clone();
        let sampling = tokio::spawn(async move {
            let begun = Instant::now();
            let mut turns = tokio::time::interval(EACH);
            loop {
                turns.tick().await;
                for place in 0..NAMES.len() {
                    let at = begun.elapsed();
                    // One that is frozen or starts does not answer: there is no sample of it.
                    let Ok((pid, level)) = meter.read(place).await else {
                        continue;
                    };
                    let sample = Sample {
                        at,
                        place,
                        pid,
                        level,
                    };
                    // A full disk must not end the run.
                    let _ = writeln!(file, "{}", line(&sample));
                    kept.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(sample);
                }
            }
        });
        Ok(Self { samples, sampling })
    }

    fn samples(&self) -> Vec<Sample> {
        let samples = self.samples.lock();
        samples.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn line(sample: &Sample) -> String {
    let level = &sample.level;
    format!(
        "{},{},{},{:.2},{},{},{},{}",
        sample.at.as_secs(),
        NAMES[sample.place],
        sample.pid,
        level.rss_mib,
        level.descriptors,
        level.threads,
        level.tasks.unwrap_or_default(),
        u8::from(level.leads)
    )
}

fn processes(samples: &[Sample], long: Duration) -> Vec<Process> {
    let of = |place| {
        let own: Vec<_> = samples.iter().filter(|one| one.place == place).collect();
        let mut pids: Vec<_> = own.iter().map(|one| one.pid).collect();
        pids.dedup();
        let most = |of: fn(&Level) -> u32| own.iter().map(|one| of(&one.level)).max();
        Process {
            name: NAMES[place],
            samples: own.len(),
            lives: pids.len(),
            rss_mib_max: own
                .iter()
                .fold(0.0, |most, one| one.level.rss_mib.max(most)),
            descriptors_max: most(|level| level.descriptors).unwrap_or_default(),
            threads_max: most(|level| level.threads).unwrap_or_default(),
            tasks_max: most(|level| level.tasks.unwrap_or_default()).unwrap_or_default(),
            rss_mib_per_hour: slope::of(&warm(&own, long)),
        }
    };
    (0..NAMES.len()).map(of).collect()
}

/// The points of the second half at which the process was warm; in a short run that is sooner. A
/// process that waited for the lease and then works has another life.
fn warm(samples: &[&Sample], long: Duration) -> Vec<Point> {
    let cold = WARM.min(long / 4);
    let (mut life, mut began, mut now) = (0, Duration::ZERO, None);
    let mut points = Vec::new();
    for sample in samples {
        let is = Some((sample.pid, sample.level.leads));
        if now != is {
            (life, began, now) = (life + 1, sample.at, is);
        }
        if sample.at >= long / 2 && sample.at.saturating_sub(began) >= cold {
            points.push(Point {
                life,
                hours: sample.at.as_secs_f64() / 3600.0,
                value: sample.level.rss_mib,
            });
        }
    }
    points
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{:<12} {:>7} {:>5} {:>11} {:>18} {:>15} {:>11} {:>9}\n",
        "PROCESS",
        "SAMPLES",
        "LIVES",
        "RSS_MIB_MAX",
        "RSS_MIB_PER_HOUR",
        "DESCRIPTORS_MAX",
        "THREADS_MAX",
        "TASKS_MAX"
    );
    for one in &report.processes {
        let slope = match &one.rss_mib_per_hour {
            Some(slope) => format!("{:.2} ± {:.2}", slope.value, slope.standard_error),
            None => "-".into(),
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{:<12} {:>7} {:>5} {:>11.1} {:>18} {:>15} {:>11} {:>9}",
            one.name,
            one.samples,
            one.lives,
            one.rss_mib_max,
            slope,
            one.descriptors_max,
            one.threads_max,
            one.tasks_max
        );
    }
    let _ = writeln!(
        text,
        "\n{} faults, {} restarts, {} violations",
        report.faults.len(),
        report.restarts,
        report.violations.len()
    );
    for violation in &report.violations {
        let _ = writeln!(
            text,
            "  {} ({}): {}",
            violation.rule, violation.about, violation.what
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(minute: u64, pid: i32, rss_mib: f64) -> Sample {
        Sample {
            at: Duration::from_secs(minute * 60),
            place: 0,
            pid,
            level: Level {
                rss_mib,
                descriptors: 9,
                ..Level::default()
            },
        }
    }

    #[test]
    fn a_slope_is_of_the_second_half_and_of_warm_processes_alone() {
        let growth = (0..60_u32).map(|n| sample(n.into(), 1, 40.0 + f64::from(n) / 60.0));
        let all: Vec<_> = growth.collect();
        let hour = Duration::from_secs(3600);
        let processes = processes(&all, hour);
        let slope = processes[0].rss_mib_per_hour.as_ref().unwrap();
        assert!((slope.value - 1.0).abs() < 0.01, "{slope:?}");
        assert_eq!((processes[0].lives, processes[0].descriptors_max), (1, 9));
        assert!(processes[2].rss_mib_per_hour.is_none());
        let second = sample(50, 2, 10.0);
        let again: Vec<_> = all
            .iter()
            .take(50)
            .copied()
            .chain([second, sample(54, 2, 30.0)])
            .collect();
        let points = warm(&again.iter().collect::<Vec<_>>(), hour);
        assert!(points.iter().all(|point| point.life == 1) && points.len() == 20);
        let mut taken_over = all.clone();
        for sample in &mut taken_over[45..] {
            sample.level.leads = true;
            sample.level.rss_mib += 20.0;
        }
        let points = warm(&taken_over.iter().collect::<Vec<_>>(), hour);
        let slope = slope::of(&points).unwrap();
        assert!((slope.value - 1.0).abs() < 0.01, "{slope:?}");
    }

    #[test]
    fn a_sample_is_a_line_of_the_columns_in_the_header() {
        let line = line(&sample(1, 7, 40.0));
        assert_eq!(line, "60,operator-0,7,40.00,9,0,0,0");
        assert_eq!(line.split(',').count(), HEADER.split(',').count());
    }
}
