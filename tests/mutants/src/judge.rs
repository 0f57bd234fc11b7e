//! One file's mutants, judged by cargo-mutants in the file's room.
//!
//! Owns the options of cargo-mutants and of the tests. Must not know what earlier runs found. The
//! invariant that would break first: a mutant survives only when all the room's tests passed as they
//! pass in `make test`.

use super::Arguments;
use super::cut::Cut;
use super::record::{Listed, Record};
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Cases of each property for the first look at a mutant; what survives meets all tests.
const FEW_CASES: &str = "16";
/// A test of four seconds, left out of the first look.
const SLOW: &str = "a_hostile_answer_stays_small";
/// Seconds that the quick tests of a room may take: one or two on a machine that does nothing else.
const PATIENCE: &str = "60";
/// Seconds that all of them may take: ten likewise.
const LONG_PATIENCE: &str = "300";

/// Which tests look at a mutant.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Tests {
    /// First, of all mutants: few cases, and no slow test.
    Quick,
    /// Then, of those that survived.
    All,
}

/// Judges mutants.
pub(super) struct Judge {
    tool: PathBuf,
    config: PathBuf,
    build: PathBuf,
    state: PathBuf,
}

impl Judge {
    pub(super) fn new(arguments: &Arguments) -> Result<Self> {
        let state = arguments.state.canonicalize()?;
        let tool = arguments.tool.canonicalize();
        Ok(Self {
            tool: tool.context("no cargo-mutants: run `make mutants`")?,
            config: arguments
                .product
                .canonicalize()?
                .join(".cargo/mutants.toml"),
            build: state.join("build"),
            state,
        })
    }

    /// All mutants of a room, by file, with what is known of them.
    pub(super) fn listed(&self, cut: &Cut) -> Result<Vec<Record>> {
        let mut command = self.mutants(cut);
        command
            .args(["--list", "--json", "--config"])
            .arg(&self.config);
        let listed = command.output()?;
        let said = String::from_utf8_lossy(&listed.stderr);
        ensure!(listed.status.success(), "{}: {said}", cut.room);
        let mut files = BTreeMap::<_, Vec<Listed>>::new();
        for mutant in serde_json::from_slice::<Vec<Listed>>(&listed.stdout)? {
            files.entry(mutant.file.clone()).or_default().push(mutant);
        }
        let records = files
            .into_iter()
            .map(|(file, mutants)| Record::read(&self.state, cut, &file, mutants));
        records.collect()
    }

    /// The room's tests must pass without a mutant.
    pub(super) fn baseline(&self, cut: &Cut) -> Result<()> {
        let mut command = self.command();
        command.args(["cargo", "test"]).current_dir(&cut.folder);
        let ran = command.output()?;
        let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
        ensure!(
            ran.status.success(),
            "{} fails without a mutant:\n{said}",
            cut.room
        );
        Ok(())
    }

    /// Judges the file's mutants that are not known to be caught.
    pub(super) fn judge(&self, cut: &Cut, record: &mut Record, tests: Tests) -> Result<()> {
        let folder = record.folder().to_owned();
        std::fs::create_dir_all(&folder)?;
        let (timeout, of_tests) = match tests {
            Tests::Quick => (PATIENCE, &["--", "--", "--skip", SLOW][..]),
            Tests::All => (LONG_PATIENCE, &[][..]),
        };
        let mut command = self.mutants(cut);
        // The configuration would add all its files to this one.
        command
            .args(["--no-config", "--in-place", "--iterate"])
            .args(["--baseline", "skip", "--colors", "never"])
            .args(["--timeout", timeout, "--build-timeout", LONG_PATIENCE])
            .args(["--file", &record.file, "--output"])
            .arg(&folder)
            .args(of_tests);
        if tests == Tests::Quick {
            command.env("PROPTEST_CASES", FEW_CASES);
        }
        let ran = command.output()?;
        // 2: some survive; 3: some were endless.
        let said = String::from_utf8_lossy(&ran.stderr) + String::from_utf8_lossy(&ran.stdout);
        ensure!(
            matches!(ran.status.code(), Some(0 | 2 | 3)),
            "{}: {said}",
            record.file
        );
        record.add_outcomes()
    }

    fn mutants(&self, cut: &Cut) -> Command {
        let mut command = self.command();
        command.arg(&self.tool).args(["mutants", "--dir"]);
        command.arg(&cut.folder);
        command
    }

    /// A command that leaves the machine to others.
    fn command(&self) -> Command {
        let mut command = Command::new("nice");
        command
            .args(["-n", "15"])
            .env("CARGO_TARGET_DIR", &self.build)
            // Nobody reads the counterexamples, nor should they be tried first on the next mutant.
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
            .stdin(Stdio::null());
        command
    }
}
