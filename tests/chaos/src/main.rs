//! `make chaos`: breaks what the operator stands on, one fault after the other, and watches what it
//! says meanwhile.
//!
//! Owns the arguments and the order of faults. Must not know how a fault is made. The invariant that
//! would break first: a result is on disk before the next fault begins.

mod calls;
mod chance;
mod depot;
mod fault;
mod faults;
mod front;
mod gate;
mod history;
mod life;
mod mix;
mod pauses;
mod pods;
mod preload;
mod record;
mod report;
mod results;
mod road;
mod rules;
mod soak;
mod trial;
mod truth;
mod webhook;
mod world;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use fault::Fault;
use results::Results;
use rules::Violation;
use site::Progress;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use trial::{Outcome, Trial};
use world::{NAMES, Settings, World};

/// Something that was asked for has not run yet.
const UNFINISHED: u8 = 3;

/// Breaks what the operator stands on, and watches what it says meanwhile. Linux only.
#[derive(Debug, Parser)]
struct Arguments {
    /// The operator's program
    #[arg(long, default_value = "target/debug/imageref")]
    operator: PathBuf,
    /// The faults, by name; all without it
    #[arg(long, value_delimiter = ',')]
    faults: Vec<String>,
    /// How many ImageRefs
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(100..=10_000))]
    refs: u32,
    /// How often each fault strikes; as often as it says without it
    #[arg(long)]
    runs: Option<u32>,
    /// After so many seconds no run is begun; the next call goes on
    #[arg(long, default_value_t = 3300)]
    within: u64,
    /// Forget earlier runs of these faults
    #[arg(long)]
    fresh: bool,
    /// What random choices begin with; by the clock without it
    #[arg(long)]
    seed: Option<u64>,
    /// Name the faults, and run none
    #[arg(long)]
    list: bool,
    /// Draw faults for so many minutes, and follow what the processes hold
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["faults", "runs", "fresh"])]
    soak: Option<u64>,
    /// Where results and logs are kept
    #[arg(long, default_value = "target/chaos")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    // A World ends its processes when it is dropped, which blocks.
    runtime
        .block_on(run(&arguments))
        .unwrap_or_else(|error| failed(&error))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(2)
}

/// 1 is for violations.
async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let chosen = chosen(&arguments.faults)?;
    if arguments.list {
        for fault in &chosen {
            say(&format!("{:<30} {}", fault.name, fault.what))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    road::install_crypto();
    let seed = arguments.seed.unwrap_or_else(by_the_clock);
    say(&format!("SEED={seed}"))?;
    let end = Instant::now() + Duration::from_secs(arguments.within);
    let settings = Settings {
        program: arguments.operator.clone(),
        refs: arguments.refs,
        seed,
    };
    if let Some(minutes) = arguments.soak {
        let is_clean = soak::run(settings, minutes, &arguments.out).await?;
        return Ok(if is_clean {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let mut campaign = Campaign {
        settings,
        out: arguments.out.clone(),
        progress: Progress::new(),
        trial: None,
    };
    let mut rows = Vec::new();
    for (number, fault) in (1..).zip(&chosen) {
        if arguments.fresh {
            Results::forget(&arguments.out, fault)?;
        }
        let mut results = Results::read(&arguments.out, fault)?;
        let wanted = arguments.runs.unwrap_or(fault.runs);
        while results.runs < wanted && Instant::now() < end {
            let place = format!("[{number}/{}]", chosen.len());
            campaign.strike(fault, &mut results, &place).await?;
        }
        rows.push((*fault, results, wanted));
    }
    drop(campaign);
    let results: Vec<_> = rows.iter().map(|(_, results, _)| results.clone()).collect();
    std::fs::create_dir_all(&arguments.out)?;
    report::write(&arguments.out, &results)?;
    say(&report::text(&rows))?;
    let violated = results.iter().any(|one| one.invariant_violations > 0);
    let finished = rows.iter().all(|(_, one, wanted)| one.runs >= *wanted);
    Ok(match (violated, finished) {
        (true, _) => ExitCode::FAILURE,
        (false, false) => ExitCode::from(UNFINISHED),
        (false, true) => ExitCode::SUCCESS,
    })
}

/// The faults that are asked for, in the order in which they run.
fn chosen(wanted: &[String]) -> Result<Vec<&'static Fault>> {
    if let Some(odd) = wanted
        .iter()
        .find(|name| !faults::all().any(|fault| fault.name == **name))
    {
        let names: Vec<_> = faults::all().map(|fault| fault.name).collect();
        bail!("there is no fault {odd}; there are {}", names.join(", "));
    }
    let asked = |fault: &&Fault| wanted.is_empty() || wanted.iter().any(|name| name == fault.name);
    Ok(faults::all().filter(asked).collect())
}

/// The world that faults share, and where results go.
struct Campaign {
    settings: Settings,
    out: PathBuf,
    progress: Progress,
    /// None before the first run, and after one with violations: what is broken must not go on.
    trial: Option<Trial>,
}

impl Campaign {
    /// One run of a fault; its result is on disk when this is back.
    async fn strike(&mut self, fault: &Fault, results: &mut Results, place: &str) -> Result<()> {
        let mut trial = if let Some(trial) = self.trial.take() {
            trial
        } else {
            let world = World::start(self.settings.clone(), &self.progress).await?;
            self.progress.step("cold start", 1);
            Trial::begin(world).await?
        };
        let run = results.runs;
        self.progress.step(
            &format!("{place} {} {}: {}", fault.name, run + 1, fault.what),
            1,
        );
        let begun = Instant::now();
        let outcome = trial.run(fault, run).await.unwrap_or_else(|error| {
            // Whether it is the operator's fault or its own, it is for somebody to look at.
            let now = trial.world.truth.now();
            let what = format!("{error:#}");
            Outcome::broken_off(Violation::new("a fault can be made", fault.name, now, what))
        });
        let is_clean = outcome.violations.is_empty();
        let logs = if is_clean {
            None
        } else {
            Some(self.keep_logs(&trial, fault, run)?)
        };
        results.refs = self.settings.refs;
        results.seed = self.settings.seed;
        results.add(&outcome, begun.elapsed(), logs);
        results.write(&self.out)?;
        let recovered = match outcome.recovered {
            Some(time) => format!("right again after {:.1} s", time.as_secs_f64()),
            None => format!("not right after {} s", fault.within.as_secs()),
        };
        self.progress.line(&format!(
            "{place} {} {}: {recovered}, {} violations, {:.0} s",
            fault.name,
            run + 1,
            outcome.violations.len(),
            begun.elapsed().as_secs_f64(),
        ));
        if is_clean {
            self.trial = Some(trial);
        }
        Ok(())
    }

    /// Copies the logs of all processes to a folder that stays.
    fn keep_logs(&self, trial: &Trial, fault: &Fault, run: u32) -> Result<PathBuf> {
        let folder = self.out.join("logs").join(format!("{}-{run}", fault.name));
        std::fs::create_dir_all(&folder)?;
        let source = trial.world.site.folder();
        for name in NAMES.iter().chain(&["kube-apiserver", "etcd"]) {
            copy(&source.join(format!("{name}.log")), &folder)?;
        }
        Ok(folder)
    }
}

fn copy(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().context("a log has a name")?;
    match std::fs::copy(file, folder.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn by_the_clock() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default()
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("writing to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_fault_is_refused_with_the_names_of_those_there_are() {
        let error = chosen(&["nonsense".into()]).err().unwrap().to_string();
        assert!(error.contains("no fault nonsense; there are "), "{error}");
        assert_eq!(chosen(&[]).unwrap().len(), faults::all().count());
    }
}
