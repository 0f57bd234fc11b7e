//! One run of the engine.
//!
//! Owns libFuzzer's options and the reading of what it prints. Must not know what is remembered. The
//! invariant that would break first: a run that ends in any way but a good one is a finding.

use super::state::Folders;
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long one input may take, in seconds: all take milliseconds.
const PATIENCE: &str = "-timeout=10";
/// Bound on the memory of the engine, in MiB.
const MEMORY: &str = "-rss_limit_mb=2048";
/// The longest input, in bytes: the bounds of parsers that are larger have tests of their own.
const LONGEST: &str = "-max_len=8192";

/// The engine's program.
pub(super) struct Engine(PathBuf);

/// How a slice ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nothing was found.
    Well {
        /// How long it took.
        took: Duration,
        /// How many inputs were run.
        executions: u64,
    },
    /// An input was found, or the engine failed.
    Crash {
        /// How long it took.
        took: Duration,
        /// How many inputs were run, as far as it is known.
        executions: u64,
        /// The input, or the log where there is none.
        input: PathBuf,
    },
}

impl Engine {
    pub(super) fn new(program: &Path) -> Result<Self> {
        let program = program.canonicalize();
        Ok(Self(program.context("no engine: run `make fuzz`")?))
    }

    /// Whether an input that was found is still refused.
    pub(super) fn fails(&self, target: &str, input: &Path) -> Result<bool> {
        let ran = self.command(target).arg(input).output();
        Ok(!ran.context("running the engine")?.status.success())
    }

    /// Fuzzes a target for a while.
    pub(super) fn run(&self, target: &str, folders: &Folders, time: Duration) -> Result<Ended> {
        let (found, crashes) = (folders.found(target), folders.crashes(target));
        std::fs::create_dir_all(&found)?;
        std::fs::create_dir_all(&crashes)?;
        let begun = Instant::now();
        let ran = self
            .command(target)
            .args([PATIENCE, MEMORY, LONGEST, "-print_final_stats=1"])
            .arg(format!("-max_total_time={}", time.as_secs().max(1)))
            .arg(format!("-artifact_prefix={}/", crashes.display()))
            .args([&found, &folders.committed(target)])
            .output()
            .context("running the engine")?;
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(&ran.stderr);
        let log = folders.log(target);
        std::fs::write(&log, said.as_bytes())?;
        let executions = executions(&said);
        if ran.status.success() {
            ensure!(executions.is_some(), "no count in {}", log.display());
            let executions = executions.unwrap_or_default();
            return Ok(Ended::Well { took, executions });
        }
        Ok(Ended::Crash {
            took,
            executions: executions.unwrap_or_default(),
            input: input(&said).unwrap_or(log),
        })
    }

    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(&self.0);
        command.env("FUZZ_TARGET", target).stdin(Stdio::null());
        command
    }
}

/// `stat::number_of_executed_units: 12345`
fn executions(said: &str) -> Option<u64> {
    let count = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    count?.trim().parse().ok()
}

/// `artifact_prefix='…'; Test unit written to PATH`
fn input(said: &str) -> Option<PathBuf> {
    let path = said
        .lines()
        .find_map(|line| line.split_once("Test unit written to "));
    Some(PathBuf::from(path?.1.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_prints_is_read() {
        let well = "Done 98 runs in 3 second(s)\nstat::number_of_executed_units: 98\nstat::peak_rss_mb: 49\n";
        assert_eq!(executions(well), Some(98));
        assert_eq!(input(well), None);
        let crash = "==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='c/x/'; Test unit written to c/x/crash-01\nBase64: eA==\n";
        assert_eq!(input(crash), Some("c/x/crash-01".into()));
        assert_eq!(executions(crash), None);
    }

    #[test]
    fn an_engine_that_fails_is_a_finding_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::new(folder.path(), folder.path());
        let engine = Engine::new(Path::new("/bin/false")).unwrap();
        let ended = engine.run("x", &folders, Duration::from_secs(1)).unwrap();
        assert!(matches!(ended, Ended::Crash { input, .. } if input == folders.log("x")));
        let engine = Engine::new(Path::new("/bin/true")).unwrap();
        let error = engine.run("x", &folders, Duration::from_secs(1));
        assert!(error.unwrap_err().to_string().contains("no count"));
    }
}
