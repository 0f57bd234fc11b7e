//! The command line: one file a subcommand.
//!
//! Owns arguments, exit codes and what is printed for people. Must not decide anything about
//! images. The invariant that would break first: what is meant for a pipe goes to standard output,
//! everything else to standard error.

mod check;
mod cluster;
mod controller;
mod crd;
mod input;
mod metrics;
mod network;
mod output;
mod resolve;
mod webhook;

use crate::telemetry;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Resolves, checks and watches workload images of AI clouds.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    logs: telemetry::LogArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one a process")]
enum Command {
    /// Judge workloads in files as admission would, without a cluster
    Check(check::Arguments),
    /// Run the operator: watch ImageRefs and keep their status true
    Controller(controller::Arguments),
    /// Print the `CustomResourceDefinitions`
    Crd(crd::Arguments),
    /// Say what the operator would say about references in files, without a cluster
    Resolve(resolve::Arguments),
    /// Answer reviews of admission: refuse pods whose images are not declared, or warn
    Webhook(webhook::Arguments),
}

/// Runs a subcommand; returns the exit code of the process.
pub fn main(arguments: Arguments) -> ExitCode {
    telemetry::init(&arguments.logs);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("starting the runtime")),
    };
    let result = match arguments.command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Controller(arguments) => runtime.block_on(controller::run(arguments)),
        Command::Crd(arguments) => crd::run(&arguments),
        Command::Resolve(arguments) => runtime.block_on(resolve::run(arguments)),
        Command::Webhook(arguments) => runtime.block_on(webhook::run(arguments)),
    };
    result.unwrap_or_else(|error| fail(&error))
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(2)
}
