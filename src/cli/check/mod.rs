//! `imageref check`: the verdict of admission on workloads in files, before anything is applied.
//!
//! Owns the arguments, the exit code and the order: read everything, refuse everything that is
//! wrong at once, judge, print. Must not decide anything about images. The invariant that would
//! break first: what is judged is what admission would judge of the same objects, namespaces and
//! configuration, and nobody is asked.

mod judge;
mod manifests;
mod print;

use super::input::problem::Problem;
use super::input::{files, object, problem};
use super::output::{put, say};
use crate::admission::{Configuration, Decision, Mode};
use anyhow::{Context as _, Result, bail};
use judge::{Around, Judged};
use manifests::{Manifests, Taking};
use print::Form;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Some workload is refused.
const DENIED: u8 = 1;
/// The input is wrong.
const BAD_INPUT: u8 = 2;

/// Arguments of `imageref check`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A file of YAML or JSON, a folder of such files, or - for standard input: what is to be
    /// applied; may be given several times
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE|FOLDER|-",
        required = true
    )]
    files: Vec<PathBuf>,
    /// The ImageRefs that count, with their status, in the same forms, and Namespaces; may be given
    /// several times [default: those in the files of -f]
    #[arg(long, value_name = "FILE|FOLDER|-")]
    refs: Vec<PathBuf>,
    /// Look into the folders below a folder too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// The namespace of objects that name none
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// The configuration of admission
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Judge every namespace in this mode, whatever its labels
    #[arg(long, value_enum)]
    mode: Option<ModeArgument>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value = "table")]
    output: Form,
    /// Namespace of the operator, which is never judged
    #[arg(
        long,
        env = "IMAGEREF_OPERATOR_NAMESPACE",
        default_value = "imageref-system"
    )]
    operator_namespace: String,
    /// Say on standard error what was read, and which namespaces are not in the files
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ModeArgument {
    /// Findings refuse
    Enforce,
    /// Findings warn
    Warn,
    /// Findings are listed
    Audit,
}

impl From<ModeArgument> for Mode {
    fn from(argument: ModeArgument) -> Self {
        match argument {
            ModeArgument::Enforce => Self::Enforce,
            ModeArgument::Warn => Self::Warn,
            ModeArgument::Audit => Self::Audit,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    for (option, value) in [
        ("--namespace", &arguments.namespace),
        ("--operator-namespace", &arguments.operator_namespace),
    ] {
        if !object::is_label(value) {
            bail!("{option} {value:?} is not the name of a namespace");
        }
    }
    let stdin = |paths: &[PathBuf]| paths.iter().any(|path| path.as_os_str() == "-");
    if stdin(&arguments.files) && stdin(&arguments.refs) {
        bail!("standard input can be read once: give -f or --refs a file in place of -");
    }
    let mut problems = Vec::new();
    let configuration = configuration(arguments.config.as_deref(), &mut problems);
    let manifests = read(arguments, &configuration, &mut problems)?;
    if !problems.is_empty() {
        say(&problem::report(&problems, "nothing was judged"));
        return Ok(ExitCode::from(BAD_INPUT));
    }
    say(&print::notes(&manifests, arguments));
    let around = Around {
        own_namespace: &arguments.operator_namespace,
        mode: arguments.mode.map(Mode::from),
        configuration: &configuration,
    };
    let judged = judge::judge(&manifests, &around);
    let text = print::text(arguments.output, &judged, &manifests)?;
    // A reader that closed the pipe has seen enough, and the exit code is for another.
    if put(&text)? && arguments.output != Form::Table {
        say(&print::findings(&judged));
    }
    let denied = |one: &Judged<'_>| one.verdict.decision == Decision::Deny;
    Ok(if judged.iter().any(denied) {
        ExitCode::from(DENIED)
    } else {
        ExitCode::SUCCESS
    })
}

/// The default where there is none, and where it is broken: the files are read nevertheless.
fn configuration(path: Option<&Path>, problems: &mut Vec<Problem>) -> Configuration {
    let Some(file) = path.and_then(|path| files::open(path, true, problems)) else {
        return Configuration::default();
    };
    Configuration::read(&file.text).unwrap_or_else(|mistake| {
        problems.push(Problem::of_file(&file.name, mistake.line, mistake.message));
        Configuration::default()
    })
}

/// What is to be applied and what counts for it, as one.
fn read(
    arguments: &Arguments,
    configuration: &Configuration,
    problems: &mut Vec<Problem>,
) -> Result<Manifests> {
    let mut read = |paths: &[PathBuf]| -> Result<_> {
        let mut taking = Taking {
            configuration,
            manifests: Manifests::default(),
        };
        let (more, first) = super::input::read(
            paths,
            arguments.recursive,
            &arguments.namespace,
            &mut taking,
        )
        .context("starting to read")?;
        problems.extend(more);
        Ok((taking.manifests, first))
    };
    let (mut manifests, first) = read(&arguments.files)?;
    if !arguments.refs.is_empty() {
        let (cluster, _) = read(&arguments.refs)?;
        manifests.count_from(cluster);
    }
    if let Some(first) = first.filter(|_| manifests.workloads.is_empty() && problems.is_empty()) {
        let message = "no workload in the input: there is nothing to check";
        problems.push(Problem::of_file(&first, None, message));
    }
    Ok(manifests)
}
