//! `bench`: what the operator costs, measured on a real API server beside a bare client.
//!
//! Owns the arguments, the order of sizes and the files that are written. Must not know how a
//! scenario runs. The invariant that would break first: what was measured is on disk as soon as it
//! was measured, so that an interrupted run loses one scenario only.

mod admission;
mod bare;
mod depot;
mod fleet;
mod meter;
mod place;
mod plot;
mod report;
mod sight;
mod traffic;
mod trial;
mod verdicts;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum as _};
use report::Row;
use serde::Serialize;
use site::Progress;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use trial::{LARGE, Scenario, Trial};

/// Measures the operator on a real API server beside a bare client that writes the same statuses.
#[derive(Debug, Parser)]
struct Arguments {
    /// The operator's program
    #[arg(long, default_value = "target/release/imageref")]
    operator: PathBuf,
    /// How many ImageRefs, one run each
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    refs: Vec<u32>,
    /// What to measure; all if left out, but two only from 50000 ImageRefs on
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<Scenario>,
    /// Secrets of another namespace; if there are some, a cold start beside them is measured too
    #[arg(long, default_value_t = 0)]
    secrets: u32,
    /// Measure verdicts of admission in this process, and nothing else; needs no control plane
    #[arg(long, conflicts_with_all = ["refs", "scenarios", "secrets"])]
    verdicts: bool,
    /// Put reports of earlier runs into one, with its plots, and measure nothing
    #[arg(long, value_name = "FILE", value_delimiter = ',', conflicts_with_all = ["refs", "scenarios", "secrets", "verdicts"])]
    join: Vec<PathBuf>,
    /// Where to write
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

impl Arguments {
    fn scenarios(&self, refs: u32) -> Vec<Scenario> {
        let mut chosen = match (self.scenarios.as_slice(), refs >= LARGE) {
            ([], true) => vec![Scenario::ColdStart, Scenario::SteadyRefresh],
            ([], false) => Scenario::value_variants().to_vec(),
            (named, _) => named.to_vec(),
        };
        if self.secrets > 0 {
            chosen.push(Scenario::ForeignSecrets);
        }
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

/// Every request that the API server counted during a scenario.
#[derive(Serialize)]
struct Traffic {
    scenario: String,
    refs: u32,
    requests: BTreeMap<String, u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("creating {}", arguments.out.display()))?;
    if arguments.verdicts {
        return verdicts::run(&arguments.out);
    }
    if !arguments.join.is_empty() {
        return join(&arguments);
    }
    let machine = report::machine();
    let progress = Progress::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut traffic = Vec::new();
    for refs in &arguments.refs {
        let program = &arguments.operator;
        let secrets = arguments.secrets;
        let mut trial = Trial::start(program, &progress, *refs, secrets, &arguments.out).await?;
        for scenario in arguments.scenarios(*refs) {
            let (row, requests) = trial.run(scenario).await?;
            traffic.push(Traffic {
                scenario: row.scenario.clone(),
                refs: row.refs,
                requests,
            });
            rows.push(row);
            write(&arguments, &rows, &traffic)?;
            let table = report::table(&rows);
            if let Some(last) = table.lines().last() {
                progress.line(last);
            }
        }
    }
    drop(progress);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{machine}\n\n{}", report::table(&rows))?;
    Ok(())
}

/// One report of several.
fn join(arguments: &Arguments) -> Result<()> {
    let mut rows = Vec::new();
    for path in &arguments.join {
        rows.extend(report::read_json(path)?);
    }
    write_report(arguments, &rows)?;
    let mut out = std::io::stdout().lock();
    Ok(write!(out, "{}", report::table(&rows))?)
}

fn write(arguments: &Arguments, rows: &[Row], traffic: &[Traffic]) -> Result<()> {
    report::write_json(&arguments.out.join("requests.json"), &traffic)?;
    write_report(arguments, rows)
}

fn write_report(arguments: &Arguments, rows: &[Row]) -> Result<()> {
    let out = &arguments.out;
    report::write_json(&out.join("report.json"), &rows)?;
    for (name, chart) in plot::charts(rows) {
        let path = out.join(name);
        std::fs::write(&path, chart).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenarios(line: &[&str], refs: u32) -> Vec<Scenario> {
        let line = ["bench"].iter().chain(line);
        Arguments::try_parse_from(line).unwrap().scenarios(refs)
    }

    #[test]
    fn all_scenarios_run_unless_some_are_named_or_the_size_is_large() {
        assert_eq!(scenarios(&[], 100).len(), 9);
        let large = [Scenario::ColdStart, Scenario::SteadyRefresh];
        assert_eq!(scenarios(&[], 100_000), large);
        let named = ["--scenarios", "restart,cold_start"];
        assert_eq!(
            scenarios(&named, 100_000),
            [Scenario::ColdStart, Scenario::Restart]
        );
        let secrets = scenarios(&["--secrets", "5"], 100);
        assert!(secrets.contains(&Scenario::ForeignSecrets));
    }
}
