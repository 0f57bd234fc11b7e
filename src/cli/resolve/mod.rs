//! `imageref resolve`: what the operator would say about `ImageRefs` in files, without a cluster.
//!
//! Owns the arguments, the exit code and the order: read everything, refuse everything that is
//! wrong at once, ask the clouds, print. Must not decide anything about images. The invariant that
//! would break first: with bad input no cloud is asked.

mod ask;
mod contents;
mod credentials;
mod manifests;
mod print;
mod secret;

use super::input::{object, problem};
use super::output::{self, say};
use crate::cloud::gate::Gates;
use crate::cloud::identity::{CacheOptions, CredentialCache, ProjectIds};
use anyhow::{Context as _, Result, bail};
use ask::{Answer, Asker};
use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use print::Form;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError};

/// Some `ImageRef` is not resolved.
const NOT_RESOLVED: u8 = 1;
/// The input is wrong.
const BAD_INPUT: u8 = 2;
/// Stopped by Ctrl-C, as shells report it.
const INTERRUPTED: u8 = 130;

/// Arguments of `imageref resolve`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A file of YAML or JSON, a folder of such files, or - for standard input; may be given
    /// several times
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE|FOLDER|-",
        required = true
    )]
    files: Vec<PathBuf>,
    /// Look into the folders below a folder too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// The namespace of objects that name none
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Form of the output
    #[arg(short, long, value_enum, default_value = "table")]
    output: Form,
    /// Namespace of the operator: where the Secrets of ClusterImageProviders must be
    #[arg(
        long,
        env = "IMAGEREF_OPERATOR_NAMESPACE",
        default_value = "imageref-system"
    )]
    operator_namespace: String,
    /// How many ImageRefs to ask about at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Take credentials from Secrets in the files only, not from the environment
    #[arg(long)]
    no_env: bool,
    /// Say on standard error what was read and where credentials came from
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    network: super::network::NetworkArguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    for (option, value) in [
        ("--namespace", &arguments.namespace),
        ("--operator-namespace", &arguments.operator_namespace),
    ] {
        if !object::is_label(value) {
            bail!("{option} {value:?} is not the name of a namespace");
        }
    }
    let own = super::network::OwnArguments::default();
    let (clouds, exchanger) = arguments.network.clients(&own)?;
    let exchanger = Arc::new(exchanger);
    let allowed = arguments.network.allowed()?;
    let (manifests, problems) =
        manifests::read(&arguments.files, arguments.recursive, &arguments.namespace)
            .context("starting to read")?;
    if !problems.is_empty() {
        say(&problem::report(&problems, "no cloud was asked"));
        return Ok(ExitCode::from(BAD_INPUT));
    }
    if arguments.verbose {
        say(&format!(
            "read {} ImageRefs, {} providers, {} Secrets, {} Namespaces; left out {} objects of other kinds\n",
            manifests.refs.len(),
            manifests.providers.len(),
            manifests.secrets.len(),
            manifests.namespaces.len(),
            manifests.ignored,
        ));
    }
    let options = CacheOptions::default();
    let asker = Asker {
        manifests,
        clouds,
        registries: arguments.network.registries()?,
        allowed,
        operator_namespace: arguments.operator_namespace,
        environment: (!arguments.no_env).then_some(credentials::process),
        gates: Gates::default(),
        projects: ProjectIds::new(exchanger.clone(), options.refusals.clone()),
        refusals: options.refusals.clone(),
        credentials: CredentialCache::new(exchanger, options),
        origins: std::sync::Mutex::default(),
    };
    let bar = progress(asker.manifests.refs.len());
    let answering = Box::pin(ask_all(&asker, usize::from(arguments.concurrency), &bar));
    let answers = tokio::select! {
        answers = answering => answers,
        stopped = tokio::signal::ctrl_c() => {
            bar.finish_and_clear();
            stopped.context("listening for Ctrl-C")?;
            say("interrupted: nothing is printed of what was under way\n");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    bar.finish_and_clear();
    if arguments.verbose {
        let origins = asker.origins.lock().unwrap_or_else(PoisonError::into_inner);
        for (provider, origin) in origins.iter() {
            say(&format!("{provider}: credentials from {origin}\n"));
        }
    }
    let text = print::text(arguments.output, &answers)?;
    if !output::put(&text)? {
        // Whoever reads has seen enough.
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.output != Form::Table {
        say(&print::reasons(&answers));
    }
    Ok(if answers.iter().all(Answer::resolved) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_RESOLVED)
    })
}

async fn ask_all(asker: &Asker, concurrency: usize, bar: &ProgressBar) -> Vec<Answer> {
    let mut answers: Vec<_> = futures::stream::iter(asker.manifests.refs.iter().enumerate())
        .map(|(at, object)| async move { (at, Box::pin(asker.answer(object)).await) })
        .buffer_unordered(concurrency)
        .inspect(|_| bar.inc(1))
        .collect()
        .await;
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// A bar on a terminal, for more than a glance's worth of work; else one that is never drawn.
fn progress(count: usize) -> ProgressBar {
    if !io::stderr().is_terminal() || count < 2 {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} {bar:30} {elapsed}") {
        bar.set_style(style);
    }
    bar
}
