//! The command line: one file a subcommand.
//!
//! Owns arguments, exit codes and what is printed for people. Must not decide anything about
//! images. The invariant that would break first: what is meant for a pipe goes to standard output,
//! everything else to standard error.

mod audit;
mod check;
mod cluster;
mod controller;
mod crd;
mod input;
mod lock;
mod network;
mod output;
mod process;
mod resolve;
mod verdicts;
mod webhook;

#[doc(hidden)]
pub use check::fuzzing;

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
enum Command {
    /// Judge what runs in a cluster as admission would
    Audit(audit::Arguments),
    /// Judge workloads in files as admission would, without a cluster
    Check(check::Arguments),
    /// Run the operator: watch ImageRefs and keep their status true
    Controller(controller::Arguments),
    /// Print the `CustomResourceDefinitions`
    Crd(crd::Arguments),
    /// Write down what ImageRefs stand for, or say what moved since
    Lock(lock::Arguments),
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
        Command::Audit(arguments) => runtime.block_on(audit::run(arguments)),
        Command::Check(arguments) => runtime.block_on(check::run(arguments)),
        Command::Controller(arguments) => runtime.block_on(controller::run(arguments)),
        Command::Crd(arguments) => crd::run(&arguments),
        Command::Lock(arguments) => runtime.block_on(lock::run(arguments)),
        Command::Resolve(arguments) => runtime.block_on(resolve::run(arguments)),
        Command::Webhook(arguments) => runtime.block_on(webhook::run(arguments)),
    };
    result.unwrap_or_else(|error| fail(&error))
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_option_for_files_and_clusters_is_documented() {
        let mut command = Arguments::command();
        command.build();
        let page = include_str!("../../docs/cli.md");
        for name in ["audit", "check", "lock", "resolve"] {
            let subcommand = command.find_subcommand(name).unwrap();
            let heading = format!("\n## `imageref {name}`\n");
            assert!(page.contains(&heading), "{heading}");
            for option in subcommand.get_arguments().filter_map(|a| a.get_long()) {
                let known = matches!(option, "help" | "version");
                assert!(
                    known || page.contains(&format!("`--{option}")),
                    "{name} --{option}"
                );
            }
        }
    }
}
