//! The arguments of every subcommand that reads objects from files.
//!
//! Owns their names, defaults and checks. Must not know what is read. The invariant that would break
//! first: the same option means the same for every subcommand.

use super::object;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// Files, and what objects in them do not say themselves.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InputArguments {
    /// A file of YAML or JSON, a folder of such files, or - for standard input; may be given
    /// several times
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE|FOLDER|-",
        required = true
    )]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Look into the folders below a folder too
    #[arg(short = 'R', long)]
    pub(in crate::cli) recursive: bool,
    /// The namespace of objects that name none [default: default]
    #[arg(short, long)]
    pub(in crate::cli) namespace: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) operator: OperatorArguments,
}

impl InputArguments {
    /// The namespace of objects that name none.
    pub(in crate::cli) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// # Errors
    /// If a namespace cannot be one.
    pub(in crate::cli) fn check(&self) -> Result<()> {
        check_namespace("--namespace", self.namespace())?;
        self.operator.check()
    }
}

/// Where the operator is.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct OperatorArguments {
    /// Namespace of the operator: where the Secrets of ClusterImageProviders must be, and which
    /// admission never judges
    #[arg(
        long,
        env = "IMAGEREF_OPERATOR_NAMESPACE",
        default_value = "imageref-system"
    )]
    pub(in crate::cli) operator_namespace: String,
}

impl OperatorArguments {
    /// # Errors
    /// If the namespace cannot be one.
    pub(in crate::cli) fn check(&self) -> Result<()> {
        check_namespace("--operator-namespace", &self.operator_namespace)
    }
}

/// # Errors
/// If the value of an option cannot be a namespace.
pub(in crate::cli) fn check_namespace(option: &str, value: &str) -> Result<()> {
    if object::is_label(value) {
        Ok(())
    } else {
        bail!("{option} {value:?} is not the name of a namespace")
    }
}

/// Whether standard input is among them.
pub(in crate::cli) fn has_stdin(paths: &[PathBuf]) -> bool {
    paths.iter().any(|path| path == Path::new("-"))
}
