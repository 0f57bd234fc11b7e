//! Verdicts on the command line: how they are asked for and how they are printed.
//!
//! Owns the arguments of judging, what surrounds an object outside a request, and the forms of the
//! output. Must not know where objects or references come from. The invariant that would break
//! first: a namespace about which nothing is known is judged most strictly.

mod github;
mod json;
mod report;
mod sarif;
mod table;

pub(super) use report::{Facts, Judged, Place, Report, plural};
pub(super) use table::findings;

use super::input::files;
use super::input::problem::Problem;
use super::output::{put, say};
use crate::admission::{
    Configuration, Context, Decision, Known, Mode, PatchOperation, Standing, Subject, Verdict,
    extract, mutate, standings, verdict,
};
use anyhow::Result;
use clap::ValueEnum as _;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Some object is refused, or facts that were to be verified are not true.
const DENIED: u8 = 1;

/// How objects are judged and what is printed.
#[derive(Debug, clap::Args)]
pub(super) struct JudgeArguments {
    /// The configuration of admission
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Judge every namespace in this mode, whatever its labels
    #[arg(long, value_enum)]
    mode: Option<ModeArgument>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value = "table")]
    output: Form,
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

/// Forms of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Columns, and the findings below them
    Table,
    /// One object with all verdicts
    Json,
    /// A log of SARIF 2.1.0
    Sarif,
    /// Annotations of GitHub Actions
    Github,
}

impl Form {
    fn text(self, report: &Report) -> Result<String> {
        Ok(match self {
            Self::Table => table::text(report),
            Self::Json => json::text(report)?,
            Self::Sarif => sarif::text(report)?,
            Self::Github => github::text(report),
        })
    }
}

/// The report in every form.
pub(super) fn texts(report: &Report) -> Result<Vec<String>> {
    let forms = Form::value_variants().iter();
    forms.map(|form| form.text(report)).collect()
}

impl JudgeArguments {
    /// The mode of all namespaces, if their labels do not say it.
    pub(super) fn mode(&self) -> Option<Mode> {
        self.mode.map(|mode| match mode {
            ModeArgument::Enforce => Mode::Enforce,
            ModeArgument::Warn => Mode::Warn,
            ModeArgument::Audit => Mode::Audit,
        })
    }

    /// The default where there is none, and where it is broken: the files are read nevertheless.
    pub(super) fn configuration(&self, problems: &mut Vec<Problem>) -> Configuration {
        files::configuration(self.config.as_deref(), problems)
    }

    /// Prints the report; the exit code of the process.
    pub(super) fn print(&self, report: &Report) -> Result<ExitCode> {
        let text = self.output.text(report)?;
        // A reader that closed the pipe has seen enough, and the exit code is for another.
        if put(&text)? && matches!(self.output, Form::Json | Form::Sarif) {
            say(&findings(report));
        }
        let denied = report.decision() == Decision::Deny || !report.facts.hold();
        Ok(if denied {
            ExitCode::from(DENIED)
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// What is the same for all objects.
pub(super) struct Around<'a> {
    /// The operator's namespace.
    pub(super) own_namespace: &'a str,
    /// The mode of all namespaces, if their labels do not say it.
    pub(super) mode: Option<Mode>,
    pub(super) known: &'a Known,
    pub(super) configuration: &'a Configuration,
}

/// The verdict on an object of a namespace with these labels, `None` if they are not known, and the
/// mode that applies, `None` if the object is not judged. `None` for kinds that run nothing.
pub(super) fn judge(
    object: &Value,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
    around: &Around<'_>,
) -> Option<(Option<Mode>, Verdict)> {
    let judged = judge_each(object, namespace, labels, around)?;
    Some((judged.mode, judged.verdict))
}

/// A verdict, and what allows each image.
pub(super) struct Each {
    pub(super) mode: Option<Mode>,
    pub(super) verdict: Verdict,
    /// Place, name, the image as written, and what allows it.
    pub(super) images: Vec<(String, String, Option<String>, Standing)>,
}

/// As [`judge`], with what allows each image.
pub(super) fn judge_each(
    object: &Value,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
    around: &Around<'_>,
) -> Option<Each> {
    let (known, configuration) = (around.known, around.configuration);
    let empty = BTreeMap::new();
    let of_namespace = labels.unwrap_or(&empty);
    let mut context = Context {
        own_namespace: around.own_namespace,
        ..Context::of_namespace(namespace, of_namespace)
    };
    // As an API server does: names are replaced by images before anything is judged, but in
    // namespaces where nothing ever is.
    let excluded = Context {
        mode: Some(Mode::Enforce),
        ..context
    };
    let mutated = match excluded.mode_of(Subject::Pod) {
        Some(_) => mutate(object, namespace, of_namespace, "", known, configuration),
        None => Ok(Vec::new()),
    };
    let object = match mutated {
        Ok(patch) if patch.is_empty() => Cow::Borrowed(object),
        Ok(patch) => Cow::Owned(patched(object.clone(), patch)),
        Err(verdict) => {
            return Some(Each {
                mode: Some(Mode::Enforce),
                verdict,
                images: Vec::new(),
            });
        }
    };
    let workload = extract(&object, configuration)?;
    let unknown = labels.is_none().then_some(Mode::Enforce);
    if let Some(mode) = around.mode.or(unknown) {
        context.mode = Some(mode);
        context.templates = Some(mode);
    }
    let mode = context.mode_of(workload.subject);
    Some(Each {
        mode,
        verdict: verdict(&workload, None, &context, known, configuration),
        images: standings(&workload, &context, known, configuration),
    })
}

/// The object with other images. What is added beside them, a verdict does not read.
fn patched(mut object: Value, patch: Vec<PatchOperation>) -> Value {
    for operation in patch {
        if let PatchOperation::Replace { path, value } = operation
            && let Some(place) = object.pointer_mut(&path)
        {
            *place = value;
        }
    }
    object
}
