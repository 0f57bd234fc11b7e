//! `imageref lock`: what `ImageRefs` stand for, in a file that can be reviewed and judged by.
//!
//! Owns the arguments, the exit code, and what is locked. Must not know the form of the file. The
//! invariant that would break first: a file is replaced only by one in which every image may be
//! used, unless it was asked for otherwise.

mod write;

use super::cluster::{self, ClusterArguments};
use super::input::arguments::{InputArguments, has_stdin};
use super::input::problem::{self, Problem};
use super::input::reference::{Reference, References};
use super::input::{self, Object, Reader, Taker, lock_file};
use super::output::{printable, put, say};
use super::resolve::{self, Answer, AskArguments, INTERRUPTED};
use super::verdicts::plural;
use crate::lock::{Drift, Form, Lock, drift};
use anyhow::{Context as _, Result, anyhow, bail};
use std::path::PathBuf;
use std::process::ExitCode;

/// Something moved, or may not be used.
const MOVED: u8 = 1;
/// The input is wrong.
const BAD_INPUT: u8 = 2;

/// Arguments of `imageref lock`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("files", |files| files
    .required(false)
    .help("ImageRefs to ask the clouds about, with their providers, in a file of YAML or JSON, a folder of such files, or - for standard input; may be given several times")))]
#[command(mut_arg("namespace", |namespace| namespace
    .help("The namespace of objects that name none [default: default]; of a cluster, the only one that is locked [default: all]")))]
pub(super) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// Take the ImageRefs with their status from what `imageref resolve -o yaml` or `kubectl get -o
    /// yaml` printed, in the same forms
    #[arg(long, value_name = "FILE|FOLDER|-")]
    refs: Vec<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArguments,
    /// The lock file: JSON if it ends with .json, else YAML; - for standard output
    #[arg(long, value_name = "FILE", default_value = "imageref.lock")]
    lock: PathBuf,
    /// Write nothing, say what moved since the file was written, and fail if something did
    #[arg(long)]
    check: bool,
    /// Lock ImageRefs that may not be used too, as such, in place of refusing
    #[arg(long)]
    allow_unusable: bool,
    /// Say on standard error where credentials came from
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten, next_help_heading = "Asking the clouds (with -f)")]
    asking: AskArguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    arguments.input.check()?;
    let files = &arguments.input.files;
    let sources = [
        !files.is_empty(),
        !arguments.refs.is_empty(),
        arguments.cluster.chosen().is_some(),
    ];
    match sources.into_iter().filter(|given| *given).count() {
        0 => bail!(
            "nothing to lock: give -f (asks the clouds), --refs (takes statuses) or --cluster (takes those of a cluster)"
        ),
        1 => {}
        _ => bail!("what is locked comes from one source: give one of -f, --refs and --cluster"),
    }
    let to_stdout = has_stdin(std::slice::from_ref(&arguments.lock));
    if to_stdout && arguments.check {
        bail!("--check compares with a file: name it with --lock");
    }
    let old = match old(&arguments, to_stdout) {
        Ok(old) => old,
        Err(problem) => return Ok(refuse(&[problem], &arguments)),
    };
    let gathering = Box::pin(gather(&arguments));
    let references = match gathering.await? {
        Gathered::References(references) => references,
        Gathered::Problems(problems) => return Ok(refuse(&problems, &arguments)),
        Gathered::Interrupted => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let now = Lock::new(references.iter().map(Reference::entry));
    let moved = old.as_ref().map(|old| drift(old, &now));
    if arguments.check {
        return compare(&arguments, &now, &moved.unwrap_or_default());
    }
    if !arguments.allow_unusable && say_unusable(&references) {
        return Ok(ExitCode::from(MOVED));
    }
    let text = now.to_text(Form::of(&arguments.lock));
    let text = text.map_err(|why| anyhow!(why))?;
    if to_stdout {
        put(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let written = write::replace(&arguments.lock, &text)?;
    for one in moved.iter().flatten() {
        say(&line(one));
    }
    let what = if written { "written" } else { "is as it was" };
    let count = plural(now.entries().len(), "ImageRef");
    say(&format!("{}: {what}: {count}\n", arguments.lock.display()));
    Ok(ExitCode::SUCCESS)
}

/// The lock as it is, which `--check` needs. One that cannot be read is written anew, unless a newer
/// release wrote it.
fn old(arguments: &Arguments, to_stdout: bool) -> Result<Option<Lock>, Problem> {
    let path = &arguments.lock;
    if to_stdout || (!arguments.check && !path.exists()) {
        return Ok(None);
    }
    match lock_file::read(path) {
        Ok(lock) => Ok(Some(lock)),
        Err(refused) if arguments.check || refused.is_newer => Err(refused.problem),
        Err(refused) => {
            say(&format!("{}\n", refused.problem));
            Ok(None)
        }
    }
}

fn refuse(problems: &[Problem], arguments: &Arguments) -> ExitCode {
    let consequence = if arguments.check {
        "nothing was compared"
    } else {
        "nothing was written"
    };
    say(&problem::report(problems, consequence));
    ExitCode::from(BAD_INPUT)
}

enum Gathered {
    References(Vec<Reference>),
    Problems(Vec<Problem>),
    Interrupted,
}

async fn gather(arguments: &Arguments) -> Result<Gathered> {
    let input = &arguments.input;
    if let Some(connect) = arguments.cluster.chosen() {
        let (client, _) = connect.connect().await?;
        let namespace = input.namespace.as_ref().map(std::slice::from_ref);
        let references = cluster::references(&client, namespace).await?;
        if references.is_empty() {
            let scope = input.namespace.as_ref();
            let scope = scope.map_or("the cluster".into(), |name| format!("namespace {name}"));
            bail!("no ImageRef in {scope}: there is nothing to lock");
        }
        return Ok(Gathered::References(references));
    }
    if !arguments.refs.is_empty() {
        return read_statuses(arguments);
    }
    let (to_ask, problems) = resolve::read(&input.files, input.recursive, input.namespace())
        .context("starting to read")?;
    if !problems.is_empty() {
        return Ok(Gathered::Problems(problems));
    }
    let operator_namespace = &input.operator.operator_namespace;
    let asking = arguments
        .asking
        .ask(to_ask, operator_namespace, arguments.verbose);
    let Some(answers) = Box::pin(asking).await? else {
        return Ok(Gathered::Interrupted);
    };
    if arguments.check {
        // Without it, those are named that keep the file from being written.
        say(&resolve::reasons(&answers));
    }
    let references = answers.into_iter().map(Answer::into_reference);
    Ok(Gathered::References(references.collect()))
}

fn read_statuses(arguments: &Arguments) -> Result<Gathered> {
    let input = &arguments.input;
    let mut taking = Statuses::default();
    let (mut problems, first) = input::read(
        &arguments.refs,
        input.recursive,
        input.namespace(),
        &mut taking,
    )
    .context("starting to read")?;
    let References {
        mut answered,
        unanswered,
    } = taking.references;
    answered.extend(unanswered.into_iter().map(|(_, bare)| bare));
    if let Some(first) = first.filter(|_| answered.is_empty() && problems.is_empty()) {
        let message = "no ImageRef in the input: there is nothing to lock";
        problems.push(Problem::of_file(&first, None, message));
    }
    Ok(if problems.is_empty() {
        Gathered::References(answered)
    } else {
        Gathered::Problems(problems)
    })
}

/// The taking of `ImageRefs` with their status, and of nothing else.
#[derive(Default)]
struct Statuses {
    references: References,
}

impl Taker for Statuses {
    fn take(&mut self, object: Object<'_>, reader: &mut Reader<'_>) {
        if object.is_ours() && object.kind == "ImageRef" {
            self.references.take(object, reader);
        }
    }
}

/// Names those that may not be used; whether there are some.
fn say_unusable(references: &[Reference]) -> bool {
    let mut count = 0;
    for one in references {
        if let Some((reason, message)) = one.unusable() {
            count += 1;
            say(&format!(
                "{}\n",
                printable(&format!("{one}: {reason}: {message}"))
            ));
        }
    }
    if count > 0 {
        let what = plural(count, "ImageRef");
        say(&format!(
            "{what} may not be used; nothing was written (--allow-unusable locks them as not usable)\n"
        ));
    }
    count > 0
}

fn line(drift: &Drift) -> String {
    format!("{}\n", printable(&drift.to_string()))
}

fn compare(arguments: &Arguments, now: &Lock, moved: &[Drift]) -> Result<ExitCode> {
    let path = arguments.lock.display();
    let mut text: String = moved.iter().map(line).collect();
    let count = plural(now.entries().len(), "ImageRef");
    let sentence = match moved.len() {
        0 => format!("{path}: true: {count}\n"),
        n => format!(
            "{path}: {} since it was written, of {count}\n",
            plural(n, "change")
        ),
    };
    text.push_str(&sentence);
    put(&text)?;
    Ok(if moved.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(MOVED)
    })
}
