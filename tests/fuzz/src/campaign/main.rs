//! `make fuzz`: gives each target its time, in slices that add up over runs.
//!
//! Owns the order of targets and the exit code. Must not know what a target does: a target is a
//! folder of `tests/fuzz/corpus`. The invariant that would break first: a run that is broken off
//! loses the slice at hand and nothing else.

mod report;
mod slice;
mod state;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use slice::{Ended, Engine};
use state::{Folders, State};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The longest slice: so much is lost when a run is broken off.
const SLICE: Duration = Duration::from_secs(60);

/// Fuzzes the parsers of outside data.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long each target is to be fuzzed, all runs together, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The targets, by name; all without it
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// After so many seconds no slice is begun; the next run goes on
    #[arg(long, default_value_t = 3300)]
    within: u64,
    /// Forget earlier runs and what they found
    #[arg(long)]
    fresh: bool,
    /// The program that is run, one target at a time
    #[arg(long, default_value = "target/fuzzing/engine")]
    engine: PathBuf,
    /// Where results and found inputs are kept
    #[arg(long, default_value = "target/fuzz")]
    state: PathBuf,
    /// The committed inputs, a folder a target
    #[arg(long, default_value = "tests/fuzz/corpus")]
    corpus: PathBuf,
}

fn main() -> ExitCode {
    run(&Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

/// 1 is for findings.
fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folders = Folders::new(&arguments.state, &arguments.corpus);
    let names = names(&arguments.targets, &folders)?;
    if arguments.fresh {
        folders.forget(&names)?;
    }
    let engine = Engine::new(&arguments.engine)?;
    let end = Instant::now() + Duration::from_secs(arguments.within);
    let mut states = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let mut state = State::read(&folders, name)?;
        state.keep_what_still_fails(|input| engine.fails(name, input))?;
        while state.wants(arguments.seconds) && Instant::now() < end {
            let left = Duration::from_secs(arguments.seconds).saturating_sub(state.fuzzed());
            let of = names.len();
            say(&format!(
                "[{}/{of}] {name}: {} s left",
                n + 1,
                left.as_secs().max(1)
            ))?;
            let ended = engine.run(name, &folders, left.min(SLICE))?;
            if let Ended::Crash { input, .. } = &ended {
                say(&format!(
                    "[{}/{of}] {name}: found {}",
                    n + 1,
                    input.display()
                ))?;
            }
            state.add(ended);
            state.write(&folders)?;
        }
        states.push(state);
    }
    let rows = report::rows(&states, &folders, arguments.seconds);
    report::write(&rows, &folders)?;
    say(&report::text(&rows, &arguments.engine))?;
    let found = rows.iter().any(|row| !row.crashes.is_empty());
    Ok(if found {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The targets that are asked for, in the order of their names.
fn names(wanted: &[String], folders: &Folders) -> Result<Vec<String>> {
    let known = folders.targets()?;
    if let Some(odd) = wanted.iter().find(|name| !known.contains(name)) {
        bail!("there is no target {odd}; there are {}", known.join(", "));
    }
    let asked = |name: &String| wanted.is_empty() || wanted.contains(name);
    Ok(known.into_iter().filter(asked).collect())
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("writing to standard output")
}
