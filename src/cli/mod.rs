//! The command line: one file a subcommand.
//!
//! Owns arguments, exit codes and what is printed for people. Must not decide anything about
//! images. The invariant that would break first: what is meant for a pipe goes to standard output,
//! everything else to standard error.

mod audit;
mod break_glass;
mod check;
mod cluster;
mod completion;
mod controller;
mod crd;
mod input;
mod lock;
mod network;
mod next_look;
mod output;
mod process;
mod resolve;
mod status;
mod switch;
mod verdicts;
mod webhook;
mod why;

#[doc(hidden)]
pub use check::fuzzing;

use crate::telemetry;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::path::Path;
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
    /// Open namespaces that enforce, whether an operator runs or not, and close them again
    BreakGlass(break_glass::Arguments),
    /// Judge workloads in files as admission would, without a cluster
    Check(check::Arguments),
    /// Print a script by which a shell completes commands and options
    Completion(completion::Arguments),
    /// Run the operator: watch ImageRefs and keep their status true
    Controller(controller::Arguments),
    /// Print the `CustomResourceDefinitions`
    Crd(crd::Arguments),
    /// Write down what ImageRefs stand for, or say what moved since
    Lock(lock::Arguments),
    /// Have the operator look now
    Reconcile(switch::ReconcileArguments),
    /// Say what the operator would say about references in files, without a cluster
    Resolve(resolve::Arguments),
    /// Have the operator look again at what was suspended
    Resume(switch::SwitchArguments),
    /// Say how ImageRefs and providers are
    Status(status::Arguments),
    /// Keep the operator from looking; what a status says stays
    Suspend(switch::SwitchArguments),
    /// Answer reviews of admission: refuse pods whose images are not declared, or warn
    Webhook(webhook::Arguments),
    /// Explain an ImageRef's state, or what admission makes of a pod, with the next step
    Why(why::Arguments),
}

/// What this process is called by, as a person would type it: kubectl runs its plugins by the name of
/// their file.
fn program() -> &'static str {
    let called = std::env::args_os().next().unwrap_or_default();
    let plugin = Path::new(&called).file_stem() == Some("kubectl-imageref".as_ref());
    if plugin {
        "kubectl imageref"
    } else {
        "imageref"
    }
}

/// The arguments of this process. Ends it where help is asked for, or an argument is wrong.
pub fn arguments() -> Arguments {
    let matches = Arguments::command().bin_name(program()).get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Runs a subcommand; returns the exit code of the process.
pub fn main(arguments: Arguments) -> ExitCode {
    // Declared before the runtime, so that it outlives it.
    let _telemetry = telemetry::init(&arguments.logs);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("starting the runtime")),
    };
    let result = match arguments.command {
        Command::Audit(arguments) => runtime.block_on(audit::run(arguments)),
        Command::BreakGlass(arguments) => runtime.block_on(break_glass::run(arguments)),
        Command::Check(arguments) => runtime.block_on(check::run(arguments)),
        Command::Completion(arguments) => completion::run(&arguments),
        Command::Controller(arguments) => runtime.block_on(controller::run(arguments)),
        Command::Crd(arguments) => crd::run(&arguments),
        Command::Lock(arguments) => runtime.block_on(lock::run(arguments)),
        Command::Reconcile(arguments) => runtime.block_on(switch::reconcile(arguments)),
        Command::Resolve(arguments) => runtime.block_on(resolve::run(arguments)),
        Command::Resume(arguments) => runtime.block_on(switch::suspend(arguments, false)),
        Command::Status(arguments) => runtime.block_on(status::run(arguments)),
        Command::Suspend(arguments) => runtime.block_on(switch::suspend(arguments, true)),
        Command::Webhook(arguments) => runtime.block_on(webhook::run(arguments)),
        Command::Why(arguments) => runtime.block_on(Box::pin(why::run(arguments))),
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

    #[test]
    fn every_option_for_files_and_clusters_is_documented() {
        let mut command = Arguments::command();
        command.build();
        let page = include_str!("../../docs/cli.md");
        for name in ["audit", "check", "lock", "resolve"] {
            let subcommand = command.find_subcommand(name).unwrap();
            let heading = format!("\n## `imageref {name}`\n");
            assert!(page.contains(&heading), "{heading}");
            assert_documented(page, subcommand);
        }
    }

    #[test]
    fn every_option_of_the_commands_for_people_is_in_its_section() {
        let mut command = Arguments::command();
        command.build();
        let page = include_str!("../../docs/kubectl.md");
        for (name, heading) in [
            ("status", "`status`"),
            ("why", "`why`"),
            ("reconcile", "`reconcile`"),
            ("suspend", "`suspend` and `resume`"),
            ("resume", "`suspend` and `resume`"),
            ("break-glass", "`break-glass`"),
        ] {
            let subcommand = command.find_subcommand(name).unwrap();
            let section = page.split("\n## ").find(|part| part.starts_with(heading));
            let section = section.unwrap_or_else(|| panic!("{heading}"));
            // What all of them take is told at the top or on the page of all commands, and what two take
            // alike by one of them.
            let top = "`--kubeconfig` `--context` `--log` `--log-format` ";
            let alike = if heading.contains("and") {
                page.split("\n## ")
                    .find(|part| part.starts_with("`reconcile`"))
            } else {
                None
            };
            let told = format!("{top}{section}{}", alike.unwrap_or_default());
            assert_documented(&told, subcommand);
        }
    }

    fn assert_documented(page: &str, subcommand: &clap::Command) {
        let name = subcommand.get_name();
        for option in subcommand.get_arguments().filter_map(|a| a.get_long()) {
            let known = matches!(option, "help" | "version");
            assert!(
                known || page.contains(&format!("`--{option}")),
                "{name} --{option}"
            );
        }
    }
}
