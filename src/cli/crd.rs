//! `imageref crd`: the CRDs, to standard output or into a folder.

use crate::api::crd;
use anyhow::{Context as _, Result};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Opens each file, so that nobody edits it.
const HEADER: &str = "# Printed by `imageref crd`; do not edit. To update: make crds\n";

/// Arguments of `imageref crd`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write one file a CRD into this folder instead of printing them
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    for crd in crd::crds() {
        let text = crd::to_yaml(&crd).context("writing a CRD as YAML")?;
        match &arguments.dir {
            Some(dir) => {
                std::fs::create_dir_all(dir)
                    .with_context(|| format!("creating {}", dir.display()))?;
                let path = dir.join(crd::file_name(&crd));
                std::fs::write(&path, format!("{HEADER}{text}"))
                    .with_context(|| format!("writing {}", path.display()))?;
            }
            None => {
                write!(std::io::stdout(), "---\n{text}").context("writing to standard output")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
