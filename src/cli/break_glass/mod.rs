//! `imageref break-glass`: namespaces that enforce are opened, and closed again.
//!
//! Owns the arguments, the order and the exit code. Must not need an operator or a webhook: all that it
//! asks is the API server. The invariant that would break first: what a namespace had is on disk before
//! it is changed, so wherever the command ends, running it again goes on and `--restore` goes back.

mod label;
mod record;

use super::cluster::ConnectArguments;
use super::input::arguments::check_namespace;
use super::output::{printable, put, say};
use super::program;
use super::verdicts::plural;
use crate::admission::{ADMISSION, MUTATE, Mode};
use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use label::Changed;
use record::{Opened, Record};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Some namespace could not be changed.
const NOT_ALL: u8 = 1;

/// Arguments of `imageref break-glass`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["namespace", "all", "restore"]))]
pub(super) struct Arguments {
    #[command(flatten)]
    connect: ConnectArguments,
    /// Open this namespace, if it enforces; may be given several times
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Vec<String>,
    /// Open every namespace that enforces
    #[arg(long)]
    all: bool,
    /// Close the namespaces again that this file names, by the labels that they had
    #[arg(long, value_name = "FILE")]
    restore: Option<PathBuf>,
    /// Where to write down what was changed, for --restore
    #[arg(
        long,
        value_name = "FILE",
        default_value = "break-glass.json",
        conflicts_with = "restore"
    )]
    record: PathBuf,
    /// Have the API server say whether it would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    for name in &arguments.namespace {
        check_namespace("--namespace", name)?;
    }
    // Before the cluster is asked: a file that cannot be read is told whatever else is broken.
    let record = match &arguments.restore {
        Some(path) => Record::read(path)?,
        None => Record::read_if_there(&arguments.record)?,
    };
    let (client, _) = arguments.connect.connect().await?;
    let failed = if let Some(path) = &arguments.restore {
        close(&client, record, path, arguments.dry_run).await?
    } else {
        open(&client, record, &arguments).await?
    };
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_ALL)
    })
}

/// Opens what enforces. Returns how many namespaces could not be opened.
async fn open(client: &Client, mut record: Record, arguments: &Arguments) -> Result<usize> {
    let dry_run = arguments.dry_run;
    let mut failed = 0;
    let mut found = Vec::new();
    if arguments.all {
        found = label::enforcing(client).await?;
    }
    for name in &arguments.namespace {
        match label::get(client, name).await {
            Ok(Some(namespace)) => found.push(namespace),
            Ok(None) => {
                failed += 1;
                say(&format!("error: namespace {name} does not exist\n"));
            }
            Err(error) => {
                failed += 1;
                say(&format!("error: {error:#}\n"));
            }
        }
    }
    let (closed, others): (Vec<_>, Vec<_>) = found.into_iter().partition(label::enforces);
    for namespace in &others {
        tell(&format!(
            "{}: {}",
            called(namespace),
            label::open_already(namespace)
        ))?;
    }
    if !dry_run && !closed.is_empty() {
        record.add(closed.iter().map(opened), Timestamp::now());
        let written = record.write(&arguments.record);
        written.context("nothing was changed: name a file that can be written with --record")?;
    }
    let mut changed = 0;
    for namespace in &closed {
        match label::set(client, namespace, Mode::Warn.as_str(), dry_run).await {
            Ok(Changed { before, keeper }) => {
                changed += 1;
                let would = if dry_run {
                    " (not changed: --dry-run)"
                } else {
                    ""
                };
                tell(&format!(
                    "{}: {ADMISSION} {before} -> {}{would}",
                    called(namespace),
                    Mode::Warn.as_str()
                ))?;
                if let Some(keeper) = keeper {
                    say(&kept(namespace, &keeper));
                }
            }
            Err(error) => {
                failed += 1;
                say(&format!("error: {error:#}\n"));
            }
        }
    }
    for name in label::with_names(client, &arguments.namespace).await {
        say(&format!(
            "note: namespace {} has {MUTATE}: pods that name an ImageRef in place of an image wait for the webhook all the same\n",
            printable(&name)
        ));
    }
    if changed == 0 && failed == 0 && others.is_empty() {
        tell("no namespace enforces")?;
    } else if changed > 0 && !dry_run {
        tell(&format!(
            "{} opened; to close: {} break-glass --restore {}",
            plural(changed, "namespace"),
            program(),
            arguments.record.display()
        ))?;
    }
    Ok(failed)
}

/// Closes what was opened. Returns how many namespaces could not be closed.
async fn close(client: &Client, mut record: Record, path: &Path, dry_run: bool) -> Result<usize> {
    let mut failed = 0;
    let mut done = BTreeMap::new();
    for one in &record.namespaces {
        match close_one(client, one, dry_run).await {
            Ok(said) => {
                tell(&format!("namespace {}: {said}", one.name))?;
                done.insert(one.name.clone(), one.uid.clone());
            }
            Err(error) => {
                failed += 1;
                say(&format!("error: {error:#}\n"));
            }
        }
    }
    if record.namespaces.is_empty() {
        tell("nothing is left to close")?;
    }
    if !dry_run && !done.is_empty() {
        record.closed(&done);
        record.write(path)?;
    }
    Ok(failed)
}

async fn close_one(client: &Client, one: &Opened, dry_run: bool) -> Result<String> {
    let Some(namespace) = label::get(client, &one.name).await? else {
        return Ok("is gone".into());
    };
    if namespace.metadata.uid.as_deref() != Some(&one.uid) {
        return Ok("is another one of that name now, and is left alone".into());
    }
    let now = label::value(&namespace);
    if now == Some(&one.label) {
        return Ok(format!("has {ADMISSION}: {} already", one.label));
    }
    if now != Some(Mode::Warn.as_str()) {
        return Ok(format!(
            "has {} now, which somebody else set, and is left alone",
            now.map_or_else(
                || format!("no {ADMISSION}"),
                |now| format!("{ADMISSION}: {now}")
            )
        ));
    }
    let Changed { before, keeper } = label::set(client, &namespace, &one.label, dry_run).await?;
    if let Some(keeper) = keeper {
        say(&kept(&namespace, &keeper));
    }
    let would = if dry_run {
        " (not changed: --dry-run)"
    } else {
        ""
    };
    Ok(format!("{ADMISSION} {before} -> {}{would}", one.label))
}

fn opened(namespace: &Namespace) -> Opened {
    let metadata = &namespace.metadata;
    Opened {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        label: label::value(namespace).unwrap_or_default().to_owned(),
    }
}

fn called(namespace: &Namespace) -> String {
    format!(
        "namespace {}",
        namespace.metadata.name.as_deref().unwrap_or_default()
    )
}

fn kept(namespace: &Namespace, keeper: &str) -> String {
    format!(
        "warning: {} keeps {}, and sets the label back if its manifest names it: change it there too, or suspend it\n",
        printable(keeper),
        called(namespace)
    )
}

fn tell(line: &str) -> Result<()> {
    // In the middle of an emergency the work goes on, whoever reads.
    put(&format!("{}\n", printable(line))).map(drop)
}

/// # Errors
/// If the file is not one that this command wrote.
fn check_kind(kind: &str, version: u32, path: &Path) -> Result<()> {
    if kind != record::KIND || version != record::VERSION {
        bail!(
            "{} is no record of `imageref break-glass`: name another file",
            path.display()
        );
    }
    Ok(())
}
