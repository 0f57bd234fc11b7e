//! The way in for fuzzing: `imageref check` of files that lie nowhere.
//!
//! Owns nothing: what it does is what the command does between reading and printing. Must not be
//! used by the product. The invariant that would break first: what is read here is read as from a file.

use super::manifests::{Manifests, Taking};
use super::report;
use crate::admission::Configuration;
use crate::cli::input::document::with_deep_stack;
use crate::cli::input::files::{File, decode};
use crate::cli::input::read_files;
use crate::cli::verdicts::{Facts, texts};

/// What came of a file.
pub struct Checked {
    /// What is wrong with it, a line each.
    pub problems: Vec<String>,
    /// How many workloads there are.
    pub workloads: usize,
    /// How many references with a status, and how many to ask the clouds about.
    pub references: usize,
    /// The report in every form; empty without a workload.
    pub texts: Vec<String>,
}

/// Checks a file as the command does; with `asks` as if the clouds were to be asked. `None` if it is
/// no text.
pub fn check(bytes: &[u8], asks: bool) -> Option<Checked> {
    let file = File {
        name: "f.yaml".into(),
        text: decode(bytes.to_vec()).ok()?,
        named: true,
    };
    let checked = with_deep_stack(|| {
        let configuration = Configuration::default();
        let mut taking = Taking {
            configuration: &configuration,
            asks,
            manifests: Manifests::default(),
        };
        let problems = read_files(&[file], "default", &mut taking);
        let manifests = taking.manifests;
        let report = report(&manifests, "", None, &configuration, Facts::Files);
        Checked {
            problems: problems.iter().map(ToString::to_string).collect(),
            workloads: report.judged.len(),
            references: manifests.refs.answered.len() + manifests.to_ask.refs.len(),
            texts: match report.judged.as_slice() {
                [] => Vec::new(),
                _ => texts(&report).unwrap_or_default(),
            },
        }
    });
    checked.ok()
}
