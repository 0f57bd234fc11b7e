//! Asking about all `ImageRefs` that were read, for `imageref resolve` and for those that judge or
//! lock the answers.
//!
//! Owns the options of asking, how many are under way, the progress on a terminal, and Ctrl-C. Must
//! not know what becomes of the answers. The invariant that would break first: the answers are those
//! of `imageref resolve`, in the order of the files.

use super::ask::{Answer, Asker};
use super::credentials;
use super::manifests::Manifests;
use crate::cli::network::{NetworkArguments, OwnArguments};
use crate::cli::output::say;
use crate::cloud::gate::Gates;
use crate::cloud::identity::{CacheOptions, CredentialCache, ProjectIds};
use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::sync::{Arc, PoisonError};

/// Stopped by Ctrl-C, as shells report it.
pub(in crate::cli) const INTERRUPTED: u8 = 130;

/// How the clouds are asked.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct AskArguments {
    /// How many ImageRefs to ask about at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Take credentials from Secrets in the files only, not from the environment
    #[arg(long)]
    no_env: bool,
    #[command(flatten)]
    network: NetworkArguments,
}

impl AskArguments {
    /// Asks about all; `None` if Ctrl-C ended it, which was said.
    pub(in crate::cli) async fn ask(
        &self,
        manifests: Manifests,
        operator_namespace: &str,
        verbose: bool,
    ) -> Result<Option<Vec<Answer>>> {
        let (clouds, exchanger) = self.network.clients(&OwnArguments::default())?;
        let exchanger = Arc::new(exchanger);
        let options = CacheOptions::default();
        let asker = Asker {
            manifests,
            clouds,
            registries: self.network.registries(&Arc::default())?,
            allowed: self.network.allowed()?,
            operator_namespace: operator_namespace.to_owned(),
            environment: (!self.no_env).then_some(credentials::process),
            gates: Gates::default(),
            projects: ProjectIds::new(exchanger.clone(), options.refusals.clone()),
            refusals: options.refusals.clone(),
            credentials: CredentialCache::new(exchanger, options),
            origins: std::sync::Mutex::default(),
        };
        let bar = progress(asker.manifests.refs.len());
        let answering = Box::pin(ask_all(&asker, usize::from(self.concurrency), &bar));
        let answers = tokio::select! {
            answers = answering => answers,
            stopped = tokio::signal::ctrl_c() => {
                bar.finish_and_clear();
                stopped.context("listening for Ctrl-C")?;
                say("interrupted: nothing is printed of what was under way\n");
                return Ok(None);
            }
        };
        bar.finish_and_clear();
        if verbose {
            let origins = asker.origins.lock().unwrap_or_else(PoisonError::into_inner);
            for (provider, origin) in origins.iter() {
                say(&format!("{provider}: credentials from {origin}\n"));
            }
        }
        Ok(Some(answers))
    }
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
