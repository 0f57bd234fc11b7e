//! Lock files, as every subcommand reads them.
//!
//! Owns how a lock file that cannot be used is told. Must not know what it is used for. The invariant
//! that would break first: a lock that is not whole is no lock.

use super::files;
use super::problem::Problem;
use crate::cli::output::printable;
use crate::lock::{LARGEST, Lock};
use std::path::Path;

/// A file that cannot be used.
pub(in crate::cli) struct Refused {
    pub(in crate::cli) problem: Problem,
    /// Whether a newer release wrote it: it is not to be replaced.
    pub(in crate::cli) is_newer: bool,
}

/// Reads a lock file.
pub(in crate::cli) fn read(path: &Path) -> Result<Lock, Refused> {
    let mut problems = Vec::new();
    let largest = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    let file = files::open(path, largest, true, &mut problems);
    let refused = |problem, is_newer| Refused { problem, is_newer };
    match (file, problems.pop()) {
        (Some(file), _) => Lock::read(&file.text).map_err(|error| {
            let message = printable(&error.message);
            let problem = Problem::of_file(&file.name, error.line, message);
            refused(problem, error.is_newer)
        }),
        (None, Some(problem)) => Err(refused(problem, false)),
        (None, None) => {
            let name = path.display().to_string().into();
            Err(refused(
                Problem::of_file(&name, None, "cannot be read"),
                false,
            ))
        }
    }
}
