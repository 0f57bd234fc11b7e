//! `imageref completion`: scripts that complete commands and options in a shell.
//!
//! Owns the arguments and the name that is completed. The invariant that would break first: the script is
//! made from the same definitions as the arguments, so it knows every option.

use super::output::put;
use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::process::ExitCode;

/// The file's name, as shells know it: for kubectl's plugins they would have to know kubectl.
const NAME: &str = "imageref";

/// Arguments of `imageref completion`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell
    shell: For,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum For {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let shell = match arguments.shell {
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::Arguments::command(), NAME, &mut script);
    put(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
