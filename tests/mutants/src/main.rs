//! `make mutants`: changes the pure core in every small way, and looks whether a test notices.
//!
//! Owns the order of files and the exit code. Must not know how a mutant is made: that is
//! cargo-mutants. The invariant that would break first: a run that is broken off loses the mutant at
//! hand and nothing else, and what several runs found adds up.

mod cut;
mod explained;
mod judge;
mod record;
mod report;

use anyhow::{Context as _, Result};
use clap::Parser;
use cut::Cut;
use explained::Explained;
use judge::{Judge, Tests};
use record::Record;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What a mutant is thought to take before one was judged.
const FIRST_GUESS: Duration = Duration::from_secs(6);

/// Mutates the pure core.
#[derive(Debug, Parser)]
struct Arguments {
    /// The rooms, by name; all without it
    #[arg(long, value_delimiter = ',')]
    rooms: Vec<String>,
    /// No file is begun that would not be done after so many seconds; the next run goes on. 0: only report
    #[arg(long, default_value_t = 3300)]
    within: u64,
    /// Forget earlier runs
    #[arg(long)]
    fresh: bool,
    /// The program that mutates
    #[arg(long, default_value = "target/tools/bin/cargo-mutants")]
    tool: PathBuf,
    /// Where the cut-out crates and the results are kept
    #[arg(long, default_value = "target/mutants")]
    state: PathBuf,
    /// The product
    #[arg(long, default_value = ".")]
    product: PathBuf,
}

fn main() -> ExitCode {
    run(&Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

/// 0: all is judged and explained; 1: something survives that nobody explained; 3: the time is up.
fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (begun, within) = (Instant::now(), Duration::from_secs(arguments.within));
    let explained = Explained::read(&arguments.product.join("tests/mutants/explained.yaml"))?;
    if arguments.fresh {
        record::forget(&arguments.state)?;
    }
    let cuts = Cut::all(&arguments.product, &arguments.state, &arguments.rooms)?;
    let judge = Judge::new(arguments)?;
    let mut records = Vec::new();
    for cut in &cuts {
        records.extend(judge.listed(cut)?);
    }
    let mut sound = BTreeSet::new();
    for tests in [Tests::Quick, Tests::All] {
        for (cut, record) in with_cuts(&cuts, &mut records) {
            let wanted = match tests {
                Tests::Quick => record.unjudged(),
                Tests::All if record.unjudged() > 0 => 0,
                Tests::All => record.pending(&explained).len(),
            };
            if wanted == 0 {
                continue;
            }
            let needs = record.each().unwrap_or(FIRST_GUESS) * u32::try_from(wanted)?;
            let too_long = begun.elapsed() + needs > within;
            // The first is begun in any case, so that every run comes further.
            if too_long && (within.is_zero() || !sound.is_empty()) {
                continue;
            }
            if sound.insert(cut.room) {
                say(&format!("{}: its tests, without a mutant", cut.room))?;
                judge.baseline(cut)?;
            }
            say(&format!("{}: {wanted} mutants", record.file))?;
            judge.judge(cut, record, tests)?;
        }
    }
    let report = report::of(&records, &explained);
    let file = arguments.state.join("report.json");
    std::fs::write(&file, serde_json::to_string_pretty(&report)? + "\n")
        .with_context(|| format!("writing {}", file.display()))?;
    say(&report.text())?;
    Ok(report.exit_code())
}

/// Each file with the crate that it is judged in.
fn with_cuts<'a>(
    cuts: &'a [Cut],
    records: &'a mut [Record],
) -> impl Iterator<Item = (&'a Cut, &'a mut Record)> {
    let of = |room| cuts.iter().find(move |cut| cut.room == room);
    records
        .iter_mut()
        .filter_map(move |record| Some((of(record.room)?, record)))
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("writing to standard output")
}
