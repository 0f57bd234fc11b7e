//! `imageref check`: the verdict of admission on workloads in files, before anything is applied.
//!
//! Owns the arguments, the exit code and the order: read everything, refuse everything that is
//! wrong at once, have the facts, judge, print. Must not decide anything about images. The invariant
//! that would break first: what is judged is what admission would judge of the same objects,
//! namespaces and configuration, and nobody is asked who was not to be.

mod facts;
#[doc(hidden)]
pub mod fuzzing;
mod manifests;

use super::cluster::ClusterArguments;
use super::input::arguments::{InputArguments, has_stdin};
use super::input::problem::{self, Problem};
use super::output::say;
use super::resolve::{AskArguments, INTERRUPTED};
use super::verdicts::{Around, Facts, JudgeArguments, Judged, Place, Report, judge, plural};
use crate::admission::{Configuration, Decision, Known, Mode};
use anyhow::{Context as _, Result, bail};
use facts::Source;
use manifests::{Manifests, Taking};
use serde_json::Map;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// The input is wrong.
const BAD_INPUT: u8 = 2;

/// Arguments of `imageref check`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// The ImageRefs that count, with their status, in the same forms, and Namespaces; may be given
    /// several times [default: those in the files of -f]
    #[arg(long, value_name = "FILE|FOLDER|-")]
    refs: Vec<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArguments,
    /// Take what ImageRefs stand for from a file that `imageref lock` wrote
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// With --lock: ask the clouds about the ImageRefs in the files, and fail if the lock file says
    /// something else
    #[arg(long, requires = "lock")]
    verify: bool,
    /// Ask the clouds about the ImageRefs in the files, as `imageref resolve` does
    #[arg(long)]
    ask: bool,
    #[command(flatten)]
    judging: JudgeArguments,
    /// Say on standard error what was read, and which namespaces are not known
    #[arg(short, long)]
    verbose: bool,
    #[command(
        flatten,
        next_help_heading = "Asking the clouds (with --ask or --verify)"
    )]
    asking: AskArguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    arguments.input.check()?;
    let source = Source::of(&arguments)?;
    if has_stdin(&arguments.input.files) && has_stdin(&arguments.refs) {
        bail!("standard input can be read once: give -f or --refs a file in place of -");
    }
    let mut problems = Vec::new();
    let configuration = arguments.judging.configuration(&mut problems);
    let lock = source.read_lock(&mut problems);
    let mut manifests = read(&arguments, &source, &configuration, &mut problems)?;
    if !problems.is_empty() {
        say(&problem::report(&problems, "nothing was judged"));
        return Ok(ExitCode::from(BAD_INPUT));
    }
    let gathering = facts::gather(&arguments, &source, lock, &mut manifests);
    let Some(facts) = Box::pin(gathering).await? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let mode = arguments.judging.mode();
    if arguments.verbose {
        say(&told(&manifests, mode));
    }
    say(&manifests.refs.note());
    let own_namespace = &arguments.input.operator.operator_namespace;
    let report = report(&manifests, own_namespace, mode, &configuration, facts);
    arguments.judging.print(&report)
}

/// What is to be applied and what counts for it, as one.
fn read(
    arguments: &Arguments,
    source: &Source<'_>,
    configuration: &Configuration,
    problems: &mut Vec<Problem>,
) -> Result<Manifests> {
    let input = &arguments.input;
    let mut read = |paths: &[PathBuf], asks| -> Result<_> {
        let mut taking = Taking {
            configuration,
            asks,
            manifests: Manifests::default(),
        };
        let (more, first) =
            super::input::read(paths, input.recursive, input.namespace(), &mut taking)
                .context("starting to read")?;
        problems.extend(more);
        Ok((taking.manifests, first))
    };
    let apart = !arguments.refs.is_empty();
    let (mut manifests, first) = read(&input.files, source.asks() && !apart)?;
    let mut asked = first.clone();
    if apart {
        let (other, first) = read(&arguments.refs, source.asks())?;
        manifests.count_from(other);
        asked = first;
    }
    if problems.is_empty() && source.asks() {
        problems.extend(manifests.to_ask.lack(asked.as_ref()));
    }
    if let Some(first) = first.filter(|_| manifests.workloads.is_empty() && problems.is_empty()) {
        let message = "no workload in the input: there is nothing to check";
        problems.push(Problem::of_file(&first, None, message));
    }
    Ok(manifests)
}

/// Judges all workloads, in their order.
fn report(
    manifests: &Manifests,
    own_namespace: &str,
    mode: Option<Mode>,
    configuration: &Configuration,
    facts: Facts,
) -> Report {
    let mut known = Known::new(configuration.mirrors());
    for one in &manifests.refs.answered {
        known.insert(one.known());
    }
    let around = Around {
        own_namespace,
        mode,
        known: &known,
        configuration,
    };
    let judged = manifests.workloads.iter().filter_map(|workload| {
        let labels = manifests.namespaces.get(&workload.namespace);
        let object = workload.as_object().to_value();
        let (mode, verdict) = judge(&object, &workload.namespace, labels, &around)?;
        let lines = verdict.findings.iter();
        let lines = lines.map(|finding| workload.line_of(&finding.place));
        Some(Judged {
            place: Some(Place {
                file: workload.file.clone(),
                line: workload.node.line,
                findings: lines.collect(),
            }),
            api_version: workload.api_version.clone(),
            kind: workload.kind.clone(),
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
            mode,
            verdict,
        })
    });
    let judged: Vec<_> = judged.collect();
    Report {
        summary: summary(&judged, manifests.left_out),
        judged,
        facts,
        beyond: Decision::Allow,
        counts: Map::from_iter([("leftOut".into(), manifests.left_out.into())]),
    }
}

fn summary(judged: &[Judged], left_out: usize) -> String {
    let mut text = plural(judged.len(), "workload");
    let counts = [Decision::Allow, Decision::Warn, Decision::Deny].map(|decision| {
        let same = judged.iter().filter(|one| one.verdict.decision == decision);
        same.count()
    });
    let words = ["allowed", "warned about", "denied"];
    let counted = counts
        .into_iter()
        .zip(words)
        .filter(|(count, _)| *count > 0);
    let counted: Vec<_> = counted
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    // Writing to a String does not fail.
    let _ = write!(text, ": {}", counted.join(", "));
    if left_out > 0 {
        let left_out = plural(left_out, "other object");
        let _ = write!(text, "; {left_out} left out");
    }
    text
}

/// What was read, and which Namespaces nothing is known about.
fn told(manifests: &Manifests, mode: Option<Mode>) -> String {
    let mut text = format!(
        "read {}, {} with a status, {}; left out {}\n",
        plural(manifests.workloads.len(), "workload"),
        plural(manifests.refs.answered.len(), "ImageRef"),
        plural(manifests.namespaces.len(), "Namespace"),
        plural(manifests.left_out, "other object"),
    );
    let used = manifests.workloads.iter().map(|w| &w.namespace);
    let unknown = used.filter(|name| mode.is_none() && !manifests.namespaces.contains_key(*name));
    for namespace in unknown.collect::<BTreeSet<_>>() {
        let _ = writeln!(
            text,
            "Namespace {namespace} is not known: it is taken to enforce, templates too"
        );
    }
    text
}
