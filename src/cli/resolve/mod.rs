//! `imageref resolve`: what the operator would say about `ImageRefs` in files, without a cluster.
//!
//! Owns the arguments, the exit code and the order: read everything, refuse everything that is
//! wrong at once, ask the clouds, print. Must not decide anything about images. The invariant that
//! would break first: with bad input no cloud is asked.

mod ask;
mod asking;
mod contents;
mod credentials;
mod manifests;
mod print;
mod secret;

pub(in crate::cli) use ask::Answer;
pub(in crate::cli) use asking::{AskArguments, INTERRUPTED};
pub(in crate::cli) use manifests::{Manifests, read};
pub(in crate::cli) use print::reasons;

use super::input::arguments::InputArguments;
use super::input::problem;
use super::output::{self, say};
use anyhow::{Context as _, Result};
use print::Form;
use std::process::ExitCode;

/// Some `ImageRef` is not resolved.
const NOT_RESOLVED: u8 = 1;
/// The input is wrong.
const BAD_INPUT: u8 = 2;

/// Arguments of `imageref resolve`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// Form of the output
    #[arg(short, long, value_enum, default_value = "table")]
    output: Form,
    /// Say on standard error what was read and where credentials came from
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    ask: AskArguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let input = &arguments.input;
    input.check()?;
    let (manifests, problems) =
        read(&input.files, input.recursive, input.namespace()).context("starting to read")?;
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
    let operator_namespace = &input.operator.operator_namespace;
    let asking = arguments
        .ask
        .ask(manifests, operator_namespace, arguments.verbose);
    let Some(answers) = Box::pin(asking).await? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let text = print::text(arguments.output, &answers)?;
    if !output::put(&text)? {
        // Whoever reads has seen enough.
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.output != Form::Table {
        say(&reasons(&answers));
    }
    Ok(if answers.iter().all(Answer::resolved) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_RESOLVED)
    })
}
